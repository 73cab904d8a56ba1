"""A folder of zone files that is written while a bootstrap comes in, by a process of its own.

It stands beside its place under another name until the store has made the same view visible; then
one rename puts it there. Interrupted, it is thrown away: the store is what counts, and the folder
is made from it.
"""

import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from syncclient import filewriter
from syncclient.durable import flush_file_system, opened_folder, zone_files_in
from syncclient.filewriter import piece_head
from syncclient.folderstate import FolderState
from syncd.errors import file_failure
from syncd.pipes import widen
from syncd.types.zone_files import zone_file_name

_BLOCKS_WAITING = 8

Piece = tuple[str, bytes]
"""A zone's name and a part of its content; the parts of one zone come in order, one zone after
another."""


def fresh_path(path: Path) -> Path:
    """Return where a folder is made before it is put in its place."""
    return path.with_name(f".{path.name}.syncd-new")


class NewFolder:
    """Takes pieces of zones; `put_in_place` ends it, or `discard`. `end` may come before either."""

    def __init__(self, path: Path, name_of: Callable[[str], str] = zone_file_name) -> None:
        """`name_of` says how the file of a zone is called. Raises FileFailed."""
        self._path = path
        self._name_of = name_of
        self._fresh = fresh_path(path)
        self.written = 0
        self._last = self._file = ""
        try:
            if self._fresh.exists():
                shutil.rmtree(self._fresh)
            self._fresh.mkdir(parents=True)
            self._writer = subprocess.Popen(
                [sys.executable, "-I", "-S", filewriter.__file__, str(self._fresh)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for us; we end it
            )
        except OSError as error:
            error.filename = str(self._fresh) if error.filename is None else error.filename
            raise file_failure(error) from None
        assert self._writer.stdin is not None
        widen(self._writer.stdin.fileno())
        self._waiting: queue.Queue[list[bytes] | None] = queue.Queue(_BLOCKS_WAITING)
        self._ended = False
        self._failure: OSError | None = self._failed()
        """Why the folder cannot be put in place; None once everything is flushed."""
        self._feeder = threading.Thread(target=self._feed, name="zone files", daemon=True)
        self._feeder.start()

    def take(self, pieces: list[Piece]) -> None:
        """Take some pieces; waits when the disk does not keep up."""
        packed: list[bytes] = []
        for name, content in pieces:
            if name != self._last:
                self._last, self._file = name, self._name_of(name)
                self.written += 1
            packed += piece_head(self._file, len(content)), content
        if packed:
            self._waiting.put(packed)

    def end(self) -> None:
        """Nothing more comes. What was written is flushed from now on, beside whatever the caller
        does before it puts the folder in place."""
        if not self._ended:
            self._ended = True
            self._waiting.put(None)

    def put_in_place(self, state: FolderState) -> None:
        """Wait until all files are flushed, and rename the folder. Raises FileFailed."""
        self.end()
        self._feeder.join()
        with zone_files_in(self._path):
            if self._failure is not None:
                raise self._failure
            state.write(self._fresh)
            self._fresh.rename(self._path)
            with opened_folder(self._path.parent) as parent:
                os.fsync(parent)

    def discard(self) -> None:
        """Throw away what was written."""
        self._writer.kill()
        self.end()
        self._feeder.join()
        shutil.rmtree(self._fresh, ignore_errors=True)

    def _feed(self) -> None:
        """Pass on what is taken, wait for the writer, and flush what it has written."""
        with self._writer as writer:
            self._pass_on()
            assert writer.stdout is not None
            said = writer.stdout.read()
        try:
            if self._writer.returncode != 0:
                raise self._failed(int(said) if said.strip().isdigit() else 0)
            with opened_folder(self._fresh) as folder:
                flush_file_system(folder)
            self._failure = None
        except OSError as error:
            self._failure = error

    def _failed(self, number: int = 0) -> OSError:
        reason = os.strerror(number) if number else "the process that writes it has failed"
        return OSError(number, reason, str(self._path))

    def _pass_on(self) -> None:
        """Pass on what is taken; when the writer is gone keep taking, so that nobody waits."""
        assert self._writer.stdin is not None
        broken = False
        with self._writer.stdin as pipe:
            while (packed := self._waiting.get()) is not None:
                if broken:
                    continue
                try:
                    filewriter.write_all(pipe.fileno(), b"".join(packed))
                except BrokenPipeError:
                    broken = True
