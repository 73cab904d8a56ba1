"""Knot DNS's control socket, spoken directly: no process for each command, many zones by one.

knotd serves one connection at a time, knotc's too, so a connection is kept for one exchange and
never longer. A unit is its type (one octet) and its items, each a code, a length (two octets) and
text; a block of units is one command, and so is its answer. The first unit names the command, and
each further one a further zone, or record, that it is about.
"""

import struct
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from enum import IntEnum
from functools import lru_cache
from pathlib import Path

import trio

from syncclient.backends.step import Stage
from syncd.errors import ServerFailed, shown


class Item(IntEnum):
    """What an item of a unit says; libknot's `knot_ctl_idx_t`."""

    COMMAND = 0
    FLAGS = 1
    ERROR = 2
    SECTION = 3
    ITEM = 4
    ID = 5
    ZONE = 6
    OWNER = 7
    TTL = 8
    TYPE = 9
    DATA = 10
    FILTER = 11


Unit = Mapping[Item, str]

_ITEMS = {int(item): item for item in Item}

MAX_ITEM_BYTES = 0xFFFF
_SHOWN = frozenset((Item.ID, Item.ITEM, Item.ZONE, Item.OWNER, Item.TYPE, Item.DATA))
_END, _DATA, _EXTRA, _BLOCK = range(4)
_FIRST_ITEM = 16
_HEADER = struct.Struct(">BH")
_READ_BYTES = 256 * 1024
_KEPT_ITEMS = 256
"""Packed items that are kept: a zone's records have its name in common, and mostly one TTL."""
_BLOCK_BYTES = 64 * 1024
"""Of units that are sent as one block. As many errors fit into the socket, while nobody reads."""


class Control:
    """An open connection; see the module's top."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._waiting = b""

    async def ask(self, command: str, units: Iterable[Unit] = ({},)) -> list[Unit]:
        """Carry out a command on each unit; return the answer's units, errors among them.

        Raises OSError, trio.BrokenResourceError, EOFError.
        """
        answer: list[Unit] = []
        for block in _blocks(command, units):
            await self._stream.send_all(block)
            await self._receive(answer)
        return answer

    async def close(self) -> None:
        """Say that there is nothing more, so that knotd goes on to the next connection."""
        await self._stream.send_all(bytes([_END]))

    async def _receive(self, answer: list[Unit]) -> None:
        while True:
            units, rest, ended = unpacked(self._waiting)
            answer += units
            self._waiting = rest
            if ended:
                return
            more = bytes(await self._stream.receive_some(_READ_BYTES))
            if not more:
                raise EOFError
            self._waiting = rest + more


def _blocks(command: str, units: Iterable[Unit]) -> Iterator[bytes]:
    """Yield a command on some units as blocks to send."""
    block = bytearray()
    for unit in units:
        block.append(_DATA)
        if len(block) == 1:
            block += packed_item(Item.COMMAND, command)
        for item, text in unit.items():
            block += packed_item(item, text)
        if len(block) > _BLOCK_BYTES:
            block.append(_BLOCK)
            yield bytes(block)
            block = bytearray()
    if block:
        block.append(_BLOCK)
        yield bytes(block)


@lru_cache(_KEPT_ITEMS)
def packed_item(item: Item, text: str) -> bytes:
    """Return an item as it is sent. Raises ValueError if it is too long for the protocol."""
    content = text.encode("ascii", "surrogateescape")
    if len(content) > MAX_ITEM_BYTES or b"\0" in content:
        raise ValueError(f"{item.name}: {len(content)} octets, or a zero octet among them")
    return _HEADER.pack(_FIRST_ITEM + item, len(content)) + content


def unpacked(received: bytes) -> tuple[list[Unit], bytes, bool]:
    """Return the whole units that were received, the rest, and whether the block has ended.

    Raises EOFError if the other side says that it ends, or what it does not know.
    """
    units: list[Unit] = []
    start = 0
    """Where the unit begins that may not be whole yet."""
    unit: dict[Item, str] | None = None
    for at, code, text in _codes(received):
        if code < _FIRST_ITEM:
            if unit is not None:
                units.append(unit)
            unit, start = {}, at
            if code == _BLOCK:
                return units, received[at + 1 :], True
            if code not in (_DATA, _EXTRA):
                raise EOFError
        elif unit is None or (item := _ITEMS.get(code - _FIRST_ITEM)) is None:
            raise EOFError
        else:
            unit[item] = text
    return units, received[start:], False


def _codes(received: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield where each code stands, the code, and the text if it is that of an item."""
    at, end = 0, len(received)
    while at < end:
        code = received[at]
        if code < _FIRST_ITEM:
            yield at, code, ""
            at += 1
            continue
        if end - at < _HEADER.size:
            return
        _, length = _HEADER.unpack_from(received, at)
        text = received[at + _HEADER.size : at + _HEADER.size + length]
        if len(text) < length:
            return
        yield at, code, text.decode("ascii", "backslashreplace")
        at += _HEADER.size + length


def errors_of(answer: Iterable[Unit]) -> list[Unit]:
    """Return the units of an answer that say what was refused."""
    return [unit for unit in answer if Item.ERROR in unit]


def refusal_text(command: str, refused: Iterable[Unit]) -> str:
    """Return what knotd says of the first of some units that it refused."""
    unit = next(iter(refused))
    about = " ".join(text for item, text in unit.items() if item in _SHOWN)
    return shown(f"{command} {about}".strip() + f": {unit[Item.ERROR]}")


@asynccontextmanager
async def control(socket: Path, *, timeout_s: float, stage: Stage) -> AsyncIterator[Control]:
    """Give a connection for one exchange. Raises ServerFailed if knotd cannot be worked with, also
    if all of the block takes too long."""
    where = f"knotd's control socket {socket}"
    try:
        with trio.fail_after(timeout_s):
            async with await trio.open_unix_socket(socket) as stream:
                connection = Control(stream)
                yield connection
                await connection.close()
    except trio.TooSlowError:
        raise ServerFailed(stage.value, f"{where}: no answer in {timeout_s:g} s") from None
    except (EOFError, trio.BrokenResourceError):
        raise ServerFailed(stage.value, f"{where} was closed in the middle of an answer") from None
    except OSError as error:
        reason = shown(error.strerror or str(error))
        raise ServerFailed(
            stage.value, f"{where}: {reason}; is knotd running, and may this user write to it?"
        ) from None
