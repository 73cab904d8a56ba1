"""A batch is seen whole or not at all, and gc beside it takes nothing that it stands on."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from syncd.errors import Busy, InvalidContent, MovedOn
from syncd.store import Store
from syncd.store.schema import batch as batch_table
from syncd.store.schema import chunk, staged
from syncd.types import Prepared
from tests.databases import on_every_engine
from tests.store.objects import assert_sound, content_of, held, prepared, put, store_url

pytestmark = on_every_engine


def rows(store: Store) -> tuple[int, int]:
    """How many batches and staged objects there are."""
    with store.engine.connect() as connection:
        batches, objects = (
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (batch_table, staged)
        )
        return batches, objects


def test_nothing_of_a_batch_is_seen_before_it_is_published(store: Store) -> None:
    with store.batch() as batch:
        batch.put("files", prepared("a", b"x"), None)
        batch.flush()
        batch.put("files", prepared("b", b"x"), None)
        batch.flush()
        assert held(store.view()) == {}
        assert store.clock().seq == 0
        batch.publish("test")
    assert {name for _, name in held(store.view())} == {"a", "b"}
    assert rows(store) == (0, 0)


def test_a_batch_that_is_left_without_publishing_leaves_nothing(store: Store) -> None:
    class Interrupted(Exception):
        pass

    with suppress(Interrupted), store.batch() as batch:
        batch.put("files", prepared("a", b"x"), None)
        batch.flush()
        raise Interrupted
    assert rows(store) == (0, 0)
    assert store.collect(keep_seq=0).chunks == 1
    assert store.clock().seq == 0


def test_a_batch_without_changes_makes_no_commit(store: Store) -> None:
    put(store, "a", b"x")
    with store.batch() as batch:
        present = store.view().version("files", "a")
        assert not batch.put("files", prepared("a", b"x"), present)
        assert batch.publish("test") is None
    assert store.clock().seq == 1


def test_content_that_breaks_off_is_not_staged(store: Store) -> None:
    def breaks_off() -> Iterator[bytes]:
        yield b"good"
        raise InvalidContent("line 2 is bad")

    with store.batch() as batch:
        with pytest.raises(InvalidContent):
            batch.put("files", Prepared("a", breaks_off(), {}), None)
        batch.put("files", prepared("b", b"x"), None)
        batch.publish("test")
    assert {name for _, name in held(store.view())} == {"b"}


def test_one_object_that_was_changed_meanwhile_stops_the_whole_batch(
    tmp_path: Path, store: Store
) -> None:
    put(store, "a", b"0")
    present = store.view().version("files", "a")
    with store.batch() as batch:
        batch.put("files", prepared("a", b"mine"), present)
        batch.put("files", prepared("b", b"mine"), None)
        with Store.open(store_url(tmp_path)) as other:
            put(other, "a", b"theirs")
        with pytest.raises(MovedOn, match="a was changed by somebody else"):
            batch.publish("test")
    assert content_of(store.view(), "a") == b"theirs"
    assert store.view().find("files", ["b"]) == {}
    assert rows(store) == (0, 0)


def test_a_batch_that_was_overtaken_leaves_no_connection_behind_that_cannot_write(
    store: Store,
) -> None:
    for name in "abcdef":
        put(store, name, b"old")
    present = store.view().find("files", list("abcdef"))
    with store.batch() as batch:
        for name in "abcdef":
            batch.put("files", prepared(name, b"new"), present[name])
        put(store, "a", b"theirs")
        with pytest.raises(MovedOn) as overtaken:
            batch.publish("test")
    with Store.open(str(store.engine.url)) as another:
        put(another, "a", b"theirs again")
    put(store, "a", b"ours")
    assert "a was changed" in str(overtaken.value)  # all the while the error was kept


@pytest.mark.parametrize("theirs", ["put", "delete"])
def test_an_object_that_came_or_went_meanwhile_is_noticed(store: Store, theirs: str) -> None:
    present = None
    if theirs == "delete":
        put(store, "a", b"0")
        present = store.view().version("files", "a")
    with store.batch() as batch:
        batch.put("files", prepared("a", b"mine"), present)
        if theirs == "delete":
            store.remove("files", "a", author="test")
        else:
            put(store, "a", b"theirs")
        with pytest.raises(MovedOn):
            batch.publish("test")


def test_gc_beside_a_batch_that_it_does_not_concern_does_not_stop_it(store: Store) -> None:
    put(store, "a", b"1", b"shared")
    put(store, "a", b"2", b"shared")
    present = store.view().version("files", "a")
    with store.batch() as batch:
        batch.put("files", prepared("a", b"3", b"shared"), present)
        batch.flush()
        assert store.collect(keep_seq=2).chunks == 1
        batch.publish("test")
    assert content_of(store.view(), "a") == b"3shared"
    assert_sound(store)


def test_gc_that_takes_what_a_batch_in_flight_stands_on_stops_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunks of a large object are written before the object is: nothing refers to them yet."""
    monkeypatch.setattr("syncd.store.batch._FLUSH_BYTES", 1)

    def with_gc_in_the_middle() -> Iterator[bytes]:
        yield b"first"
        assert store.collect(keep_seq=0).chunks == 1
        yield b"second"

    with store.batch() as batch:
        with pytest.raises(Busy, match="a: content that it shares was removed by gc"):
            batch.put("files", Prepared("a", with_gc_in_the_middle(), {"mode": 0o644}), None)
    assert held(store.view()) == {}
    assert_sound(store)
    put(store, "a", b"first", b"second")
    assert_sound(store)


