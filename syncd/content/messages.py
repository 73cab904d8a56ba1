"""What stands in the msgpack blocks of `SYNC getall|delta|chunks`. protocol.md, "Blocks".

A block is one msgpack array; its elements read on from block to block:

    text                  the type of the objects that follow
    array of 9            an object: name, seq, mtime, size, lines, crc32, digest, attributes,
                          count of chunks (all follow), or the chunks' digests (none follows), or an
                          array of splices (the inserted chunks follow)
    array of 1            the name of an object that is gone
    array of 2            of a bootstrap, first of all: the view's token and its count of objects
    bytes                 one chunk of the object before, as a zstd frame

So bodies go out as they lie in the store, and memory stays at about one block on either side.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from syncd.content.splices import SpliceShape
from syncd.content.versions import DIGEST_BYTES
from syncd.errors import ProtocolViolation
from syncd.protocol.limits import BLOCK_BYTES
from syncd.protocol.packing import pack, unpack

_OVERHEAD_BYTES = 160
"""An object's head without its name: numbers, digest and attributes."""
_CHUNK_OVERHEAD_BYTES = 5

_HEAD_TYPES = [str, int, int, int, int, int, bytes, bytes]
_HEAD_ELEMENTS = 9
_RUN_CHUNKS = 16
"""Of an object in a run, at most."""
MAX_CHUNKS = 1 << 20
"""Chunks of one object: a file of 64 GiB. Their digests are held in memory."""

_NUMBERS = 1 << 63
"""What a column of every database holds."""


@dataclass(frozen=True, slots=True)
class Head:
    """An object's head, and what is said about its chunks: exactly one of the last three."""

    type: str
    name: str
    seq: int
    mtime: int
    size: int
    lines: int
    crc32: int
    digest: bytes
    attributes: bytes
    bodies: int | None = None
    chunks: bytes | None = None
    splices: tuple[SpliceShape, ...] | None = None

    def inserted(self) -> int:
        """Return how many chunk bodies follow."""
        if self.splices is not None:
            return sum(splice.inserted for splice in self.splices)
        return self.bodies or 0


@dataclass(frozen=True, slots=True)
class Gone:
    """An object that is no longer there."""

    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Opening:
    """What a bootstrap begins with: the token of its view, and how many objects come in all."""

    token: str
    count: int


Element = Opening | Head | Gone | bytes


@dataclass(frozen=True, slots=True)
class Run:
    """Objects of one type that come one after another, each with all its chunks: by columns, as
    there may be 100,000 of them."""

    type: str
    bodies: list[bytes]
    """The chunks of all of them."""
    names: tuple[str, ...]
    seqs: tuple[int, ...]
    mtimes: tuple[int, ...]
    sizes: tuple[int, ...]
    lines: tuple[int, ...]
    crc32s: tuple[int, ...]
    digests: tuple[bytes, ...]
    attributes: tuple[bytes, ...]
    counts: tuple[int, ...]
    """How many chunks each object has."""

    def elements(self) -> Iterator[Element]:
        """Yield what it consists of, one by one."""
        bodies = iter(self.bodies)
        heads = zip(
            self.names, self.seqs, self.mtimes, self.sizes, self.lines, self.crc32s, self.digests,
            self.attributes, self.counts, strict=True,
        )  # fmt: skip
        for head in heads:
            yield Head(self.type, *head)
            yield from islice(bodies, head[-1])


