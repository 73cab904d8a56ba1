"""The file of a SQLite store may be moved away, and another put in its place, while it is open.

SQLite goes on with the file that it opened, so what is written then would be lost. Hence each time
a connection is taken from the pool, its file must still be the one of that name, and as writable as
it was; if not, the connection is made anew, and if there is no file, StoreError says so.
"""

import os
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

from syncd.errors import StoreError

_OPENED = "syncd_file"

FileMarks = tuple[tuple[int, int, int] | None, ...]


def marks_of(file: str) -> FileMarks:
    """Return what is another after every commit, whoever made it, for the price of two system
    calls: which files database and log are, how long, and when they were written.

    Two commits within one tick of the system's clock may look like one.
    """
    return _mark_of(file), _mark_of(f"{file}-wal")


def _mark_of(file: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None  # what is wrong is for whoever opens it to say
    return status.st_ino, status.st_size, status.st_mtime_ns


def watch_file(engine: Engine, file: str, shown: str) -> None:
    """Keep an engine's connections to the file that has the name `file` now."""

    def present() -> tuple[int, int, bool]:
        try:
            status = os.stat(file)
        except FileNotFoundError:
            raise StoreError(
                f"store {shown}: there is no such file (any more); put it back, nothing needs a "
                "restart"
            ) from None
        return status.st_dev, status.st_ino, os.access(file, os.W_OK)

    @event.listens_for(engine, "do_connect")
    def refuse_to_make_one(*_: Any) -> None:
        present()  # SQLite would make an empty file

    @event.listens_for(engine, "connect")
    def remember(connection: Any, record: Any) -> None:
        record.info[_OPENED] = present()

    @event.listens_for(engine, "checkout")
    def compare(connection: Any, record: Any, proxy: Any) -> None:
        if record.info[_OPENED] != present():
            # All that wait in the pool, too: as long as one of them has the log open for reading
            # only, SQLite has every other of this process share that.
            engine.pool.dispose()
            raise DisconnectionError
