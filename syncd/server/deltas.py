"""A delta as blocks for machines and as lines for people; the same content."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from syncd.content.compression import compress_against
from syncd.content.messages import Element, Gone, Head
from syncd.content.splices import Splice, SpliceShape, dictionary_range, diff_chunks
from syncd.content.textdiff import diff_lines
from syncd.content.tokens import Token
from syncd.content.versions import Version
from syncd.errors import TokenLost, ViewGone
from syncd.protocol.fields import join_fields
from syncd.store import Change, View
from syncd.store.held import HeldBodies
from syncd.store.view import FEW_CHUNKS, GROUP_OBJECTS, stored_content
from syncd.types import data_type

_LARGE_SPLICE = 512
"""Chunks inserted at one place from which on their bodies go out as they are stored."""

TEXT_CHUNKS = 64
"""Of either side, whose lines are compared at once: some 10,000 records."""


def delta_elements(changes: Iterator[Change], since: Token, view: View) -> Iterator[Element]:
    """Yield a delta's elements: what is gone, then each changed object as splices over the old.

    Raises TokenLost if gc passes `since` meanwhile: then the old content may be gone.
    """
    try:
        yield from _elements(changes, view.at(since), view)
    except ViewGone as error:
        raise TokenLost(f"{since} was passed by gc: {error}") from None


def _elements(changes: Iterator[Change], earlier: View, view: View) -> Iterator[Element]:
    olds, news = HeldBodies(earlier), HeldBodies(view)
    while group := list(islice(changes, GROUP_OBJECTS)):
        spliced = [_spliced(change) for change in group]
        few = [splices for splices in spliced if _chunks(splices) <= FEW_CHUNKS]
        olds.hold(digest for splices in few for one in splices for digest in one.dropped)
        news.hold(digest for splices in few for one in splices for digest in one.splice.insert)
        for change, splices in zip(group, spliced, strict=True):
            if change.new is None:
                assert change.old is not None
                yield Gone(change.old.type, change.old.name)
                continue
            yield _head(change.new, [one.splice for one in splices])
            for one in splices:
                yield from _inserted(olds, news, one.splice, one.dropped)


class _Spliced(NamedTuple):
    """A splice, and the chunks that go at its place."""

    splice: Splice
    dropped: list[bytes]


def _spliced(change: Change) -> list[_Spliced]:
    if change.new is None:
        return []
    old = [] if change.old is None else change.old.chunk_digests()
    found: list[_Spliced] = []
    position = 0
    for splice in diff_chunks(old, change.new.chunk_digests()):
        position += splice.keep
        found.append(_Spliced(splice, old[position : position + splice.drop]))
        position += splice.drop
    return found


def _chunks(splices: list[_Spliced]) -> int:
    return sum(len(one.dropped) + len(one.splice.insert) for one in splices)


def _head(new: Version, splices: list[Splice]) -> Head:
    shapes = tuple(SpliceShape(s.keep, s.drop, len(s.insert)) for s in splices)
    return Head(
        new.type, new.name, new.seq, new.mtime, new.size, new.lines, new.crc32, new.digest,
        new.attributes, splices=shapes,
    )  # fmt: skip


def _inserted(
    earlier: HeldBodies, view: HeldBodies, splice: Splice, dropped: list[bytes]
) -> Iterator[bytes]:
    """Yield the inserted chunks, compressed with the chunks they replace as dictionary."""
    for at in range(0, len(splice.insert), _LARGE_SPLICE):
        part = splice.insert[at : at + _LARGE_SPLICE]
        bodies = view.bodies(part)
        if not dropped:
            yield from map(bodies.__getitem__, part)
            continue
        for index, digest in enumerate(part, at):
            low, high = dictionary_range(len(dropped), len(splice.insert), index)
            dictionary = b"".join(earlier.contents(dropped[low:high]))
            yield compress_against(stored_content(digest, bodies[digest]), dictionary)


def delta_lines(changes: Iterator[Change], since: Token, view: View) -> Iterator[str]:
    """Yield a delta as text: a `@` line an object, then its `-` and `+` lines."""
    earlier = view.at(since)
    for change in changes:
        some = change.new or change.old
        assert some is not None
        digests = [
            "-" if version is None else version.digest.hex()[:12]
            for version in (change.old, change.new)
        ]
        yield "@" + join_fields([some.type, some.name, *digests])
        if change.new is not None and data_type(some.type).has_lines:
            for splice, dropped in _spliced(change):
                yield from _splice_lines(earlier, dropped, view, list(splice.insert))


def _splice_lines(
    earlier: View, dropped: list[bytes], view: View, inserted: list[bytes]
) -> Iterator[str]:
    """Yield the lines of one place: of a large one in parts, so that no client, however slow it
    reads, has the server hold all of it. A line that went from one part to another is in both."""
    parts = max(1, -(-max(len(dropped), len(inserted)) // TEXT_CHUNKS))
    for part in range(parts):
        gone, come = (
            digests[len(digests) * part // parts : len(digests) * (part + 1) // parts]
            for digests in (dropped, inserted)
        )
        yield from diff_lines(_lines(earlier, gone), _lines(view, come))


def _lines(view: View, digests: list[bytes]) -> Iterator[str]:
    for content in view.chunk_contents(digests):
        text = content.decode("utf-8", "replace")
        yield from text.removesuffix("\n").split("\n")
