"""Cutting an object's bytes into chunks, where the content says so.

A short text is one chunk. In a longer one a cut depends on nothing but the bytes since the last
cut: equal content gives equal chunks on any node, and after an edit all cuts from the next common
one on are the same as before. The sizes were measured against real zone updates; change them only
with a measurement.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, islice
from typing import IO
from zlib import crc32

MIN_LINES = 32
MAX_LINES = 512
_CUT_MASK = 0x7F
"""A line ends a chunk when the low seven bits of its CRC-32 are zero: on average one in 128."""

MAX_TEXT_BYTES = 128 * 1024
"""A chunk of lines is also cut when it has this many bytes, so that one always fits a block."""

SHORT_LINES = 128
"""A text of fewer lines, and of fewer bytes than MAX_TEXT_BYTES, is one chunk: as many zones are
that short, each costs one row and one hash."""

_BATCH_LINES = 2048
"""Lines looked at together: the loop over single lines runs in C."""

_MIN_FILE_BYTES, _AVERAGE_FILE_BYTES, _MAX_FILE_BYTES = 16 * 1024, 64 * 1024, 256 * 1024
_WINDOW_BYTES = 4 * 1024 * 1024
"""How much of a file is looked at at once."""


def cut_lines(lines: Iterable[bytes], *, head_lines: int = 0) -> Iterator[bytes]:
    """Yield the chunks of `lines` (each with its LF).

    A text of fewer than 128 lines and 128 KiB is one chunk. Of a longer one the first `head_lines`
    make one of their own, and the others have 32 to 512 lines, or fewer where the text ends or
    128 KiB are full.
    """
    return recut((lines,), head_lines=head_lines)


def recut(parts: Iterable[bytes | Iterable[bytes]], *, head_lines: int = 0) -> Iterator[bytes]:
    """Yield the chunks of a text of which some parts are chunks already.

    `parts` are, in order, chunks of the text as it was (bytes) and, in place of those that an edit
    touched, their new lines. A chunk goes through whole wherever the cut before it is still in
    place; so the result is that of `cut_lines` on all lines, at the cost of the lines that moved.
    """
    coming = iter(parts)
    begun: list[bytes | list[bytes]] = []
    lines = size_bytes = 0
    for part in coming:
        rest: Iterator[bytes] = iter(())
        if isinstance(part, bytes):
            begun.append(part)
            lines += part.count(b"\n")
            size_bytes += len(part)
        else:
            rest = iter(part)
            first = list(islice(rest, SHORT_LINES))
            begun.append(first)
            lines += len(first)
            size_bytes += sum(map(len, first))
        if lines >= SHORT_LINES or size_bytes >= MAX_TEXT_BYTES:
            yield from _recut_long(chain(begun, (rest,), coming), head_lines)
            return
    if size_bytes:
        yield b"".join(part if isinstance(part, bytes) else b"".join(part) for part in begun)


def _recut_long(parts: Iterable[bytes | Iterable[bytes]], head_lines: int) -> Iterator[bytes]:
    """Yield the chunks of a text that is not short."""
    pending: list[bytes] = []
    head_missing = head_lines
    for part in parts:
        if isinstance(part, bytes):
            if not pending:
                head_missing = 0
                yield part
                continue
            part = part.splitlines(keepends=True)
        lines = iter(part)
        while batch := list(islice(lines, _BATCH_LINES)):
            pending += batch
            if head_missing:
                if len(pending) < head_missing:
                    continue
                yield b"".join(pending[:head_missing])
                del pending[:head_missing]
                head_missing = 0
            position = 0
            for end in _cuts(pending):
                yield b"".join(pending[position:end])
                position = end
            del pending[:position]
    if pending:
        yield b"".join(pending)


def _cuts(lines: list[bytes]) -> Iterator[int]:
    """Yield where chunks of `lines` end, as far as that can be said without the lines after
    them."""
    marked = [at for at, line in enumerate(lines, 1) if not crc32(line) & _CUT_MASK]
    start = 0
    while start < len(lines):
        following = bisect_left(marked, start + MIN_LINES)
        end = start + MAX_LINES
        if following < len(marked):
            end = min(end, marked[following])
        if sum(map(len, lines[start:end])) >= MAX_TEXT_BYTES:
            sizes = accumulate(map(len, lines[start:end]))
            end = start + next(at for at, size in enumerate(sizes, 1) if size >= MAX_TEXT_BYTES)
        if end > len(lines):
            return
        yield end
        start = end


def cut_stream(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the chunks of a byte stream, 64 KiB on average (FastCDC), in flat memory."""
    from fastcdc import fastcdc  # brings in a command line library; only files need it

    window = b""
    while True:
        more = stream.read(_WINDOW_BYTES)
        window += more
        taken = 0
        for chunk in fastcdc(window, _MIN_FILE_BYTES, _AVERAGE_FILE_BYTES, _MAX_FILE_BYTES):
            if more and len(window) - chunk.offset < _MAX_FILE_BYTES:
                break  # where it ends depends on bytes that are not read yet
            taken = chunk.offset + chunk.length
            yield window[chunk.offset : taken]
        window = window[taken:]
        if not more:
            return
