"""A replica is what its source is, after any history, and it finds the way there by itself."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from syncclient.replica import Outcome
from syncclient.replica import Path as SyncPath
from syncd.errors import (
    ConnectionFailed,
    HigherAccessRequired,
    LargeChangeRefused,
    PasswordRequired,
    ReadOnly,
    SyncError,
)
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.store.schema import tally, version
from syncd.types import Role
from tests.running import put as put_object
from tests.store.objects import (
    TYPES,
    Held,
    assert_sound,
    held,
    new_store,
    prepared,
    put,
    put_all,
    store_url,
)
from tests.syncclient.link import SOURCE, CutStream, add_user, synchronise

ZONE = """\
example.com. 3600 IN SOA ns1.example.com. hostmaster.example.com. {serial} 7200 3600 1209600 300
example.com. 3600 IN NS ns1.example.com.
ns1.example.com. 3600 IN A 192.0.2.{serial}
"""


def without_numbers(
    state: dict[tuple[str, str], Held],
) -> dict[tuple[str, str], tuple[object, ...]]:
    """A repair finds what differs by content; when it was written stays what the replica knew."""
    return {
        key: (one.content, one.size, one.lines, one.crc32, one.digest, one.attributes)
        for key, one in state.items()
    }


def assert_same(replica: Store, source: Store, *, repaired: bool = False) -> None:
    theirs, ours = held(source.view()), held(replica.view())
    if repaired:
        assert without_numbers(ours) == without_numbers(theirs)
    else:
        assert ours == theirs
    assert replica.view().totals(TYPES) == source.view().totals(TYPES)
    assert replica.clock().token == source.clock().token
    assert_sound(replica)


# Any history

NAMES = [f"f{number}" for number in range(14)]


class History:
    """A source, its replica and the replica's replica, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = ExitStack()
        self.source = self.stack.enter_context(new_store(folder, "source"))
        self.replica = self.stack.enter_context(new_store(folder, "replica"))
        self.second = self.stack.enter_context(new_store(folder, "second"))
        self.repaired = {"replica": False, "second": False}
        self.tally_wrong = False
        self.serial = 0
        add_user(self.source)
        self.back_up()

    def run(self, steps: list[tuple[str, int]]) -> None:
        with self.stack:
            for name, number in steps:
                getattr(self, name)(number)
            self.resync()
            assert_same(self.replica, self.source, repaired=self.repaired["replica"])
            self.resync_second()
            assert_same(self.second, self.replica, repaired=self.repaired["second"])

    # What happens at the source

    def put(self, number: int) -> None:
        chunks = [b"%d" % (number % 5) * 50, b"%d" % (number // 7) * 50]
        put(self.source, NAMES[number % len(NAMES)], *chunks[: 1 + number % 2])

    def put_large(self, number: int) -> None:
        """An object whose chunks are fetched one by one by a repair, some of them known."""
        chunks = [random.Random(number % 4 + at).randbytes(3000) for at in range(4)]
        put(self.source, "large", *chunks)

    def put_many(self, number: int) -> None:
        put_all(self.source, {name: [b"%d" % (number % 3)] for name in NAMES[: number % 15]})

    def put_zone(self, number: int) -> None:
        self.serial += 1
        put_object(self.source, "zones", "example.com.", ZONE.format(serial=self.serial % 250))

    def delete(self, number: int) -> None:
        name = NAMES[number % len(NAMES)]
        if self.source.view().find("files", [name]):
            self.source.remove("files", name, author="test")

    def gc_source(self, number: int) -> None:
        clock = self.source.clock()
        self.source.collect(keep_seq=max(clock.floor, clock.seq - number % 4))

    def back_up(self, number: int = 0) -> None:
        copy_database(self.folder / "source.db", self.folder / "backup.db")

    def restore(self, number: int) -> None:
        """Sometimes whoever restores it does not think of the token."""
        self.source.close()
        for path in self.folder.glob("source.db-*"):
            path.unlink()
        copy_database(self.folder / "backup.db", self.folder / "source.db")
        if number % 3:
            self.source.lose_token()

    # What happens at the replica

    def resync(self, number: int = 0) -> None:
        outcome = synchronise(self.source, self.replica, allow_large_change=True)
        self.tally_wrong = False
        self.note("replica", outcome)

    def resync_second(self, number: int = 0) -> None:
        if self.replica.clock().source is not None and not self.tally_wrong:
            outcome = synchronise(self.replica, self.second, allow_large_change=True)
            self.note("second", outcome)

    def note(self, store: str, outcome: Outcome) -> None:
        if outcome.path is SyncPath.REPAIR:
            self.repaired[store] = True

    def cut_short(self, number: int) -> None:
        before = self.replica.clock()
        try:
            outcome = synchronise(
                self.source,
                self.replica,
                wrap=lambda stream: CutStream(stream, number * number % 9001),
                allow_large_change=True,
            )
        except ConnectionFailed:
            # A bootstrap may have been completed before the source's later commits were cut short.
            assert self.replica.clock() == before or before.source is None
        else:
            self.tally_wrong = False
            self.note("replica", outcome)

    def lose_token(self, number: int) -> None:
        if self.replica.clock().source is not None:
            self.replica.lose_token()

    def gc_replica(self, number: int) -> None:
        self.replica.collect(keep_seq=self.replica.clock().seq)

    def corrupt_tally(self, number: int) -> None:
        with self.replica.engine.execution_options(**WRITE).begin() as connection:
            connection.execute(update(tally).values(count=number))
        self.tally_wrong = True

    def restart(self, number: int) -> None:
        self.replica.close()


def copy_database(source: Path, target: Path) -> None:
    old, new = sqlite3.connect(source), sqlite3.connect(target)
    old.backup(new)
    old.close()
    new.close()


STEPS = [
    "put", "put", "put", "put_large", "put_many", "put_zone", "delete", "delete", "gc_source",
    "back_up", "restore", "resync", "resync", "resync_second", "cut_short", "cut_short",
    "lose_token", "gc_replica", "corrupt_tally", "restart",
]  # fmt: skip


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 400)), max_size=14))
def test_after_any_history_a_replica_is_what_its_source_is(steps: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder:
        History(Path(folder)).run(steps)


# One path at a time


@pytest.fixture
def source(tmp_path: Path) -> Store:
    """A user, a zone, and twenty files, one of them of many chunks."""
    store = new_store(tmp_path, "source")
    add_user(store)
    put_object(store, "zones", "example.com.", ZONE.format(serial=1))
    put_all(store, {f"f{number:02}": [b"%d" % number * 100, b"shared"] for number in range(19)})
    put(store, "large", *(random.Random(at).randbytes(4000) for at in range(40)))
    return store


@pytest.fixture
def replica(tmp_path: Path, source: Store) -> Store:
    store = new_store(tmp_path, "replica")
    assert synchronise(source, store).path is SyncPath.BOOTSTRAP
    return store


def change_replica(store: Store, *statements: object) -> None:
    with store.engine.execution_options(**WRITE).begin() as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def test_an_empty_store_is_bootstrapped(source: Store, replica: Store) -> None:
    assert_same(replica, source)
    assert replica.clock().source == SOURCE
    assert replica.clock().types == "*"


def test_an_empty_source_is_copied_as_well(tmp_path: Path) -> None:
    with new_store(tmp_path, "a") as source, new_store(tmp_path, "b") as replica:
        add_user(source)
        source.remove("users", "root", author="test")
        add_user(source)
        assert synchronise(source, replica, types="zones").count == 0
        assert replica.clock().token == source.clock().token
        assert synchronise(source, replica).path is SyncPath.NOTHING


def test_nothing_to_do_costs_one_round_trip(source: Store, replica: Store) -> None:
    outcome = synchronise(source, replica)
    assert outcome.path is SyncPath.NOTHING
    assert outcome.round_trips == 1
    assert outcome.bytes_down < 500


def test_a_change_comes_as_a_delta_of_a_few_bytes(source: Store, replica: Store) -> None:
    chunks = [random.Random(at).randbytes(4000) for at in range(40)]
    put(source, "large", *chunks[:20], chunks[20] + b"!", *chunks[21:])
    source.remove("files", "f00", author="test")
    outcome = synchronise(source, replica)
    assert (outcome.path, outcome.changed, outcome.gone) == (SyncPath.DELTA, 1, 1)
    assert outcome.bytes_down < 900
    assert outcome.round_trips == 1
    assert_same(replica, source)


def test_a_change_of_mode_alone_comes_along(source: Store, replica: Store) -> None:
    put(source, "f00", b"0" * 100, b"shared", mode=0o600)
    assert synchronise(source, replica).path is SyncPath.DELTA
    assert_same(replica, source)


def test_an_object_that_went_and_came_back_comes_along(source: Store, replica: Store) -> None:
    source.remove("files", "f00", author="test")
    put(source, "f00", b"0" * 100, b"shared")
    assert synchronise(source, replica).path is SyncPath.DELTA
    assert_same(replica, source)


def altered(store: Store) -> None:
    change_replica(store, update(version).where(version.c.name == "f03").values(attributes=b"\x80"))


def missing(store: Store) -> None:
    change_replica(store, delete(version).where(version.c.name.in_(["f03", "large"])))


def added(store: Store) -> None:
    """As if a version had come back that the source had deleted."""
    row = store.view().version("files", "f04")
    change_replica(
        store,
        version.insert().values(
            type="files", name="nonsense", seq=1, mtime=row.mtime, size=row.size, lines=row.lines,
            crc32=row.crc32, digest=row.digest, attributes=row.attributes, chunks=row.chunks,
        ),
    )  # fmt: skip


def lost(store: Store) -> None:
    store.lose_token()


def tally_wrong(store: Store) -> None:
    change_replica(store, update(tally).values(count=7))


@pytest.mark.parametrize(
    "damages",
    [[lost], [tally_wrong], [lost, altered], [lost, missing], [lost, added],
     [tally_wrong, altered], [tally_wrong, missing], [tally_wrong, added],
     [lost, altered, missing, added]],
)  # fmt: skip
@pytest.mark.parametrize("source_goes_on", [False, True])
def test_whatever_is_wrong_with_a_replica_is_repaired(
    source: Store,
    replica: Store,
    damages: list[Callable[[Store], None]],
    source_goes_on: bool,
) -> None:
    for damage in damages:
        damage(replica)
    if source_goes_on:
        put(source, "f05", b"changed")
        source.remove("files", "f06", author="test")
    outcome = synchronise(source, replica)
    assert outcome.path is SyncPath.REPAIR
    assert_same(replica, source, repaired=True)
    assert synchronise(source, replica).path is SyncPath.NOTHING


def test_a_repair_costs_bytes_in_proportion_to_the_difference(
    source: Store, replica: Store
) -> None:
    replica.lose_token()
    put(source, "f05", b"changed")
    outcome = synchronise(source, replica)
    assert outcome.path is SyncPath.REPAIR
    assert outcome.bytes_down < 2500, "the 160 KB of `large` do not come again"
    assert outcome.round_trips <= 5


def test_a_repair_fetches_only_the_chunks_that_are_missing(source: Store, replica: Store) -> None:
    chunks = [random.Random(at).randbytes(4000) for at in range(40)]
    chunks[7] = random.Random(77).randbytes(4000)
    put(source, "large", *chunks)
    replica.lose_token()
    outcome = synchronise(source, replica)
    assert (outcome.path, outcome.changed) == (SyncPath.REPAIR, 1)
    assert outcome.bytes_down < 8000
    assert_same(replica, source)


@pytest.mark.parametrize("tells", [True, False])
def test_a_source_that_was_restored_from_a_backup_is_followed(
    tmp_path: Path, source: Store, replica: Store, tells: bool
) -> None:
    copy_database(tmp_path / "source.db", tmp_path / "backup.db")
    for number in range(5):
        put(source, "f05", b"later %d" % number)
    synchronise(source, replica)
    source.close()
    for path in tmp_path.glob("source.db*"):
        path.unlink()
    copy_database(tmp_path / "backup.db", tmp_path / "source.db")
    if tells:
        source.lose_token()
    assert source.clock().seq < replica.clock().seq
    assert synchronise(source, replica).path is SyncPath.REPAIR
    assert_same(replica, source, repaired=True)
    put(source, "f05", b"and on")
    assert synchronise(source, replica).path is SyncPath.DELTA
    assert_same(replica, source, repaired=True)


def test_a_token_that_gc_has_passed_is_followed_by_a_repair(source: Store, replica: Store) -> None:
    put(source, "f05", b"1")
    put(source, "f05", b"2")
    source.collect(keep_seq=source.clock().seq)
    assert synchronise(source, replica).path is SyncPath.REPAIR
    assert_same(replica, source)


def test_a_chunk_that_the_replica_lost_is_fetched_when_its_object_changes(
    source: Store, replica: Store
) -> None:
    from syncd.store.schema import chunk

    lost_chunk = replica.view().version("files", "large").chunk_digests()[3]
    change_replica(replica, delete(chunk).where(chunk.c.digest == lost_chunk))
    chunks = [random.Random(at).randbytes(4000) for at in range(39)]
    put(source, "large", *chunks)
    assert synchronise(source, replica).path is SyncPath.REPAIR
    assert_same(replica, source)


# Guards


def test_a_change_of_most_objects_is_refused_with_figures_and_the_way_out(
    source: Store, replica: Store
) -> None:
    before = held(replica.view()), replica.clock()
    for number in range(7):
        source.remove("files", f"f{number:02}", author="test")
    with pytest.raises(LargeChangeRefused) as refused:
        synchronise(source, replica)
    assert "of 20 files, 7 would go and 0 be replaced, over 30%" in str(refused.value)
    assert "--allow-large-change" in str(refused.value)
    assert (held(replica.view()), replica.clock()) == before
    outcome = synchronise(source, replica, allow_large_change=True)
    assert outcome.gone == 7
    assert_same(replica, source)


def test_a_change_of_just_thirty_percent_is_applied(source: Store, replica: Store) -> None:
    for number in range(3):
        source.remove("files", f"f{number:02}", author="test")
        put(source, f"f{number + 10:02}", b"changed")
    assert synchronise(source, replica).path is SyncPath.DELTA
    assert_same(replica, source)


def test_new_objects_are_never_too_many(source: Store, replica: Store) -> None:
    put_all(source, {f"new{number}": [b"x"] for number in range(100)})
    assert synchronise(source, replica).changed == 100


def test_below_ten_objects_nothing_is_refused(source: Store, replica: Store) -> None:
    source.remove("zones", "example.com.", author="test")
    assert synchronise(source, replica).gone == 1


def test_a_repair_is_guarded_as_well(source: Store, replica: Store) -> None:
    before = held(replica.view())
    for number in range(7):
        put(source, f"f{number:02}", b"changed")
    replica.lose_token()
    with pytest.raises(LargeChangeRefused, match="0 would go and 7 be replaced"):
        synchronise(source, replica)
    assert held(replica.view()) == before
    assert synchronise(source, replica, allow_large_change=True).path is SyncPath.REPAIR
    assert_same(replica, source)


def test_a_store_with_a_history_of_its_own_is_not_made_a_replica(
    tmp_path: Path, source: Store
) -> None:
    with new_store(tmp_path, "own") as own:
        put(own, "mine", b"x")
        with pytest.raises(ReadOnly, match="has commits of its own"):
            synchronise(source, own)
        assert {name for _, name in held(own.view())} == {"mine"}


def test_a_login_that_fails_changes_nothing(source: Store, tmp_path: Path) -> None:
    put_object(source, "users", "root", _OTHER_HASH, role="admin")
    with new_store(tmp_path, "replica") as replica:
        with pytest.raises(PasswordRequired, match="wrong password"):
            synchronise(source, replica)
        assert replica.clock().source is None


_OTHER_HASH = (
    "$argon2id$v=19$m=8,t=1,p=1$c29tZSBvdGhlciBzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


# Types


def test_only_the_types_asked_for_are_copied(tmp_path: Path, source: Store) -> None:
    with new_store(tmp_path, "replica") as replica:
        synchronise(source, replica, types="zones")
        assert {kind for kind, _ in held(replica.view())} == {"zones"}
        put(source, "f05", b"changed")
        put_object(source, "zones", "example.com.", ZONE.format(serial=2))
        outcome = synchronise(source, replica)
        assert (outcome.path, outcome.changed) == (SyncPath.DELTA, 1)
        assert held(replica.view()) == held(source.view(), ["zones"])
        put(source, "f05", b"again")
        assert synchronise(source, replica).changed == 0
        assert replica.clock().token == source.clock().token
        assert_sound(replica)


def test_types_that_are_asked_for_later_come_and_go(source: Store, replica: Store) -> None:
    outcome = synchronise(source, replica, types="zones", allow_large_change=True)
    assert outcome.path is SyncPath.REPAIR
    assert held(replica.view()) == held(source.view(), ["zones"])
    assert synchronise(source, replica, types="files,zones").path is SyncPath.REPAIR
    assert held(replica.view()) == held(source.view(), ["files", "zones"])
    assert synchronise(source, replica).path is SyncPath.NOTHING
    assert_sound(replica)


def test_a_user_gets_what_the_role_may_read(tmp_path: Path, source: Store) -> None:
    add_user(source, Role.READER, "reader")
    with new_store(tmp_path, "replica") as replica:
        synchronise(source, replica, user="reader")
        assert held(replica.view()) == held(source.view(), ["files", "zones"])
        with pytest.raises(HigherAccessRequired):
            synchronise(source, replica, user="reader", types="users")
        assert synchronise(source, replica, user="root").path is SyncPath.REPAIR
        assert_same(replica, source)


# A replica as a source


def test_a_replica_is_the_source_of_a_further_replica(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    with new_store(tmp_path, "second") as second:
        assert synchronise(replica, second).path is SyncPath.BOOTSTRAP
        assert_same(second, source)
        for number in range(3):
            put(source, "f05", b"changed %d" % number)
            source.remove("files", f"f{number:02}", author="test")
        synchronise(source, replica)
        assert synchronise(replica, second).path is SyncPath.DELTA
        assert_same(second, source)
        assert synchronise(source, second).path is SyncPath.NOTHING, "their histories are one"


# Interrupted, and going on


def cut_into(source: Store, replica: Store, after_bytes: int, *, broken: bool) -> None:
    with pytest.raises(ConnectionFailed):
        synchronise(
            source, replica, wrap=lambda stream: CutStream(stream, after_bytes, broken=broken)
        )


@pytest.mark.parametrize("share", [0.0, 0.002, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_bootstrap_that_was_cut_goes_on_and_sends_no_chunk_twice(
    tmp_path: Path, source: Store, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.server.verbs.sync_read._FIRST_BLOCK_BYTES", 1024)
    monkeypatch.setattr("syncd.content.messages.BLOCK_BYTES", 4096)
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
    monkeypatch.setattr("syncd.server.verbs.sync_read._FIRST_BLOCK_BYTES", 1024)
    monkeypatch.setattr("syncd.content.messages.BLOCK_BYTES", 4096)
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
    monkeypatch.setattr("syncd.server.verbs.sync_read._FIRST_BLOCK_BYTES", 1024)
    monkeypatch.setattr("syncd.content.messages.BLOCK_BYTES", 4096)
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
        replica.lose_token()
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
        replica.lose_token()
    synchronise(source, replica)
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


def test_gc_of_the_replica_beside_an_interrupted_bootstrap_takes_nothing_of_it(
    tmp_path: Path, source: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.server.verbs.sync_read._FIRST_BLOCK_BYTES", 1024)
    monkeypatch.setattr("syncd.content.messages.BLOCK_BYTES", 4096)
    monkeypatch.setattr("syncd.store.batch._FLUSH_BYTES", 1)
    with new_store(tmp_path, "replica") as replica:
        cut_into(source, replica, 120_000, broken=False)
        assert replica.collect(keep_seq=0).chunks == 0
        assert synchronise(source, replica).path is SyncPath.RESUMED
        assert_same(replica, source)


def test_errors_are_of_the_one_tree() -> None:
    assert issubclass(LargeChangeRefused, SyncError)
    assert prepared("a").name == "a"
