"""Streams in memory, between a source's listener and whoever dials it, that do what the seed says.

Bytes may come one by one or many writes at once, late or never; a connection may break at any byte,
in one direction only, or with a byte turned over inside a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from syncd.content import messages
from tests.simulation.constants import LARGEST_OBJECT_BYTES

if TYPE_CHECKING:
    from tests.simulation.world import World

_WINDOWS = (4096, 20_000, 100_000)
"""Bytes under way at once. No system gives less than the first: a greeting and a login cross each
other in it."""
_PIECES = (1, 7, 64, 700, 100_000)
"""Bytes that come in at once, at most."""
_IN_PIECES_BYTES = 120
"""How long a stream goes on in small pieces: each costs a turn of the scheduler."""


@dataclass(frozen=True)
class Faults:
    """What a seed may do to connections."""

    cut: float = 0.0
    """Share of connections that break somewhere."""
    delay: float = 0.0
    """Share of reads that wait."""
    flip: float = 0.0
    """Share of connections in which one byte of a block is another."""


class Pipe:
    """One direction of a connection."""

    def __init__(self, world: World, label: str) -> None:
        self.world = world
        self._label = label
        self._random = world.random
        self._held = bytearray()
        self._changed = trio.lowlevel.ParkingLot()
        self._window = world.random.choice(_WINDOWS) if world.faulty else _WINDOWS[-1]
        self._piece = world.random.choice(_PIECES) if world.faulty else _PIECES[-1]
        self._sent = self._received = 0
        self.cut_at: int | None = None
        self.half_close = False
        self.ended = False
        self.broken = False

    def end(self) -> None:
        """The sender closes: what is under way still arrives."""
        self.ended = True
        self._changed.unpark_all()

    def break_off(self, *, at_once: bool = True) -> None:
        """Nothing arrives any more, or only what is under way."""
        self.broken = True
        if at_once:
            self._held.clear()
        self._changed.unpark_all()

    async def send(self, data: bytes, other: Pipe) -> None:
        """Send all of `data`; waits while the window is full."""
        position = 0
        while position < len(data):
            await trio.lowlevel.checkpoint()
            if self.broken:
                raise trio.BrokenResourceError
            if self.ended:
                return  # half-closed underway: what is sent is lost, and the sender does not know
            room = self._window - len(self._held)
            if room <= 0:
                await self._changed.park()
                continue
            piece = data[position : position + room]
            if self.cut_at is not None and self._sent + len(piece) >= self.cut_at:
                piece = piece[: self.cut_at - self._sent]
                self._held += piece
                how = "half-closed" if self.half_close else "cut"
                self.world.trace(self._label, how)
                self.world.counts[how] += 1
                if self.half_close:
                    self.end()
                else:
                    self.break_off(at_once=self._random.random() < 0.3)
                    other.break_off()
                continue
            self._held += piece
            self._sent += len(piece)
            position += len(piece)
            self._changed.unpark_all()

    async def receive(self, limit: int) -> bytes:
        """Return some bytes; none at the end."""
        await trio.lowlevel.checkpoint()
        if self.world.faulty and self._random.random() < self.world.faults.delay:
            await trio.sleep(self._random.choice((0.001, 0.05, 0.4)))
        while not self._held:
            if self.broken:
                raise trio.BrokenResourceError
            if self.ended:
                return b""
            await self._changed.park()
        size = min(limit, len(self._held))
        if self._received < _IN_PIECES_BYTES:
            size = min(size, self._piece)
        if self.world.faulty and self._random.random() < 0.1:
            size = self._random.randint(1, size)
        data = bytes(self._held[:size])
        del self._held[:size]
        self._received += size
        self.world.trace(self._label, size, minor=True)
        self._changed.unpark_all()
        return data


class _Socket:
    def __init__(self, number: int) -> None:
        self._number = number

    def getpeername(self) -> tuple[str, int]:
        return "127.0.0.1", 40000 + self._number


class Stream(trio.abc.HalfCloseableStream):
    """One end of a connection."""

    def __init__(self, out: Pipe, back: Pipe, number: int, flipper: Flipper | None = None) -> None:
        self._world = out.world
        self._out = out
        self._back = back
        self._flipper = flipper
        self._closed = False
        self.socket = _Socket(number)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._closed:
            raise trio.ClosedResourceError
        sent = bytes(data)
        most = messages.BLOCK_BYTES + LARGEST_OBJECT_BYTES
        self._world.check(len(sent) <= most, f"{len(sent)} bytes are sent at once")
        await self._out.send(
            sent if self._flipper is None else self._flipper.pass_on(sent), self._back
        )

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self._out.end()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._closed:
            raise trio.ClosedResourceError
        return await self._back.receive(max_bytes or 65536)

    async def aclose(self) -> None:
        self._closed = True
        self._out.end()
        self._back.break_off()
        await trio.lowlevel.checkpoint()


class Flipper:
    """Turns over one bit of one byte that lies inside a block; lines go through as they are."""

    def __init__(self, world: World, after: int, bit: int) -> None:
        self._world = world
        self._left = after
        self._bit = bit
        self._line = bytearray()
        self._block = 0

    def pass_on(self, data: bytes) -> bytes:
        """Return what the other side is to see."""
        out = bytearray(data)
        for at, byte in enumerate(data):
            if self._block:
                self._block -= 1
                if self._left == 0:
                    out[at] ^= 1 << self._bit
                    self._world.counts["flipped"] += 1
                self._left -= 1
            elif byte == 0x0A:
                if self._line.startswith(b"600 "):
                    self._block = int(self._line[4:])
                self._line.clear()
            else:
                self._line.append(byte)
        return bytes(out)


class Listener(trio.abc.Listener[Stream]):
    """Where a source takes connections."""

    def __init__(self) -> None:
        self._send, self._receive = trio.open_memory_channel[Stream](100)

    async def accept(self) -> Stream:
        try:
            return await self._receive.receive()
        except trio.EndOfChannel:
            raise trio.ClosedResourceError from None

    async def aclose(self) -> None:
        self._send.close()
        await trio.lowlevel.checkpoint()

    def put(self, stream: Stream) -> None:
        """Have a connection come in. Raises trio.BrokenResourceError."""
        self._send.send_nowait(stream)


class Network:
    """Stands in for trio.open_tcp_listeners and trio.open_tcp_stream."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._listener: Listener | None = None
        self._pipes: list[Pipe] = []
        self._dialled = 0

    async def listen(self, port: int, **options: object) -> list[Listener]:
        """Begin to take connections."""
        await trio.lowlevel.checkpoint()
        self._listener = Listener()
        return [self._listener]

    def go_down(self) -> None:
        """The source's machine is gone, and every connection with it."""
        self._listener = None
        for pipe in self._pipes:
            pipe.break_off()
        self._pipes.clear()

    async def dial(self, host: str, port: int, **options: object) -> Stream:
        """Return a connection to the source. Raises OSError if it is down."""
        await trio.lowlevel.checkpoint()
        world, listener = self._world, self._listener
        if listener is None:
            raise ConnectionRefusedError("connection refused")
        self._dialled += 1
        number, chance = self._dialled, world.random
        up, down = Pipe(world, f"c{number}>"), Pipe(world, f"c{number}<")
        flipper = None
        if world.faulty and chance.random() < world.faults.cut:
            pipe = chance.choice((up, down, down))
            pipe.cut_at = chance.choice(
                (int(10 ** chance.uniform(0, 3.8)), chance.randint(60, 1500))
            )
            pipe.half_close = chance.random() < 0.3
        if world.faulty and chance.random() < world.faults.flip:
            after = chance.choice((int(10 ** chance.uniform(0, 3.5)), chance.randrange(1000)))
            flipper = Flipper(world, after, chance.randrange(8))
        self._pipes += (up, down)
        try:
            listener.put(Stream(down, up, number, flipper))
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.WouldBlock):
            raise ConnectionRefusedError("connection refused") from None
        return Stream(up, down, number)
