"""RRsets in canonical order, and runs of them that are packed away: a zone of any size is sorted in
flat memory.

RRsets stand as two columns, keys and lines: a tuple for each would cost more than its text does.
What several runs hold of one RRset becomes one again when they are merged, in the order of the
runs.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from syncd.content.compression import compress, decompress
from syncd.protocol.packing import pack, unpack_own

Lines = str | list[str]
"""Of an RRset; most have but one, and a list for each would cost more than the text."""

_FRAME_RRSETS = 512
"""RRsets packed as one: what merging holds in memory of each run."""
_FRAME_BYTES = 64 * 1024 * 1024
_FRAME_LIMIT_BYTES = 4 * _FRAME_BYTES


class Rrsets(NamedTuple):
    """Some RRsets, by their keys in canonical order."""

    keys: list[str]
    lines: list[Lines]

    def part(self, begin: int, end: int | None = None) -> "Rrsets":
        """Return those from one place up to another."""
        return Rrsets(self.keys[begin:end], self.lines[begin:end])

    def range(self, low: str, high: str) -> tuple[int, int]:
        """Return from which place up to which the keys from `low` up to `high` stand."""
        return bisect_left(self.keys, low), bisect_left(self.keys, high)

    def find(self, key: str) -> list[str] | None:
        """Return the lines under a key, or None."""
        at = bisect_left(self.keys, key)
        if at < len(self.keys) and self.keys[at] == key:
            return as_list(self.lines[at])
        return None


def as_list(lines: Lines) -> list[str]:
    """Return the lines of an RRset as a list."""
    return [lines] if isinstance(lines, str) else lines


def sort_records(records: dict[str, Lines]) -> Rrsets:
    """Return the RRsets of `records` in canonical order."""
    keys = sorted(records)
    return Rrsets(keys, list(map(records.__getitem__, keys)))


@dataclass(frozen=True, slots=True)
class Run:
    """Some RRsets in canonical order, packed away; `first` and `last` are their outer keys."""

    first: str
    last: str
    frames: tuple[bytes, ...]
    frame_keys: tuple[str, ...]
    """The first key of each frame."""

    @classmethod
    def pack(cls, rrsets: Rrsets) -> "Run":
        """Return the run of these RRsets, of which there is one at least."""
        frames = [
            frame
            for at in range(0, len(rrsets.keys), _FRAME_RRSETS)
            for frame in _frames(rrsets.part(at, at + _FRAME_RRSETS))
        ]
        return cls(
            rrsets.keys[0],
            rrsets.keys[-1],
            tuple(frame for _, frame in frames),
            tuple(key for key, _ in frames),
        )

    def pages(self) -> Iterator[Rrsets]:
        """Yield the RRsets again, some at a time."""
        for frame in self.frames:
            yield _unpack_frame(frame)

    def find(self, key: str) -> list[str] | None:
        """Return the lines under a key, or None."""
        if not self.first <= key <= self.last:
            return None
        return _unpack_frame(self.frames[bisect_right(self.frame_keys, key) - 1]).find(key)


def _frames(rrsets: Rrsets) -> list[tuple[str, bytes]]:
    packed = pack(rrsets)
    count = len(rrsets.keys)
    if len(packed) <= _FRAME_BYTES or count == 1:
        return [(rrsets.keys[0], compress(packed))]
    return _frames(rrsets.part(0, count // 2)) + _frames(rrsets.part(count // 2))


def _unpack_frame(frame: bytes) -> Rrsets:
    return Rrsets(*unpack_own(decompress(frame, _FRAME_LIMIT_BYTES)))


def merge(sources: Sequence[Iterator[Rrsets]]) -> Iterator[Rrsets]:
    """Yield the RRsets of all sources in order, many at a time, those with one key as one.

    Of the pages at hand, all up to the first of their last keys are sorted together: that runs in
    C, and is as good as done where sources do not overlap. No page may be empty.
    """
    pages = {number: page for number, source in enumerate(sources) if (page := next(source, None))}
    begins = dict.fromkeys(pages, 0)
    while len(pages) > 1:
        limit = min(page.keys[-1] for page in pages.values())
        taken = Rrsets([], [])
        for number, page in list(pages.items()):
            begin = begins[number]
            end = begins[number] = bisect_right(page.keys, limit, begin)
            taken.keys.extend(page.keys[begin:end])
            taken.lines.extend(page.lines[begin:end])
            if end == len(page.keys):
                following = next(sources[number], None)
                begins[number] = 0
                if following is None:
                    del pages[number]
                else:
                    pages[number] = following
        yield _joined(taken)
    for number, page in pages.items():
        yield page.part(begins[number])
        yield from sources[number]


def _joined(taken: Rrsets) -> Rrsets:
    """Sort, and join what several runs hold of one RRset, whose owner was left where each ends."""
    records = dict(zip(taken.keys, taken.lines, strict=True))
    if len(records) < len(taken.keys):
        records.clear()
        for key, lines in zip(taken.keys, taken.lines, strict=True):
            known = records.get(key)
            records[key] = lines if known is None else [*as_list(known), "", *as_list(lines)]
    return sort_records(records)
