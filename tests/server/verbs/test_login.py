"""Logging in and out."""

import re
import threading

import argon2
import pytest

from syncd.server.peers import Peer
from syncd.server.throttle import PER_ADDRESS, PER_USER
from syncd.server.tls import TlsSettings
from syncd.server.verbs import login
from syncd.store import Store, View
from syncd.types import Present, Role
from syncd.types.users import hash_password, password_matches
from tests.certificates import Certificates
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import PASSWORD, USER_OF_ROLE, logged, put
from tests.server.conftest import Connect

pytestmark = on_every_engine


@pytest.mark.parametrize("role", Role)
def test_a_user_logs_in_and_is_told_the_role(connect: Connect, role: Role) -> None:
    name = USER_OF_ROLE[role]
    client = connect()
    assert client.ask(f"USER {name}") == f"300 {name}"
    assert client.ask(f"PASS {PASSWORD}") == f"200 {name}|{role.label}"


def test_a_name_is_taken_in_either_case(connect: Connect) -> None:
    assert connect().log_in("ALICE") == "200 alice|operator"


@pytest.mark.parametrize("name", ["nobody", "", "no such", "%7C", "-"])
def test_a_user_that_is_not_there_is_refused(connect: Connect, name: str) -> None:
    assert connect().ask(f"USER {name}").startswith("570 ")


@pytest.mark.parametrize("password", ["wrong", "", "Secret", "secret ", " secret", "secre%74"])
def test_a_wrong_password_is_refused_and_user_is_due_again(connect: Connect, password: str) -> None:
    client = connect()
    client.ask("USER alice")
    assert client.ask(f"PASS {password}") == "540 wrong password"
    assert client.ask(f"PASS {PASSWORD}") == "540 USER first"
    assert client.log_in("alice") == "200 alice|operator"


def test_a_password_without_a_user_is_refused(connect: Connect) -> None:
    assert connect().ask(f"PASS {PASSWORD}") == "540 USER first"


def test_one_who_is_logged_in_has_to_log_out_first(connect: Connect) -> None:
    client = connect("alice")
    assert client.ask("USER bob").startswith("541 ")
    assert client.ask("PASS x").startswith("541 ")
    assert client.ask("LOUT") == "200 logged out"
    assert client.log_in("bob") == "200 bob|reader"


def test_who_logged_out_may_do_no_more_than_before_login(connect: Connect) -> None:
    client = connect("alice")
    client.ask("LOUT")
    assert client.ask("SYNC zones|info").startswith("520 ")


def test_a_user_that_was_removed_logs_in_no_more(connect: Connect, source_store: Store) -> None:
    client = connect()
    client.ask("USER bob")
    source_store.remove("users", "bob", author="test")
    assert client.ask(f"PASS {PASSWORD}").startswith("540 ")
    assert client.ask("USER bob").startswith("570 ")


