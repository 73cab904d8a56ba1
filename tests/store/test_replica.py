"""A copy becomes visible whole and proven, or nothing changes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.content.compression import compress
from syncd.content.tokens import Proof, Token
from syncd.content.versions import Version, chunk_digest, object_digest, pack_attributes
from syncd.errors import IllegalValue, ReadOnly, StoreError, TokenLost, VerificationFailed, ViewGone
from syncd.store import ReplicaBatch, Store
from syncd.store.engine import WRITE
from tests.databases import on_every_engine
from tests.store.objects import TYPES, assert_sound, content_of, held, new_store, put

pytestmark = on_every_engine

SOURCE = "syncd://bob@ns1:5040"


def proof_of(source: Store) -> Proof:
    view = source.view()
    totals = view.totals(TYPES)
    return Proof(view.token, totals.count, totals.fingerprint)


def stage_all(batch: ReplicaBatch, source: Store) -> None:
    """Stage everything that a source holds."""
    view = source.view()
    batch.copies = view.token
    for version, bodies in view.stored(view.versions(TYPES)):
        for digest, body in zip(version.chunk_digests(), bodies, strict=True):
            batch.add_chunk(digest, 0, body)
        batch.add_version(version)


def stage_changes(batch: ReplicaBatch, replica: Store, source: Store) -> None:
    """Stage what changed at the source since the replica's token."""
    view = source.view()
    for change in source.changes(replica.clock().token, view, TYPES):
        if change.new is None:
            assert change.old is not None
            batch.add_gone(change.old.type, change.old.name)
            continue
        for content in view.content(change.new):
            batch.add_chunk(chunk_digest(content), len(content), compress(content))
        batch.add_version(change.new)


def make_replica(replica: Store, copied: Store, *, source: str = SOURCE) -> None:
    batch = replica.replica_batch()
    view = copied.view()
    batch.copies = view.token
    for version in view.versions(TYPES):
        for content in view.content(version):
            batch.add_chunk(chunk_digest(content), len(content), compress(content))
        batch.add_version(version)
    batch.publish_copy(proof_of(copied), source=source, types="*", advance=False)


def advance(replica: Store, source: Store) -> None:
    batch = replica.replica_batch()
    stage_changes(batch, replica, source)
    batch.publish_copy(proof_of(source), source=SOURCE, types="*", advance=True)


@pytest.fixture
def replica(tmp_path: Path, store: Store) -> Iterator[Store]:
    """A copy of `store`, which has three files."""
    for name in "abc":
        put(store, name, name.encode() * 100, b"shared")
    with new_store(tmp_path, "replica") as made:
        make_replica(made, store)
        yield made


def test_a_source_may_have_a_long_address(tmp_path: Path, store: Store) -> None:
    put(store, "a", b"a")
    pinned = f"syncds://replica1@{'n' * 60}.example.net:5041?pin=sha256:{'0' * 64}"
    with new_store(tmp_path, "replica") as replica:
        make_replica(replica, store, source=pinned)
        assert replica.clock().source == pinned
        assert replica.log(1)[0].author == pinned[:128]
        make_replica(replica, store, source="s" * 500)


def test_a_copy_is_what_the_source_is(store: Store, replica: Store) -> None:
    assert held(replica.view()) == held(store.view())
    assert replica.clock().token == store.clock().token
    assert replica.view().totals(TYPES) == store.view().totals(TYPES)
    assert replica.clock().source == SOURCE
    assert_sound(replica)


def test_a_copy_keeps_its_own_history_while_it_advances(store: Store, replica: Store) -> None:
    before = held(replica.view())
    put(store, "a", b"changed")
    put(store, "d", b"new")
    store.remove("files", "b", author="test")
    advance(replica, store)
    assert held(replica.view()) == held(store.view())
    assert held(replica.view(3)) == before
    assert_sound(replica)


