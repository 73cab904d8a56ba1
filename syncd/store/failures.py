"""What a database refuses, as a sentence of one line that says what to do about it.

Nothing is half done after any of these: a transaction that fails leaves the store at the commit
before it.
"""

import errno

from syncd.errors import BrokenOff, Busy, StoreError, SyncError, file_failure

_LOCKED = frozenset({"55P03", 1205, "SQLITE_BUSY", "SQLITE_LOCKED"})
"""PostgreSQL's SQLSTATE, MariaDB's number or SQLite's name: a lock was not to be had in time."""
_TOO_LONG = frozenset({"57014", 1969})
"""A statement took longer than it may."""
_BROKEN_OFF = frozenset({"40001", "40P01", 1213, 1020})
"""A transaction was ended in favour of another: serialisation failure, deadlock."""

_NO_SOCKET = "connection is bad: no error details available"
"""What PostgreSQL's library says where it cannot even make one."""

_ADVICE: dict[str | int | None, str] = {
    **dict.fromkeys(
        ("SQLITE_FULL", "53100", 1114, 1021),  # 1114: `The table 'chunk' is full`
        "make room on its file system, then repeat; the store is as it was",
    ),
    "SQLITE_IOERR": "look at the disk (room, quota, errors in the system's log), then repeat; the "
    "store is as it was",
    "SQLITE_READONLY": "make the file and its folder writable for this user, then repeat",
    "SQLITE_CANTOPEN": "see that the folder is there and writable, and that file descriptors are "
    "left (ulimit -n)",
    **dict.fromkeys(
        (2002, 2003, 2006, 2013),  # no connection, or it was lost
        "see whether the database server runs, and what its log says",
    ),
    _NO_SOCKET: "see that the server runs, and that file descriptors are left (ulimit -n)",
    "SQLITE_CORRUPT": "run `syncd fsck`; put a backup in its place, or bootstrap a replica anew",
}
"""By SQLite's name of an error, PostgreSQL's SQLSTATE, MariaDB's number, or the reason."""


def failure_of(shown: str, error: BaseException | None) -> SyncError:
    """Return what a driver's error is here: Busy for a database that others keep locked, else
    StoreError.

    `shown` is the store's URL without its password.
    """
    number, reason = _read(error)
    reason = " ".join(reason.split()).rstrip(".")
    if isinstance(number, str) and number.startswith("SQLITE_"):
        number = "_".join(number.split("_")[:2])  # without the extended part
    if number in _LOCKED:
        return Busy(
            f"store {shown}: another process keeps it locked; nothing was changed, try again"
        )
    if number in _TOO_LONG:
        return Busy(f"store {shown}: the database took too long; nothing was changed, try again")
    if number in _BROKEN_OFF:
        return BrokenOff(
            f"store {shown}: the database preferred another transaction; nothing was changed, "
            "try again"
        )
    system = getattr(error, "original_exception", None)  # PyMySQL's, where it has one
    if isinstance(system, OSError) and system.errno in (errno.EMFILE, errno.ENFILE):
        reason = str(file_failure(system))
    advice = _ADVICE.get(number) or _ADVICE.get(reason)
    return StoreError(f"store {shown}: {reason}" + (f"; {advice}" if advice else ""))


def _read(error: BaseException | None) -> tuple[str | int | None, str]:
    """Return an error's number, as far as it has one, and its reason."""
    match error.args if error is not None else ():
        case int(number), str(reason):  # PyMySQL's
            return number, reason
    name = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    return name, str(error)
