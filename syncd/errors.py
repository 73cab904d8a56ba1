"""Every failure that this program names, as one tree.

SyncError
  Refused                 what a server answers with a 5xx line; `code` is that line's code
    TooBig  IllegalValue  NotLoggedIn  NotSupported  ShuttingDown  PasswordRequired
    AlreadyLoggedIn  HigherAccessRequired  TooManySessions  Busy  BrokenOff  Frozen
    Throttled  NoSuchUser  NoSuchObject  AlreadyExists  TokenLost  MovedOn  ReadOnly
    ViewGone  TlsRequired  InternalError
    InvalidContent        a file or zone that cannot be taken: says file, line, field, reason
  StoreError              the database cannot be used, or is not what it says
    ContentLost           a chunk that is missing or damaged: `syncd fsck` says which
  FileFailed              a file or folder of this machine cannot be read or written
  RemoteError             the other side broke the protocol, or its data is not what it says
    ProtocolViolation  VerificationFailed  NotTrusted  TransferFailed
  ConnectionFailed        nobody answers, or the connection ended early
  LargeChangeRefused      a guard on the replica stopped a suspiciously large change
  ServerFailed            the name server behind an agent, or one of its tools, cannot be used
  ConfigError             options or a configuration that cannot be used: says which, and why

`code` is what a server answers with, `exit_status` is what a command ends with.
"""

import errno
from typing import ClassVar

from syncd.protocol.codes import Code

_MAX_CHARACTERS = 1000


def shown(text: str) -> str:
    """Return a text that may quote what somebody else wrote, fit for a line of a log or reply.

    It is cut where it is long; characters that cannot be shown are written as escapes.
    """
    if len(text) > _MAX_CHARACTERS:
        text = f"{text[:_MAX_CHARACTERS]} ..."
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


class SyncError(Exception):
    """Root of the tree: `str()` of it is one sentence for the operator."""

    code: ClassVar[Code] = Code.ERROR
    exit_status: ClassVar[int] = 1


class Refused(SyncError):
    """A request that the server does not carry out."""

    exit_status = 6


class TooBig(Refused):
    """A line, body or list over its limit."""

    code = Code.TOO_BIG


class IllegalValue(Refused):
    """An argument that has no meaning here."""

    code = Code.ILLEGAL_VALUE


class InvalidContent(IllegalValue):
    """Content that its type refuses: where (file, line, field) and why.

    `path` and `line` are None where there is no such thing.
    """

    exit_status = 5

    def __init__(self, reason: str, *, path: str | None = None, line: int | None = None) -> None:
        reason = shown(reason)
        self.reason, self.path, self.line = reason, path, line
        where = ":".join(str(part) for part in (path, line) if part is not None)
        super().__init__(f"{where}: {reason}" if where else reason)


class NotLoggedIn(Refused):
    """A verb that needs a user first."""

    code = Code.NOT_LOGGED_IN
    exit_status = 4


class NotSupported(Refused):
    """A verb, action or option that this server does not know."""

    code = Code.NOT_SUPPORTED


class ShuttingDown(Refused):
    """The daemon is stopping and takes nothing new."""

    code = Code.SHUTTING_DOWN


class PasswordRequired(Refused):
    """The password is missing or wrong."""

    code = Code.PASSWORD_REQUIRED
    exit_status = 4


class AlreadyLoggedIn(Refused):
    """USER or PASS in a session that has a user already."""

    code = Code.ALREADY_LOGGED_IN


class HigherAccessRequired(Refused):
    """The user's role does not allow this."""

    code = Code.HIGHER_ACCESS_REQUIRED
    exit_status = 4


class TooManySessions(Refused):
    """No room for a further session."""

    code = Code.TOO_MANY_SESSIONS


class Busy(Refused):
    """Somebody else is at it; try again."""

    code = Code.BUSY


class BrokenOff(Busy):
    """The database ended a transaction in favour of another; it can be repeated."""


class Frozen(Busy):
    """The source stands still under SNGL; says for whom and until when."""


class Throttled(Busy):
    """Too many logins failed; says when the next one is looked at."""


class NoSuchUser(Refused):
    """A user name that is not in the store."""

    code = Code.NO_SUCH_USER
    exit_status = 4


