"""What was interrupted goes on, or changes nothing, and what was sent is not sent again."""

import random
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncclient.replica import Path as SyncPath
from syncd.errors import (
    ConnectionFailed,
    SyncError,
)
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import (
    assert_sound,
    held,
    new_store,
    put,
    put_all,
    store_url,
)
from tests.syncclient.link import CutStream, add_user, synchronise
from tests.syncclient.replicas import assert_same

pytestmark = on_every_engine


def cut_into(source: Store, replica: Store, after_bytes: int, *, broken: bool) -> None:
    with pytest.raises(ConnectionFailed):
        synchronise(
            source, replica, wrap=lambda stream: CutStream(stream, after_bytes, broken=broken)
        )


@pytest.mark.parametrize("share", [0.0, 0.002, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_bootstrap_that_was_cut_goes_on_and_sends_no_chunk_twice(
    tmp_path: Path, source: Store, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.server.verbs.sync_read.FIRST_BLOCK_BYTES", 1024)
    monkeypatch.setattr("syncd.server.bootstraps.BLOCK_BYTES", 4096)
    with new_store(tmp_path, "whole") as whole:
        all_bytes = synchronise(source, whole).bytes_down
    with new_store(tmp_path, "replica") as replica:
        cut_into(source, replica, int(all_bytes * share), broken=share > 0.4)
        assert replica.clock().source is None
        assert held(replica.view()) == {}
        # The block in which it was cut comes again; one may hold a chunk over its usual size.
        kept = max(0, int(all_bytes * share) - 2 * 8192)
        with Store.open(store_url(tmp_path, "replica")) as again:
            outcome = synchronise(source, again)
            assert_same(again, source)
        assert outcome.bytes_down <= all_bytes - kept + 1000
        assert outcome.path in (SyncPath.RESUMED, SyncPath.BOOTSTRAP)


def test_a_bootstrap_goes_on_inside_an_object_however_often_it_is_cut(
    tmp_path: Path, source: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.server.verbs.sync_read.FIRST_BLOCK_BYTES", 1024)
    monkeypatch.setattr("syncd.server.bootstraps.BLOCK_BYTES", 4096)
    with new_store(tmp_path, "replica") as replica:
        for _ in range(3):
            cut_into(source, replica, 45_000, broken=False)
        outcome = synchronise(source, replica)
        assert outcome.path is SyncPath.RESUMED
        assert outcome.bytes_down < 60_000
        assert_same(replica, source)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 250_000), max_size=3), st.booleans(), st.booleans())
def test_a_bootstrap_cut_anywhere_ends_right_whatever_the_source_does_meanwhile(
    cuts: list[int], goes_on: bool, collects: bool
) -> None:
    with TemporaryDirectory() as folder:
        with (
            new_store(Path(folder), "source") as source,
            new_store(Path(folder), "replica") as replica,
        ):
            add_user(source)
            put_all(source, {f"f{n:02}": [random.Random(n).randbytes(9000)] * 2 for n in range(25)})
            for cut in cuts:
                with suppress(ConnectionFailed):
                    synchronise(source, replica, wrap=partial(CutStream, after_bytes=cut))
                if goes_on:
                    put(source, "f03", b"changed %d" % cut)
                    source.remove("files", sorted(held(source.view()))[5][1], author="test")
                if collects:
                    source.collect(keep_seq=source.clock().seq)
            outcome = synchronise(source, replica, allow_large_change=True)
            assert_same(replica, source, repaired=outcome.path is SyncPath.REPAIR)


def test_a_view_that_is_gone_is_gone_on_from_with_all_chunks(
    tmp_path: Path, source: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.server.verbs.sync_read.FIRST_BLOCK_BYTES", 1024)
    monkeypatch.setattr("syncd.server.bootstraps.BLOCK_BYTES", 4096)
    with new_store(tmp_path, "replica") as replica:
        cut_into(source, replica, 150_000, broken=False)
        put(source, "f05", b"changed")
        source.collect(keep_seq=source.clock().seq)
        outcome = synchronise(source, replica)
        assert outcome.path is SyncPath.REPAIR
        assert outcome.bytes_down < 70_000, "of 160 KB at least half were there"
        assert_same(replica, source)


@pytest.mark.parametrize("after_bytes", range(0, 6000, 500))
def test_a_delta_or_repair_that_was_cut_changes_nothing_and_is_made_good(
    source: Store, replica: Store, after_bytes: int
) -> None:
    before = held(replica.view()), replica.clock()
    for number in range(3):
        put(source, f"f{number:02}", random.Random(number).randbytes(3000))
    if after_bytes % 1000:
        replica.renew_epoch()
        before = held(replica.view()), replica.clock()
    cut_into(source, replica, after_bytes, broken=False)
    assert (held(replica.view()), replica.clock()) == before
    synchronise(source, replica)
    assert_same(replica, source)


@pytest.mark.parametrize("first", ["delta", "repair"])
def test_what_a_killed_process_staged_does_not_stand_in_the_way(
    source: Store, replica: Store, first: str
) -> None:
    """A kill leaves no time to discard what was staged; the next run does."""
    put(source, "f05", b"changed")
    newest = source.view().version("files", "f05")
    killed = replica.replica_batch()
    killed.add_version(newest)
    killed.add_gone("files", "f06")
    killed.flush()
    if first == "repair":
        replica.renew_epoch()
    assert synchronise(source, replica).path is SyncPath(first)
    assert_same(replica, source)


def test_what_a_killed_repair_staged_in_an_empty_store_does_not_stand_in_the_way(
    tmp_path: Path, source: Store
) -> None:
    with new_store(tmp_path, "replica") as replica:
        killed = replica.replica_batch()
        killed.add_version(source.view().version("files", "f05"))
        killed.flush()
        put(source, "f05", b"changed")
        synchronise(source, replica)
        assert_same(replica, source)


@pytest.mark.parametrize("state", ["empty", "behind", "lost"])
def test_two_clients_at_once_on_one_replica_leave_nothing_wrong(
    tmp_path: Path, source: Store, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a timer starts the next run before the last has ended: one may have to give up."""
    monkeypatch.setattr("syncd.store.batch._FLUSH_BYTES", 1000)
    new_store(tmp_path, "replica").close()
    with Store.open(store_url(tmp_path, "replica")) as replica:
        if state != "empty":
            synchronise(source, replica)
            for number in range(5):
                put(source, f"f{number:02}", b"changed")
            put(source, "large", *(random.Random(at).randbytes(4000) for at in range(9, 30)))
        if state == "lost":
            replica.renew_epoch()
        unforeseen: list[BaseException] = []

        def run() -> None:
            try:
                with Store.open(store_url(tmp_path, "replica")) as own:
                    synchronise(source, own)
            except SyncError:
                pass
            except BaseException as error:  # noqa: BLE001 (told to the test)
                unforeseen.append(error)

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert unforeseen == []
        assert_sound(replica)
        synchronise(source, replica)
        assert_same(replica, source)


def test_gc_of_the_replica_beside_an_interrupted_bootstrap_takes_nothing_of_it(
    tmp_path: Path, source: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.server.verbs.sync_read.FIRST_BLOCK_BYTES", 1024)
    monkeypatch.setattr("syncd.server.bootstraps.BLOCK_BYTES", 4096)
    monkeypatch.setattr("syncd.store.batch._FLUSH_BYTES", 1)
    with new_store(tmp_path, "replica") as replica:
        cut_into(source, replica, 120_000, broken=False)
        assert replica.collect(keep_seq=0).chunks == 0
        assert synchronise(source, replica).path is SyncPath.RESUMED
        assert_same(replica, source)
