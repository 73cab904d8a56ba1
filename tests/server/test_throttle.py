"""Failed logins, under a clock of the test's own."""

import pytest

from syncd.errors import PasswordRequired, StoreError, Throttled
from syncd.server.throttle import MAX_KEYS, PER_ADDRESS, PER_USER, LoginThrottle

HOME = "192.0.2.1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> LoginThrottle:
    return LoginThrottle(clock)


def fail(throttle: LoginThrottle, user: str, address: str) -> None:
    with pytest.raises(PasswordRequired), throttle.attempt(user, address):
        raise PasswordRequired("wrong password")


def succeed(throttle: LoginThrottle, user: str, address: str) -> None:
    with throttle.attempt(user, address):
        pass


def refused(throttle: LoginThrottle, user: str, address: str) -> bool:
    try:
        throttle.check(user, address)
    except Throttled:
        return True
    return False


def test_a_user_is_guessed_at_so_often_from_wherever_and_then_once_a_minute(
    throttle: LoginThrottle, clock: Clock
) -> None:
    for number in range(PER_USER.failures):
        fail(throttle, "alice", f"192.0.2.{number}")
    with pytest.raises(Throttled, match="too many failed logins; try again in 60 s"):
        throttle.check("alice", HOME)
    assert not refused(throttle, "bob", HOME)
    clock.now += PER_USER.regain_s - 0.5
    with pytest.raises(Throttled, match="try again in 1 s"), throttle.attempt("alice", HOME):
        raise AssertionError("the guess is looked at")
    clock.now += 0.5
    fail(throttle, "alice", HOME)
    assert refused(throttle, "alice", HOME)


def test_an_address_guesses_so_often_at_whomever(throttle: LoginThrottle, clock: Clock) -> None:
    for number in range(PER_ADDRESS.failures):
        fail(throttle, f"user{number}", HOME)
    assert refused(throttle, "another", HOME)
    assert not refused(throttle, "another", "192.0.2.2")
    clock.now += PER_ADDRESS.regain_s
    assert not refused(throttle, "another", HOME)


def test_a_name_that_is_not_there_counts_for_the_address(throttle: LoginThrottle) -> None:
    for _ in range(PER_ADDRESS.failures):
        throttle.charge_address(HOME)
    assert refused(throttle, "alice", HOME)


def test_right_guesses_cost_nothing(throttle: LoginThrottle) -> None:
    for _ in range(10 * PER_ADDRESS.failures):
        succeed(throttle, "alice", HOME)
    assert not refused(throttle, "alice", HOME)
    assert not refused(throttle, "bob", HOME)


def test_logging_in_in_between_does_not_clear_the_count(throttle: LoginThrottle) -> None:
    for _ in range(PER_USER.failures):
        fail(throttle, "alice", HOME)
        succeed(throttle, "mallory", HOME)
    assert refused(throttle, "alice", HOME)


def test_a_long_rest_saves_up_no_more_guesses(throttle: LoginThrottle, clock: Clock) -> None:
    fail(throttle, "alice", HOME)
    clock.now += 24 * 3600
    for number in range(PER_USER.failures):
        assert not refused(throttle, "alice", HOME)
        fail(throttle, "alice", f"192.0.2.{number}")
    assert refused(throttle, "alice", HOME)


def test_many_guesses_at_once_find_no_more_room(throttle: LoginThrottle) -> None:
    under_way = []
    for _ in range(PER_USER.failures):
        attempt = throttle.attempt("alice", HOME)
        attempt.__enter__()
        under_way.append(attempt)
    assert refused(throttle, "alice", HOME)
    for attempt in under_way:
        attempt.__exit__(None, None, None)
    assert not refused(throttle, "alice", HOME)


def test_a_failing_store_is_no_wrong_guess(throttle: LoginThrottle) -> None:
    for _ in range(2 * PER_ADDRESS.failures):
        with pytest.raises(StoreError), throttle.attempt("alice", HOME):
            raise StoreError("the database is away")
    assert not refused(throttle, "alice", HOME)


def test_strangers_lock_nobody_out_where_he_has_been_before(throttle: LoginThrottle) -> None:
    succeed(throttle, "alice", HOME)
    for number in range(PER_USER.failures):
        fail(throttle, "alice", f"198.51.100.{number}")
    for number in range(PER_ADDRESS.failures):
        fail(throttle, f"user{number}", HOME)
    assert refused(throttle, "alice", "198.51.100.99")
    assert refused(throttle, "bob", HOME)
    assert not refused(throttle, "alice", HOME)
    for _ in range(PER_USER.failures):
        fail(throttle, "alice", HOME)
    assert refused(throttle, "alice", HOME)


def test_memory_is_bounded_and_a_flood_does_not_wash_out_the_one_who_is_guessed_at(
    clock: Clock,
) -> None:
    throttle = LoginThrottle(clock, max_keys=100)
    for number in range(PER_USER.failures):
        fail(throttle, "alice", f"192.0.2.{number}")
    for number in range(2000):
        fail(throttle, f"user{number}", f"2001:db8:0:{number:x}::/64")
        succeed(throttle, f"user{number}", f"198.51.{number // 256}.{number % 256}")
        assert len(throttle._users) <= 100
        assert len(throttle._addresses) <= 100
        assert len(throttle._known) <= 100
    assert refused(throttle, "alice", HOME)


def test_right_guesses_leave_nothing_to_remember(throttle: LoginThrottle) -> None:
    for _ in range(2):
        succeed(throttle, "alice", HOME)
    assert [len(spent) for spent in (throttle._users, throttle._addresses, throttle._pairs)] == [
        0, 0, 0,
    ]  # fmt: skip


def test_who_comes_back_is_remembered_longest(clock: Clock) -> None:
    throttle = LoginThrottle(clock, max_keys=10)
    for number in range(20):
        succeed(throttle, "alice", HOME)
        succeed(throttle, "bob", f"192.0.2.{number + 10}")
    for number in range(PER_ADDRESS.failures):
        fail(throttle, f"user{number}", HOME)
    assert not refused(throttle, "alice", HOME)


def test_what_is_over_is_forgotten(clock: Clock) -> None:
    throttle = LoginThrottle(clock, max_keys=10)
    for number in range(10):
        fail(throttle, f"user{number}", HOME)
    clock.now += 3600
    fail(throttle, "another", HOME)
    assert len(throttle._users) == 1


def test_the_limits_stop_guessing_and_no_person() -> None:
    assert MAX_KEYS * 3 * 200 <= 8_000_000
    assert 24 * 3600 / PER_USER.regain_s <= 2000
    assert PER_USER.failures >= 5
