"""`syncd serve`: the daemon in a process of its own, until a signal ends it."""

import ctypes
import resource
import signal

import click
import trio

from syncd.server import Daemon
from syncd.store import Store

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE_BYTES = 64 * 1024
"""The size of the smallest block of a bootstrap."""
_SPARE_DESCRIPTORS = 128
"""For the listeners, the database, temporary files and the log."""


def serve_store(store: Store, host: str, port: int, max_sessions: int) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConnectionFailed if it cannot listen."""
    _give_large_buffers_back()
    _allow_descriptors(max_sessions + _SPARE_DESCRIPTORS)
    try:
        trio.run(_serve, store, host, port, max_sessions)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if not isinstance(error, KeyboardInterrupt):  # the usual way to end it
            raise error from None


def _give_large_buffers_back() -> None:
    """Have the C library return every large buffer to the system as soon as it is free.

    By itself glibc learns to keep them, for each thread: the 19 MiB of a password check, eight
    times over, for ever. And it gives each thread a heap of its own, which the blocks of some
    hundred bootstraps leave full of holes. Other C libraries have no such call and no such habit.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_ARENA_MAX, 1)


def _allow_descriptors(count: int) -> None:
    """Raise the soft limit of open files to `count`, as far as the hard limit lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _serve(store: Store, host: str, port: int, max_sessions: int) -> None:
    def ready(listeners: list[trio.SocketListener]) -> None:
        bound = listeners[0].socket.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"syncd is ready: syncd://{shown}:{bound}")

    async with trio.open_nursery() as nursery:

        async def end_on_signal() -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    nursery.cancel_scope.cancel()
                    return

        nursery.start_soon(end_on_signal)
        await Daemon(store, max_sessions=max_sessions).run(host, port, ready=ready)
