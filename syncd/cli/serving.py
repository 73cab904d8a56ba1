"""`syncd serve`: the daemon in a process of its own, until a signal ends it.

The first SIGTERM or SIGINT drains the sessions, a second one ends them at once; either way the exit
status is 0. A thread that still works for one of them then is not waited for long: what it was
writing never becomes visible. SIGHUP has the certificate read again. systemd is told when it is
ready, that it is alive, and that it stops.
"""

import ctypes
import os
import resource
import signal
import socket
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio

from syncd import __version__
from syncd.errors import ConfigError
from syncd.logs import EventLog, set_up_logging
from syncd.output import say
from syncd.server import Config, Daemon
from syncd.server.folderwatch import FolderWatch
from syncd.store import Store
from syncd.store.clock import CLOCKS_APART_S
from syncd.systemd import keep_watchdog, notify, take_sockets

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE_BYTES = 64 * 1024
"""The size of the smallest block of a bootstrap."""
_SPARE_FILES = 256
"""Descriptors beside those of sessions: database, temporary files, the program itself."""

_THREADS_S = 2.0
"""How long threads are waited for when all sessions have ended; nothing can end one."""

log = EventLog("syncd.daemon")


_OPTIONS = {
    "store_url": ("store", "url"),
    "host": ("listen", "host"),
    "port": ("listen", "port"),
    "max_sessions": ("limits", "max_sessions"),
    "tls_cert": ("tls", "cert_file"),
    "tls_key": ("tls", "key_file"),
    "tls_listen": ("tls", "listen"),
    "tls_client_ca": ("tls", "client_ca_file"),
    "allow_clear_passwords": ("tls", "allow_clear_passwords"),
    "hide_user_names": ("login", "hide_user_names"),
    "log_level": ("log", "level"),
    "log_format": ("log", "format"),
}
"""Options of the command line, and the section and key that each stands for."""


def read_config(file: Path | None, **options: Any) -> Config:
    """Return the file's configuration with what the command line says in its place."""
    config = Config() if file is None else Config.load(file)
    for option, value in options.items():
        if value is not None and value is not False:
            section, key = _OPTIONS[option]
            changed: Any = replace(getattr(config, section), **{key: value})
            config = replace(config, **{section: changed})
    return config


def serve_store(config: Config) -> None:
    """Serve until SIGINT or SIGTERM. Raises ConnectionFailed if it cannot listen, ConfigError."""
    set_up_logging(config.log.level, config.log.format)
    give_large_buffers_back()
    _allow_files(config.limits.max_sessions + _SPARE_FILES)
    sockets = take_sockets()
    with Store.open(config.store.url) as store:
        try:
            trio.run(_serve, store, config, sockets)
        except BaseExceptionGroup as group:
            error: BaseException = group
            while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
                error = error.exceptions[0]
            raise error from None
    log.info("stopped")


def give_large_buffers_back() -> None:
    """Have the C library return every large buffer to the system as soon as it is free.

    By itself glibc learns to keep them, for each thread: the 19 MiB of a password check, eight
    times over, for ever. And it gives each thread a heap of its own, which the blocks of some
    hundred bootstraps leave full of holes. Other C libraries have no such call and no such habit.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_ARENA_MAX, 1)


def _warn_of_clocks(store: Store) -> None:
    ahead_s = store.clock_is_ahead_s()
    if abs(ahead_s) > CLOCKS_APART_S:
        log.warning("clocks_differ", ahead_s=round(ahead_s), text="of the database's machine; set "
                    "the clocks right, freezes and reports go by them")  # fmt: skip


async def _serve(store: Store, config: Config, sockets: list[socket.socket]) -> None:
    _warn_of_clocks(store)
    daemon = Daemon(
        store,
        config.limits,
        tls=config.tls,
        hide_user_names=config.login.hide_user_names,
        slow_command_s=config.log.slow_command_s,
    )
    listen = config.listen

    def ready(listeners: list[trio.SocketListener]) -> None:
        addresses = [_address(listener) for listener in listeners]
        log.info(
            "started", version=__version__, listen=",".join(addresses), token=store.clock().token
        )
        shown = addresses[0] if sockets else f"{_bracketed(listen.host)}:{_port(listeners[0])}"
        say(f"syncd is ready: syncd://{shown}")
        if (tls_address := config.tls.listen_address()) is not None:
            say(f"syncd is ready: syncds://{_bracketed(tls_address[0])}:{daemon.tls_port}")
        notify("READY=1")
        nursery.start_soon(keep_watchdog)

    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_heed_signals, daemon, signals, nursery.cancel_scope)
            if config.ingest.folder.path:
                nursery.start_soon(FolderWatch(daemon, config.ingest.folder).run)
            host = None if listen.host == "*" else listen.host
            await daemon.run(host, listen.port, sockets=sockets, ready=ready)
            nursery.cancel_scope.cancel()


async def _heed_signals(
    daemon: Daemon, signals: AsyncIterator[int], scope: trio.CancelScope
) -> None:
    async with trio.open_nursery() as nursery:
        async for number in signals:
            log.info("signal", name=signal.Signals(number).name)
            if number == signal.SIGHUP:
                _reload(daemon)
                continue
            if daemon.stopping:
                _end_in_any_case()
                scope.cancel()
                return
            notify("STOPPING=1")
            nursery.start_soon(_stop, daemon)


async def _stop(daemon: Daemon) -> None:
    await daemon.stop()
    _end_in_any_case()


def _end_in_any_case() -> None:
    """End the process before long, also while a thread works: the database undoes what it has not
    committed."""

    def end() -> None:
        log.warning("cut_off", text="a thread still worked for a session; its write is undone")
        os._exit(0)

    timer = threading.Timer(_THREADS_S, end)
    timer.daemon = True
    timer.start()


def _reload(daemon: Daemon) -> None:
    if not daemon.tls.offered:
        return
    try:
        daemon.tls.reload()
    except ConfigError as error:
        log.error("certificate_not_read", reason=error, text="the one in use stays")
    else:
        log.info("certificate_read")


def _allow_files(needed: int) -> None:
    """Raise the soft limit of open files as far as the sessions need it and it may be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):  # a sandbox may forbid even that: EPERM comes as ValueError
        allowed = soft
    if allowed < needed:
        log.warning("few_files", may_open=allowed, needed=needed)


def _address(listener: trio.SocketListener) -> str:
    return f"{_bracketed(listener.socket.getsockname()[0])}:{_port(listener)}"


def _port(listener: trio.SocketListener) -> int:
    number: int = listener.socket.getsockname()[1]
    return number


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
