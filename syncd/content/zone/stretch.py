"""The second half of a large master file, read apart from the first.

A canonical line means the same whatever stands before it. So where a file consists of such lines,
somebody else may read them from the middle on, at the same time; whoever reads the file takes over
what he has found when he comes there, and reads on behind it.
"""

from dataclasses import dataclass
from typing import IO, Protocol

from syncd.content.zone.names import owner_key
from syncd.content.zone.reading_state import ReadingState
from syncd.content.zone.ready import MOST_WAITING_CHARACTERS, read_ready
from syncd.content.zone.runs import Run
from syncd.errors import InvalidContent

_WINDOW_BYTES = 1024 * 1024
_MOST_UNPACKED_BYTES = 32 * _WINDOW_BYTES
"""Text whose RRsets are too few, and so too large, to be packed away."""
_LOOKED_AT_LINES = 1000
_LINE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Stretch:
    """Canonical lines that were read: RRsets that are packed away, and what the last line leaves to
    the next one."""

    end: int
    """Up to where in the file, bytes."""
    owner: str
    """Of the first line; that of the line before is another."""
    runs: list[Run]
    state: ReadingState

    def follows(self, owner: str | None) -> bool:
        """Say whether a line of this owner leaves nothing to the first line."""
        return owner is None or owner_key(owner) != owner_key(self.owner)


class Ahead(Protocol):
    """Somebody who reads a stretch of the file that is being read."""

    @property
    def begin(self) -> int:
        """Where the stretch begins, bytes."""

    def take(self) -> Stretch | None:
        """Wait for the stretch, and return it; None if there is none after all."""


def find_begin(stream: IO[bytes], size: int) -> int | None:
    """Return where, behind the middle of a file of this size, a line seems to have another owner
    than the line before it; None if that is not soon."""
    stream.seek(size // 2)
    stream.readline(_LINE_BYTES)
    before = b""
    for _ in range(_LOOKED_AT_LINES):
        place = stream.tell()
        line = stream.readline(_LINE_BYTES)
        if not line.endswith(b"\n"):
            return None
        owner = line.partition(b" ")[0].lower()
        if before and owner not in (b"", before):
            return place
        before = owner
    return None


def read_stretch(stream: IO[bytes], begin: int, *, run_rrsets: int) -> Stretch | None:
    """Read canonical lines from `begin` on, the beginning of a line, as far as they go.

    None if there are none, or there is something to be said about them.
    """
    stream.seek(begin)
    state = ReadingState(".")
    runs: list[Run] = []
    text, owner, position, end = "", "", 0, begin
    enough, unpacked = run_rrsets, 0
    while more := stream.read(_WINDOW_BYTES):
        text, position = text[position:] + more.decode("latin-1"), 0
        owner = owner or text.partition(" ")[0]
        unpacked += len(more)
        try:
            while (found := read_ready(text, position, state, enough)) > position:
                position = found
                if len(state.records) >= enough:
                    if (rrsets := state.release(_refuse)).keys:
                        runs.append(Run.pack(rrsets))
                    enough, unpacked = max(run_rrsets, 2 * len(state.records)), 0
        except InvalidContent:
            return None
        if state.uncertain:
            return None
        end += position
        if len(text) - position >= MOST_WAITING_CHARACTERS or unpacked > _MOST_UNPACKED_BYTES:
            break
    return Stretch(end, owner, runs, state) if end > begin else None


def _refuse(text: str) -> None:
    """Leave what a warning is due for to whoever knows the line's number."""
    raise InvalidContent(text)
