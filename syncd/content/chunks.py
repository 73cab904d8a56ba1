"""Cutting an object's bytes into chunks, where the content says so.

A cut depends on nothing but the bytes since the last cut: equal content gives equal chunks on any
node, and after an edit all cuts from the next common one on are the same as before. The sizes
were measured against real zone updates; change them only with a measurement.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO
from zlib import crc32

MIN_LINES = 32
MAX_LINES = 512
_CUT_MASK = 0x7F
"""A line ends a chunk when the low seven bits of its CRC-32 are zero: on average one in 128."""

MAX_TEXT_BYTES = 128 * 1024
"""A chunk of lines is also cut when it has this many bytes, so that one always fits a block."""

_MIN_FILE_BYTES, _AVERAGE_FILE_BYTES, _MAX_FILE_BYTES = 16 * 1024, 64 * 1024, 256 * 1024
_WINDOW_BYTES = 4 * 1024 * 1024
"""How much of a file is looked at at once."""

MAX_CHUNK_BYTES = 512 * 1024
"""No chunk is larger: the longest line (a 65,535 octet rdata, every octet escaped) still fits."""


def cut_lines(lines: Iterable[bytes], *, head_lines: int = 0) -> Iterator[bytes]:
    """Yield the chunks of `lines` (each with its LF); the first `head_lines` make one of their own.

    One chunk has 32 to 512 lines, or fewer where the text ends or 128 KiB are full.
    """
    return recut((lines,), head_lines=head_lines)


def recut(parts: Iterable[bytes | Iterable[bytes]], *, head_lines: int = 0) -> Iterator[bytes]:
    """Yield the chunks of a text of which some parts are chunks already.

    `parts` are, in order, chunks of the text as it was (bytes) and, in place of those that an edit
    touched, their new lines. A chunk goes through whole wherever the cut before it is still in place;
    so the result is that of `cut_lines` on all lines, at the cost of the lines that moved.
    """
    pending: list[bytes] = []
    size_bytes = 0
    head_missing = head_lines
    for part in parts:
        if isinstance(part, bytes):
            if not pending:
                head_missing = 0
                yield part
                continue
            part = part.splitlines(keepends=True)
        for line in part:
            pending.append(line)
            size_bytes += len(line)
            count = len(pending)
            if head_missing:
                head_missing -= 1
                if head_missing:
                    continue
            elif not (
                (count >= MIN_LINES and not crc32(line) & _CUT_MASK)
                or count >= MAX_LINES
                or size_bytes >= MAX_TEXT_BYTES
            ):
                continue
            yield b"".join(pending)
            pending = []
            size_bytes = 0
    if pending:
        yield b"".join(pending)


def cut_stream(stream: BinaryIO) -> Iterator[bytes]:
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
