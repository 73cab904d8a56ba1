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
            raise DisconnectionError