class NoSuchObject(Refused):
    """A name that no object of the type has at this commit."""

    code = Code.NO_SUCH_OBJECT


class AlreadyExists(Refused):
    """A name that is taken."""

    code = Code.ALREADY_EXISTS


class TokenLost(Refused):
    """No delta can be given from this token: other epoch, below the floor, or never seen."""

    code = Code.TOKEN_LOST


class MovedOn(Refused):
    """The object is not at the stated digest or serial any more."""

    code = Code.MOVED_ON


class ReadOnly(Refused):
    """A write to a replica."""

    code = Code.READ_ONLY


class ViewGone(Refused):
    """The commit asked for is below the floor, or has not happened yet."""

    code = Code.VIEW_GONE


class TlsRequired(Refused):
    """A password that would cross the network in clear text."""

    code = Code.TLS_REQUIRED
    exit_status = 4


class InternalError(Refused):
    """The server failed at it, most often because of its database; it may work again later."""

    code = Code.INTERNAL_ERROR


class StoreError(SyncError):
    """The database cannot be opened, or its content contradicts itself."""

    code = Code.INTERNAL_ERROR
    exit_status = 8


class ContentLost(StoreError):
    """Content that the store should hold is missing, or is not what it was."""


class FileFailed(SyncError):
    """A file or folder of this machine cannot be read or written: which, why, what to do."""

    code = Code.INTERNAL_ERROR
    exit_status = 8


class RemoteError(SyncError):
    """The other side did something that protocol.md does not allow."""

    exit_status = 7


class ProtocolViolation(RemoteError):
    """Bytes that cannot be read as the protocol."""


class VerificationFailed(RemoteError):
    """Data that does not have the digest, count or fingerprint it should have."""


class NotTrusted(RemoteError):
    """The server's certificate is not that of the server that was meant."""


class TransferFailed(RemoteError):
    """A name server does not transfer a zone, or not in a way that can be taken: says why."""


class ConnectionFailed(SyncError):
    """Nobody answers at the address, or the connection ended before the answer did."""

    exit_status = 3


class LargeChangeRefused(SyncError):
    """A change that touches suspiciously many objects, not applied without being told to."""

    exit_status = 9


class ServerFailed(SyncError):
    """The name server behind an agent cannot be worked with: at which stage, and why in words."""

    exit_status = 11

    def __init__(self, stage: str, reason: str) -> None:
        self.stage, self.reason = stage, shown(reason)
        super().__init__(f"{stage}: {self.reason}")


class ConfigError(SyncError):
    """Options, a configuration, or files that they name, that cannot be used."""

    exit_status = 2


_ADVICE = {
    errno.ENOSPC: "make room on its file system, then repeat",
    errno.EDQUOT: "make room under the quota, then repeat",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), then repeat",
    errno.EROFS: "have its file system mounted for writing, then repeat",
    errno.EACCES: "give this user the right to it, then repeat",
    errno.EPERM: "give this user the right to it, then repeat",
    errno.EMFILE: "raise the limit on open files (ulimit -n), then repeat",
    errno.ENFILE: "raise the system's limit on open files, then repeat",
    errno.EIO: "look into the system's log for errors of the disk",
}


def file_failure(error: OSError) -> FileFailed:
    """Return what an error of the operating system is to the operator."""
    where = f"{error.filename}: " if error.filename is not None else ""
    advice = _ADVICE.get(error.errno or 0)
    said = error.strerror or str(error)
    return FileFailed(f"{where}{said}; {advice}" if advice else f"{where}{said}")


_BY_CODE: dict[int, type[Refused]] = {
    kind.code: kind
    for kind in (
        TooBig, IllegalValue, NotLoggedIn, NotSupported, ShuttingDown, PasswordRequired,
        AlreadyLoggedIn, HigherAccessRequired, TooManySessions, Busy, NoSuchUser, NoSuchObject,
        AlreadyExists, TokenLost, MovedOn, ReadOnly, ViewGone, TlsRequired,
        InternalError,
    )
}  # fmt: skip


def refusal(code: int, text: str) -> Refused:
    """Return the error that a server's 5xx line stands for, its text kept."""
    return _BY_CODE.get(code, Refused)(f"{code} {shown(text)}")
