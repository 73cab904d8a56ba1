"""A user who is removed or gets another role loses the old one in open sessions too."""

import time
from threading import Event

import pytest

from syncd.store import Store
from syncd.types import Prepared, Present
from syncd.types.zones import ZONES
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import EPOCH, EXAMPLE_COM, PASSWORD_HASH, FixedClock, put, wait_until
from tests.server.conftest import Connect

pytestmark = on_every_engine


def test_a_user_demoted_over_the_wire_is_demoted_at_the_next_command(connect: Connect) -> None:
    alice, root = connect("alice"), connect("root")
    assert alice.ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:8"
    changed = root.put("SYNC users|put|alice|role=reader", [PASSWORD_HASH])
    assert changed == f"200 {EPOCH}:9"
    assert alice.ask("SYNC zones|delete|example.net") == (
        "550 delete of zones needs the role operator, yours is reader"
    )
    assert alice.listing("SYNC zones|list") == ["example.net."]


def test_a_user_removed_over_the_wire_is_nobody_at_the_next_command(connect: Connect) -> None:
    alice, root = connect("alice"), connect("root")
    assert root.ask("SYNC users|delete|alice") == f"200 {EPOCH}:8"
    assert alice.ask("SYNC zones|list") == "520 SYNC needs a login: USER name, PASS password"
    assert alice.ask("USER alice").startswith("5")
    assert alice.log_in("bob") == "200 bob|reader"


def test_what_another_process_did_to_users_is_noticed(
    connect: Connect, source_store: Store
) -> None:
    alice, bob = connect("alice"), connect("bob")
    source_store.remove("users", "alice", author="test")
    put(source_store, "users", "bob", PASSWORD_HASH, role="operator")
    wait_until(lambda: alice.ask("RWHO").startswith("520 ") or alice.lines() == [], 3)
    answers: list[str] = []

    def bob_may() -> bool:  # that was another commit
        answers.append(bob.ask("SYNC zones|delete|example.com"))
        return not answers[-1].startswith("550 ")

    wait_until(bob_may, 3)
    assert answers[-1] == f"200 {EPOCH}:10"


def test_a_removed_users_body_is_not_committed(connect: Connect, source_store: Store) -> None:
    alice, root = connect("alice"), connect("root")
    assert alice.ask("SYNC files|put|a|size=2").startswith("700 ")
    assert root.ask("SYNC users|delete|alice") == f"200 {EPOCH}:8"
    alice.send_bytes(b"ab")
    assert alice.line() == "520 put needs a login: USER name, PASS password"
    assert source_store.clock().seq == 8


@pytest.mark.parametrize(
    ("command", "body"), [("put|example.com|size=2", b"ab"), ("delete|example.com", b"")]
)
def test_what_waits_for_its_turn_is_not_written_once_its_user_is_removed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, command: str, body: bytes
) -> None:
    goes_on, settle = Event(), ZONES.settle

    def settle_slowly(prepared: Prepared, present: Present | None) -> Prepared | None:
        assert goes_on.wait(10)
        return settle(prepared, present)

    monkeypatch.setattr(ZONES, "settle", settle_slowly)
    first, alice, root = connect("root"), connect("alice"), connect("root")
    first.ask(f"SYNC zones|put|example.com|size={len(EXAMPLE_COM)}")
    first.send_bytes(EXAMPLE_COM.encode())
    assert first.is_silent()
    alice.send(f"SYNC zones|{command}")
    if body:
        assert alice.line().startswith("700 ")
        alice.send_bytes(body)
    assert alice.is_silent()
    assert root.ask("SYNC users|delete|alice") == f"200 {EPOCH}:8"
    goes_on.set()
    assert first.line() == "200 unchanged"
    assert (
        alice.line() == f"520 {command.partition('|')[0]} needs a login: USER name, PASS password"
    )


def test_a_removed_watcher_hears_no_more_and_is_sent_away(
    start_daemon: StartDaemon, connect: Connect
) -> None:
    daemon = start_daemon(login_s=0.5)
    bob, root = connect("bob", daemon), connect("root", daemon)
    bob.ask("ASYN 1")
    bob.ask("SYNC zones|watch")
    root.ask("SYNC users|delete|bob")
    root.ask("SYNC zones|delete|example.com")
    line = bob.line()
    assert line == "520 nobody logged in within 0.5 s"
    assert bob.is_ended()


def test_a_freeze_ends_when_its_holder_is_removed(connect: Connect, source_store: Store) -> None:
    ns2, root = connect("ns2"), connect("root")
    ns2.send("SNGL 5|60")
    time.sleep(0.2)
    assert ns2.is_silent(0.1)
    root.ask("QUIT")
    assert ns2.line().startswith("200 ")
    source_store.release(None)
    source_store.remove("users", "ns2", author="test")
    wait_until(lambda: ns2.ask("RWHO").startswith("520 ") or ns2.lines() == [], 3)
    assert source_store.clock().freeze_left_s(source_store.now()) == 0


def test_a_user_removed_while_its_sngl_waits_does_not_get_the_freeze(
    connect: Connect, source_store: Store
) -> None:
    bob, ns2 = connect("bob"), connect("ns2")
    ns2.send("SNGL 2|60")
    time.sleep(0.2)
    source_store.remove("users", "ns2", author="test")
    assert ns2.line() == "520 SNGL needs a login: USER name, PASS password"
    assert source_store.clock().frozen_by is None
    assert bob.ask("NOOP") == "200 ok"


def test_commands_cost_no_query_for_it(
    connect: Connect, source_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = connect("bob")
    time.sleep(0.6)  # the login was looked at again
    calls: list[str] = []
    for name in ("clock", "view"):
        real = getattr(Store, name)
        monkeypatch.setattr(
            Store, name, lambda *a, real=real, name=name: (calls.append(name), real(*a))[1]
        )
    began = time.monotonic()
    for _ in range(300):
        bob.ask("LFLR"), bob.lines()
    looks = (time.monotonic() - began) / 0.25 + 2
    assert calls.count("clock") <= looks
    assert calls.count("view") == 0


def test_a_freeze_that_expires_is_told_of_as_released(connect: Connect, clock: FixedClock) -> None:
    bob, ns2 = connect("bob"), connect("ns2")
    bob.ask("ASYN 1"), ns2.ask("ASYN 1")
    ns2.ask("SNGL 0|60")
    holder = f"ns2 from 127.0.0.1:{ns2.port}"
    assert bob.line() == f"902 freeze|{holder}|0"
    clock.now += 61
    assert bob.line() == f"902 release|{holder}"
    assert ns2.line() == f"902 release|{holder}"
    assert bob.is_silent(0.5)


def test_a_freeze_that_was_ended_elsewhere_is_told_of_too(
    start_daemon: StartDaemon, connect: Connect
) -> None:
    bob, ns2 = connect("bob"), connect("ns2")
    bob.ask("ASYN 1")
    ns2.ask("SNGL 0|60")
    assert bob.line().startswith("902 freeze|")
    assert connect("ns2", start_daemon()).ask("ESNG") == "200 released"
    assert bob.line() == f"902 release|ns2 from 127.0.0.1:{ns2.port}"


def test_a_released_freeze_is_told_of_once(connect: Connect) -> None:
    bob, ns2 = connect("bob"), connect("ns2")
    bob.ask("ASYN 1")
    for _ in range(3):
        ns2.ask("SNGL 0|60")
        assert bob.line().startswith("902 freeze|")
        ns2.ask("ESNG")
        assert bob.line().startswith("902 release|")
    assert bob.is_silent(0.6)
