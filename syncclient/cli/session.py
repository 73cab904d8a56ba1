"""What every command of `syncclient` runs in: a session with a server, errors, progress."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import trio

from syncclient.access import Access
from syncclient.client import Client
from syncd.errors import SyncError

T = TypeVar("T")


def with_client(access: Access, work: Callable[[Client], Awaitable[T]]) -> T:
    """Dial, log in, do the work, and return its result; errors come out as SyncError."""
    password = access.password()

    async def session() -> T:
        async with Client.connect(access.address, password, tls=access.tls) as client:
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
