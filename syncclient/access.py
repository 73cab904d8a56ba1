"""How a server is reached, and as whom: where it is, how it is known, and where the password is.

A password itself is never an argument: process lists show those.
"""

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from syncclient.address import Address
from syncclient.tls import ClientTls
from syncd.errors import PasswordRequired
from syncd.secretfiles import refuse_shared

PASSWORD_VARIABLE = "SYNC_PASSWORD"
_MAX_PASSWORD_BYTES = 16 * 1024
"""As long as a line of the protocol."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a server, and as whom."""

    address: Address
    tls: ClientTls
    password_file: Path | None = None
    password_fd: int | None = None

    def password(self) -> str:
        """Return the password from where it was said to be, SYNC_PASSWORD, or a prompt.

        Without a user it is empty; with a certificate too, if none is given. Raises
        PasswordRequired.
        """
        user = self.address.user
        if user is None:
            return ""
        if self.password_fd is not None:
            return _from_descriptor(self.password_fd)
        if self.password_file is not None:
            return password_from_file(self.password_file)
        if PASSWORD_VARIABLE in os.environ:
            return os.environ[PASSWORD_VARIABLE]
        if self.tls.cert_file is not None:
            return ""
        if not sys.stdin.isatty():
            raise PasswordRequired(
                f"no password for {user}: give --password-file, --password-fd or "
                f"{PASSWORD_VARIABLE}, or a client certificate with --cert"
            )
        return getpass.getpass(f"Password of {user} at {self.address.host}: ")


def _from_descriptor(number: int) -> str:
    try:
        with os.fdopen(number, "rb") as stream:
            return _first_line(stream, f"--password-fd {number}")
    except OSError as error:
        raise PasswordRequired(
            f"--password-fd {number}: no password to be read: {error.strerror}"
        ) from None


def password_from_file(path: Path) -> str:
    """Return the password that a file has in its first line, a file that nobody else can use.

    Raises PasswordRequired.
    """
    try:
        with path.open("rb") as stream:
            refuse_shared(path, "password", descriptor=stream.fileno(), error=PasswordRequired)
            return _first_line(stream, str(path))
    except OSError as error:
        raise PasswordRequired(f"{path}: no password to be read: {error.strerror}") from None


def _first_line(stream: IO[bytes], where: str) -> str:
    line = stream.readline(_MAX_PASSWORD_BYTES).rstrip(b"\r\n")
    if not line:
        raise PasswordRequired(f"{where}: no password to be read: its first line is empty")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise PasswordRequired(f"{where}: the password is not UTF-8") from None
