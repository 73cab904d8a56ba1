"""The system's clock steps back an hour, or ahead by days: nothing is lost, and nothing hangs."""

from pathlib import Path

import pytest

from syncclient.replica import Path as SyncPath
from syncd.errors import Busy, Frozen
from syncd.store import Store
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import EXAMPLE_NET, FixedClock, put
from tests.server.line_client import LineClient
from tests.store.objects import assert_sound, content_of, new_store, prepared
from tests.store.objects import put as put_file
from tests.syncclient.link import synchronise

pytestmark = on_every_engine

HOUR_S = 3600


def test_a_freeze_of_a_holder_that_is_gone_ends_in_time(
    source_store: Store, clock: FixedClock
) -> None:
    source_store.freeze("ns2 from [::1]:1", 60)
    clock.now -= HOUR_S
    with pytest.raises(Frozen, match="for up to 60 s more"):
        put_file(source_store, "a", b"content")
    clock.now += 59
    with pytest.raises(Frozen, match="for up to 1 s more"):
        put_file(source_store, "a", b"content")
    clock.now += 2
    put_file(source_store, "a", b"content")


def test_a_freeze_of_a_holder_that_is_there_goes_on(source_store: Store, clock: FixedClock) -> None:
    source_store.freeze("ns2 from [::1]:1", 60)
    clock.now -= HOUR_S
    assert source_store.keep_frozen("ns2 from [::1]:1")
    for _ in range(5):
        clock.now += 50
        assert source_store.keep_frozen("ns2 from [::1]:1")
        with pytest.raises(Frozen):
            put_file(source_store, "a", b"content")
    assert source_store.release("ns2 from [::1]:1")
    put_file(source_store, "a", b"content")


def test_commits_keep_their_order_and_views(source_store: Store, clock: FixedClock) -> None:
    """Numbers give the order; times are only shown."""
    for number in range(6):
        put_file(source_store, "a", b"%d" % number)
        clock.now += -HOUR_S if number == 2 else 60
    last = source_store.clock().seq
    assert [commit.seq for commit in source_store.log(6)] == list(range(last, last - 6, -1))
    for number in range(6):
        assert content_of(source_store.view(last - 5 + number), "a") == b"%d" % number
    assert_sound(source_store)


@pytest.mark.parametrize("keep_s", [0, 600, 1800, 2 * HOUR_S])
def test_gc_by_age_keeps_what_was_seen_since(
    source_store: Store, clock: FixedClock, keep_s: int
) -> None:
    """Seen by a clock that was not set back."""
    seen: list[tuple[float, int]] = []
    elapsed_s = 0.0
    for number in range(12):
        put_file(source_store, "a", b"%d" % number)
        seen.append((elapsed_s, source_store.clock().seq))
        elapsed_s += 300
        clock.now += 300 - (HOUR_S if number == 6 else 0)
    source_store.collect(keep_since=int(clock.now) - keep_s)
    since_s = elapsed_s - keep_s
    for at, (_, seq) in enumerate(seen):
        ended_s = seen[at + 1][0] if at + 1 < len(seen) else elapsed_s
        if ended_s > since_s:
            source_store.view(seq)
    assert_sound(source_store)


def test_a_clock_that_was_years_ahead_does_not_stop_gc(
    source_store: Store, clock: FixedClock
) -> None:
    clock.now += 4 * 365 * 24 * HOUR_S
    put_file(source_store, "a", b"1")
    clock.now -= 4 * 365 * 24 * HOUR_S
    put_file(source_store, "a", b"2")
    clock.now += 24 * HOUR_S
    put_file(source_store, "a", b"3")
    last = source_store.clock().seq
    clock.now += 24 * HOUR_S
    assert source_store.collect(keep_since=int(clock.now)).floor == last


def test_a_batch_that_gc_took_for_abandoned_is_refused_and_not_published_in_part(
    source_store: Store, clock: FixedClock
) -> None:
    """The clock was set ahead by two days in the middle of an import."""
    before = source_store.clock().seq
    with pytest.raises(Busy, match="gc removed what was staged"):
        with source_store.batch() as batch:
            batch.put("files", prepared("a", b"first"), None)
            batch.flush()
            clock.now += 48 * HOUR_S
            source_store.collect(keep_seq=0)
            batch.put("files", prepared("b", b"second"), None)
            batch.publish("test")
    assert source_store.clock().seq == before
    assert_sound(source_store)


def test_a_session_and_a_daemon_do_not_mind(
    start_daemon: StartDaemon, clock: FixedClock, source_store: Store
) -> None:
    running = start_daemon()
    client = LineClient(running.host, running.port)
    assert client.line().startswith("200 ")
    assert client.log_in("alice").startswith("200 ")
    assert client.ask("SNGL 0|60").startswith("200 ")
    for step_s in (-HOUR_S, 50, 50):
        clock.now += step_s
        assert client.ask("NOOP").startswith("200 ")
    assert client.ask("ESNG").startswith("200 ")
    assert client.ask("QUIT").startswith("200 ")
    client.close()
    put(source_store, "zones", "example.net.", EXAMPLE_NET.replace(" 1 7200", " 2 7200"))


@pytest.mark.parametrize("whose", ["the source's", "the replica's", "both"])
def test_a_replica_stays_in_step(
    source_store: Store, clock: FixedClock, tmp_path: Path, whose: str
) -> None:
    """Between deltas, and through gc."""
    steady = FixedClock()
    with new_store(tmp_path, "replica") as replica:
        source_store.now = steady if whose == "the replica's" else clock
        replica.now = steady if whose == "the source's" else clock
        for number in range(5):
            put_file(source_store, "a", b"%d" % number)
            clock.now += 60 - HOUR_S * (number == 1)
            for store in (source_store, replica):
                store.collect(keep_since=int(store.now()) - 90)
            outcome = synchronise(source_store, replica)
            assert outcome.path is (SyncPath.DELTA if number else SyncPath.BOOTSTRAP)
            assert replica.clock().token == source_store.clock().token
        assert content_of(replica.view(), "a") == b"4"
        assert_sound(replica)
