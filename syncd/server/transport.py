"""The socket of a session, with what keeps its other side from costing too much.

A client that does not take what it is sent ends its session (`stall_s`), and one that vanished is
noticed by TCP keep-alive.
"""

from ipaddress import ip_network

import trio

from syncd.keepalive import keep_alive
from syncd.protocol.addresses import network_of, plain_address
from syncd.server.limits import (
    FAREWELL_BYTES,
    FAREWELL_S,
    STEP_BYTES,
    Limits,
)


class StalledError(trio.BrokenResourceError):
    """The other side does not take what it is sent."""


class GuardedStream(trio.abc.HalfCloseableStream):
    """A stream, of TCP but in tests, of which each 64 KiB must be taken within `stall_s`."""

    def __init__(self, stream: trio.abc.Stream, stall_s: float) -> None:
        self._stream = stream
        self._stall_s = stall_s
        if isinstance(stream, trio.SocketStream):
            keep_alive(stream)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`. Raises StalledError, BrokenResourceError."""
        with memoryview(data) as view:
            for at in range(0, len(view), STEP_BYTES):
                with trio.move_on_after(self._stall_s) as patience:
                    await self._stream.send_all(view[at : at + STEP_BYTES])
                if patience.cancelled_caught:
                    raise StalledError(f"the client took no 64 KiB within {self._stall_s:g} s")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room to send."""
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """End this side, where the stream can."""
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            await self._stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Return what came, b"" at the end."""
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close the socket."""
        await self._stream.aclose()


async def say_farewell(stream: trio.abc.Stream, data: bytes) -> None:
    """Send last words and let the client read them: closing at once may lose them."""
    try:
        with trio.move_on_after(FAREWELL_S):
            await stream.send_all(data)
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
            left_bytes = FAREWELL_BYTES
            while left_bytes > 0 and (came := len(await stream.receive_some(STEP_BYTES))):
                left_bytes -= came
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return  # it is gone already


class AddressCount:
    """Counts sessions by address, and says when one has too many."""

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.max_sessions_per_address
        self._uncounted = [ip_network(network) for network in limits.uncounted_networks]
        self._sessions: dict[str, int] = {}

    def is_full(self, host: str) -> bool:
        """Say whether an address has all the sessions that it may have."""
        key = self._key(host)
        return key is not None and self._sessions.get(key, 0) >= self._limit

    def add(self, host: str) -> None:
        """Take note that a session of an address begins."""
        if (key := self._key(host)) is not None:
            self._sessions[key] = self._sessions.get(key, 0) + 1

    def remove(self, host: str) -> None:
        """Take note that it ended."""
        if (key := self._key(host)) is not None:
            self._sessions[key] -= 1
            if not self._sessions[key]:
                del self._sessions[key]

    def _key(self, host: str) -> str | None:
        """Return what an address is counted under; None if it is not counted."""
        address = plain_address(host)
        if address is None or any(address in network for network in self._uncounted):
            return None
        return network_of(host)
