"""Objects read with their content are those read without, and their content is their own."""

import random

import pytest
from sqlalchemy import delete

from syncd.content.versions import chunk_digest
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.store.schema import chunk
from syncd.store.small import SMALL_BYTES, bodies_in, pages_with_bodies
from syncd.store.view import VERSION_COLUMNS, View, as_version
from tests.databases import on_every_engine
from tests.store.objects import put, put_all

pytestmark = on_every_engine

TYPES = ["files", "users", "zones"]


@pytest.fixture
def filled(store: Store) -> Store:
    """Objects of no chunk, of some, of some that are the same, and of one that is not small."""
    chance = random.Random(3)
    contents = {
        f"f{number:02}": [chance.choice((b"shared", b"%d" % number)) for _ in range(number % 5)]
        for number in range(30)
    }
    put_all(store, contents)
    put(store, "large", bytes(SMALL_BYTES + 1))
    put(store, "f07", b"changed")
    return store


def all_rows(
    view: View, rows: int, after: tuple[str, str] | None = None
) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for page in pages_with_bodies(view, TYPES, lambda: rows, after=after):
        assert len(page) <= rows
        found += page
    return found


@pytest.mark.parametrize("rows", [1, 7, 500])
@pytest.mark.parametrize("seq", [1, 3])
def test_versions_come_once_and_in_order_with_the_content_of_small_ones(
    filled: Store, rows: int, seq: int
) -> None:
    view = filled.view(seq)
    found = all_rows(view, rows)
    assert [as_version(row[: len(VERSION_COLUMNS)]) for row in found] == list(view.versions(TYPES))
    for row in found:
        version = as_version(row[: len(VERSION_COLUMNS)])
        digests = version.chunk_digests()
        bodies = bodies_in(row)
        assert (bodies is not None) == (version.size <= SMALL_BYTES and len(digests) <= 1)
        if bodies is not None:
            assert list(bodies) == list(view.bodies_in_order(digests))


@pytest.mark.parametrize("after", [("files", "f28"), ("a", "x"), ("users", ""), ("zones", "z")])
def test_they_begin_behind_a_name(filled: Store, after: tuple[str, str]) -> None:
    view = filled.view()
    names = [row[1] for row in all_rows(view, 3, after)]
    assert names == [version.name for version in view.versions(TYPES, after=after)]


def test_what_misses_a_chunk_is_not_given_as_whole(filled: Store) -> None:
    put(filled, "z", b"one", b"other")
    with filled.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(delete(chunk).where(chunk.c.digest == chunk_digest(b"one")))
    row = all_rows(filled.view(), 500)[-1]
    assert row[1] == "z"
    assert bodies_in(row) is None
