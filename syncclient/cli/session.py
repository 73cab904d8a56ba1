"""What every command of `syncclient` runs in: a session with a server, and its errors."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

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
