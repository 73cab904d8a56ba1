"""One synchronisation at a time on a replica's store: they share one batch.

The lock dies with its process or its connection, so none is ever left behind: on SQLite it is that
of a file beside the database, elsewhere the database's own advisory lock.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine, text

from syncd.errors import Busy, StoreError, file_failure

_LOCK_NUMBER = 0x73796E6364
"""`syncd`, as PostgreSQL's advisory locks are numbers; each database has its own."""
_TRY = {
    "postgresql": f"SELECT pg_try_advisory_lock({_LOCK_NUMBER})",
    "mariadb": "SELECT GET_LOCK(CONCAT('syncd ', MD5(DATABASE())), 0)",
}
_RELEASE = {
    "postgresql": f"SELECT pg_advisory_unlock({_LOCK_NUMBER})",
    "mariadb": "SELECT RELEASE_LOCK(CONCAT('syncd ', MD5(DATABASE())))",
}


@contextmanager
def sole_synchronisation(engine: Engine) -> Iterator[None]:
    """Hold the lock. Raises Busy if another process has it, FileFailed."""
    if engine.dialect.name == "sqlite":
        with _file_lock(f"{engine.url.database}-sync"):
            yield
    else:
        with _advisory_lock(engine):
            yield


@contextmanager
def _file_lock(path: str) -> Iterator[None]:
    try:
        file = open(path, "ab")  # noqa: SIM115 (what fails while it is open is not the file's)
    except OSError as error:
        raise file_failure(error) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy() from None
        yield


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    name = "mariadb" if engine.dialect.name == "mysql" else engine.dialect.name
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.execute(text(_TRY[name])).scalar():
            raise _busy()
        try:
            yield
        finally:
            with suppress(StoreError):  # the connection is gone, and the lock with it
                connection.execute(text(_RELEASE[name]))


def _busy() -> Busy:
    return Busy(
        "another bootstrap or resync is running on this store; wait for its end, or stop it"
    )
