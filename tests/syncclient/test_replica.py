"""A replica finds the way to its source by itself: bootstrap, delta or repair."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Executable, delete, update

from syncclient.replica import Path as SyncPath
from syncd.content import messages
from syncd.errors import (
    HigherAccessRequired,
    LargeChangeRefused,
    PasswordRequired,
    ReadOnly,
)
from syncd.server.verbs import sync_read
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.store.schema import tally, version
from syncd.types import Role
from tests.databases import on_every_engine
from tests.running import put as put_object
from tests.store.objects import (
    assert_sound,
    held,
    new_store,
    put,
    put_all,
    store_url,
)
from tests.syncclient.link import SOURCE, add_user, synchronise
from tests.syncclient.replicas import ZONE, assert_same, copy_database

pytestmark = on_every_engine


def change_replica(store: Store, *statements: Executable) -> None:
    with store.engine.execution_options(**WRITE).begin() as connection:
        for statement in statements:
            connection.execute(statement)


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
    store.renew_epoch()


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
    replica.renew_epoch()
    put(source, "f05", b"changed")
    outcome = synchronise(source, replica)
    assert outcome.path is SyncPath.REPAIR
    assert outcome.bytes_down < 2500, "the 160 KB of `large` do not come again"
    assert outcome.round_trips <= 5


def test_a_repair_fetches_only_the_chunks_that_are_missing(source: Store, replica: Store) -> None:
    chunks = [random.Random(at).randbytes(4000) for at in range(40)]
    chunks[7] = random.Random(77).randbytes(4000)
    put(source, "large", *chunks)
    replica.renew_epoch()
    outcome = synchronise(source, replica)
    assert (outcome.path, outcome.changed) == (SyncPath.REPAIR, 1)
    assert outcome.bytes_down < 8000
    assert_same(replica, source)


@pytest.mark.parametrize("tells", [True, False])
def test_a_source_that_was_restored_from_a_backup_is_followed(
    tmp_path: Path, source: Store, replica: Store, tells: bool
) -> None:
    copy_database(store_url(tmp_path, "source"), store_url(tmp_path, "backup"))
    for number in range(5):
        put(source, "f05", b"later %d" % number)
    synchronise(source, replica)
    copy_database(store_url(tmp_path, "backup"), store_url(tmp_path, "source"))
    if tells:
        source.renew_epoch()
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


def test_a_token_that_gc_passes_during_the_delta_is_followed_by_a_repair(
    source: Store, replica: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunks that the delta's are compressed against are gone after its first block."""
    put(source, "large", *(random.Random(100 + at).randbytes(4000) for at in range(40)))
    in_snapshots = sync_read._in_snapshots

    def with_gc_between(*arguments: Any) -> Any:
        for block in in_snapshots(*arguments):
            yield block
            source.collect(keep_seq=source.clock().seq)

    monkeypatch.setattr(sync_read, "_in_snapshots", with_gc_between)
    monkeypatch.setattr(messages, "BLOCK_BYTES", 10_000)
    monkeypatch.setattr(messages.write_blocks, "__kwdefaults__", {"growing_from": 10_000})
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
    replica.renew_epoch()
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


def test_a_login_that_may_read_less_takes_nothing_away(tmp_path: Path, source: Store) -> None:
    add_user(source, Role.REPLICA, "ns2")
    with new_store(tmp_path, "other") as replica:
        synchronise(source, replica, user="ns2")
        users = replica.view().totals(["users"])
        assert users.count == 2
        add_user(source, Role.READER, "ns2")
        with pytest.raises(HigherAccessRequired, match="all 2 objects of it would go"):
            synchronise(source, replica, user="ns2")
        assert replica.view().totals(["users"]) == users
        add_user(source, Role.REPLICA, "ns2")
        synchronise(source, replica, user="ns2")
        assert_same(replica, source)
        add_user(source, Role.READER, "ns2")
        assert synchronise(source, replica, user="ns2", types="files,zones").gone == 2
        assert replica.view().totals(["users"]).count == 0


def test_a_type_of_which_nothing_is_left_at_the_source_goes(source: Store, replica: Store) -> None:
    zones = [version.name for version in source.view().versions(["zones"])]
    for zone in zones:
        source.remove("zones", zone, author="test")
    source.renew_epoch()
    outcome = synchronise(source, replica, allow_large_change=True)
    assert (outcome.path, outcome.gone) == (SyncPath.REPAIR, len(zones))
    assert_same(replica, source)


def test_types_that_are_named_again_and_again_are_kept_once(source: Store, replica: Store) -> None:
    synchronise(source, replica, types=",".join(["zones", "files"] * 40))
    assert replica.clock().types == "zones,files"


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
