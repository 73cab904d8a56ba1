"""Master files of this machine become zones: all of them in one commit, or none; see `staging`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from syncd.ingest.masterfiles import (
    LookedFor,
    MasterFile,
    Read,
    find_master_files,
    read_master_file,
)
from syncd.ingest.staging import Imported, Progress, import_sources
from syncd.store import Store
from syncd.types.base import Prepared
from syncd.types.zones import prepared_text

__all__ = ["Imported", "MasterFile", "find_master_files", "import_zones", "prepare_file"]


def import_zones(
    store: Store,
    files: Sequence[MasterFile],
    *,
    author: str,
    comment: str = "",
    origin: str | None = None,
    keep_going: bool = False,
    delete_others: bool = False,
    allow_large_change: bool = False,
    progress: Progress = lambda done: None,
    read: Read | None = None,
) -> Imported:
    """Read master files and make them the store's zones in one commit.

    `origin` is what relative names stand under; by default the zone that the file's name suggests.
    `read` reads a file, if somebody else does it (see readahead.py); `origin` is his then.
    With `keep_going` the good zones are taken and the bad listed; without it, raises
    InvalidContent for the first bad one and changes nothing. With `delete_others`, zones that no
    file holds go, unless a file failed; LargeChangeRefused if they are suspiciously many, and that
    is not allowed.
    """
    read = read or partial(read_master_file, origin=origin)
    return import_sources(
        store, [_FileSource(file, read) for file in files], author=author, comment=comment,
        keep_going=keep_going, delete_others=delete_others, allow_large_change=allow_large_change,
        progress=progress,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _FileSource:
    """A master file as a source; small, as there may be 100,000 of them."""

    file: MasterFile
    read: Read

    @property
    def where(self) -> str:
        return self.file.path

    @property
    def size_bytes(self) -> int:
        return self.file.size_bytes()

    def prepare(self) -> Prepared:
        return prepared_text(self.read(self.file))


def prepare_file(
    file: MasterFile,
    origin: str | None = None,
    *,
    looked_for: LookedFor = lambda path, stream: None,
) -> Prepared:
    """Read a master file; `looked_for` is told of each file that it includes.

    Raises InvalidContent.
    """
    return prepared_text(read_master_file(file, origin, looked_for=looked_for))
