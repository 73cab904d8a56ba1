"""Master files on this machine: finding them, and reading one with what it includes.

Nothing outside the folder that was named is ever included.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from syncd.content.zone.reader import ZoneText, read_zone
from syncd.content.zone.stretch import Ahead
from syncd.errors import InvalidContent
from syncd.types.zone_files import zone_of_file_name
from syncd.types.zones import ReadZone

_ZONE_FILES = ("*.zone", "*.db", "*.hosts", "*.signed", "db.*")
"""What is taken for a master file in a folder."""
_MATCHES = re.compile("|".join(map(fnmatch.translate, _ZONE_FILES))).match
_DATABASE_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class MasterFile:
    """A file to read: `base` is the folder below which it may include others.

    The path is a text, as there may be 100,000 of them in memory.
    """

    path: str
    base: Path

    def size_bytes(self) -> int:
        """Return its size; 0 if that cannot be told, as reading it says what is wrong."""
        try:
            return os.stat(self.path).st_size
        except OSError:
            return 0


def find_master_files(paths: Sequence[Path]) -> list[MasterFile]:
    """Return the files that `paths` name: files as they are, folders with what they hold below
    them.

    Raises InvalidContent for a path that is not there, or a folder without master files.
    """
    found: list[MasterFile] = []
    for path in paths:
        if path.is_dir():
            inside = _master_files_in(path)
            if not inside:
                raise InvalidContent(f"no master files ({', '.join(_ZONE_FILES)})", path=str(path))
            found += [MasterFile(file, path) for file in inside]
        elif path.exists():
            found.append(MasterFile(str(path), path.parent))
        else:
            raise InvalidContent("there is no such file or folder", path=str(path))
    return found


def _master_files_in(folder: Path) -> list[str]:
    """Return the paths of the master files below a folder, in order; links are followed.

    Also of those that cannot be read, so that whoever reads them says so: a zone that is not seen
    would be taken for one that is gone. Raises InvalidContent for a folder that cannot be looked
    at, a link behind which one may have been, and a pipe or device.
    """
    found: list[str] = []
    seen: set[tuple[int, int]] = set()

    def look(folder: str) -> None:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            return
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                matches = _MATCHES(entry.name) is not None
                if _is_folder(entry, matches):
                    look(entry.path)
                elif matches and not _is_database(entry.path):
                    if not entry.is_file(follow_symlinks=False) and _is_special(entry.path):
                        raise InvalidContent("is no regular file", path=entry.path)
                    found.append(entry.path)

    try:
        look(str(folder))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidContent(reason, path=str(error.filename or folder)) from None
    return sorted(found)


def _is_folder(entry: "os.DirEntry[str]", is_zone: bool) -> bool:
    """Say whether an entry is a folder, or a link to one. Raises InvalidContent for a link that
    leads nowhere, if it is not the file of a zone: it may have led to a folder with some."""
    if not entry.is_symlink():
        return entry.is_dir()
    try:
        return stat.S_ISDIR(os.stat(entry.path).st_mode)
    except OSError:
        if is_zone or entry.name.startswith("."):
            return False
        raise InvalidContent("is a link that leads nowhere", path=entry.path) from None


def _is_special(path: str) -> bool:
    """Say whether reading from a path may never come to an end: a pipe, a device."""
    return os.path.exists(path) and not os.path.isfile(path)


def _is_database(path: str) -> bool:
    """Say whether a file that is called like a zone's is a store, which may stand in the folder."""
    if not path.endswith(".db"):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(len(_DATABASE_MAGIC)) == _DATABASE_MAGIC
    except OSError:
        return False


Read = Callable[[MasterFile], ReadZone]
"""Reads a master file. Raises InvalidContent."""

HalfOf = Callable[[MasterFile, BinaryIO], Ahead | None]
"""Says who reads the second half of a file that was just opened, if anybody does."""


def nobody(file: MasterFile, stream: BinaryIO) -> None:
    """Say that whoever reads a file reads all of it."""


LookedFor = Callable[[Path, BinaryIO | None], None]
"""Called with each place in which a $INCLUDE looks for its file, and the file, if it is there."""


def read_master_file(
    file: MasterFile,
    origin: str | None = None,
    *,
    looked_for: LookedFor = lambda path, stream: None,
    half_of: HalfOf = nobody,
) -> ZoneText:
    """Read a file; relative names stand under `origin`, or else under what its SOA record, or the
    file's name, says. `looked_for` is told of each file that it includes; what `half_of` names
    reads half.

    Raises InvalidContent, with path, line and reason.
    """

    suggested = zone_of_file_name(os.path.basename(file.path))
    try:
        with open(file.path, "rb") as stream:
            return read_zone(
                stream,
                origin=origin or suggested,
                suggested=origin is None,
                path=file.path,
                include=_includer(file.base, looked_for),
                reopen=lambda: open(file.path, "rb"),
                ahead=half_of(file, stream),
            )
    except OSError as error:
        raise InvalidContent(error.strerror or str(error), path=file.path) from None


def real_path(path: Path) -> Path:
    """Return a path without links; `Path.resolve` does not take one that goes round in circles."""
    return Path(os.path.realpath(path))


def _includer(
    base: Path, looked_for: LookedFor
) -> Callable[[str, str], AbstractContextManager[BinaryIO]]:
    """Return what opens a $INCLUDE: beside the file that names it, or in `base`; never outside
    `base`."""

    def include(file: str, seen_from: str) -> AbstractContextManager[BinaryIO]:
        root = real_path(base)
        targets = [real_path(Path(seen_from).parent / file), real_path(base / file)]
        inside = [target for target in dict.fromkeys(targets) if target.is_relative_to(root)]
        for target in inside:
            if target.is_file():
                stream = target.open("rb")
                looked_for(target, stream)
                return stream
            looked_for(target, None)
        reason = f"is not below {base}"
        if inside:
            reason = f"there is no such file: looked for {' and '.join(map(str, inside))}"
        raise InvalidContent(f"$INCLUDE {file}: {reason}", path=seen_from)

    return include
