"""SNGL and ESNG, as other sessions, other daemons and other processes meet them."""

import time
from pathlib import Path
from threading import Thread

import pytest

from syncd.errors import Frozen, StoreError
from syncd.ingest.zones import find_master_files, import_zones
from syncd.server.freezes import Freezes
from syncd.server.session import Session
from syncd.store import Store
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import (
    EPOCH,
    EXAMPLE_COM,
    PASSWORD,
    FixedClock,
    RunningDaemon,
    put,
    wait_until,
)
from tests.server.conftest import Connect
from tests.server.line_client import LineClient
from tests.store.objects import store_url

pytestmark = on_every_engine

GRANTED = f"200 {EPOCH}:7|60|"


def holder(client: LineClient, user: str = "ns2") -> str:
    return f"{user} from 127.0.0.1:{client.port}"


def wait_until_only(client: LineClient) -> None:
    """Wait until the server has seen that all others left."""
    while len(client.listing("RWHO")) > 1:
        time.sleep(0.01)


def test_sngl_names_the_token_the_expiry_and_how_many_others_stay(connect: Connect) -> None:
    ns2 = connect("ns2")
    connect("bob"), connect()
    assert ns2.ask("SNGL 0|60") == f"{GRANTED}1"


@pytest.mark.parametrize(
    ("argument", "expire"), [("", 60), ("0", 60), ("0|5", 5), ("|86400", 86400)]
)
def test_both_times_may_be_left_out(connect: Connect, argument: str, expire: int) -> None:
    assert connect("ns2").ask(f"SNGL {argument}") == f"200 {EPOCH}:7|{expire}|0"


@pytest.mark.parametrize("argument", ["x", "0|0", "0|86401", "3601|5", "-1|5", "0|5|5", "0.5|5"])
def test_times_out_of_bounds_are_refused(connect: Connect, argument: str) -> None:
    assert connect("ns2").ask(f"SNGL {argument}").startswith("512 ")


@pytest.mark.parametrize(("user", "code"), [(None, "520"), ("bob", "550")])
@pytest.mark.parametrize("command", ["SNGL 0|5", "ESNG"])
def test_readers_do_not_freeze(connect: Connect, command: str, user: str | None, code: str) -> None:
    assert connect(user).ask(command).startswith(f"{code} ")


def test_while_frozen_reading_goes_on_and_writing_is_refused_to_all(connect: Connect) -> None:
    ns2, alice = connect("ns2"), connect("alice")
    ns2.ask("SNGL 0|60")
    refusal = f"552 frozen by {holder(ns2)} for up to 60 s more (SNGL); try again then"
    assert alice.ask("SYNC zones|put|example.com") == refusal
    assert alice.ask("SYNC zones|patch|example.com|serial=1") == refusal
    assert alice.ask("SYNC zones|delete|example.com") == refusal
    assert alice.listing("SYNC zones|list") == ["example.com.", "example.net."]


def test_the_holder_does_not_write_either(connect: Connect) -> None:
    alice = connect("alice")
    assert alice.ask("SNGL 0|60").startswith("200 ")
    assert alice.ask("SYNC zones|delete|example.com").startswith("552 ")


def test_while_frozen_only_the_holders_user_may_log_in(connect: Connect) -> None:
    early, ns2, late = connect(), connect("ns2"), connect()
    early.ask("USER alice")
    ns2.ask("SNGL 0|60")
    refusal = f"552 frozen by {holder(ns2)} for up to 60 s more (SNGL); try again then"
    assert late.ask("USER alice") == refusal
    assert early.ask(f"PASS {PASSWORD}") == refusal
    assert late.log_in("ns2") == "200 ns2|replica"


def test_a_user_whose_name_begins_like_the_holders_is_refused(
    connect: Connect, source_store: Store
) -> None:
    from tests.running import PASSWORD_HASH

    put(source_store, "users", "ns", PASSWORD_HASH, role="replica")
    put(source_store, "users", "ns2.b", PASSWORD_HASH, role="replica")
    other = connect("ns2.b")
    connect("ns2").ask("SNGL 0|60")
    assert connect().log_in("ns").startswith("552 ")
    assert other.ask("ESNG").startswith("550 ")


