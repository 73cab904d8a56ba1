"""What every command of `syncclient` begins with: the address, the password, the session."""

import getpass
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import trio

from syncclient.address import Address
from syncclient.client import Client
from syncd.errors import IllegalValue, PasswordRequired, SyncError

PASSWORD_VARIABLE = "SYNC_PASSWORD"

T = TypeVar("T")


def read_password(address: Address, password_file: Path | None) -> str:
    """Return the password from the file, SYNC_PASSWORD, or a prompt. Raises PasswordRequired."""
    if address.user is None:
        return ""
    if password_file is not None:
        try:
            return password_file.read_text().splitlines()[0]
        except (OSError, IndexError) as error:
            raise PasswordRequired(f"{password_file}: no password to be read: {error}") from None
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if not sys.stdin.isatty():
        raise PasswordRequired(
            f"no password for {address.user}: give --password-file or {PASSWORD_VARIABLE}"
        )
    return getpass.getpass(f"Password of {address.user} at {address.host}: ")


def with_client(url: str, password_file: Path | None, work: Callable[[Client], Awaitable[T]]) -> T:
    """Dial, log in, do the work, and return its result; errors come out as SyncError."""
    address = Address.parse(url)
    if address.user is None:
        raise IllegalValue(f"{url}: say as whom to log in: syncd://USER@HOST:PORT")
    password = read_password(address, password_file)

    async def session() -> T:
        async with Client.connect(address, password) as client:
            return await work(client)

    return run(session)


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run async work; of a group of errors the first that can be told is raised, or Ctrl-C."""

    async def awaited() -> T:
        return await work()

    try:
        return trio.run(awaited)
    except BaseExceptionGroup as group:
        for kind in (SyncError, KeyboardInterrupt, OSError):
            if (matched := group.subgroup(kind)) is not None:
                error: BaseException = matched
                while isinstance(error, BaseExceptionGroup):
                    error = error.exceptions[0]
                raise error from None
        raise


class ProgressBar:
    """A bar on a terminal for work that takes long; elsewhere nothing, the result says enough."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = sys.stderr.isatty()
        self._bar: Any = None
        self._done = 0

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is."""
        if not self._shown or not total:
            return
        if self._bar is None:
            self._bar = click.progressbar(
                length=total, label=self._label, file=sys.stderr, show_pos=True
            )
        self._bar.update(done - self._done)
        self._done = done

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.render_finish()
