"""A folder of zone files kept in step with a replica's store.

Each file is written beside its place, flushed, and renamed, and only when its zone changed; it
appears whole or not at all. A small state file says at which token the folder is, so that a run
that was interrupted is made good by the next. Files that are not ours are left alone.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from zlib import crc32

from syncclient.durable import flush_file_system, opened_folder, replace_small_file
from syncclient.filewriter import create_file, write_all
from syncclient.newfolder import STATE, NewFolder
from syncd.content.tokens import Token
from syncd.content.versions import Version
from syncd.errors import IllegalValue, StoreError, TokenLost, ViewGone
from syncd.store import Store, View
from syncd.types.zone_files import zone_file_name

_WAITING = ".syncd-new"
"""Folder, inside, where files are written before they are renamed."""
_GROUP_FILES = 2000
"""Files flushed together: one flush of the file system costs less than so many of single files."""
_FEW_FILES = 16
_WRITE_CHUNKS = 64
"""Chunks joined for one write: some 400 KiB."""


class ZonesDir:
    """A folder that holds the zones of one store as files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self.removed = 0

    def bring_to(self, store: Store, view: View) -> None:
        """Make the folder hold exactly the zones of `view`. Raises StoreError, OSError."""
        if not self.path.exists():
            self._make_new(view)
            return
        state = self._read_state()
        if state == view.token:
            return
        waiting = self.path / _WAITING
        waiting.mkdir(exist_ok=True)
        gone: list[str] = []
        group: list[str] = []
        with opened_folder(waiting) as folder:
            for version, contents in view.contents(self._changed(store, state, view, gone)):
                file = zone_file_name(version.name)
                _write(folder, file, version, contents, flush=len(group) < _FEW_FILES)
                group.append(file)
                if len(group) == _GROUP_FILES:
                    self._put_in_place(folder, group)
                    group = []
            self._put_in_place(folder, group)
        for file in gone:
            (self.path / file).unlink(missing_ok=True)
            self.removed += 1
        for left in waiting.iterdir():
            left.unlink()
        waiting.rmdir()
        replace_small_file(self.path / STATE, f"{view.token}\n")

    def _make_new(self, view: View) -> None:
        """Make a folder that is not there yet, all of it at once."""
        folder = NewFolder(self.path)
        try:
            for version, contents in view.contents(view.versions(["zones"])):
                checksum = 0
                while parts := list(islice(contents, _WRITE_CHUNKS)):
                    content = b"".join(parts)
                    checksum = crc32(content, checksum)
                    folder.take([(version.name, content)])
                _check(version, checksum)
            folder.put_in_place(view.token)
        except BaseException:
            folder.discard()
            raise
        self.written += folder.written

    def _changed(
        self, store: Store, state: Token | None, view: View, gone: list[str]
    ) -> Iterator[Version]:
        """Yield the zones whose files have to be written; adds the files that have to go to
        `gone`."""
        if state is not None:
            try:
                for change in store.changes(state, view, ["zones"]):
                    if change.new is not None:
                        yield change.new
                    elif change.old is not None:
                        gone.append(zone_file_name(change.old.name))
            except (TokenLost, ViewGone):
                pass  # the folder is from another history: compare all of it, below
            else:
                return
        expected = set()
        for version in view.versions(["zones"]):
            expected.add(zone_file_name(version.name))
            if not self._holds(version):
                yield version
        if state is not None:
            for entry in self.path.glob("*.zone"):
                if entry.name not in expected:
                    gone.append(entry.name)

    def _holds(self, version: Version) -> bool:
        """Say whether a zone's file is there and is what it should be."""
        try:
            with (self.path / zone_file_name(version.name)).open("rb") as file:
                if os.fstat(file.fileno()).st_size != version.size:
                    return False
                checksum = 0
                while part := file.read(1 << 20):
                    checksum = crc32(part, checksum)
                return checksum == version.crc32
        except FileNotFoundError:
            return False

    def _put_in_place(self, waiting: int, group: list[str]) -> None:
        if not group:
            return
        if len(group) > _FEW_FILES:
            flush_file_system(waiting)
        with opened_folder(self.path) as folder:
            for file in group:
                os.rename(file, file, src_dir_fd=waiting, dst_dir_fd=folder)
            os.fsync(folder)
        self.written += len(group)

    def _read_state(self) -> Token | None:
        try:
            return Token.parse((self.path / STATE).read_text().strip())
        except (FileNotFoundError, IllegalValue):
            return None


def _write(
    folder: int, name: str, version: Version, contents: Iterator[bytes], *, flush: bool
) -> None:
    checksum = 0
    descriptor = create_file(folder, name)
    try:
        while parts := list(islice(contents, _WRITE_CHUNKS)):
            content = b"".join(parts)
            checksum = crc32(content, checksum)
            write_all(descriptor, content)
        if flush:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _check(version, checksum)


def _check(version: Version, checksum: int) -> None:
    if checksum != version.crc32:
        raise StoreError(f"{version.name}: its CRC-32 is not that of its content; run fsck")
