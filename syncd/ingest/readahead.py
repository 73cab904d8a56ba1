"""Master files read by a process of its own, ahead of the one that stores their zones.

Reading and storing share the work then, and reading has begun before the database's libraries are
imported. What arrives, and in which order, is what reading here would give, errors included; a full
pipe makes the reader wait, so memory stays flat.
"""

import os
import pickle
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, NamedTuple

from syncd.content.zone.reader import lines_of
from syncd.errors import FileFailed, InvalidContent
from syncd.ingest.copies import copy_that_sends
from syncd.ingest.halves import reading_halves
from syncd.ingest.masterfiles import HalfOf, MasterFile, Read, nobody, read_master_file

LEAST_BYTES = 4 * 1024 * 1024
"""With less to read, a second process is not worth its start."""
_MESSAGE_BYTES = 64 * 1024
"""Text that goes through the pipe at once."""


class _Begin(NamedTuple):
    """A zone begins; its text follows, in parts of whole lines (bytes)."""

    name: str


class _End(NamedTuple):
    """The zone was read to its end."""

    warnings: list[str]


class _Failed(NamedTuple):
    """The file, or what is left of it, cannot be taken."""

    reason: str
    path: str | None
    line: int | None


_Event = _Begin | bytes | _End | _Failed


@contextmanager
def reading_ahead(files: Sequence[MasterFile], origin: str | None) -> Iterator[Read]:
    """Hand out what reads `files`, which must be asked for in this order: in a second process if
    that pays, else here. `origin` as for `read_master_file`.

    Raises FileFailed if the process ends before its time.
    """
    if not _is_worth_it(files):
        yield partial(read_master_file, origin=origin)
        return
    with (
        reading_halves(files) as half_of,
        copy_that_sends(lambda: _messages(files, origin, half_of)) as stream,
    ):
        yield _Arrivals(stream)


def _is_worth_it(files: Sequence[MasterFile]) -> bool:
    """Say whether there is much to read, a second processor for it, and no thread that would be
    missing in a copy of this process."""
    if (os.cpu_count() or 1) < 2 or threading.active_count() > 1:
        return False
    size_bytes = 0
    for file in files:
        size_bytes += file.size_bytes()
        if size_bytes >= LEAST_BYTES:
            return True
    return False


def _messages(
    files: Sequence[MasterFile], origin: str | None, half_of: HalfOf = nobody
) -> Iterator[list[_Event]]:
    events: list[_Event] = []
    size_bytes = 0
    for file in files:
        for event in _events(file, origin, half_of):
            events.append(event)
            size_bytes += len(event) if isinstance(event, bytes) else 0
            if size_bytes >= _MESSAGE_BYTES:
                yield events
                events, size_bytes = [], 0
    if events:
        yield events


def _events(file: MasterFile, origin: str | None, half_of: HalfOf) -> Iterator[_Event]:
    try:
        zone = read_master_file(file, origin, half_of=half_of)
        yield _Begin(zone.name)
        yield from zone.parts()
        yield _End(zone.warnings)
    except InvalidContent as error:
        yield _Failed(error.reason, error.path, error.line)


class _Arrivals:
    """Takes what comes through the pipe apart into zones."""

    def __init__(self, stream: BinaryIO) -> None:
        self._events = _received(stream)
        self._present: _ArrivingZone | None = None

    def __call__(self, file: MasterFile) -> "_ArrivingZone":
        """Return the zone of the next file. Raises InvalidContent; FileFailed."""
        if self._present is not None:
            self._present.hold_rest()
            self._present = None
        match next(self._events, None):
            case _Begin(name):
                self._present = _ArrivingZone(name, self._events)
                return self._present
            case _Failed(reason, path, line):
                raise InvalidContent(reason, path=path, line=line)
        raise _ended_early(file.path)


class _ArrivingZone:
    """A zone as its reader hands it on; its text may still be on the way."""

    def __init__(self, name: str, events: Iterator[_Event]) -> None:
        self.name = name
        self.warnings: list[str] = []
        self._events = events
        self._held: deque[_Event] = deque()
        self._complete = False

    def lines(self) -> Iterator[bytes]:
        """Yield the canonical lines, once; adds to `warnings`.

        Raises InvalidContent; FileFailed.
        """
        return lines_of(self._parts())

    def _parts(self) -> Iterator[bytes]:
        while True:
            match self._held.popleft() if self._held else self._next():
                case bytes(part):
                    yield part
                case _End(warnings):
                    self.warnings += warnings
                    return
                case _Failed(reason, path, line):
                    raise InvalidContent(reason, path=path, line=line)

    def hold_rest(self) -> None:
        """Take all that is still on the way, so that the next zone can arrive."""
        while not self._complete:
            self._held.append(self._next())

    def _next(self) -> _Event:
        event = next(self._events, None)
        if event is None:
            raise _ended_early(self.name)
        self._complete = not isinstance(event, bytes)
        return event


def _received(stream: BinaryIO) -> Iterator[_Event]:
    while True:
        try:
            events: list[_Event] = pickle.load(stream)
        except EOFError:
            return
        yield from events


def _ended_early(where: str) -> FileFailed:
    return FileFailed(
        f"{where}: the process that reads the files has ended before its time; nothing was "
        "changed; it may have been killed for want of memory"
    )
