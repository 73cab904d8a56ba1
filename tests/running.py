"""A daemon in a thread of the test's process, and what the source holds that it serves."""

import threading
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import trio
from sqlalchemy import update

from syncd.server import Daemon, Limits
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.store.schema import clock as clock_table
from syncd.types import Prepared, Present, Role, data_type

EPOCH = "5eed5eed5eed5eed"
NOON = 1_767_225_600
"""2026-01-01 00:00:00 UTC: when everything in the source was written."""
PASSWORD = "secret"
PASSWORD_HASH = (
    "$argon2id$v=19$m=8,t=1,p=1$c3luY2QgdGVzdCBzYWx0Lg$eGBxpx8h5d/krDRjXPj4fWW7kEkH+6pQWHHNqNm8OFc"
)
"""Of PASSWORD, with costs that no test has to wait for, and always the same."""
USER_OF_ROLE = {
    Role.READER: "bob",
    Role.REPLICA: "ns2",
    Role.OPERATOR: "alice",
    Role.ADMIN: "root",
}
EXAMPLE_COM = """\
example.com. 3600 IN SOA ns1.example.com. hostmaster.example.com. 1 7200 3600 1209600 3600
example.com. 3600 IN NS ns1.example.com.
example.com. 3600 IN NS ns2.example.com.
ns1.example.com. 3600 IN A 192.0.2.1
ns2.example.com. 3600 IN A 192.0.2.2
"""
EXAMPLE_NET = """\
example.net. 3600 IN SOA ns1.example.com. hostmaster.example.com. 1 7200 3600 1209600 3600
example.net. 3600 IN NS ns1.example.com.
"""


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = float(NOON)

    def __call__(self) -> float:
        return self.now


def put(store: Store, type_name: str, name: str, content: str | bytes, **options: str) -> None:
    """Put one object, as a commit of its own."""
    kind = data_type(type_name)
    data = content.encode() if isinstance(content, str) else content

    def make(present: Present | None) -> Prepared | None:
        return kind.settle(kind.prepare(name, BytesIO(data), options), present)

    store.write(type_name, name, make, author="test")


def fill_source(store: Store, clock: FixedClock) -> None:
    """Give a new store its known epoch, users, zones and file: commits 1 to 7."""
    store.now = clock
    with store.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(update(clock_table).values(epoch=EPOCH))
    for role, name in USER_OF_ROLE.items():
        put(store, "users", name, PASSWORD_HASH, role=role.label)
    put(store, "zones", "example.com.", EXAMPLE_COM)
    put(store, "zones", "example.net.", EXAMPLE_NET)
    put(store, "files", "etc/motd", "welcome\n")


def wait_until(true: Callable[[], object], for_s: float = 10.0) -> None:
    """Wait for something that is about to happen; fails if it does not."""
    end = time.monotonic() + for_s
    while not true():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.01)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return the events that were logged, a line each, with all of their fields."""
    return "\n".join(
        f"{record.getMessage()} {getattr(record, 'fields', {})}" for record in caplog.records
    )


class RunningDaemon:
    """A daemon that runs while the context lasts. Leaving it raises what ended the daemon early."""

    def __init__(self, store: Store, **options: Any) -> None:
        """`options` are those of Daemon, and limits."""
        own = {name: options.pop(name) for name in ("tls", "hide_user_names") if name in options}
        self._make = lambda: Daemon(store, Limits(**options), **own)
        self.host = "127.0.0.1"
        self.port = 0

    def __enter__(self) -> "RunningDaemon":
        self.restart()
        return self

    def restart(self) -> None:
        """Start a daemon; one that takes the place of another listens where that did."""
        self.daemon = self._make()
        self._listens = False
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)
        if not self._listens:
            raise RuntimeError("the daemon does not start") from self._error

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def address(self, user: str) -> str:
        """Where a client finds it, with the name of a user."""
        return f"syncd://{user}@{self.host}:{self.port}"

    def tls_address(self, user: str) -> str:
        """The same, where TLS begins with the first byte."""
        return f"syncds://{user}@{self.host}:{self.daemon.tls_port}"

    def stop(self) -> None:
        """End the daemon, as a signal would."""
        if self._thread.is_alive():
            self._token.run_sync_soon(self._scope.cancel)
            self._thread.join(10)
            if self._thread.is_alive():
                raise RuntimeError("the daemon does not end")
        if self._error is not None:
            raise RuntimeError("the daemon ended by itself") from self._error

    def drain(self) -> None:
        """Tell the daemon to stop, as the first signal does."""
        self._token.run_sync_soon(trio.lowlevel.spawn_system_task, self.daemon.stop)

    def _run(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # noqa: BLE001 (given to the test's thread)
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            await self.daemon.run(self.host, self.port, ready=self._take_port)

    def _take_port(self, listeners: list[trio.SocketListener]) -> None:
        self.port = listeners[0].socket.getsockname()[1]
        self._listens = True
        self._ready.set()
