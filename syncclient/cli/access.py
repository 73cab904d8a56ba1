"""What every command of `syncclient` is told about the server: where it is, how it is known, and
where the password is. A password itself is never an argument: process lists show those.
"""

import getpass
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import IO, Any

import click

from syncclient.address import Address, parse_pin
from syncclient.tls import ClientTls
from syncd.errors import ConfigError, PasswordRequired

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
            return _from_file(self.password_file)
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


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if mode & 0o077:
                raise PasswordRequired(
                    f"{path} can be used by others (mode {mode:03o}); chmod 600 it, and take a new "
                    "password if it was read"
                )
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


_OPTIONS = (
    click.argument("url", metavar="URL"),
    click.option(
        "--password-file",
        type=click.Path(path_type=Path),
        help="File with the password, for its owner only; else SYNC_PASSWORD, else a prompt.",
    ),
    click.option("--password-fd", type=int, metavar="N", help="Read it from this open file."),
    click.option(
        "--ca", type=click.Path(path_type=Path), help="CA of the server, PEM; else the system's."
    ),
    click.option("--pin", metavar="sha256:HEX", help="The server's certificate, instead of a CA."),
    click.option(
        "--cert", type=click.Path(path_type=Path), help="Certificate to log in with, PEM."
    ),
    click.option(
        "--key", type=click.Path(path_type=Path), help="Its key, if not in the same file."
    ),
    click.option("--starttls", is_flag=True, help="Demand TLS on a loopback address too."),
    click.option(
        "--allow-clear-password", is_flag=True, help="Go on without TLS to other machines."
    ),
)


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add URL and the options above to a command; it gets them as one Access, `access`."""

    @wraps(command)
    def with_access(
        *,
        url: str,
        password_file: Path | None,
        password_fd: int | None,
        ca: Path | None,
        pin: str | None,
        cert: Path | None,
        key: Path | None,
        starttls: bool,
        allow_clear_password: bool,
        **others: Any,
    ) -> Any:
        if password_file is not None and password_fd is not None:
            raise click.UsageError("give --password-file or --password-fd, not both")
        address = Address.parse(url)
        if address.user is None and command.__name__ != "shell":
            raise ConfigError(f"{url}: say as whom to log in: syncd://USER@HOST:PORT")
        pin = None if pin is None else parse_pin(pin)
        tls = ClientTls(ca, pin, cert, key, starttls, allow_clear_password)
        return command(access=Access(address, tls, password_file, password_fd), **others)

    decorated: Callable[..., Any] = with_access
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