class BlockWriter:
    """Collects elements and says when a block is full."""

    def __init__(self, limit_bytes: int = BLOCK_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._elements: list[Any] = []
        self.size_bytes = 0
        """Of what is collected, about."""
        self._type: str | None = None

    def add(self, element: Element) -> bytes | None:
        """Take one element; return a block if one is full."""
        if isinstance(element, bytes):
            self._elements.append(element)
            self.size_bytes += len(element) + _CHUNK_OVERHEAD_BYTES
        elif isinstance(element, Opening):
            self._elements.append([element.token, element.count])
        else:
            if element.type != self._type:
                self._type = element.type
                self._elements.append(element.type)
            if isinstance(element, Gone):
                self._elements.append([element.name])
            else:
                self._add_head(element)
            self.size_bytes += len(element.name)
        return self.flush() if self.size_bytes >= self.limit_bytes else None

    def _add_head(self, head: Head) -> None:
        how: Any = head.bodies
        if head.splices is not None:
            how = [[s.keep, s.drop, s.inserted] for s in head.splices]
            self.size_bytes += 12 * len(head.splices)
        elif head.chunks is not None:
            how = head.chunks
            self.size_bytes += len(head.chunks)
        self._elements.append(
            [
                head.name, head.seq, head.mtime, head.size, head.lines, head.crc32, head.digest,
                head.attributes, how,
            ]
        )  # fmt: skip
        self.size_bytes += _OVERHEAD_BYTES

    def add_whole(self, columns: Sequence[Any], bodies: Sequence[bytes]) -> bytes | None:
        """Take an object with all its chunks; return a block if one is full.

        `columns` are those of a Version, in their order: there may be 100,000 of them.
        """
        type_name, name = columns[0], columns[1]
        if type_name != self._type:
            self._type = type_name
            self._elements.append(type_name)
        self._elements.append((*columns[1:9], len(bodies)))
        self._elements += bodies
        self.size_bytes += len(name) + _OVERHEAD_BYTES + _CHUNK_OVERHEAD_BYTES * len(bodies)
        self.size_bytes += sum(map(len, bodies))
        return self.flush() if self.size_bytes >= self.limit_bytes else None

    def flush(self) -> bytes | None:
        """Return what is collected as a block, or None if there is nothing."""
        if not self._elements:
            return None
        block = pack(self._elements)
        self._elements = []
        self.size_bytes = 0
        return block


def write_blocks(
    elements: Iterable[Element], *, growing_from: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """Yield the blocks that hold `elements`; the first has `growing_from` bytes, then twice as
    many."""
    writer = BlockWriter(growing_from)
    for element in elements:
        if (block := writer.add(element)) is not None:
            yield block
            writer.limit_bytes = min(BLOCK_BYTES, 2 * writer.limit_bytes)
    if (block := writer.flush()) is not None:
        yield block


class BlockReader:
    """Reads elements back, from block to block; checks shapes, not what they say."""

    def __init__(self) -> None:
        self._type: str | None = None

    def read(self, block: bytes) -> Iterator[Element]:
        """Yield the elements of one block. Raises ProtocolViolation for a wrong shape."""
        yield from self._read(_unpack_block(block))

    def read_runs(self, block: bytes) -> Iterator[Element | Run]:
        """Yield the same, but objects that come with their few chunks, all in this block, as runs.

        Raises ProtocolViolation for a wrong shape.
        """
        elements = _unpack_block(block)
        at = 0
        while at < len(elements):
            end, run = _read_run(self._type, elements, at)
            if run is not None:
                yield run
            else:
                yield from self._read(elements[at:end])
            at = end

    def _read(self, elements: list[Any]) -> Iterator[Element]:
        for element in elements:
            if isinstance(element, bytes):
                yield element
            elif isinstance(element, str):
                self._type = element
            elif isinstance(element, list) and len(element) == 2:
                yield _read_opening(element)
            elif self._type is None or not isinstance(element, list):
                raise ProtocolViolation(f"not an element of a block: {element!r:.80}")
            else:
                yield _read_object(self._type, element)


def _unpack_block(block: bytes) -> list[Any]:
    elements = unpack(block)
    if not isinstance(elements, list):
        raise ProtocolViolation("a block is not an array")
    return elements


def _read_run(type_name: str | None, elements: list[Any], begin: int) -> tuple[int, Run | None]:
    """Return the run that begins at an index, and where it ends; no run if what stands there
    belongs to none or has a wrong shape, and then at least one element."""
    heads: list[list[Any]] = []
    at, present = begin, len(elements)
    while at < present:
        head = elements[at]
        if type(head) is not list or len(head) != _HEAD_ELEMENTS:
            break
        count = head[-1]
        if type(count) is not int or not 0 < count <= _RUN_CHUNKS or at + count >= present:
            break
        heads.append(head)
        at += 1 + count
    if not heads or type_name is None:
        return begin + 1, None
    columns = list(zip(*heads, strict=True))
    bodies = [body for body in elements[begin:at] if type(body) is bytes]
    if len(bodies) != sum(columns[-1]) or not _have_their_shapes(columns):
        return at, None
    return at, Run(type_name, bodies, *columns)


def _have_their_shapes(columns: list[tuple[Any, ...]]) -> bool:
    """Say whether the columns of some heads are what `_read_object` would take."""
    for column, kind in zip(columns, _HEAD_TYPES, strict=False):
        if set(map(type, column)) != {kind}:
            return False
    _, seqs, mtimes, sizes, lines, crc32s, digests, _, _ = columns
    return (
        min(*seqs, *sizes, *lines, *crc32s, 0) == 0
        and max(*seqs, *mtimes, *sizes, *lines, 0) < _NUMBERS
        and min(*mtimes, 0) >= -_NUMBERS
        and max(*crc32s, 0) < 1 << 32
        and set(map(len, digests)) == {DIGEST_BYTES}
    )


def _read_opening(element: list[Any]) -> Opening:
    match element:
        case [str(token), int(count)]:
            return Opening(token, count)
    raise ProtocolViolation(f"not the opening of a bootstrap: {element!r:.80}")


def _read_object(type_name: str, element: list[Any]) -> Head | Gone:
    # There may be 100,000 of them: a match statement takes three times as long.
    if list(map(type, element[:-1])) == _HEAD_TYPES:
        name, seq, mtime, size, lines, crc32, digest, attributes, how = element
        if (
            len(digest) == DIGEST_BYTES
            and 0 <= seq < _NUMBERS and -_NUMBERS <= mtime < _NUMBERS
            and 0 <= size < _NUMBERS and 0 <= lines < _NUMBERS and 0 <= crc32 < 1 << 32
        ):  # fmt: skip
            head = (type_name, name, seq, mtime, size, lines, crc32, digest, attributes)
            match how:
                case int(count) if 0 <= count <= MAX_CHUNKS:
                    return Head(*head, count)
                case bytes(chunks) if len(chunks) % DIGEST_BYTES == 0:
                    return Head(*head, chunks=chunks)
                case list(rows):
                    return Head(*head, splices=_read_splices(rows))
    elif len(element) == 1 and isinstance(element[0], str):
        return Gone(type_name, element[0])
    raise ProtocolViolation(f"not an object of a block: {element!r:.80}")


def _read_splices(rows: list[Any]) -> tuple[SpliceShape, ...]:
    splices = tuple(_read_splice(row) for row in rows)
    if sum(splice.inserted for splice in splices) > MAX_CHUNKS:
        raise ProtocolViolation(f"splices put in more than {MAX_CHUNKS} chunks")
    return splices


def _read_splice(row: Any) -> SpliceShape:
    match row:
        case [int(keep), int(drop), int(count)] if (
            0 <= keep < _NUMBERS and 0 <= drop < _NUMBERS and 0 <= count <= MAX_CHUNKS
        ):
            return SpliceShape(keep, drop, count)
    raise ProtocolViolation(f"not a splice: {row!r:.80}")
