"""A name server that answers as a test wants it to: rightly, wrongly, late, or not at all."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import trio

from syncclient.dns import DnsServer

Reply = bytes | tuple[float, bytes]
"""A datagram to send, or (seconds to wait before, datagram)."""
Script = Callable[[dns.message.Message, int], Sequence[Reply]]
"""What to answer to a query; the number says the how manyth time it comes, from 1 on."""

_NOTHING: Sequence[Reply] = ()


@dataclass
class Scripted:
    """What came in: `times` are those of trio's clock."""

    server: DnsServer
    questions: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def scripted(over_udp: Script, over_tcp: Script | None = None) -> AsyncIterator[Scripted]:
    """Run a server on loopback while the block lasts; without `over_tcp` TCP is closed."""
    udp = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
    await udp.bind(("127.0.0.1", 0))
    port = udp.getsockname()[1]
    seen = Scripted(DnsServer("127.0.0.1", port))
    counts: dict[tuple[str, str], int] = {}

    async def answer(
        wire: bytes, script: Script, transport: str, send: Callable[[bytes], Awaitable[object]]
    ) -> None:
        query = dns.message.from_wire(wire)
        asked = str(query.question[0])
        counts[transport, asked] = counts.get((transport, asked), 0) + 1
        for reply in script(query, counts[transport, asked]):
            delay_s, data = reply if isinstance(reply, tuple) else (0.0, reply)
            if delay_s:
                await trio.sleep(delay_s)
            await send(data)

    async def serve_udp(nursery: trio.Nursery) -> None:
        while True:
            wire, peer = await udp.recvfrom(4096)
            seen.times.append(trio.current_time())
            seen.questions.append(str(dns.message.from_wire(wire).question[0]))
            nursery.start_soon(
                answer, wire, over_udp, "udp", lambda data, to=peer: udp.sendto(data, to)
            )

    async def serve_tcp(stream: trio.SocketStream) -> None:
        assert over_tcp is not None
        seen.connections += 1

        async def send(data: bytes) -> None:
            if data:
                await stream.send_all(len(data).to_bytes(2, "big") + data)
            else:
                await stream.aclose()  # no data: the connection is closed

        held = b""
        try:
            while data := await stream.receive_some():
                held += data
                while len(held) >= 2 and len(held) >= 2 + int.from_bytes(held[:2], "big"):
                    end = 2 + int.from_bytes(held[:2], "big")
                    await answer(held[2:end], over_tcp, "tcp", send)
                    held = held[end:]
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            return

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_udp, nursery)
            if over_tcp is not None:
                listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
                nursery.start_soon(trio.serve_listeners, serve_tcp, listeners)
            yield seen
            nursery.cancel_scope.cancel()
    finally:
        udp.close()


def soa(query: dns.message.Message, serial: int = 7) -> dns.message.Message:
    """Return the authoritative reply to a question for an SOA."""
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    name = query.question[0].name
    text = f"ns1.example. hostmaster.example. {serial} 7200 3600 1209600 300"
    reply.answer.append(dns.rrset.from_text(name, 3600, "IN", "SOA", text))
    return reply


def truncated(query: dns.message.Message) -> bytes:
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.TC | dns.flags.AA
    return reply.to_wire()


def renumbered(message: bytes) -> bytes:
    """Return a message with another id."""
    return bytes((message[0] ^ 0xFF, message[1])) + message[2:]
