"""A folder of zone files kept in step with a replica's store.

Each file is written beside its place, flushed, and renamed, and only when its zone changed; it appears whole or
not at all. A small state file says at which token the folder is, so that a run that was interrupted is made
good by the next. Files that are not ours are left alone.
"""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from syncd.content.tokens import Token
from syncd.content.versions import Version
from syncd.errors import IllegalValue, StoreError, TokenLost, ViewGone
from syncd.store import Store, View
from syncd.types.zone_files import zone_file_name

_STATE = ".syncd-state"
_WAITING = ".syncd-new"
"""Folder, inside, where files are written before they are renamed."""
_GROUP_FILES = 2000
"""Files flushed together: one flush of the file system costs less than so many of single files."""
_FEW_FILES = 16


class ZonesDir:
    """A folder that holds the zones of one store as files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self.removed = 0

    def bring_to(self, store: Store, view: View) -> None:
        """Make the folder hold exactly the zones of `view`. Raises StoreError, OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        state = self._read_state()
        if state == view.token:
            return
        waiting = self.path / _WAITING
        waiting.mkdir(exist_ok=True)
        group: list[str] = []
        gone: list[str] = []
        for name, version in self._differences(store, state, view):
            if version is None:
                gone.append(zone_file_name(name))
                continue
            file = zone_file_name(name)
            self._write(waiting / file, view, version, flush=len(group) < _FEW_FILES)
            group.append(file)
            if len(group) == _GROUP_FILES:
                self._put_in_place(group)
                group = []
        self._put_in_place(group)
        for file in gone:
            (self.path / file).unlink(missing_ok=True)
            self.removed += 1
        for left in waiting.iterdir():
            left.unlink()
        waiting.rmdir()
        self._write_state(view.token)

    def _differences(
        self, store: Store, state: Token | None, view: View
    ) -> Iterator[tuple[str, Version | None]]:
        """Yield what has to be written, and (with None) what has to go."""
        if state is not None:
            try:
                for change in store.changes(state, view, ["zones"]):
                    some = change.new or change.old
                    assert some is not None
                    yield some.name, change.new
            except (TokenLost, ViewGone):
                pass  # the folder is from another history: compare all of it, below
            else:
                return
        expected = set()
        for version in view.versions(["zones"]):
            expected.add(zone_file_name(version.name))
            if not self._holds(version):
                yield version.name, version
        if state is not None:
            for entry in self.path.glob("*.zone"):
                if entry.name not in expected:
                    entry.unlink()
                    self.removed += 1

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

    def _write(self, target: Path, view: View, version: Version, *, flush: bool) -> None:
        checksum = 0
        with target.open("wb", buffering=0) as file:
            for content in view.content(version):
                checksum = crc32(content, checksum)
                file.write(content)
            if flush:
                os.fsync(file.fileno())
        if checksum != version.crc32:
            raise StoreError(f"{version.name}: its CRC-32 is not that of its content; run fsck")

    def _put_in_place(self, group: list[str]) -> None:
        if len(group) > _FEW_FILES:
            _flush_file_system(self.path)
        for file in group:
            (self.path / _WAITING / file).rename(self.path / file)
        self.written += len(group)
        _flush_folder(self.path)

    def _read_state(self) -> Token | None:
        try:
            return Token.parse((self.path / _STATE).read_text().strip())
        except (FileNotFoundError, IllegalValue):
            return None

    def _write_state(self, token: Token) -> None:
        fresh = self.path / f"{_STATE}.new"
        with fresh.open("w") as file:
            file.write(f"{token}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(self.path / _STATE)
        _flush_folder(self.path)


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_file_system(path: Path) -> None:
    """Flush everything written on the folder's file system: syncfs(2), which Python does not have."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            os.sync()
        elif syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), f"cannot flush the file system of {path}")
    finally:
        os.close(descriptor)
