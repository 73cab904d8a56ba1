"""A bootstrap's blocks, each made by itself from the place where the one before it ended.

So a session keeps nothing between two blocks but that place, however slowly its client reads; and
replicas that bootstrap at the same time, from the same view, are sent the same blocks, which are
made once.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import trio

from syncd.content.messages import BlockWriter, Head, Opening
from syncd.content.versions import Version, split_digests
from syncd.errors import IllegalValue
from syncd.output import counted
from syncd.protocol.connection import framed_block
from syncd.protocol.limits import BLOCK_BYTES
from syncd.store import View
from syncd.store.lists import IN_LIST_VALUES
from syncd.store.small import bodies_in, pages_with_bodies
from syncd.store.view import GROUP_OBJECTS, PAGE_ROWS, VERSION_COLUMNS, as_version

FIRST_BLOCK_BYTES = 64 * 1024
"""Blocks begin small, so that the other side has something to do early."""
LEAST_BLOCK_BYTES = 16 * 1024
IN_FLIGHT_BYTES = 1024 * 1024
"""What the blocks that are being sent at one time may come to, as long as none has to be smaller
than the least: so a session takes no more than that, however many there are."""
_ROW_BYTES, _CHUNK_BYTES = 1024, 256
"""Of a block, for each object and for each chunk of a large object that is read ahead for it."""
SHARED_BYTES = 2 * 1024 * 1024
"""Blocks kept for those who come next: replicas that began together do not drift far apart."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a block begins: behind the object `after`, and behind `skip` chunks of the next."""

    after: tuple[str, str] | None
    skip: int = 0
    begun: bool = False
    """Whether the head of the next object was sent already."""


@dataclass(frozen=True, slots=True)
class Made:
    """A block as it goes over the wire (none if nothing is left), and where the next begins."""

    framed: bytes | None
    following: Position | None


def make_block(
    view: View,
    types: Sequence[str],
    position: Position,
    limit_bytes: int,
    opening: Opening | None = None,
) -> Made:
    """Return the block of a view that begins at a position. Raises IllegalValue, ViewGone."""
    writer = BlockWriter(limit_bytes)
    if opening is not None:
        writer.add(opening)
    after, begun = position.after, position.begun
    for row, sent, bodies in _objects(view, types, position, writer):
        block: bytes | None = None
        if isinstance(bodies, tuple):
            block = writer.add_whole(row, bodies)
        else:
            version = as_version(row[: len(VERSION_COLUMNS)])
            own = len(version.chunk_digests())
            if not begun:
                block = writer.add(head_of(version, bodies=own - sent))
            while block is None and sent < own:
                block = writer.add(next(bodies))
                sent += 1
            if block is not None and sent < own:
                return Made(framed_block(block), Position(after, sent, begun=True))
        after, begun = row[:2], False
        if block is not None:
            return Made(framed_block(block), Position(after))
    last = writer.flush()
    return Made(None if last is None else framed_block(last), None)


def _objects(
    view: View, types: Sequence[str], position: Position, writer: BlockWriter
) -> Iterator[tuple[Any, int, Iterator[bytes] | tuple[bytes, ...]]]:
    """Yield each object's row with how many of its chunks are left out, and the bodies of the
    others: all of them, for a small one, or one by one.

    No more is read at a time than the block may need.
    """
    limit_bytes = writer.limit_bytes
    page_rows = max(1, min(PAGE_ROWS, limit_bytes // _ROW_BYTES))
    chunks = max(1, min(IN_LIST_VALUES, limit_bytes // _CHUNK_BYTES))
    resumed = position.skip > 0 or position.begun
    read = 0

    def wanted_rows() -> int:
        if resumed:
            return 1
        room_bytes = limit_bytes - writer.size_bytes
        more = 1 + room_bytes * read // writer.size_bytes if read else page_rows
        return max(1, min(page_rows, more))

    for page in pages_with_bodies(view, types, wanted_rows, after=position.after):
        if resumed:
            resumed = False
            (first,) = page
            digests = split_digests(first.chunks)
            if position.skip > len(digests):
                there = counted(len(digests), "chunk")
                raise IllegalValue(f"skip={position.skip}: {first.name} has {there}")
            rest = digests[position.skip :]
            yield first, position.skip, view.bodies_in_order(rest, at_once=chunks)
            continue
        own = [bodies_in(row) for row in page]
        others = view.stored(
            (as_version(row[: len(VERSION_COLUMNS)]) for row, bodies in zip(page, own, strict=True)
             if bodies is None),
            group_objects=min(GROUP_OBJECTS, page_rows),
            chunks_at_once=chunks,
        )  # fmt: skip
        for row, bodies in zip(page, own, strict=True):
            yield row, 0, next(others)[1] if bodies is None else bodies
        read += len(page)


def head_of(version: Version, *, bodies: int | None = None, chunks: bytes | None = None) -> Head:
    """Return an object's head, followed by all of its chunks or by their digests."""
    return Head(
        version.type, version.name, version.seq, version.mtime, version.size, version.lines,
        version.crc32, version.digest, version.attributes, bodies=bodies, chunks=chunks,
    )  # fmt: skip


class SharedBlocks:
    """Blocks that several bootstraps at once ask for; none are kept where there is only one."""

    def __init__(self, limit_bytes: int = SHARED_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._kept: dict[object, Made] = {}
        self._kept_bytes = 0
        self._under_way: dict[object, trio.Event] = {}
        self._readers = 0

    @contextmanager
    def reader(self) -> Iterator[None]:
        """Count a bootstrap while it lasts; after the last nothing is kept."""
        self._readers += 1
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._kept.clear()
                self._kept_bytes = 0

    def next_limit(self, limit_bytes: int) -> int:
        """Return how large a block may be that comes after one of `limit_bytes`."""
        share = max(LEAST_BLOCK_BYTES, IN_FLIGHT_BYTES // max(1, self._readers))
        return min(BLOCK_BYTES, share, 2 * limit_bytes)

    async def get(self, key: object, make: Callable[[], Awaitable[Made]]) -> Made:
        """Return the block of a key, made now unless somebody else has made it or is making it."""
        while key in self._under_way:
            await self._under_way[key].wait()
        if key in self._kept:
            return self._kept[key]
        self._under_way[key] = trio.Event()
        try:
            made = await make()
        finally:
            self._under_way.pop(key).set()
        if self._readers > 1:
            self._keep(key, made)
        return made

    def _keep(self, key: object, made: Made) -> None:
        self._kept[key] = made
        self._kept_bytes += len(made.framed or b"")
        while self._kept_bytes > self._limit_bytes:
            oldest = self._kept.pop(next(iter(self._kept)))
            self._kept_bytes -= len(oldest.framed or b"")
