"""One connection's bytes: the protocol's machine on a stream, with patience.

What comes in is asked for here and nowhere else, so every wait for a client has its bound.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import IO

import trio

from syncd.errors import TooBig
from syncd.protocol.codes import Code
from syncd.protocol.connection import ServerConnection
from syncd.protocol.events import BadLine, Body, BodyEnd, ClientSaid
from syncd.protocol.states import State
from syncd.server.limits import Limits
from syncd.server.patience import Bound, Farewell, Patience
from syncd.server.transport import say_farewell

_RECEIVE_BYTES = 64 * 1024
_SPOOL_BYTES = 1024 * 1024
"""A body is held in memory up to here, then in a temporary file."""
_READ_AHEAD_BYTES = 64 * 1024
"""What a client may send ahead while its SNGL waits, and its leaving is still noticed."""


class ConnectionLost(Exception):
    """The client went away; nothing is to be answered."""


class Channel(ABC):
    """What a session reads from and writes to."""

    def __init__(self, stream: trio.abc.Stream, limits: Limits) -> None:
        self.last_code = 0
        self.bytes_received = 0
        self.bytes_sent = 0
        self._limits = limits
        self._stream = stream
        self._connection = ServerConnection()
        self._patience = Patience(limits)
        self._waiting: trio.CancelScope | None = None
        self._may_notify = trio.Event()
        self._sending = trio.Lock()

    @abstractmethod
    def _command_bound(self) -> Bound:
        """Return by when the next command has to come."""

    @abstractmethod
    def _check_waiting(self) -> None:
        """Raise Farewell if no command is to be waited for any more."""

    # Out

    def reply(self, code: int, text: str = "") -> None:
        """Queue a reply line."""
        self.last_code = code
        self._connection.send_reply(code, text)

    def reply_nothing(self) -> None:
        """Answer nothing (QNOP)."""
        self._connection.send_silence()

    async def flush(self) -> None:
        """Send what is queued, in one write."""
        async with self._sending:
            data = self._connection.data_to_send()
            if data:
                await self._stream.send_all(data)
                self.bytes_sent += len(data)

    async def _say_farewell(self, farewell: Farewell) -> None:
        self._connection.send_farewell(farewell.code, farewell.text)
        async with self._sending:
            await say_farewell(self._stream, self._connection.data_to_send())

    # In

    async def _next_event(self) -> ClientSaid:
        while True:
            event = self._connection.next_event()
            if event is not None:
                return event
            if self._connection.state is State.COMMAND:
                self._may_notify.set()
            data = await self._receive()
            if self._connection.state is State.COMMAND:
                self._may_notify = trio.Event()
            if data:
                self._connection.receive_data(data)
            else:
                self._connection.receive_eof()

    async def _receive(self) -> bytes:
        """Return what the client sends next, b"" at its end. Raises Farewell if it takes too
        long."""
        while True:
            bound = self._bound()
            if bound.at <= trio.current_time():
                raise Farewell(bound.limit, bound.code, bound.text)
            with trio.CancelScope(deadline=bound.at) as self._waiting:
                data = bytes(await self._stream.receive_some(_RECEIVE_BYTES))
                self.bytes_received += len(data)
                self._patience.received(len(data))
                return data
            if self._connection.state is State.COMMAND:
                self._check_waiting()

    def _bound(self) -> Bound:
        if self._connection.state is State.COMMAND:
            return self._command_bound()
        return self._patience.for_body()

    def look_again(self) -> None:
        """Have a session that waits for a command look whether it may go on waiting."""
        if self._waiting is not None and self._connection.state is State.COMMAND:
            self._waiting.cancel()

    async def left(self) -> None:
        """Return once the client has ended the connection, or its side of it.

        What it sends meanwhile waits its turn; it may be so much that the end is not seen any more.
        """
        ahead_bytes = 0
        while ahead_bytes < _READ_AHEAD_BYTES:
            try:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                self._connection.receive_eof()
                return
            ahead_bytes += len(data)
            self._connection.receive_data(bytes(data))
        await trio.sleep_forever()

    # Bodies

    @asynccontextmanager
    async def body(self, size_bytes: int | None) -> AsyncIterator[IO[bytes]]:
        """Ask for a body: a counted block, or a listing if `size_bytes` is None; give it as a file.

        Raises TooBig. The body is read to its end before the block of the context begins, also when
        it is refused.
        """
        limit_bytes = self._limits.max_body_bytes
        if size_bytes is not None and size_bytes > limit_bytes:
            raise TooBig(f"size={size_bytes}: at most {limit_bytes} bytes are taken")
        if size_bytes is None:
            self.reply(Code.SEND_LISTING, "send lines, end with 000")
        else:
            self._connection.ask_block(size_bytes)
        await self.flush()
        with SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            received = 0

            def take(data: bytes) -> None:
                nonlocal received
                received += len(data)
                if received <= limit_bytes:
                    spool.write(data)

            await self._read_body(take)
            if received > limit_bytes:
                raise TooBig(f"at most {limit_bytes} bytes are taken")
            spool.seek(0)
            yield spool

    async def _read_body(self, take: Callable[[bytes], object]) -> None:
        """Read the body that is under way to its end; then raise TooBig if a line of it was too
        long.

        Raises Farewell for one that is over twice its limit: it may never end.
        """
        self._patience.body_began()
        most_bytes = 2 * self._limits.max_body_bytes
        while True:
            match await self._next_event():
                case Body(data):
                    take(data)
                    most_bytes -= len(data)
                    if most_bytes < 0:
                        raise Farewell("max_body_bytes", Code.TOO_BIG, "the body does not end")
                case BodyEnd(None):
                    return
                case BodyEnd(BadLine(reason=reason)):
                    raise TooBig(reason)
                case _:
                    raise ConnectionLost
