"""Cuts depend on nothing but the content since the last cut: the property that chunks live on."""

from collections.abc import Iterator
from io import BytesIO
from random import Random
from zlib import crc32

import pytest
from fastcdc import fastcdc
from hypothesis import given
from hypothesis import strategies as st

from syncd.content import chunks
from syncd.content.chunks import (
    MAX_LINES,
    MAX_TEXT_BYTES,
    MIN_LINES,
    SHORT_LINES,
    cut_lines,
    cut_stream,
    recut,
)
from syncd.protocol.limits import MAX_CHUNK_BYTES

_FILE_LIMITS = (16 * 1024, 64 * 1024, 256 * 1024)


def text_lines(count: int, *, seed: int = 0) -> list[bytes]:
    """Return lines that differ from each other, some of which end a chunk."""
    random = Random(seed)
    return [b"host%d A 192.0.2.%d\n" % (random.randrange(1 << 30), n % 250) for n in range(count)]


def ends_chunk(line: bytes) -> bool:
    return not crc32(line) & 0x7F


@st.composite
def edits(draw: st.DrawFn) -> tuple[list[bytes], list[tuple[int, int, list[bytes]]]]:
    """A text, and runs of its chunks (from, up to) with the lines that take their place."""
    length = st.one_of(st.integers(0, 1500), st.integers(0, 2 * SHORT_LINES))
    lines = text_lines(draw(length), seed=draw(st.integers(0, 3)))
    if draw(st.booleans()):  # a short text may be so long that it is none
        lines[1:2] = [b"x" * draw(st.sampled_from((100_000, MAX_TEXT_BYTES))) + b"\n"]
    count = len(list(cut_lines(lines, head_lines=1)))
    replaced: list[tuple[int, int, list[bytes]]] = []
    at = 0
    while at < count and draw(st.booleans()):
        low = draw(st.integers(at, count - 1))
        high = draw(st.integers(low + 1, min(count, low + 3)))
        new = text_lines(draw(st.sampled_from((0, 1, 2, 40, 700))), seed=draw(st.integers(4, 6)))
        replaced.append((low, high, new))
        at = high
    return lines, replaced


@given(edits())
def test_a_text_recut_after_any_edit_has_the_chunks_it_would_have_if_cut_afresh(
    edit: tuple[list[bytes], list[tuple[int, int, list[bytes]]]],
) -> None:
    lines, replaced = edit
    old = list(cut_lines(lines, head_lines=1))
    parts: list[bytes | list[bytes]] = []
    at = 0
    for low, high, new in replaced:
        parts += old[at:low]
        parts.append(new)
        at = high
    parts += old[at:]
    edited = [
        line
        for part in parts
        for line in (part.splitlines(keepends=True) if isinstance(part, bytes) else part)
    ]
    assert list(recut(parts, head_lines=1)) == list(cut_lines(edited, head_lines=1))


@given(st.integers(0, 2000), st.integers(0, 5))
def test_the_chunks_of_a_text_put_together_are_the_text(count: int, seed: int) -> None:
    lines = text_lines(count, seed=seed)
    assert b"".join(cut_lines(lines, head_lines=1)) == b"".join(lines)


@given(st.integers(0, 3000), st.integers(0, 5))
def test_every_chunk_but_the_last_ends_where_its_content_says_so(count: int, seed: int) -> None:
    chunks = list(cut_lines(text_lines(count, seed=seed)))
    assert len(chunks) > 1 or count < MAX_LINES
    for chunk in chunks[:-1]:
        own = chunk.splitlines(keepends=True)
        assert MIN_LINES <= len(own) <= MAX_LINES
        assert ends_chunk(own[-1]) or len(own) == MAX_LINES
        assert not any(ends_chunk(line) for line in own[MIN_LINES - 1 : -1])