def test_a_replica_can_show_only_commits_it_stood_at(store: Store, replica: Store) -> None:
    for content in (b"1", b"2", b"3"):
        put(store, "a", content)
    advance(replica, store)
    assert replica.clock().seq == 6
    for seq in (4, 5):
        with pytest.raises(ViewGone, match="never stood at"):
            replica.view(seq)
        with pytest.raises(TokenLost, match="no commit that this store has stood at"):
            list(replica.changes(Token(replica.clock().epoch, seq), replica.view(), TYPES))
    changed = list(replica.changes(Token(replica.clock().epoch, 3), replica.view(), TYPES))
    assert [(c.old and c.old.name, c.new and c.new.seq) for c in changed] == [("a", 6)]


def test_a_replica_refuses_writes_and_says_where_to_write(replica: Store) -> None:
    before = held(replica.view())
    with pytest.raises(ReadOnly, match=f"replica of {SOURCE}; write there"):
        put(replica, "a", b"mine")
    with pytest.raises(ReadOnly):
        replica.remove("files", "a", author="test")
    assert held(replica.view()) == before
    assert replica.clock().seq == 3


@pytest.mark.parametrize("wrong", ["count", "fingerprint"])
@pytest.mark.parametrize("advances", [True, False])
def test_a_copy_that_does_not_add_up_changes_nothing(
    store: Store, replica: Store, wrong: str, advances: bool
) -> None:
    before, clock, log = held(replica.view()), replica.clock(), replica.log()
    put(store, "a", b"changed")
    store.remove("files", "b", author="test")
    right = proof_of(store)
    lie = {
        "count": Proof(right.token, right.count + 1, right.fingerprint),
        "fingerprint": Proof(right.token, right.count, right.fingerprint ^ 1),
    }[wrong]
    batch = replica.replica_batch()
    stage_changes(batch, replica, store)
    with pytest.raises(VerificationFailed, match=r"nothing was applied"):
        batch.publish_copy(lie, source=SOURCE, types="*", advance=advances)
    batch.discard()
    assert (held(replica.view()), replica.clock(), replica.log()) == (before, clock, log)
    assert_sound(replica)
    advance(replica, store)
    assert held(replica.view()) == held(store.view())


def test_a_version_from_beyond_the_view_is_refused(store: Store, replica: Store) -> None:
    put(store, "a", b"changed")
    proof = proof_of(store)
    batch = replica.replica_batch()
    newest = store.view().version("files", "a")
    batch.add_chunk(newest.chunks, 7, compress(b"changed"))
    batch.add_version(replace(newest, seq=newest.seq + 1))
    with pytest.raises(VerificationFailed, match="a is said to be of a commit after 4"):
        batch.publish_copy(proof, source=SOURCE, types="*", advance=True)
    assert replica.clock().seq == 3


def test_the_tally_of_a_repaired_copy_is_made_anew(store: Store, replica: Store) -> None:
    from sqlalchemy import update

    from syncd.store.schema import tally

    with replica.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(update(tally).values(count=99, fingerprint=bytes(32)))
    batch = replica.replica_batch()
    batch.publish_copy(proof_of(store), source=SOURCE, types="*", advance=False)
    assert_sound(replica)


def test_a_source_that_went_back_is_followed_back(store: Store, replica: Store) -> None:
    """A backup was restored: the source's last commit is below the replica's."""
    with_later = replica.clock().seq
    batch = replica.replica_batch()
    back = Token("b" * 16, 1)
    batch.add_gone("files", "b")
    batch.add_gone("files", "c")
    mark = int.from_bytes(replica.view().version("files", "a").mark, "big")
    batch.publish_copy(Proof(back, 1, mark), source=SOURCE, types="*", advance=False)
    assert with_later > replica.clock().seq == 1
    assert replica.clock().token == back
    assert [v.name for v in replica.view().versions(TYPES)] == ["a"]
    assert_sound(replica)


# What an interrupted process left


def small_flushes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.store.batch._FLUSH_BYTES", 1)


