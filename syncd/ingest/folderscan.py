"""Which zone files of a folder are new, changed or gone, and have come to rest: looking at them
only, without reading one.

A file counts as written to its end once its times, size and inode stood still for a while, and
those of what it includes; so what is half written is not taken, and what is moved into place is, a
while later. A scan costs one look at each file.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

Signature = tuple[int, ...]
"""Times of the last changes in ns, size and inode of a file, then those of what it includes."""

OWN_PARTS = 4
NO_FILE: Signature = (0, 0, 0, 0)
"""Of what is no regular file, and of a link that leads nowhere: reading it says what is wrong."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it was when its zone was taken."""

    signature: Signature
    zone: str
    includes: tuple[str, ...] = ()
    """Paths of the files that it includes, and of those that it did not find."""
    content: str = ""
    """Digest of it and of what it includes; empty if that is not known."""
    kept: bool = False
    """Whether its zone was to go with it, and was not let go."""


@dataclass
class Scan:
    """What one look at the folder showed."""

    settled: dict[str, Signature] = field(default_factory=dict)
    """Files that differ from what was taken, and stand still."""
    gone: list[str] = field(default_factory=list)
    """Files that were taken, and are gone for a while."""
    unread: list[str] = field(default_factory=list)
    """New files of which nobody knows whose zone they hold: refused, or not at rest yet."""


def signature_of(status: os.stat_result) -> Signature:
    """Return what a change of a file, or of who may read it, shows in."""
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns


def own_signature(path: str) -> Signature:
    """Return the signature of a file; NO_FILE for what is none."""
    try:
        status = os.stat(path)
    except OSError:
        return NO_FILE
    return signature_of(status) if stat.S_ISREG(status.st_mode) else NO_FILE


class FolderScan:
    """Scans one folder; what was taken from it is in `known`, what was refused in `broken`."""

    def __init__(self, folder: Path, pattern: str, settle_s: float) -> None:
        self.folder = folder
        self.known: dict[str, KnownFile] = {}
        self.broken: dict[str, KnownFile] = {}
        """Not read again before they change; the name of the zone is empty if it is not known."""
        self.found: dict[str, tuple[str, ...]] = {}
        """What files include that were read, and not taken: it was not known that it has to stand
        still."""
        self._matches = re.compile(fnmatch.translate(pattern)).match
        self._settle_s = settle_s
        self._waiting: dict[str, tuple[Signature | None, float]] = {}
        """By file: how it was seen, None for gone, and since when it is so."""

    def scan(self, now_s: float) -> Scan:
        """Look at the folder once. Raises OSError if it cannot be read."""
        found = Scan()
        present = self._present()
        waiting: dict[str, tuple[Signature | None, float]] = {}
        for name, signature in present.items():
            if self._is_known(name, signature):
                continue
            if self._has_settled(name, signature, now_s, waiting):
                found.settled[name] = signature
        for name in self.known.keys() - present.keys():
            if self._has_settled(name, None, now_s, waiting):
                found.gone.append(name)
        for read in (self.broken, self.found):
            for name in read.keys() - present.keys():
                del read[name]
        self._waiting = waiting
        for name in self._heirs(found.gone):
            found.settled[name] = present[name]
        found.unread = [
            name
            for name in present.keys() - self.known.keys() - found.settled.keys()
            if name not in self.broken or not self.broken[name].zone
        ]
        return found

    def _heirs(self, gone: list[str]) -> list[str]:
        """Return the files that were refused because one that is gone had their zone."""
        zones = {self.known[name].zone for name in gone}
        return [name for name, one in self.broken.items() if one.zone in zones]

    def take(self, files: dict[str, KnownFile]) -> None:
        """Note files that were taken; what was refused because of a zone that one of them has
        given up is read again."""
        given_up = {
            self.known[name].zone
            for name, one in files.items()
            if name in self.known and self.known[name].zone != one.zone
        }
        self.known.update(files)
        for name in files:
            self.found.pop(name, None)
        for name, one in self.broken.items():
            if one.zone in given_up:
                self.broken[name] = replace(one, signature=())

    def _present(self) -> dict[str, Signature]:
        present: dict[str, Signature] = {}
        with os.scandir(self.folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith(".") or self._matches(name) is None:
                    continue
                if entry.is_file(follow_symlinks=False) or entry.is_symlink():
                    present[name] = own_signature(entry.path) + signatures(self.includes_of(name))
        return present

    def includes_of(self, name: str) -> tuple[str, ...]:
        """Return what a file is known to include, and look for."""
        known = self.broken.get(name) or self.known.get(name)
        return self.found.get(name) or (() if known is None else known.includes)

    def _is_known(self, name: str, signature: Signature) -> bool:
        broken = self.broken.get(name)
        if broken is not None:
            return broken.signature == signature
        known = self.known.get(name)
        return known is not None and known.signature == signature and not known.kept

    def _has_settled(
        self,
        name: str,
        seen: Signature | None,
        now_s: float,
        waiting: dict[str, tuple[Signature | None, float]],
    ) -> bool:
        before, since_s = self._waiting.get(name, (seen, now_s))
        if before != seen:
            since_s = now_s
        waiting[name] = seen, since_s
        return now_s - since_s >= self._settle_s


def signatures(paths: Iterable[str]) -> Signature:
    """Return the signatures of some files, one after another."""
    return tuple(part for path in paths for part in own_signature(path))