def test_what_a_batch_leaves_whose_process_dies_is_sound_also_beside_gc(store: Store) -> None:
    put(store, "a", b"1", b"shared")
    put(store, "b", b"kept")
    left = store.batch()
    present = store.view().find("files", ["a", "b"])
    left.put("files", prepared("b", b"more", b"kept"), present["b"])
    left.flush()
    left.put("files", prepared("a", b"2", b"shared"), present["a"])
    store.remove("files", "a", author="test")
    assert store.collect(keep_seq=3).chunks == 2
    with pytest.raises(Busy, match="a: content that it shares was removed by gc"):
        left.flush()
    assert_sound(store)


def test_a_batch_that_was_left_for_a_day_goes_with_gc(store: Store) -> None:
    abandoned = store.batch()
    abandoned.put("files", prepared("a", b"x"), None)
    abandoned.flush()
    assert rows(store) == (1, 1)
    assert store.collect(keep_seq=0).chunks == 0, "it may still be under way"
    now = store.now()
    store.now = lambda: now + 25 * 3600
    assert store.collect(keep_seq=0).chunks == 1
    assert rows(store) == (0, 0)


@pytest.mark.parametrize("how", ["publish", "flush"])
def test_a_batch_that_gc_took_for_abandoned_is_not_published_in_part(
    store: Store, how: str
) -> None:
    with store.batch() as batch:
        batch.put("files", prepared("a", b"x"), None)
        batch.flush()
        now = store.now()
        store.now = lambda: now + 25 * 3600
        store.collect(keep_seq=0)
        batch.put("files", prepared("b", b"y"), None)
        with pytest.raises(Busy, match="make the batch anew"):
            batch.flush() if how == "flush" else batch.publish("test")
    assert held(store.view()) == {}
    assert store.clock().seq == 0
    assert_sound(store)


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=30), max_size=10))
def test_size_and_checksum_are_those_of_the_content(chunks: list[bytes]) -> None:
    from tempfile import TemporaryDirectory
    from zlib import crc32

    from tests.store.objects import new_store

    with TemporaryDirectory() as folder, new_store(Path(folder)) as store:
        put(store, "a", *chunks)
        version = store.view().version("files", "a")
        content = b"".join(chunks)
        assert (version.size, version.crc32) == (len(content), crc32(content))
        assert content_of(store.view(), "a") == content


def test_chunks_are_kept_compressed_and_once(store: Store) -> None:
    put(store, "a", b"x" * 100_000, b"x" * 100_000)
    with store.engine.connect() as connection:
        ((size, body),) = connection.execute(select(chunk.c.size, chunk.c.body)).all()
    assert size == 100_000
    assert len(body) < 100
