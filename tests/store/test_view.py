"""Views: paging by name is exact however many objects there are, and content is read in flat
memory."""

import fnmatch
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.versions import chunk_digest
from syncd.errors import NoSuchObject, StoreError
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import TYPES, content_of, held, new_store, put, put_all

pytestmark = on_every_engine

NAMES = sorted(
    [f"etc/host{n}" for n in range(30)]
    + ["A", "B", "Z", "a", "b", "z", "\u00e4", "\u00c4", "\u20ac", "\U0001f600", "a b", "a!", "a0"]
)


@pytest.fixture(scope="module")
def many() -> Iterator[Store]:
    """Names in which case, accents and signs beyond 16 bits matter to the order."""
    with TemporaryDirectory() as folder, new_store(Path(folder)) as store:
        put_all(store, {name: [name.encode()] for name in NAMES})
        yield store


@pytest.mark.parametrize("rows", [1, 2, 7, len(NAMES), 500])
def test_all_objects_come_once_and_in_order_whatever_a_page_holds(
    many: Store, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.store.view.PAGE_ROWS", rows)
    assert [version.name for version in many.view().versions(TYPES)] == NAMES


@given(st.sampled_from(NAMES) | st.text(max_size=5), st.none() | st.integers(0, 60))
def test_a_listing_begins_behind_a_name_and_ends_at_its_limit(
    many: Store, after: str, limit: int | None
) -> None:
    after = after.replace("\0", "").encode("utf-8", "ignore").decode()
    shown = many.view().versions(TYPES, after=("files", after), limit=limit)
    expected = [name for name in NAMES if name > after]
    assert [version.name for version in shown] == expected[:limit]


@pytest.mark.parametrize("pattern", ["etc/*", "*1?", "[ab]", "A", "nothing", "\u00e4", "*"])
@pytest.mark.parametrize("limit", [None, 0, 1, 3])
def test_a_pattern_selects_by_name(many: Store, pattern: str, limit: int | None) -> None:
    shown = many.view().versions(TYPES, pattern=pattern, limit=limit)
    expected = [name for name in NAMES if fnmatch.fnmatchcase(name, pattern)]
    assert [version.name for version in shown] == expected[:limit]


def test_objects_are_found_by_name_however_many_are_asked_for(many: Store) -> None:
    wanted = [*NAMES, *(f"nothing{n}" for n in range(1500))]
    assert sorted(many.view().find("files", wanted)) == NAMES
    assert many.view().find("zones", wanted) == {}


def test_an_object_that_is_not_there_is_named(many: Store) -> None:
    with pytest.raises(NoSuchObject, match="files has no nothing at commit 1"):
        many.view().version("files", "nothing")
    assert many.view().present("files", "nothing") is None


def test_content_is_read_whole_or_by_chunk(store: Store) -> None:
    chunks = [b"%d" % number for number in range(1200)]
    put(store, "large", *chunks)
    put(store, "small", b"one")
    present = store.view().present("files", "large")
    assert present is not None
    assert len(present.content) == 1200
    assert present.content.chunk(700) == b"700"
    assert list(present.content.chunks()) == chunks
    both = {v.name: b"".join(c) for v, c in store.view().contents(store.view().versions(TYPES))}
    assert both == {"large": b"".join(chunks), "small": b"one"}


def test_bodies_come_in_the_order_asked_for_also_twice(store: Store) -> None:
    put(store, "a", b"1", b"2")
    first, second = (chunk_digest(content) for content in (b"1", b"2"))
    bodies = list(store.view().bodies_in_order([second, first, second]))
    assert bodies[0] == bodies[2] != bodies[1]


def test_a_chunk_that_is_missing_is_named(store: Store) -> None:
    with pytest.raises(StoreError, match=f"chunk {'00' * 32} is missing; run `syncd fsck`"):
        store.view().bodies([bytes(32)])


def test_totals_are_the_same_whether_kept_or_counted(store: Store) -> None:
    put_all(store, {name: [name.encode()] for name in "abc"})
    put(store, "b", b"changed")
    for seq in range(3):
        view = store.view(seq)
        assert view.totals(TYPES) == view.recount(TYPES)
    assert store.view().totals(["zones"]).count == 0


def test_a_view_does_not_change_while_writers_go_on(store: Store) -> None:
    put_all(store, {"a": [b"1"], "b": [b"1"]})
    view = store.view()
    before = held(view)
    put(store, "a", b"2")
    store.remove("files", "b", author="test")
    put(store, "c", b"2")
    assert held(view) == before
    assert content_of(view, "a") == b"1"