@pytest.mark.parametrize("head_lines", [0, 1])
def test_a_short_text_is_one_chunk(head_lines: int) -> None:
    lines = text_lines(SHORT_LINES)
    lines[MIN_LINES + 5] = next(line for line in text_lines(2000, seed=1) if ends_chunk(line))
    assert list(cut_lines(lines[1:], head_lines=head_lines)) == [b"".join(lines[1:])]
    assert len(list(cut_lines(lines, head_lines=head_lines))) > 1
    assert list(cut_lines([], head_lines=head_lines)) == []


@pytest.mark.parametrize(("more", "chunks"), [(-1, 1), (0, 2)])
def test_a_text_of_many_bytes_is_not_short(more: int, chunks: int) -> None:
    lines = [b"head\n", b"x" * (MAX_TEXT_BYTES - 6 + more) + b"\n"]
    assert len(list(cut_lines(lines, head_lines=1))) == chunks


def test_the_head_lines_are_a_chunk_of_their_own() -> None:
    lines = text_lines(300)
    assert next(cut_lines(lines, head_lines=1)) == lines[0]
    assert next(cut_lines(lines, head_lines=3)) == b"".join(lines[:3])


def test_lines_without_a_place_to_cut_are_cut_at_the_greatest_number() -> None:
    line = next(line for line in text_lines(10) if not ends_chunk(line))
    sizes = [len(chunk.splitlines()) for chunk in cut_lines([line] * 1100)]
    assert sizes == [MAX_LINES, MAX_LINES, 1100 - 2 * MAX_LINES]


def test_long_lines_are_cut_by_bytes_and_always_fit_a_block() -> None:
    longest = b"x" * (65535 * 4 + 300) + b"\n"
    cut = list(cut_lines([b"brief\n", longest] * 5))
    assert len(cut) == 5
    assert all(MAX_TEXT_BYTES <= len(chunk) <= MAX_CHUNK_BYTES for chunk in cut)


class Trickle(BytesIO):
    """Gives a stream's bytes in pieces of the sizes that a generator says."""

    def __init__(self, data: bytes, sizes: Iterator[int]) -> None:
        super().__init__(data)
        self._sizes = sizes

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, next(self._sizes)))


def endless(random: Random, low: int, high: int) -> Iterator[int]:
    while True:
        yield random.randrange(low, high)


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 100_000, 3_000_000])
def test_a_stream_is_cut_as_fastcdc_cuts_the_whole(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "_WINDOW_BYTES", 300_000)
    data = Random(size).randbytes(size)
    expected = [data[c.offset : c.offset + c.length] for c in fastcdc(data, *_FILE_LIMITS)]
    assert list(cut_stream(BytesIO(data))) == expected
    sizes = endless(Random(1), 1000, 200_000)
    assert list(cut_stream(Trickle(data, sizes))) == expected


@pytest.mark.parametrize("seed", range(4))
def test_a_cut_depends_only_on_the_bytes_since_the_last_cut(seed: int) -> None:
    random = Random(seed)
    data = random.randbytes(1_500_000)
    cut = list(cut_stream(BytesIO(data)))
    dropped = random.randrange(1, len(cut))
    rest = b"".join(cut[dropped:])
    assert list(cut_stream(BytesIO(rest))) == cut[dropped:]


@pytest.mark.parametrize("seed", range(4))
def test_an_edit_leaves_all_chunks_before_it_and_those_well_behind_it(seed: int) -> None:
    random = Random(seed)
    data = random.randbytes(2_000_000)
    at = random.randrange(len(data) // 4, len(data) // 2)
    edited = data[:at] + b"an insertion" + data[at:]
    before, after = set(cut_stream(BytesIO(data))), set(cut_stream(BytesIO(edited)))
    assert len(after - before) <= 4


def test_a_file_of_equal_bytes_is_cut_at_the_greatest_size() -> None:
    sizes = [len(chunk) for chunk in cut_stream(BytesIO(bytes(1_000_000)))]
    assert set(sizes[:-1]) == {_FILE_LIMITS[2]}
    assert sum(sizes) == 1_000_000
