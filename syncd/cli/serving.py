"""`syncd serve`: the daemon in a process of its own, until a signal ends it.

SIGHUP has it read its certificate again."""

import logging
import signal

import click
import trio

from syncd.errors import SettingsError
from syncd.server import Daemon
from syncd.server.tls import TlsSettings
from syncd.store import Store

log = logging.getLogger("syncd.daemon")


def serve_store(
    store: Store, host: str, port: int, *, tls: TlsSettings, hide_user_names: bool
) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConnectionFailed, SettingsError."""
    try:
        trio.run(_serve, store, host, port, tls, hide_user_names)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if not isinstance(error, KeyboardInterrupt):  # the usual way to end it
            raise error from None


async def _serve(
    store: Store, host: str, port: int, tls: TlsSettings, hide_user_names: bool
) -> None:
    daemon = Daemon(store, tls=tls, hide_user_names=hide_user_names)

    def ready(listeners: list[trio.SocketListener]) -> None:
        bound = listeners[0].socket.getsockname()[1]
        click.echo(f"syncd is ready: syncd://{_shown(host)}:{bound}")
        if (tls_address := tls.listen_address()) is not None:
            click.echo(f"syncd is ready: syncds://{_shown(tls_address[0])}:{daemon.tls_port}")

    async with trio.open_nursery() as nursery:

        async def heed_signals() -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
                async for number in signals:
                    if number != signal.SIGHUP:
                        nursery.cancel_scope.cancel()
                        return
                    _reload(daemon)

        nursery.start_soon(heed_signals)
        await daemon.run(host, port, ready=ready)


def _reload(daemon: Daemon) -> None:
    try:
        daemon.tls.reload()
    except SettingsError as error:
        log.error("the certificate in use stays: %s", error)  # noqa: TRY400 (a trace says no more)
    else:
        log.info("the certificate was read again")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
