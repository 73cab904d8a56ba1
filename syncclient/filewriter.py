"""Writes many new files into a folder: a process of its own, fed through a pipe by `newfolder`.

In a thread, each of three short system calls a file would give up the interpreter's lock and wait
for it again: beside the work of a bootstrap 100,000 files take twice as long. Run as a script, with
nothing imported but the standard library, it is there in 10 ms.
"""

import os
import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO

HEADER = struct.Struct(">HI")
"""Before each piece: the bytes of the file's name, then of the content that goes to its end."""

_MODE = 0o644
_READ_BYTES = 1 << 20


def piece_head(name: str, content_bytes: int) -> bytes:
    """Return what goes through the pipe before a piece's content."""
    file = name.encode()
    return HEADER.pack(len(file), content_bytes) + file


def create_file(folder: int, name: str) -> int:
    """Open a new, empty file in a folder and return its descriptor: plain system calls, as there
    may be 100,000 of them."""
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE, dir_fd=folder)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of `content`: a signal may cut a write short."""
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, content[written:])


def write_pieces(pieces: Iterator[tuple[str, bytes]], folder: int) -> None:
    """Write each piece to the end of its file; those of one file come one after another.

    Raises OSError, which names the file.
    """
    present: str | None = None
    descriptor = -1
    try:
        for name, content in pieces:
            if name != present:
                if descriptor >= 0:
                    os.close(descriptor)
                descriptor = create_file(folder, name)
                present = name
            write_all(descriptor, content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, present) from None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _pieces(stream: BinaryIO) -> Iterator[tuple[str, bytes]]:
    while len(header := stream.read(HEADER.size)) == HEADER.size:
        name_bytes, content_bytes = HEADER.unpack(header)
        piece = stream.read(name_bytes + content_bytes)
        if len(piece) < name_bytes + content_bytes:
            return  # who feeds us is gone, and throws the folder away
        yield piece[:name_bytes].decode(), piece[name_bytes:]


def main() -> int:
    """Write what comes in on standard input into the folder named by the argument.

    Of an error, only its number goes to standard output; the exit status is then 1.
    """
    folder = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
    try:
        with open(sys.stdin.fileno(), "rb", _READ_BYTES, closefd=False) as stream:
            write_pieces(_pieces(stream), folder)
    except OSError as error:
        os.write(sys.stdout.fileno(), b"%d\n" % (error.errno or 0))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
