"""A source and a client in one process, on a stream in memory that can be cut, counted and lied
on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import trio
import trio.testing

from syncclient.client import Client
from syncclient.connection import Connection
from syncclient.replica import Outcome, Replica
from syncd.server import Daemon
from syncd.store import Store
from syncd.types import Role
from tests.running import PASSWORD, PASSWORD_HASH, put
from tests.store.objects import new_store as new_store  # handed on

T = TypeVar("T")

ADMIN = "root"
SOURCE = "syncd://root@source:5040"

Tamper = Callable[[str, bytes], bytes]
"""Gets each line ("line") and each block ("block") of a server, returns what the client is to
see."""


def add_user(store: Store, role: Role = Role.ADMIN, name: str = ADMIN) -> None:
    """Without a user, nobody can log in to a source."""
    put(store, "users", name, PASSWORD_HASH, role=role.label)


class _Socket:
    def getpeername(self) -> tuple[str, int]:
        return "127.0.0.1", 40000


class _Stream(trio.abc.Stream):
    """A stream on another one."""

    def __init__(self, inner: trio.abc.Stream) -> None:
        self.inner = inner
        self.socket = _Socket()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.inner.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.inner.aclose()


class CutStream(_Stream):
    """The connection is gone once so many bytes have come in."""

    def __init__(self, inner: trio.abc.Stream, after_bytes: int, *, broken: bool = False) -> None:
        super().__init__(inner)
        self._left = after_bytes
        self._broken = broken

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if self._left <= 0:
            if self._broken:
                raise trio.BrokenResourceError
            return b""
        data = await self.inner.receive_some(min(max_bytes or self._left, self._left))
        self._left -= len(data)
        return data


class LyingStream(_Stream):
    """What a server says comes out as `tamper` wants it."""

    def __init__(self, inner: trio.abc.Stream, tamper: Tamper) -> None:
        super().__init__(inner)
        self._tamper = tamper
        self._held = bytearray()
        self._block_bytes: int | None = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        while True:
            if out := self._take():
                return out
            data = await self.inner.receive_some(max_bytes)
            if not data:
                return b""
            self._held += data

    def _take(self) -> bytes:
        """Return as much as is complete; a block is announced by the size that it has in the
        end."""
        out = b""
        while True:
            if self._block_bytes is not None:
                if len(self._held) < self._block_bytes:
                    return out
                block = self._tamper("block", bytes(self._held[: self._block_bytes]))
                del self._held[: self._block_bytes]
                self._block_bytes = None
                out += self._tamper("line", b"600 %d\n" % len(block)) + block
                continue
            end = self._held.find(b"\n")
            if end < 0:
                return out
            line = bytes(self._held[: end + 1])
            del self._held[: end + 1]
            if line.startswith(b"600 "):
                self._block_bytes = int(line[4:])
            else:
                out += self._tamper("line", line)


@dataclass
class Link:
    """How a client is connected to a source: `wrap` gets the client's end of the stream."""

    source: Store
    user: str = ADMIN
    wrap: Callable[[trio.abc.Stream], trio.abc.Stream] = field(default=lambda stream: stream)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        daemon = Daemon(self.source)
        ours, theirs = trio.testing.memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.serve, _Stream(theirs))
            client = Client(Connection(self.wrap(ours), "source"), self.user, PASSWORD)
            try:
                yield client
            finally:
                with trio.CancelScope(shield=True):
                    await client.connection.aclose()
                nursery.cancel_scope.cancel()


def synchronise(
    source: Store,
    replica: Store,
    *,
    wrap: Callable[[trio.abc.Stream], trio.abc.Stream] = lambda stream: stream,
    user: str = ADMIN,
    types: str | None = None,
    allow_large_change: bool = False,
) -> Outcome:
    """Bring a replica to its source, as `syncclient resync` would."""

    async def work() -> Outcome:
        async with Link(source, user, wrap).client() as client:
            return await Replica(
                replica,
                client,
                source=SOURCE,
                types=types,
                allow_large_change=allow_large_change,
            ).synchronise()

    return in_trio(work)


def in_trio(work: Callable[[], Awaitable[T]]) -> T:
    """Run async work; what fails in its tasks comes out as the one error it is."""

    async def awaited() -> T:
        return await work()

    try:
        return trio.run(awaited)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            (error,) = error.exceptions
        raise error from None
