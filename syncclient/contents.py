"""The text of zones as the source holds it at one commit, for reading it at any pace.

What comes is laid by as it comes, compressed, in a file without a name: so the source is not kept
waiting, and memory stays flat. Every zone's CRC-32 is compared with what the source lists.
"""

import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from typing import IO
from zlib import crc32

from syncclient.client import Client, sync_request
from syncd.content.compression import decompress
from syncd.content.messages import BlockReader, Head
from syncd.errors import VerificationFailed
from syncd.protocol.limits import MAX_CHUNK_BYTES

_FEW_ZONES = 200
"""Up to so many are fetched one by one; beyond, everything comes, and what is not meant is left."""

_PART = struct.Struct("!BI")
_BLOCK, _NAME, _TEXT = range(3)
"""A part of the file: one block of `getall`, the name of a zone, text of it."""


class ZoneContents:
    """Zones laid by; `crc32s` says which are meant, and what the source says of each."""

    def __init__(self, crc32s: Mapping[str, int]) -> None:
        self._crc32s = crc32s
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (close() does)

    def close(self) -> None:
        self._file.close()

    async def fetch(self, client: Client, seq: int) -> None:
        """Fetch the zones as they were at commit `seq`. Raises Refused, ConnectionFailed."""
        if len(self._crc32s) > _FEW_ZONES:
            request = sync_request("zones", "getall", at=seq)
            async with aclosing(client.blocks("SYNC", request)) as parts:
                async for part in parts:
                    if isinstance(part, bytes):
                        self._lay_by(_BLOCK, part)
            return
        for zone in self._crc32s:
            self._lay_by(_NAME, zone.encode())
            async with aclosing(client.get("zones", zone, at=seq)) as texts:
                async for text in texts:
                    self._lay_by(_TEXT, text)

    def _lay_by(self, kind: int, data: bytes) -> None:
        self._file.write(_PART.pack(kind, len(data)))
        self._file.write(data)

    def pieces(self) -> Iterator[tuple[str, bytes]]:
        """Yield (zone, some whole lines of it), all of one zone one after another.

        Raises VerificationFailed for what is not what the source listed, ProtocolViolation.
        """
        zone, sum32 = "", 0
        left = set(self._crc32s)
        for name, text in self._all_pieces():
            if name not in self._crc32s:
                continue
            if name != zone:
                self._check(zone, sum32)
                zone, sum32 = name, 0
                left.discard(name)
            sum32 = crc32(text, sum32)
            yield name, text
        self._check(zone, sum32)
        if left:
            raise VerificationFailed(f"zones {min(left)}: is listed, and does not come")

    def _check(self, zone: str, sum32: int) -> None:
        if zone and self._crc32s[zone] != sum32:
            raise VerificationFailed(f"zones {zone}: CRC-32 is not the one listed")

    def _all_pieces(self) -> Iterator[tuple[str, bytes]]:
        self._file.seek(0)
        reader = BlockReader()
        name = ""
        while head := self._file.read(_PART.size):
            kind, length = _PART.unpack(head)
            data = self._file.read(length)
            if kind == _NAME:
                name = data.decode()
            elif kind == _TEXT:
                yield name, data
            else:
                for element in reader.read(data):
                    if isinstance(element, Head):
                        name = element.name
                    elif isinstance(element, bytes):
                        yield name, decompress(element, MAX_CHUNK_BYTES)
