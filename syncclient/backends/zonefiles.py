"""The folder of zone files that a name server reads, changed by renames and restored by renames.

    zones/NAME.zone        what the server reads
    zones/.new/NAME.zone   staged: written and flushed, not yet looked at by the server
    zones/.old/NAME.zone   what was before the step that is in hand; empty if there was no file

How a zone's file is called is for the server to say; most take what the rest of the program takes.
`.old` is the way back, also for the next process if this one dies: it is emptied when a step is
finished, and what stands in it at the start is put back. All files of the folder are ours.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from syncclient.backends.step import Step
from syncclient.durable import flush_file_system, opened_folder
from syncclient.folderstate import STATE, FolderState
from syncclient.newfolder import NewFolder
from syncclient.zonefile import holds_zone, write_zone_file
from syncd.content.versions import Version
from syncd.errors import file_failure
from syncd.types.zone_files import SUFFIX, zone_file_name, zone_of_own_file

_NEW, _OLD = ".new", ".old"
_FEW_FILES = 16
"""Files flushed one by one; of more, the file system is flushed at once."""


@dataclass(frozen=True, slots=True)
class FileNames:
    """How the file of a zone is called, and which zone a file of that name is."""

    of_zone: Callable[[str], str] = zone_file_name
    to_zone: Callable[[str], str] = zone_of_own_file


class ZoneFiles:
    """The folder; see the module's top. Methods block, and raise FileFailed."""

    def __init__(self, path: Path, names: FileNames = FileNames()) -> None:
        self.path = path
        self.names = names
        self._new, self._old = path / _NEW, path / _OLD

    def file(self, zone: str) -> Path:
        """Return the file that the server reads."""
        return self.path / self.names.of_zone(zone)

    def staged_file(self, zone: str) -> Path:
        """Return the file that waits to be put in place."""
        return self._new / self.names.of_zone(zone)

    def staged(self) -> set[str]:
        """Return the zones whose files wait to be put in place."""
        with _told():
            return {self.names.to_zone(name) for name in os.listdir(self._new)}

    def new_folder(self) -> Callable[[], NewFolder] | None:
        """See Backend.new_folder."""
        return None if self.path.exists() else lambda: NewFolder(self.path, self.names.of_zone)

    def recover(self) -> frozenset[str]:
        """Put back what an interrupted step has replaced; return the zones that it was about."""
        with _told():
            if not self._old.exists():
                return frozenset()
            zones = [self.names.to_zone(name) for name in os.listdir(self._old)]
            self.restore(zones)
            return frozenset(zones)

    def stage(self, step: Step) -> None:
        """Write what is coming into `.new`; what is in place already is not written again."""
        with _told():
            self.path.mkdir(parents=True, exist_ok=True)
            for folder in (self._new, self._old):
                folder.mkdir(exist_ok=True)
                _empty(folder)
            if step.whole and self._is_right(step):
                return
            self._write(step)

    def _is_right(self, step: Step) -> bool:
        """Say whether a bootstrap has put the whole folder there already."""
        zones = step.goal.totals(["zones"])
        return FolderState.read(self.path) == FolderState(step.goal.token, zones.fingerprint)

    def _write(self, step: Step) -> None:
        written = 0
        with opened_folder(self._new) as folder:
            for version, contents in self._missing(step):
                flush = written < _FEW_FILES
                self.write_staged(step, folder, version, contents, flush=flush)
                written += 1
            if written > _FEW_FILES:
                flush_file_system(folder)

    def write_staged(
        self, step: Step, folder: int, version: Version, contents: Iterator[bytes], *, flush: bool
    ) -> None:
        """Write one zone into a new file, as the server reads it; one that cannot be written so
        fails the step. Raises OSError, StoreError."""
        name = self.names.of_zone(version.name)
        write_zone_file(folder, name, version, contents, flush=flush)

    def _missing(self, step: Step) -> Iterator[tuple[Version, Iterator[bytes]]]:
        with opened_folder(self.path) as folder:
            for version, contents in step.contents():
                name = self.names.of_zone(version.name)
                if not step.whole or not holds_zone(folder, name, version):
                    yield version, contents

    def swap(self, step: Step) -> None:
        """Put what is staged in place, and take out what goes; the way back is in `.old`.

        The renames are not flushed yet: `flush` does that.
        """
        with _told(), opened_folder(self.path) as folder:
            (self.path / STATE).unlink(missing_ok=True)
            staged = set(os.listdir(self._new))
            with opened_folder(self._new) as new, opened_folder(self._old) as old:
                for zone in step.coming():
                    if (name := self.names.of_zone(zone)) in staged:
                        self._keep(name, folder, old)
                        os.rename(name, name, src_dir_fd=new, dst_dir_fd=folder)
                for name in self._surplus(step):
                    with suppress(FileNotFoundError):
                        os.rename(name, name, src_dir_fd=folder, dst_dir_fd=old)

    def flush(self) -> None:
        """Have what was put in place survive a loss of power."""
        with _told(), opened_folder(self.path) as folder:
            os.fsync(folder)

    def _surplus(self, step: Step) -> Iterator[str]:
        """Yield the files of zones that go; in a whole step, of all that are not its own."""
        if not step.whole:
            yield from map(self.names.of_zone, step.going())
            return
        wanted = {self.names.of_zone(zone) for zone in step.zones()}
        for name in os.listdir(self.path):
            if name.endswith(SUFFIX) and name not in wanted:
                yield name

    @staticmethod
    def _keep(name: str, folder: int, old: int) -> None:
        """Keep what is in place as the way back; an empty file says that there was nothing.

        Where a link is refused (a file of another user's, a file system that has none) the file is
        moved, and missing for a moment: what the server has loaded it has.
        """
        try:
            os.link(name, name, src_dir_fd=folder, dst_dir_fd=old)
        except FileNotFoundError:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=old))
        except OSError:
            os.rename(name, name, src_dir_fd=folder, dst_dir_fd=old)

    def restore(self, zones: Iterable[str], new: Collection[str] = ()) -> None:
        """Put back what was in place of these zones before the step.

        What the step has not come to, or had no need to replace, is in place still; files of zones
        that are `new` to the server go, whoever has put them there.
        """
        with _told(), opened_folder(self.path) as folder:
            for zone in zones:
                name = self.names.of_zone(zone)
                kept = self._old / name
                if not kept.exists() and zone not in new:
                    continue
                if kept.exists() and kept.stat().st_size:
                    os.utime(kept)  # servers load what is newer than what they have loaded
                    kept.rename(self.path / name)
                else:
                    (self.path / name).unlink(missing_ok=True)
                    kept.unlink(missing_ok=True)
            os.fsync(folder)

    def finish(self) -> None:
        """Forget the way back; there may be none, if nothing could be staged."""
        with _told():
            for folder in (self._new, self._old):
                if folder.exists():
                    _empty(folder)


def _empty(folder: Path) -> None:
    for name in os.listdir(folder):
        (folder / name).unlink()


@contextmanager
def _told() -> Iterator[None]:
    """Have what the system refuses raise FileFailed."""
    try:
        yield
    except OSError as error:
        raise file_failure(error) from None
