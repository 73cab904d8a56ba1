"""`syncd serve`: the daemon in a process of its own, until a signal ends it."""

import signal

import click
import trio

from syncd.server import Daemon
from syncd.store import Store


def serve_store(store: Store, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConnectionFailed if it cannot listen."""
    try:
        trio.run(_serve, store, host, port)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if not isinstance(error, KeyboardInterrupt):  # the usual way to end it
            raise error from None


async def _serve(store: Store, host: str, port: int) -> None:
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
        await Daemon(store).run(host, port, ready=ready)
