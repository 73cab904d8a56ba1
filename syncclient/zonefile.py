"""One zone's file: written from the store, and compared with it."""

import os
from collections.abc import Iterator
from itertools import islice
from zlib import crc32

from syncclient.filewriter import create_file, write_all
from syncd.content.versions import Version
from syncd.errors import ContentLost

_WRITE_CHUNKS = 64
"""Chunks joined for one write: some 400 KiB."""
_READ_BYTES = 1 << 20


def joined_content(version: Version, contents: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a zone's content in large pieces. Raises ContentLost if it is not what it should be."""
    checksum = 0
    while parts := list(islice(contents, _WRITE_CHUNKS)):
        content = b"".join(parts)
        checksum = crc32(content, checksum)
        yield content
    if checksum != version.crc32:
        raise ContentLost(f"{version.name}: its CRC-32 is not that of its content; run fsck")


def write_zone_file(
    folder: int, name: str, version: Version, contents: Iterator[bytes], *, flush: bool
) -> None:
    """Write a zone into a new file of an opened folder. Raises OSError, StoreError."""
    descriptor = create_file(folder, name)
    try:
        for content in joined_content(version, contents):
            write_all(descriptor, content)
        if flush:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def holds_zone(folder: int, name: str, version: Version) -> bool:
    """Say whether a zone's file is there, in an opened folder, and is what it should be.

    There may be 100,000: each costs as little as it can. Raises OSError.
    """
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return False
    try:
        left = version.size
        if os.fstat(descriptor).st_size != left:
            return False
        checksum = 0
        while left and (part := os.read(descriptor, min(left, _READ_BYTES))):
            checksum = crc32(part, checksum)
            left -= len(part)
        return not left and checksum == version.crc32
    finally:
        os.close(descriptor)
