"""Tasks that run at once, and fail as one: with an error, not with a group of them."""

from collections.abc import Awaitable, Callable

import trio


async def together(*tasks: Callable[[], Awaitable[None]]) -> None:
    """Run tasks at once, until all have ended.

    One that fails has the others cancelled, and its error is raised: whoever waits for SyncError
    would not catch a group that holds one.
    """
    try:
        async with trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None
