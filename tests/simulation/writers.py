"""Writers far away: they put, patch, delete and freeze through the protocol, over streams that
fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import trio

from syncclient.client import Client
from syncd.errors import ConnectionFailed, Refused, SyncError
from tests.running import PASSWORD
from tests.simulation.disk import USER
from tests.simulation.model import Intent, Key, State
from tests.simulation.source import FILES, some_chunks

if TYPE_CHECKING:
    from tests.simulation.world import World

ADDRESS = f"syncd://{USER}@127.0.0.1:5040"
ZONES = [f"z{number}.test." for number in range(4)]
_HOSTS = 12
Work = Callable[[Client], Awaitable[None]]


async def write(world: World) -> None:
    """Write until the seed's turns are used up."""
    writer = _Writer(world)
    works: list[Work] = [
        writer.put_file, writer.put_zone, writer.put_zone, writer.patch, writer.patch,
        writer.delete, writer.freeze,
    ]  # fmt: skip
    while world.take_turn():
        try:
            async with Client.connect(ADDRESS, PASSWORD) as client:
                for _ in range(world.random.randint(1, 4)):
                    await trio.sleep(world.random.expovariate(0.4))
                    work = world.random.choice(works)
                    await _try(world, work, client)
        except ConnectionFailed:
            await trio.sleep(0.2)


async def _try(world: World, work: Work, client: Client) -> None:
    """Do one work; what a source may refuse at any time is no news."""
    with trio.move_on_after(60) as limit:
        try:
            await work(client)
            world.counts[work.__name__] += 1
        except Refused as error:
            world.trace("writer:", work.__name__, type(error).__name__)
            world.check(error.code < 600 and error.code != 510, f"{work.__name__}: {error}")
        except ConnectionFailed:
            raise
        except SyncError as error:
            if not world.faults.flip:
                world.fail(f"{work.__name__}: {type(error).__name__}: {error}")
            raise ConnectionFailed(str(error)) from None
    world.check(not limit.cancelled_caught, f"{work.__name__} takes more than a minute")


class _Writer:
    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random

    async def put_file(self, client: Client) -> None:
        key: Key = ("files", self._random.choice(FILES))
        content = b"".join(some_chunks(self._world))

        def intent(state: State) -> None:
            state[key] = content

        word = self._world.model.intend(intent)
        await client.put(*key, [content], comment=word)

    async def put_zone(self, client: Client) -> None:
        name = self._random.choice(ZONES)
        count = self._random.choice((0, 1, 5, _HOSTS))
        hosts = sorted(self._random.sample(range(_HOSTS), count))
        body = [_ns(name), *(_host(name, host, self._random.randrange(3)) for host in hosts)]
        serial = self._random.randrange(1, 40)
        word = self._world.model.intend(_put_zone_intent(name, serial, body))
        await client.put("zones", name, [_text(name, serial, body)], comment=word)

    async def patch(self, client: Client) -> None:
        name = self._random.choice(ZONES)
        content = self._world.model.head.get(("zones", name))
        if content is None:
            await self.put_zone(client)
            return
        serial, body = _read(content)
        host, old = self._random.randrange(_HOSTS), self._random.choice(body[1:] or [b""])
        fresh = _host(name, host, 3 + self._random.randrange(200))
        added = [line for line in body[1:] if _owner(line) == _owner(fresh)]
        removed = sorted({line for line in (old, *added) if line})

        def intent(state: State) -> None:
            present, lines = _read(state["zones", name])
            kept = [line for line in lines[1:] if line not in removed]
            fresh_body = [lines[0], *sorted({*kept, fresh})]
            state["zones", name] = _text(name, present + 1, fresh_body)

        word = self._world.model.intend(intent)
        diff = b"".join([b"-" + line for line in removed] + [b"+" + fresh])
        await client.patch("zones", name, [diff], serial=serial, comment=word)

    async def delete(self, client: Client) -> None:
        keys = sorted(key for key in self._world.model.head if key[0] != "users")
        if not keys:
            return
        key = self._random.choice(keys)

        def intent(state: State) -> None:
            del state[key]

        await client.delete(*key, comment=self._world.model.intend(intent))

    async def freeze(self, client: Client) -> None:
        await client.freeze(self._random.choice((0, 1)), self._random.choice((1, 5)))
        await trio.sleep(self._random.choice((0.1, 2.0)))
        if self._random.random() < 0.7:
            await client.release()
        else:
            await client.connection.aclose()
            raise ConnectionFailed("left without a word")


def _put_zone_intent(name: str, serial: int, body: list[bytes]) -> Intent:
    def intent(state: State) -> None:
        known = state.get(("zones", name))
        advanced = serial
        if known is not None and serial <= _read(known)[0]:
            advanced = _read(known)[0] + 1
        state["zones", name] = _text(name, advanced, body)

    return intent


def _text(zone: str, serial: int, body: list[bytes]) -> bytes:
    soa = f"{zone} 3600 IN SOA ns1.{zone} hostmaster.{zone} {serial} 7200 3600 1209600 3600\n"
    return soa.encode() + b"".join(body)


def _read(content: bytes) -> tuple[int, list[bytes]]:
    """Return a zone's serial, and its lines without the SOA."""
    soa, *body = content.splitlines(keepends=True)
    return int(soa.split(b" ")[6]), body


def _ns(zone: str) -> bytes:
    return f"{zone} 3600 IN NS ns1.{zone}\n".encode()


def _host(zone: str, host: int, octet: int) -> bytes:
    return f"h{host:02}.{zone} 3600 IN A 192.0.2.{octet}\n".encode()


def _owner(line: bytes) -> bytes:
    return line.split(b" ", 1)[0]
