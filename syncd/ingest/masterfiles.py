"""Master files on this machine: finding them, and reading one with what it includes.

Nothing outside the folder that was named is ever included.
"""

import fnmatch
import os
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
    """Return the paths of the master files below a folder, in order."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in _ZONE_FILES):
                path = os.path.join(parent, name)
                if os.path.isfile(path) and not _is_database(path):
                    found.append(path)
    return sorted(found)


def _is_database(path: str) -> bool:
    """Say whether a file that is called like a zone's is a store, which may stand in the folder."""
    if not path.endswith(".db"):
        return False
    with open(path, "rb") as file:
        return file.read(len(_DATABASE_MAGIC)) == _DATABASE_MAGIC


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


def _includer(
    base: Path, looked_for: LookedFor
) -> Callable[[str, str], AbstractContextManager[BinaryIO]]:
    """Return what opens a $INCLUDE: beside the file that names it, or in `base`; never outside
    `base`."""

    def include(file: str, seen_from: str) -> AbstractContextManager[BinaryIO]:
        root = base.resolve()
        targets = [(Path(seen_from).parent / file).resolve(), (base / file).resolve()]
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
