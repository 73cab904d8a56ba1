"""Master files of this machine become zones: all of them in one commit, or none.

Files are read some at a time, so that memory stays flat however many there are, and compared with
what the store holds; a zone in which nothing changed makes no version.
"""

import fnmatch
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from syncd.content.tokens import Token
from syncd.errors import InvalidContent
from syncd.store import Batch, Store
from syncd.store.view import Content
from syncd.types.base import Prepared, Present
from syncd.types.zone_files import zone_of_file_name
from syncd.types.zones import ZONES, prepare_zone

_GROUP_FILES = 200
_GROUP_BYTES = 1024 * 1024
"""Files read before their zones are looked up together."""
_ZONE_FILES = ("*.zone", "*.db", "*.hosts", "*.signed", "db.*")
"""What is taken for a master file in a folder."""
_DATABASE_MAGIC = b"SQLite format 3\0"

Progress = Callable[[int], None]


@dataclass
class Imported:
    """What an import did."""

    token: Token | None
    """Of its commit; None if nothing changed."""
    objects: int = 0
    """Read, changed or not."""
    changed: int = 0
    removed: int = 0
    warnings: list[str] = field(default_factory=list)
    failed: list[InvalidContent] = field(default_factory=list)
    """With `keep_going`: the files that were left out."""


@dataclass(frozen=True, slots=True)
class MasterFile:
    """A file to read: `base` is the folder below which it may include others.

    The path is a text, as there may be 100,000 of them in memory.
    """

    path: str
    base: Path


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


def import_zones(
    store: Store,
    files: Sequence[MasterFile],
    *,
    author: str,
    comment: str = "",
    origin: str | None = None,
    keep_going: bool = False,
    delete_others: bool = False,
    progress: Progress = lambda done: None,
) -> Imported:
    """Read master files and make them the store's zones in one commit.

    `origin` is what relative names stand under; by default the zone that the file's name suggests.
    With `keep_going` the good zones are taken and the bad listed; without it, raises
    InvalidContent for the first bad one and changes nothing. With `delete_others`, zones that no
    file holds go, unless a file failed.
    """
    result = Imported(None)
    seen: dict[str, str] = {}
    with store.batch() as batch:
        for group in _groups(files):
            prepared: list[tuple[MasterFile, Prepared]] = []
            for file in group:
                try:
                    zone = _prepare(file, origin)
                    if zone.name in seen:
                        raise InvalidContent(
                            f"zone {zone.name} stands in {seen[zone.name]} as well",
                            path=file.path,
                        )
                    seen[zone.name] = file.path
                    prepared.append((file, zone))
                except InvalidContent as error:
                    if not keep_going:
                        raise
                    result.failed.append(error)
            _put(store, batch, prepared, keep_going, result)
            progress(len(group))
        if delete_others and result.failed:
            result.warnings.append("nothing was deleted: a file that failed may be a zone's")
        elif delete_others:
            for version in store.view().versions(["zones"]):
                if version.name not in seen:
                    batch.delete(version)
                    result.removed += 1
        result.changed = batch.changes - result.removed
        result.token = batch.publish(author, comment)
    result.warnings += batch.warnings
    return result


def _groups(files: Sequence[MasterFile]) -> Iterator[list[MasterFile]]:
    group: list[MasterFile] = []
    size_bytes = 0
    for file in files:
        group.append(file)
        size_bytes += _size_bytes(file.path)
        if len(group) >= _GROUP_FILES or size_bytes >= _GROUP_BYTES:
            yield group
            group, size_bytes = [], 0
    if group:
        yield group


def _size_bytes(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0  # reading it says what is wrong


def _prepare(file: MasterFile, origin: str | None) -> Prepared:
    try:
        with open(file.path, "rb") as stream:
            return prepare_zone(
                stream,
                origin=origin or zone_of_file_name(os.path.basename(file.path)),
                path=file.path,
                include=_includer(file.base),
            )
    except OSError as error:
        raise InvalidContent(error.strerror or str(error), path=file.path) from None


def _put(
    store: Store,
    batch: Batch,
    group: list[tuple[MasterFile, Prepared]],
    keep_going: bool,
    result: Imported,
) -> None:
    view = store.view()
    heads = view.find("zones", [zone.name for _, zone in group])
    for file, zone in group:
        head = heads.get(zone.name)
        try:
            present = None if head is None else Present(head, Content(view, head))
            settled = ZONES.settle(zone, present)
            if settled is not None:
                batch.put("zones", settled, head)
            else:
                result.warnings += zone.warnings
            result.objects += 1
        except InvalidContent as error:
            named = error if error.path else InvalidContent(error.reason, path=file.path)
            if not keep_going:
                raise named from None
            result.failed.append(named)


def _includer(base: Path) -> Callable[[str, str], AbstractContextManager[BinaryIO]]:
    """Return what opens a $INCLUDE: beside the file that names it, or in `base`; never outside
    `base`."""

    def include(file: str, seen_from: str) -> AbstractContextManager[BinaryIO]:
        root = base.resolve()
        candidates = [Path(seen_from).parent / file, base / file]
        for candidate in candidates:
            target = candidate.resolve()
            if not target.is_relative_to(root):
                raise InvalidContent(f"$INCLUDE {file}: is not below {base}", path=seen_from)
            if target.is_file():
                return target.open("rb")
        raise InvalidContent(f"$INCLUDE {file}: there is no such file", path=seen_from)

    return include
