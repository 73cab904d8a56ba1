"""What systemd hands over and wants to hear: sockets, readiness, the watchdog.

sd_listen_fds(3) and sd_notify(3). Outside of systemd all of it does nothing.
"""

import os
import socket
from collections.abc import MutableMapping

import trio

from syncd.errors import ConfigError
from syncd.logs import EventLog

_FIRST_FD = 3

log = EventLog("syncd.systemd")


def take_sockets(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """Return the listening sockets that were handed over, and forget them in the environment.

    Raises ConfigError for one that is no listening TCP socket.
    """
    pid, count = environment.pop("LISTEN_PID", ""), environment.pop("LISTEN_FDS", "0")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()):
        return []
    return [_listening_socket(_FIRST_FD + number) for number in range(int(count))]


def _listening_socket(descriptor: int) -> socket.socket:
    try:
        taken = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigError(f"LISTEN_FDS: descriptor {descriptor}: {error.strerror}") from None
    listens = taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if taken.family not in (socket.AF_INET, socket.AF_INET6) or not listens:
        taken.close()
        raise ConfigError(f"LISTEN_FDS: descriptor {descriptor} is no listening TCP socket")
    os.set_inheritable(descriptor, False)
    return taken


def notify(state: str) -> None:
    """Tell systemd a state, as READY=1. Nothing is told where nobody asked or listens any more."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect(address)
            sender.sendall(state.encode())
        except OSError as error:
            log.warning("notify_failed", state=state, socket=address, reason=error.strerror)


def watchdog_interval_s() -> float | None:
    """Return how often systemd wants WATCHDOG=1, halved so that one may be late; or None."""
    usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not usec.isdigit() or int(usec) == 0 or pid not in (None, str(os.getpid())):
        return None
    return int(usec) / 2_000_000


async def keep_watchdog() -> None:
    """Tell systemd that we are alive, as often as it wants to hear it."""
    interval_s = watchdog_interval_s()
    while interval_s is not None:
        notify("WATCHDOG=1")
        await trio.sleep(interval_s)