# Passwords in clear text


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client seems to be on another machine."""
    monkeypatch.setattr(Peer, "of", lambda stream: Peer("192.0.2.99", 40000))


@pytest.mark.usefixtures("far_away")
def test_a_password_in_clear_text_from_elsewhere_is_refused_with_what_to_do(
    connect: Connect, start_daemon: StartDaemon, certificates: Certificates
) -> None:
    client = connect()
    refusal = client.ask("USER alice")
    assert refusal.startswith("584 no password is taken in clear text from another machine: give")
    assert client.ask(f"PASS {PASSWORD}") == refusal
    offering = connect(None, start_daemon(tls=certificates.settings()))
    assert offering.ask("USER alice").endswith("send STLS first, or use syncds://")
    offering.ask("STLS")
    offering.start_tls(certificates.context())
    assert offering.log_in("alice") == "200 alice|operator"


@pytest.mark.usefixtures("far_away")
def test_a_password_in_clear_text_is_taken_where_that_is_configured(
    connect: Connect, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(tls=TlsSettings(allow_clear_passwords=True))
    assert connect(None, daemon).log_in("alice") == "200 alice|operator"


# Guessing


def test_who_guesses_too_often_is_refused_over_a_real_socket(
    connect: Connect, source_store: Store
) -> None:
    client = connect()
    for _ in range(PER_USER.failures):
        assert client.log_in("alice", "guess") == "540 wrong password"
    refusal = client.log_in("alice")
    assert refusal.startswith("552 too many failed logins; try again in "), "also when right"
    assert connect().log_in("alice") == refusal
    assert connect("bob").ask("NOOP") == "200 ok"


def test_an_operator_says_how_many_guesses_are_borne(
    connect: Connect, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(failed_logins_per_user=2, failed_logins_per_address=3)

    def guess(user: str) -> str:
        return connect(None, daemon).log_in(user, "guess")[:3]

    assert [guess("alice") for _ in range(3)] == ["540", "540", "552"], "of one user"
    assert [guess("bob") for _ in range(2)] == ["540", "552"], "from one address"


def test_guesses_on_many_connections_at_once_find_no_more_room(connect: Connect) -> None:
    clients = [connect() for _ in range(3 * PER_USER.failures)]
    for client in clients:
        client.send("USER alice", "PASS guess")
    answers = [client.line() for client in clients]
    answers += [client.line() for client, first in zip(clients, answers, strict=True)
                if first.startswith("300")]  # fmt: skip
    assert answers.count("540 wrong password") == PER_USER.failures


def test_who_may_not_even_guess_does_not_wait_for_those_who_may(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    assert client.ask("USER alice") == "300 alice"
    guessing, go_on = connect(), threading.Event()
    for _ in range(PER_USER.failures):
        assert guessing.log_in("alice", "guess") == "540 wrong password"
    monkeypatch.setattr(login, "password_matches", lambda stored, given: go_on.wait(30))
    slow = [connect(), connect()]
    for other in slow:
        other.send("USER bob", f"PASS {PASSWORD}")
        assert other.line() == "300 bob"
    try:
        assert client.ask(f"PASS {PASSWORD}").startswith("552 ")
    finally:
        go_on.set()
    assert [other.line() for other in slow] == ["200 bob|reader"] * 2


def test_so_many_passwords_are_checked_at_once_as_the_operator_said(
    start_daemon: StartDaemon, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Semaphore(0), threading.Event()

    def wait(stored: str, given: str) -> bool:
        began.release()
        return go_on.wait(30)

    monkeypatch.setattr(login, "password_matches", wait)
    daemon = start_daemon(password_checks=3)
    clients = [connect(None, daemon) for _ in range(6)]
    for client in clients:
        client.send("USER bob", f"PASS {PASSWORD}")
        assert client.line() == "300 bob"
    try:
        assert all(began.acquire(timeout=10) for _ in range(3))
        assert not began.acquire(timeout=0.3), "a fourth waits its turn"
        assert connect(None, daemon).ask("NOOP") == "200 ok"
    finally:
        go_on.set()
    assert [client.line() for client in clients] == ["200 bob|reader"] * 6


def test_guessing_names_is_throttled_as_guessing_passwords_is(connect: Connect) -> None:
    client = connect()
    for number in range(PER_ADDRESS.failures):
        assert client.ask(f"USER nobody{number}").startswith("570 ")
    assert client.ask("USER nobody").startswith("552 ")
    assert client.ask("USER alice").startswith("552 "), "there is no difference to be seen"


def test_a_certificate_logs_in_also_while_passwords_are_refused(
    start_daemon: StartDaemon, certificates: Certificates, connect: Connect
) -> None:
    daemon = start_daemon(tls=certificates.settings())
    guessing = connect(None, daemon)
    for _ in range(PER_USER.failures + 1):
        guessing.log_in("alice", "guess")
    client = connect(None, daemon)
    client.ask("STLS")
    client.start_tls(certificates.context(certificates.issue("alice", common_name="alice")))
    assert client.ask("USER alice") == "200 alice|operator"


def test_hidden_names_are_not_told_by_words_or_by_time(
    start_daemon: StartDaemon,
    source_store: Store,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(source_store, "users", "carol", hash_password("correct horse"), role="reader")
    compared: list[str] = []

    def compare(stored: str, given: str) -> bool:
        compared.append(stored)
        return password_matches(stored, given)

    monkeypatch.setattr(login, "password_matches", compare)
    client = connect(None, start_daemon(hide_user_names=True))
    for name in ("carol", "nobody"):
        assert client.ask(f"USER {name}") == f"300 {name}"
        assert client.ask("PASS guess") == "540 wrong password"
    known, unknown = (argon2.extract_parameters(stored) for stored in compared)
    assert known == unknown, "an unknown name costs the same hash"
    assert client.ask("USER no such") == "570 no such user: 'no such'"


def test_hidden_names_are_not_told_by_who_may_still_guess(
    connect: Connect, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(hide_user_names=True, failed_logins_per_address=2)
    assert connect(None, daemon).log_in("alice") == "200 alice|operator"
    client = connect(None, daemon)
    for _ in range(3):
        client.log_in("nobody", "guess")
    for name in ("alice", "bob", "nosuch"):
        assert client.ask(f"USER {name}") == f"300 {name}"


def test_what_can_be_no_name_is_counted_and_waits_for_a_freeze_as_any_other(
    connect: Connect, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(failed_logins_per_address=2)
    client, ns2 = connect(None, daemon), connect("ns2", daemon)
    ns2.ask("SNGL 0|60")
    assert client.ask("USER no such").startswith("552 frozen by ")
    ns2.ask("ESNG")
    answers = [client.ask("USER no such")[:3] for _ in range(3)]
    assert answers == ["570", "570", "552"]


def test_the_log_says_who_failed_but_no_name_that_may_be_a_password(
    start_daemon: StartDaemon, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    client = connect(None, start_daemon(hide_user_names=True))
    client.log_in("alice", "my-guess")
    client.log_in("mistyped-password", "x")
    client.ask("NOOP")  # what came before it is in the log
    told = logged(caplog)
    assert re.search(rf"login_refused .*port={client.port}.* 'user': 'alice'", told)
    assert re.search(r"login_refused .* 'user': None", told)
    assert "mistyped" not in told
    assert "my-guess" not in told


def test_a_commit_and_gc_in_the_midst_of_a_login_do_not_disturb_it(
    connect: Connect, source_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    present = View.present
    interfered = 0

    def interfere_and_look(view: View, type_name: str, name: str) -> Present | None:
        nonlocal interfered
        if type_name == "users":
            interfered += 1
            put(source_store, "files", "other", b"%d" % interfered)
            source_store.collect(keep_seq=source_store.clock().seq)
        return present(view, type_name, name)

    monkeypatch.setattr(View, "present", interfere_and_look)
    assert client.ask("USER bob") == "300 bob"
    assert client.ask(f"PASS {PASSWORD}") == "200 bob|reader"
    assert interfered


def test_many_who_log_in_at_once_under_one_name_and_address_all_get_in(connect: Connect) -> None:
    clients = [connect() for _ in range(3 * PER_ADDRESS.failures)]
    for client in clients:
        client.send("USER bob", f"PASS {PASSWORD}")
    assert {(client.line(), client.line()) for client in clients} == {("300 bob", "200 bob|reader")}
