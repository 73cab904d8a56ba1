"""What an agent takes for the proof that its name server answers what it should."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio

from syncclient.backends import ServerSettings
from syncclient.backends.files import Files, FilesSettings
from syncclient.follow.confirming import Confirmer
from syncd.errors import ServerFailed

ZONE = "example.com."


class ScriptedServer:
    """Answers the SOA of one zone with `serial`; None: it refuses; says nothing if `silent`."""

    def __init__(self) -> None:
        self.serial: int | None = 1
        self.silent = False
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as udp:
            await udp.bind(("127.0.0.1", 0))
            self.port = udp.getsockname()[1]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._answer, udp)
                yield
                nursery.cancel_scope.cancel()

    async def _answer(self, udp: trio.socket.SocketType) -> None:
        while True:
            data, peer = await udp.recvfrom(4096)
            question = dns.message.from_wire(data)
            reply = dns.message.make_response(question)
            reply.flags |= dns.flags.AA
            if self.silent and question.question[0].name.to_text() == ZONE:
                continue
            if self.serial is None:
                reply.set_rcode(dns.rcode.REFUSED)
            else:
                soa = f"ns1.{ZONE} host.{ZONE} {self.serial} 1 1 1 1"
                name = question.question[0].name
                reply.answer.append(dns.rrset.from_text(name, 60, "IN", "SOA", soa))
            await udp.sendto(reply.to_wire(), peer)


class NudgedBackend(Files):
    """Remembers that it was nudged, and has the server answer serial 2 from then on."""

    def __init__(self, server: ScriptedServer, folder: Path) -> None:
        settings = ServerSettings(address=f"127.0.0.1:{server.port}", confirm_s=2.0)
        super().__init__(FilesSettings(), settings, folder)
        self._scripted = server
        self.nudged: list[str] = []

    async def nudge(self, zones: Collection[str]) -> None:
        self.nudged += zones
        self._scripted.serial = 2


def test_a_server_that_goes_on_with_an_old_answer_is_nudged(tmp_path: Path) -> None:
    async def wait() -> None:
        server = ScriptedServer()
        async with server.running():
            backend = NudgedBackend(server, tmp_path)
            assert await Confirmer(backend).wait_for({ZONE: 2}) == {}
            assert backend.nudged == [ZONE]

    trio.run(wait)


def test_a_zone_is_gone_when_the_server_says_so(tmp_path: Path) -> None:
    async def wait() -> None:
        server = ScriptedServer()
        server.serial = None
        async with server.running():
            assert await Confirmer(NudgedBackend(server, tmp_path)).wait_for({ZONE: None}) == {}

    trio.run(wait)


def test_silence_about_a_zone_does_not_mean_that_it_is_gone(tmp_path: Path) -> None:
    async def wait() -> None:
        server = ScriptedServer()
        server.silent = True
        async with server.running():
            confirmer = Confirmer(NudgedBackend(server, tmp_path))
            assert await confirmer.serials([ZONE, "other.example."]) == {"other.example.": 1}
            with pytest.raises(ServerFailed):
                await confirmer.wait_for({ZONE: None})

    trio.run(wait)


def test_a_server_that_is_not_there_fails_the_step(tmp_path: Path) -> None:
    async def wait() -> None:
        server = ScriptedServer()
        async with server.running():
            backend = NudgedBackend(server, tmp_path)
        with pytest.raises(ServerFailed, match=r"\[server\] address"):
            await Confirmer(backend).wait_for({ZONE: 1})

    trio.run(wait)