def test_a_bootstrap_goes_on_where_it_was_interrupted(
    tmp_path: Path, store: Store, replica: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_flushes(monkeypatch)
    with new_store(tmp_path, "second") as second:
        batch = second.replica_batch()
        batch.copies = store.clock().token
        view = store.view()
        for name in ("a", "b"):
            version = view.version("files", name)
            for content in view.content(version):
                batch.add_chunk(chunk_digest(content), len(content), compress(content))
            batch.add_version(version)
        again = second.replica_batch()
        assert again.resume() == store.clock().token
        assert again.last_staged() == ("files", "b")
        assert again.partial() is None
        assert list(second.view().versions(TYPES)) == []
        again.discard()
        assert second.replica_batch().resume() is None
        assert second.replica_batch().last_staged() is None


def part_of_an_object(content: bytes) -> Version:
    chunks = chunk_digest(content)
    return Version(
        "files", "large", 3, 0, len(content), 0, 0, object_digest(b"whole"), pack_attributes({}),
        chunks,
    )  # fmt: skip


def begin_an_object(store: Store) -> tuple[Version, ReplicaBatch]:
    """Receive the first chunk of an object, and no more."""
    part = part_of_an_object(b"first")
    batch = store.replica_batch()
    batch.copies = Token("a" * 16, 3)
    batch.keep_partial(lambda: part)
    batch.add_chunk(chunk_digest(b"first"), 5, compress(b"first"))
    return part, batch


def test_the_object_under_way_is_kept_with_every_flush(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_flushes(monkeypatch)
    part, batch = begin_an_object(store)
    assert store.replica_batch().partial() == part
    assert store.collect(keep_seq=0).chunks == 0, "what is under way is referred to"
    batch.keep_partial(lambda: None)
    batch.flush()
    assert store.replica_batch().partial() is None
    assert store.collect(keep_seq=0).chunks == 1


def test_what_was_left_a_day_ago_goes_with_gc(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_flushes(monkeypatch)
    begin_an_object(store)
    now = store.now()
    store.now = lambda: now + 25 * 3600
    assert store.collect(keep_seq=0).chunks == 1
    again = store.replica_batch()
    assert (again.resume(), again.last_staged(), again.partial()) == (None, None, None)


def test_a_copy_whose_chunks_gc_took_is_refused(
    store: Store, replica: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of an object that is not complete yet: nothing refers to them when gc comes."""
    small_flushes(monkeypatch)
    put(store, "a", b"1" * 10, b"2" * 10)
    newest = store.view().version("files", "a")
    batch = replica.replica_batch()
    for content in (b"1" * 10, b"2" * 10):
        batch.add_chunk(chunk_digest(content), 10, compress(content))
    assert replica.collect(keep_seq=3).chunks == 2
    batch.add_version(newest)
    with pytest.raises(VerificationFailed, match="removed by gc"):
        batch.publish_copy(proof_of(store), source=SOURCE, types="*", advance=True)
    batch.discard()
    assert_sound(replica)
    advance(replica, store)
    assert content_of(replica.view(), "a") == b"1" * 10 + b"2" * 10


def test_the_same_object_twice_is_refused_as_a_whole(store: Store, replica: Store) -> None:
    before = held(replica.view())
    put(store, "a", b"changed")
    newest = store.view().version("files", "a")
    batch = replica.replica_batch()
    batch.add_version(newest)
    batch.add_version(newest)
    with pytest.raises(StoreError, match=r"UNIQUE constraint failed|[Dd]uplicate"):
        batch.publish_copy(proof_of(store), source=SOURCE, types="*", advance=True)
    assert held(replica.view()) == before


def test_a_replica_that_is_promoted_is_a_source_with_a_history_of_its_own(tmp_path: Path) -> None:
    with new_store(tmp_path, "source") as source, new_store(tmp_path, "replica") as replica:
        put(source, "a", b"1")
        with pytest.raises(IllegalValue, match="no replica"):
            source.promote()
        make_replica(replica, source)
        stage_all(replica.replica_batch(), source)
        before = replica.clock().token
        token = replica.promote()
        assert (token.seq, replica.clock().source) == (before.seq, None)
        assert token.epoch != before.epoch
        put(replica, "b", b"2")
        assert replica.clock().seq == token.seq + 1
        assert content_of(replica.view(), "a") == b"1"
        assert_sound(replica)
