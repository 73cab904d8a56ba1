"""What every command of `syncclient` is told about the server, as options."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from syncclient.access import Access
from syncclient.address import Address, parse_pin
from syncclient.tls import ClientTls
from syncd.errors import ConfigError

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
