"""What a database refuses, as a sentence that says what to do about it.

Nothing is half done after any of these: a transaction that fails leaves the store at the commit
before it.
"""

from syncd.errors import Busy, StoreError, SyncError

_ADVICE = {
    "SQLITE_FULL": "make room on its file system, then repeat; the store is as it was",
    "SQLITE_IOERR": "look at the disk (room, quota, errors in the system's log), then repeat; the "
    "store is as it was",
    "SQLITE_READONLY": "make the file and its folder writable for this user, then repeat",
    "SQLITE_CANTOPEN": "see that the folder is there and writable, and that file descriptors are "
    "left (ulimit -n)",
    "SQLITE_CORRUPT": "run `syncd fsck`; put a backup in its place, or bootstrap a replica anew",
}
"""By the beginning of the name of SQLite's error code."""
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED")


def failure_of(shown: str, error: BaseException | None) -> SyncError:
    """Return what a driver's error is here: Busy for a database that others keep locked, else
    StoreError.

    `shown` is the store's URL without its password.
    """
    name: str = getattr(error, "sqlite_errorname", "")
    if name.startswith(_LOCKED):
        return Busy(
            f"store {shown}: another process keeps it locked; nothing was changed, try again"
        )
    for beginning, advice in _ADVICE.items():
        if name.startswith(beginning):
            return StoreError(f"store {shown}: {error}; {advice}")
    return StoreError(f"store {shown}: {error}")
