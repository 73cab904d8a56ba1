"""A folder of zone files that is written while a bootstrap comes in, by a thread of its own.

It stands beside its place under another name until the store has made the same view visible; then
one rename puts it there. Interrupted, it is thrown away: the store is what counts, and the folder
is made from it.
"""

import os
import queue
import shutil
import threading
from pathlib import Path

from syncclient.durable import (
    create_file,
    flush_file_system,
    opened_folder,
    write_all,
    zone_files_in,
)
from syncclient.folderstate import FolderState
from syncd.types.zone_files import zone_file_name

_BLOCKS_WAITING = 8

Piece = tuple[str, bytes]
"""A zone's name and a part of its content; the parts of one zone come in order, one zone after
another."""


def fresh_path(path: Path) -> Path:
    """Return where a folder is made before it is put in its place."""
    return path.with_name(f".{path.name}.syncd-new")


class NewFolder:
    """Takes pieces of zones; `put_in_place` ends it, or `discard`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fresh = fresh_path(path)
        if self._fresh.exists():
            shutil.rmtree(self._fresh)
        self._fresh.mkdir(parents=True)
        self.written = 0
        self._error: OSError | None = None
        self._pieces: queue.Queue[list[Piece] | None] = queue.Queue(_BLOCKS_WAITING)
        self._thread = threading.Thread(target=self._write, name="zone files", daemon=True)
        self._thread.start()

    def take(self, pieces: list[Piece]) -> None:
        """Take some pieces; waits when the disk does not keep up."""
        if pieces:
            self._pieces.put(pieces)

    def put_in_place(self, state: FolderState) -> None:
        """Wait for all files, flush them, and rename the folder. Raises FileFailed."""
        self._end()
        with zone_files_in(self._path):
            if self._error is not None:
                raise self._error
            with opened_folder(self._fresh) as folder:
                flush_file_system(folder)
            state.write(self._fresh)
            self._fresh.rename(self._path)
            with opened_folder(self._path.parent) as parent:
                os.fsync(parent)

    def discard(self) -> None:
        """Throw away what was written."""
        self._end()
        shutil.rmtree(self._fresh, ignore_errors=True)

    def _end(self) -> None:
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _write(self) -> None:
        present: str | None = None
        descriptor = -1
        with opened_folder(self._fresh) as folder:
            while (pieces := self._pieces.get()) is not None:
                if self._error is not None:
                    continue  # keep taking, so that nobody waits for us
                try:
                    for name, content in pieces:
                        if name != present:
                            if descriptor >= 0:
                                os.close(descriptor)
                            descriptor = create_file(folder, zone_file_name(name))
                            present = name
                            self.written += 1
                        write_all(descriptor, content)
                except OSError as error:
                    self._error = error
            if descriptor >= 0:
                os.close(descriptor)
