"""Large master files, of which one process reads the second half while another reads the first.

Only a stretch of canonical lines can be read so, see `syncd.content.zone.stretch`: what `syncd
export`, name servers and most programs write.
"""

import os
import pickle
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from syncd.content.zone.master_file import RUN_RRSETS
from syncd.content.zone.stretch import Ahead, Stretch, find_begin, read_stretch
from syncd.ingest.copies import copy_that_sends
from syncd.ingest.masterfiles import HalfOf, MasterFile, nobody

LEAST_BYTES = 4 * 1024 * 1024
"""The half of a smaller file is read sooner than somebody is there to read it."""
_MOST_FILES = 1000
"""With more, looking at their sizes takes longer than it can save."""


class _Identity(NamedTuple):
    """What a file has for itself, so that nobody takes half of another one."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, stream: BinaryIO) -> "_Identity":
        stat = os.fstat(stream.fileno())
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


class _Found(NamedTuple):
    path: str
    identity: _Identity
    stretch: Stretch


@contextmanager
def reading_halves(files: Sequence[MasterFile]) -> Iterator[HalfOf]:
    """Have a second process read half of those files that are large; what is given says of which,
    and must be asked for the files in this order."""
    few = len(files) <= _MOST_FILES
    large = [file for file in files if file.size_bytes() >= LEAST_BYTES] if few else []
    if not large:
        yield nobody
        return
    with copy_that_sends(lambda: _read_halves(large)) as stream:
        yield _Halves(large, stream)


def _read_halves(files: Sequence[MasterFile]) -> Iterator[_Found]:
    for file in files:
        try:
            with open(file.path, "rb") as stream:
                identity = _Identity.of(stream)
                begin = find_begin(stream, identity.size)
                if begin is None:
                    continue
                stretch = read_stretch(stream, begin, run_rrsets=RUN_RRSETS)
        except OSError:
            continue  # whoever reads the file will say it
        if stretch is not None:
            yield _Found(file.path, identity, stretch)


class _Halves:
    """What comes of the second process, for the one that reads the files."""

    def __init__(self, files: Sequence[MasterFile], stream: BinaryIO) -> None:
        self._coming = deque(file.path for file in files)
        self._stream = stream
        self._found: _Found | None = None

    def __call__(self, file: MasterFile, stream: BinaryIO) -> Ahead | None:
        if not self._coming or self._coming[0] != file.path:
            return None
        self._coming.popleft()
        identity = _Identity.of(stream)
        begin = find_begin(stream, identity.size)
        stream.seek(0)
        return None if begin is None else _Half(self, file.path, identity, begin)

    def take(self, path: str, identity: _Identity) -> Stretch | None:
        """Wait until the file's stretch is there, or it is known that there is none."""
        while self._found is None or self._found.path not in (path, *self._coming):
            try:
                self._found = pickle.load(self._stream)
            except (EOFError, pickle.UnpicklingError):  # it has ended, by whatever means
                return None
        found = self._found
        return found.stretch if (found.path, found.identity) == (path, identity) else None


class _Half(NamedTuple):
    """The half of one file."""

    halves: _Halves
    path: str
    identity: _Identity
    begin: int

    def take(self) -> Stretch | None:
        return self.halves.take(self.path, self.identity)