def test_a_second_freeze_is_refused_at_once(connect: Connect) -> None:
    ns2, alice = connect("ns2"), connect("alice")
    ns2.ask("SNGL 0|60")
    began = time.monotonic()
    assert alice.ask("SNGL 5|60").startswith(f"552 frozen by {holder(ns2)}")
    assert time.monotonic() - began < 2


def test_the_holder_may_lengthen_its_freeze(connect: Connect, clock: FixedClock) -> None:
    ns2, alice = connect("ns2"), connect("alice")
    ns2.ask("SNGL 0|5")
    assert ns2.ask("SNGL 0|500") == f"200 {EPOCH}:7|500|1"
    clock.now += 400
    assert alice.ask("SYNC zones|delete|example.com").startswith("552 ")


def test_esng_releases(connect: Connect) -> None:
    ns2, alice = connect("ns2"), connect("alice")
    ns2.ask("SNGL 0|60")
    assert ns2.ask("ESNG") == "200 released"
    assert ns2.ask("ESNG") == "512 the source is not frozen"
    assert alice.ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:8"


def test_only_the_holders_user_or_an_admin_releases(connect: Connect) -> None:
    ns2, alice, root = connect("ns2"), connect("alice"), connect("root")
    second = connect("ns2")
    for releasing in (root, second):
        ns2.ask("SNGL 0|60")
        assert alice.ask("ESNG").startswith(f"550 {holder(ns2)} holds it")
        assert releasing.ask("ESNG") == "200 released"
    assert ns2.ask("ESNG").startswith("512 ")


