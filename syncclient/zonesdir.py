"""A folder of zone files kept in step with a replica's store.

Each file is written beside its place, flushed, and renamed, and only when its zone changed; it
appears whole or not at all. A small state file says at which token the folder is, so that a run
that was interrupted is made good by the next. Files that are not ours are left alone.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from syncclient.durable import flush_file_system, opened_folder, zone_files_in
from syncclient.folderstate import FolderState
from syncclient.leftalone import read_left_alone, write_left_alone
from syncclient.newfolder import NewFolder
from syncclient.zonefile import holds_zone, joined_content, write_zone_file
from syncd.content.versions import Version, add_marks, mark_number
from syncd.errors import TokenLost, ViewGone
from syncd.store import Store, View
from syncd.types.zone_files import SUFFIX, zone_file_name, zone_of_own_file

_WAITING = ".syncd-new"
"""Folder, inside, where files are written before they are renamed."""
_GROUP_FILES = 2000
"""Files flushed together: one flush of the file system costs less than so many of single files."""
_FEW_FILES = 16
_PAGE_FILES = 500
"""Files of a folder that are looked for in the store together."""


class ZonesDir:
    """A folder that holds the zones of one store as files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self.removed = 0

    def bring_to(self, store: Store, view: View, *, compare: bool = False) -> None:
        """Make the folder hold exactly the zones of `view`; with `compare`, read all of it.

        Raises StoreError, FileFailed.
        """
        goal = FolderState(view.token, view.totals(["zones"]).fingerprint)
        with zone_files_in(self.path):
            if not self.path.exists():
                self._make_new(view, goal)
                return
            state = FolderState.read(self.path)
            if state != goal or compare:
                self._change(store, state, goal, view, compare=compare)

    def _change(
        self, store: Store, state: FolderState | None, goal: FolderState, view: View, *,
        compare: bool,
    ) -> None:  # fmt: skip
        waiting = self.path / _WAITING
        _remove_folder(waiting)  # of a run that was interrupted: it may hold the room we need
        waiting.mkdir()
        left_alone = read_left_alone(self.path)
        if left_alone is None:
            left_alone = frozenset() if state is not None else frozenset(self._surplus(view))
            if left_alone or state is None:
                write_left_alone(self.path, left_alone)
        if compare or state is None or not self._follow(store, state, goal, view):
            self._compare(view, left_alone)
        _remove_folder(waiting)
        goal.write(self.path)

    def _follow(self, store: Store, state: FolderState, goal: FolderState, view: View) -> bool:
        """Write what changed since the folder's token; False if that does not lead to `goal`,
        because the folder, or the store, is of another history."""
        fingerprint = state.fingerprint
        gone: list[str] = []

        def changed() -> Iterator[Version]:
            nonlocal fingerprint
            for change in store.changes(state.token, view, ["zones"]):
                fingerprint = add_marks(
                    fingerprint, gained=_mark(change.new), lost=_mark(change.old)
                )
                if change.new is not None:
                    yield change.new
                elif change.old is not None:
                    gone.append(zone_file_name(change.old.name))

        try:
            self._write_files(view, changed())
        except (TokenLost, ViewGone):
            return False
        self._remove_files(gone)
        return fingerprint == goal.fingerprint

    def _compare(self, view: View, left_alone: frozenset[str]) -> None:
        """Write each zone whose file is not what it should be. What is no zone's goes, but what was
        there before the folder was ours."""
        with opened_folder(self.path) as folder:
            wrong = (
                version
                for version in view.versions(["zones"])
                if not holds_zone(folder, zone_file_name(version.name), version)
            )
            self._write_files(view, wrong)
        # All of the zones' are there now: where there are no others, their number tells.
        if left_alone or self._count_files() != view.totals(["zones"]).count:
            surplus = frozenset(self._surplus(view))
            self._remove_files(surplus - left_alone)
            if left_alone - surplus:  # has gone, or is a zone's by now
                write_left_alone(self.path, left_alone & surplus)

    def _count_files(self) -> int:
        with os.scandir(self.path) as entries:
            return sum(entry.name.endswith(SUFFIX) for entry in entries)

    def _surplus(self, view: View) -> Iterator[str]:
        """Yield the files that are no zone's of the view. There may be 100,000 that are: their
        names are not held."""
        with os.scandir(self.path) as entries:
            names = (entry.name for entry in entries if entry.name.endswith(SUFFIX))
            while page := list(islice(names, _PAGE_FILES)):
                zones = {name: zone_of_own_file(name) for name in page}
                ours = {
                    name: zone
                    for name, zone in zones.items()
                    if zone_file_name(zone) == name and "\0" not in zone  # no database takes that
                }
                present = view.find("zones", list(ours.values()))
                yield from (name for name in page if ours.get(name) not in present)

    def _write_files(self, view: View, versions: Iterator[Version]) -> None:
        group: list[str] = []
        with opened_folder(self.path / _WAITING) as folder:
            for version, contents in view.contents(versions):
                file = zone_file_name(version.name)
                write_zone_file(folder, file, version, contents, flush=len(group) < _FEW_FILES)
                group.append(file)
                if len(group) == _GROUP_FILES:
                    self._put_in_place(folder, group)
                    group = []
            self._put_in_place(folder, group)

    def _remove_files(self, names: Iterable[str]) -> None:
        for name in names:
            (self.path / name).unlink(missing_ok=True)
            self.removed += 1

    def _make_new(self, view: View, goal: FolderState) -> None:
        """Make a folder that is not there yet, all of it at once."""
        folder = NewFolder(self.path)
        try:
            for version, contents in view.contents(view.versions(["zones"])):
                for content in joined_content(version, contents):
                    folder.take([(version.name, content)])
            folder.put_in_place(goal)
        except BaseException:
            folder.discard()
            raise
        self.written += folder.written

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


def _mark(version: Version | None) -> int:
    """Return what a version adds to the fingerprint."""
    return 0 if version is None else mark_number(version.mark)


def _remove_folder(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
