"""Chunks read ahead are the same, and cost a query for many."""

from pathlib import Path

import pytest
from sqlalchemy import event

from syncd.content.compression import decompress
from syncd.errors import StoreError
from syncd.store.held import HeldBodies
from tests.databases import on_every_engine
from tests.store.objects import new_store, put

pytestmark = on_every_engine


def test_what_is_held_and_what_is_not_are_the_same_and_held_chunks_need_no_query(
    tmp_path: Path,
) -> None:
    with new_store(tmp_path, "store") as store:
        for number in range(30):
            put(store, f"f{number:02}", b"%d" % number * 100, b"shared")
        view = store.view()
        digests = [one.chunk_digests() for one in view.versions(["files"])]
        held = HeldBodies(view)
        held.hold(digest for own in digests[:20] for digest in own)
        queries: list[str] = []
        event.listen(store.engine, "before_cursor_execute", lambda *found: queries.append(found[2]))
        for own in digests[:20]:
            assert list(held.contents(own)) == [
                decompress(b, 1 << 20) for b in held.bodies(own).values()
            ]
        assert queries == []
        for own in digests[20:]:
            assert held.bodies(own) == view.bodies(own)
            assert list(held.contents(own)) == list(view.chunk_contents(own))
        assert queries


def test_a_missing_chunk_is_named_as_ever(tmp_path: Path) -> None:
    with new_store(tmp_path, "store") as store:
        held = HeldBodies(store.view())
        with pytest.raises(StoreError, match="fsck"):
            held.hold([bytes(32)])
        with pytest.raises(StoreError, match="fsck"):
            held.bodies([bytes(32)])
