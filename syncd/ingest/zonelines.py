"""A zone whose records come as lines, some at a time, read as a master file while they come.

It never lies in memory as a whole. Records have no line numbers where they come from, so an error
shows the record itself.
"""

import io
from collections import deque
from collections.abc import Iterator
from typing import IO

from syncd.errors import InvalidContent
from syncd.types.base import Prepared
from syncd.types.zones import prepare_zone

_BUFFER_BYTES = 1024 * 1024
_REMEMBERED_BYTES = 4 * 1024 * 1024
"""More than the reader has in hand, so that the line that it refuses is among it."""


class ZoneLines(io.RawIOBase):
    """The lines as a file; `size_bytes` is what was read of it."""

    def __init__(self, parts: Iterator[list[str]]) -> None:
        """`parts` are lines without their LF, in which every character is one octet."""
        super().__init__()
        self._parts = parts
        self._held = memoryview(b"")
        self.size_bytes = 0
        self._read_lines = self._remembered_bytes = 0
        self._remembered: deque[tuple[int, int, list[str]]] = deque()

    def prepare(self, zone: str, where: str) -> Prepared:
        """Read the zone. Raises InvalidContent."""
        stream: IO[bytes] = io.BufferedReader(self, _BUFFER_BYTES)
        try:
            prepared = prepare_zone(stream, origin=zone, path=where)
        except InvalidContent as error:
            line = None if error.line is None else self._line(error.line)
            shown = "" if line is None else f"; the record is: {line:.200}"
            raise InvalidContent(f"{error.reason}{shown}", path=where) from None
        if prepared.name != zone:
            raise InvalidContent(f"the SOA record is that of {prepared.name}", path=where)
        return prepared

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # RawIOBase: any buffer
        """Fill the buffer as far as the lines at hand go; 0 at the end."""
        while not self._held:
            lines = next(self._parts, None)
            if lines is None:
                return 0
            self._held = memoryview("".join([f"{line}\n" for line in lines]).encode("latin-1"))
            self._remember(lines, len(self._held))
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def _remember(self, lines: list[str], size: int) -> None:
        self._remembered.append((self._read_lines, size, lines))
        self._read_lines += len(lines)
        self.size_bytes += size
        self._remembered_bytes += size
        while self._remembered_bytes - self._remembered[0][1] > _REMEMBERED_BYTES:
            self._remembered_bytes -= self._remembered.popleft()[1]

    def _line(self, number: int) -> str | None:
        for first, _, lines in self._remembered:
            if first < number <= first + len(lines):
                return lines[number - first - 1]
        return None