def test_who_ends_a_freeze_does_not_end_one_that_began_meanwhile(
    connect: Connect, source_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, root = connect("ns2"), connect("ns2"), connect("root")
    first.ask("SNGL 0|60")
    release = Freezes.release

    async def too_late(freezes: Freezes, session: Session, *holder: str) -> bool:
        source_store.release(None)
        source_store.freeze("alice from 192.0.2.1:9", 60)
        return await release(freezes, session, *holder)

    monkeypatch.setattr(Freezes, "release", too_late)
    assert second.ask("ESNG") == "200 released"
    refusal = "552 frozen by alice from 192.0.2.1:9"
    assert root.ask("SYNC zones|delete|example.com").startswith(refusal)


@pytest.mark.parametrize("way", ["LOUT", "QUIT", "close", "reset", "TERM"])
def test_the_freeze_ends_with_its_session(connect: Connect, way: str) -> None:
    ns2, root = connect("ns2"), connect("root")
    ns2.ask("SNGL 0|60")
    if way == "close":
        ns2.close()
    elif way == "reset":
        ns2.hang_up_rudely()
    elif way == "TERM":
        root.ask("TERM 1")
    else:
        ns2.ask(way)
    if way != "LOUT":
        wait_until_only(root)
    assert root.ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:8"


def test_the_freeze_ends_when_the_holder_is_silent_for_too_long(
    connect: Connect, clock: FixedClock
) -> None:
    ns2, alice = connect("ns2"), connect("alice")
    ns2.ask("SNGL 0|60")
    clock.now += 59
    assert alice.ask("SYNC zones|delete|example.com").startswith("552 ")
    assert ns2.ask("NOOP") == "200 ok"
    clock.now += 59
    assert alice.ask("SYNC zones|delete|example.com").startswith("552 ")
    clock.now += 1
    assert connect().log_in("bob") == "200 bob|reader"
    assert alice.ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:8"
    assert ns2.ask("ESNG") == "512 the source is not frozen"


def test_a_release_that_the_store_refuses_leaves_the_freeze_with_its_session(
    connect: Connect, source_store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(holder: str | None) -> bool:
        raise StoreError("disk full")

    ns2 = connect("ns2")
    ns2.ask("SNGL 0|60")
    with monkeypatch.context() as failing:
        failing.setattr(source_store, "release", fail)
        assert ns2.ask("ESNG") == "510 disk full"
    for _ in range(3):
        clock.now += 40
        assert ns2.ask("NOOP").startswith("200 ")
    assert source_store.clock().freeze_left_s(source_store.now()) == 60
    ns2.close()
    wait_until(lambda: source_store.clock().frozen_by is None, 5)


def test_a_session_that_was_released_does_not_end_the_next_holders_freeze(
    connect: Connect, clock: FixedClock
) -> None:
    ns2, alice, root = connect("ns2"), connect("alice"), connect("root")
    ns2.ask("SNGL 0|60")
    clock.now += 61
    assert alice.ask("SNGL 0|60").startswith("200 ")
    ns2.ask("QUIT")
    while len(root.listing("RWHO")) > 2:
        time.sleep(0.01)
    assert root.ask("SYNC zones|delete|example.com").startswith(
        f"552 frozen by {holder(alice, 'alice')}"
    )


def test_a_long_answer_keeps_the_holders_freeze(
    connect: Connect, source_store: Store, clock: FixedClock
) -> None:
    put(source_store, "files", "large", bytes(range(256)) * 100_000)
    ns2, alice = connect("ns2"), connect("alice")
    ns2.ask("SNGL 0|60")
    ns2.send("SYNC files|get|large")
    time.sleep(0.3)  # the server waits for the client to read
    clock.now += 59
    ns2.read(20_000_000)
    time.sleep(0.3)
    clock.now += 59
    assert alice.ask("SYNC zones|delete|example.com").startswith("552 ")


def test_two_daemons_on_one_database_keep_to_one_freeze(
    start_daemon: StartDaemon, connect: Connect
) -> None:
    other = start_daemon()
    ns2, there = connect("ns2"), connect("alice", other)
    ns2.ask("SNGL 0|60")
    assert there.ask("SYNC zones|delete|example.com").startswith(f"552 frozen by {holder(ns2)}")
    assert there.ask("SNGL 0|60").startswith("552 ")
    assert connect(None, other).log_in("bob").startswith("552 ")
    assert connect("ns2", other).ask("ESNG") == "200 released"
    assert there.ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:8"


def test_a_put_that_is_under_way_at_another_daemon_is_refused_at_its_end(
    start_daemon: StartDaemon, connect: Connect, source_store: Store
) -> None:
    there = connect("alice", start_daemon())
    assert there.ask("SYNC files|put|a|size=2").startswith("700 ")
    assert connect("ns2").ask("SNGL 0|60").startswith("200 ")
    there.send_bytes(b"ab")
    assert there.line().startswith("552 frozen by ns2")
    assert source_store.clock().seq == 7


def test_an_import_by_another_process_is_refused(
    connect: Connect, source_store: Store, tmp_path: Path
) -> None:
    connect("ns2").ask("SNGL 0|60")
    file = tmp_path / "example.org.zone"
    file.write_text(EXAMPLE_COM.replace("example.com", "example.org"))
    with Store.open(store_url(tmp_path, "source")) as store:
        store.now = source_store.now
        with pytest.raises(Frozen, match="frozen by ns2"):
            import_zones(store, find_master_files([file]), author="test")


def test_a_freeze_outlives_its_daemon_and_its_user_may_end_it(
    start_daemon: StartDaemon, connect: Connect, running_daemon: RunningDaemon
) -> None:
    ns2 = connect("ns2")
    ns2.ask("SNGL 0|60")
    running_daemon.stop()
    assert ns2.is_ended()
    again = start_daemon()
    assert connect(None, again).log_in("alice").startswith(f"552 frozen by {holder(ns2)}")
    returned = connect("ns2", again)
    assert returned.ask("SNGL 0|60").startswith("552 ")
    assert returned.ask("ESNG") == "200 released"
    assert connect("alice", again).ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:8"


# Waiting


def test_sngl_waits_for_a_writer_and_for_others_to_leave(connect: Connect) -> None:
    alice, ns2, root = connect("alice"), connect("ns2"), connect("root")
    for client in (alice, root):
        client.ask("ASYN 1")
    assert alice.ask("SYNC files|put|a|size=2").startswith("700 ")
    ns2.send("SNGL 10|60")
    assert root.line() == f"902 freeze|{holder(ns2)}|10"
    freezing = f"552 {holder(ns2)} is freezing the source (SNGL); try again later"
    assert root.ask("SYNC zones|delete|example.com") == freezing
    assert root.ask("SNGL 0|60") == freezing
    assert connect().ask("USER bob") == freezing
    assert connect().ask("USER ns2") == freezing
    alice.send_bytes(b"ab")
    assert alice.line() == f"200 {EPOCH}:8"
    assert alice.line() == f"902 freeze|{holder(ns2)}|10"
    alice.ask("QUIT")
    assert ns2.is_silent()
    root.ask("LOUT")
    assert ns2.line() == f"200 {EPOCH}:8|60|0"


def test_a_writer_that_does_not_end_in_time_is_not_frozen_out(connect: Connect) -> None:
    alice, ns2, root = connect("alice"), connect("ns2"), connect("root")
    root.ask("ASYN 1")
    assert alice.ask("SYNC files|put|a|size=2").startswith("700 ")
    assert ns2.ask("SNGL 1|60") == (
        f"552 still writing: {holder(alice, 'alice')}; nothing is frozen"
    )
    assert root.line() == f"902 freeze|{holder(ns2)}|1"
    assert root.line() == f"902 release|{holder(ns2)}"
    alice.send_bytes(b"ab")
    assert alice.line() == f"200 {EPOCH}:8"
    assert root.ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:9"


def test_who_has_written_is_no_writer_any_more(connect: Connect) -> None:
    alice = connect("alice")
    assert alice.put_bytes("SYNC files|put|a", b"x").startswith("200 ")
    assert alice.put("SYNC zones|put|example.com", ["no zone"]).startswith("512 ")
    assert connect("ns2").ask("SNGL 0|60") == f"200 {EPOCH}:8|60|1"


def test_sessions_that_only_read_may_stay(connect: Connect) -> None:
    bob, ns2 = connect("bob"), connect("ns2")
    began = time.monotonic()
    assert ns2.ask("SNGL 1|60") == f"{GRANTED}1"
    assert time.monotonic() - began >= 1
    assert bob.ask("NOOP") == "200 ok"


@pytest.mark.parametrize("rudely", [False, True])
def test_nobody_waits_for_a_freeze_whose_asker_left(connect: Connect, rudely: bool) -> None:
    bob, ns2, stranger = connect("bob"), connect("ns2"), connect()
    ns2.send("SNGL 3600|60", "NOOP")
    while stranger.ask("USER alice").startswith("300 "):
        time.sleep(0.01)
    ns2.hang_up_rudely() if rudely else ns2.close()
    for _ in range(200):
        if stranger.ask("USER alice").startswith("300 "):
            break
        time.sleep(0.02)
    assert stranger.ask(f"PASS {PASSWORD}") == "200 alice|operator"
    assert bob.ask("NOOP") == "200 ok"


def test_commands_sent_behind_a_waiting_sngl_are_answered_in_order(connect: Connect) -> None:
    connect("bob")
    ns2 = connect("ns2")
    ns2.send("SNGL 1|60", "ECHO next", "ESNG")
    assert [ns2.line() for _ in range(3)] == [f"{GRANTED}1", "200 next", "200 released"]


# Notices


def test_a_freeze_and_its_release_are_told_to_those_who_want_to_know(connect: Connect) -> None:
    bob, root, ns2, deaf = connect("bob"), connect("root"), connect("ns2"), connect("alice")
    stranger = connect()
    for client in (bob, stranger):
        client.ask("ASYN 1")
    ns2.ask("SNGL 0|60")
    assert bob.line() == f"902 freeze|{holder(ns2)}|0"
    root.ask("ESNG")
    assert bob.line() == f"902 release|{holder(root, 'root')}"
    assert all(client.is_silent() for client in (bob, stranger, deaf))


def test_a_notice_waits_until_an_answer_is_complete(connect: Connect, source_store: Store) -> None:
    put(source_store, "files", "large", bytes(range(256)) * 100_000)
    bob, ns2 = connect("bob"), connect("ns2")
    bob.ask("ASYN 1")
    bob.send("SYNC files|get|large")
    first = bob.line()
    ns2.ask("SNGL 0|60")
    bob.read(int(first.split(" ")[1]))
    _, final = bob.blocks()
    assert final.startswith("200 ")
    assert bob.line() == f"902 freeze|{holder(ns2)}|0"


def test_of_a_freeze_that_came_and_went_unseen_only_the_last_word_is_told(connect: Connect) -> None:
    bob, alice, ns2 = connect("bob"), connect("alice"), connect("ns2")
    alice.ask("ASYN 1")
    assert alice.ask("SYNC files|put|a|size=1").startswith("700 ")
    answers: list[str] = []
    thread = Thread(target=lambda: answers.extend(ns2.ask("SNGL 0|60") for _ in range(3)))
    thread.start()
    thread.join()
    assert all(answer.startswith("552 still writing") for answer in answers)
    alice.send_bytes(b"x")
    assert alice.line().startswith("200 ")
    assert alice.line() == f"902 release|{holder(ns2)}"
    assert alice.is_silent()
    assert bob.ask("NOOP") == "200 ok"


def test_a_freeze_that_expired_does_not_come_back_with_a_clock_that_is_set_back(
    connect: Connect, clock: FixedClock, source_store: Store
) -> None:
    ns2, alice = connect("ns2"), connect("alice")
    ns2.ask("SNGL 0|4")
    clock.now += 5
    wait_until(lambda: source_store.clock().frozen_by is None)
    clock.now -= 30
    assert alice.ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:8"
    assert ns2.ask("ESNG") == "512 the source is not frozen"


def test_who_was_released_by_another_session_of_his_holds_no_freeze(
    connect: Connect, start_daemon: StartDaemon
) -> None:
    daemon = start_daemon(idle_s=0.3)
    holder, other = connect("ns2", daemon), connect("ns2", daemon)
    holder.ask("SNGL 0|3600")
    assert other.ask("ESNG") == "200 released"
    assert holder.line() == "500 no command for 0.3 s", "it may not be quiet any longer"


@pytest.mark.parametrize("command", ["QUIT", "LOUT"])
def test_after_the_answer_of_who_leaves_nothing_is_frozen(connect: Connect, command: str) -> None:
    alice = connect("alice")
    for number in range(10):
        ns2 = connect("ns2")
        ns2.ask("SNGL 0|60")
        assert ns2.ask(command).startswith("200 ")
        assert alice.ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:{8 + 2 * number}"
        assert alice.put("SYNC zones|put|example.com", EXAMPLE_COM.splitlines())[:3] == "200"


def test_after_the_answer_of_term_the_session_is_gone_and_its_freeze(connect: Connect) -> None:
    root = connect("root")
    for _ in range(10):
        ns2 = connect("ns2")
        ns2.ask("SNGL 0|60")
        (number,) = (row.split("|")[0] for row in root.listing("RWHO") if "|ns2|" in row)
        assert root.ask(f"TERM {number}") == f"200 session {number} is ended"
        assert len(root.listing("RWHO")) == 1
        assert root.ask("SYNC files|delete|nosuch").startswith("571 ")


def test_a_new_history_ends_the_freeze_whose_token_it_loses(
    connect: Connect, source_store: Store
) -> None:
    ns2 = connect("ns2")
    ns2.ask("ASYN 1")
    ns2.ask("SNGL 0|60")
    source_store.renew_epoch()
    assert ns2.line() == f"902 release|{holder(ns2)}"
    assert ns2.ask("ESNG") == "512 the source is not frozen"


def test_a_sngl_that_waits_does_not_hold_up_the_end_of_the_daemon(
    connect: Connect, running_daemon: RunningDaemon
) -> None:
    alice, ns2 = connect("alice"), connect("ns2")
    assert alice.ask("SYNC zones|put|example.org|size=100") == "700 100"
    ns2.send("SNGL 3600|60")
    time.sleep(0.2)
    running_daemon.drain()
    assert ns2.line().startswith("531 "), "while somebody else still writes"
    alice.close()
