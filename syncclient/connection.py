"""The protocol core on a trio stream: commands out, replies in, in order, with pipelining.

Nothing is sent before something is awaited: a login and the first command travel as one, so a
resync in which nothing changed costs one round trip.
"""

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from ssl import SSLError

import trio

from syncclient.tls import refused_certificate
from syncd.errors import ConnectionFailed, ProtocolViolation, refusal
from syncd.protocol import codes
from syncd.protocol.connection import ClientConnection
from syncd.protocol.events import (
    Block,
    Closed,
    ListingEnd,
    ListingLine,
    Notice,
    Reply,
    ServerSaid,
)
from syncd.protocol.states import State
from syncd.tls import alert_text

_RECEIVE_BYTES = 256 * 1024
_SEND_BYTES = 256 * 1024
SILENCE_S = 300.0
"""How long a server may say nothing while an answer is due, or take nothing of what is sent: much
longer than it ever thinks about an answer."""
GREETING_S = 60.0
"""How long it may say nothing at all: a greeting takes no thought, but a daemon may be starting."""
LEAST_BYTES_A_S = 1024
"""What it must send or take from then on: one that goes on byte by byte is not waited for, nor one
that goes on line by line, for its answer would never end."""
MAX_NOTICES = 100
"""Notices kept for later: losing the oldest costs latency only, keeping all costs memory."""


class Connection:
    """One connection to a server. Not for several tasks at once."""

    def __init__(self, stream: trio.abc.Stream, peer: str) -> None:
        self._stream = stream
        self._peer = peer
        self._core = ClientConnection()
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)
        self.bytes_up = 0
        self.bytes_down = 0
        self.round_trips = 0
        self.patience_s = SILENCE_S
        """How long the answer may take that is due, until its first byte."""
        self._late_s = 0.0
        """How long was waited for it, less what came of it in that time was worth."""
        self.greeted = False
        """Whether the greeting was read already."""
        self._turned = False
        """Whether something was sent since the last bytes came."""

    async def aclose(self) -> None:
        """Close the stream; the server sees the end of the session."""
        await trio.aclose_forcefully(self._stream)

    async def start_tls(
        self, encrypt: Callable[[trio.abc.Stream], Awaitable[trio.abc.Stream]]
    ) -> None:
        """Read the greeting, have the server begin TLS, and go on under it.

        `encrypt` does the handshake. Raises Refused, ConnectionFailed, and ProtocolViolation for
        anything said in clear text behind the answer to STLS: it may be anybody's.
        """
        self.send("STLS")
        await self.reply()
        self.greeted = True
        reply = await self.reply()
        if reply.code // 100 != codes.DONE:
            raise ProtocolViolation(f"{self._peer} answered STLS with {reply.code}")
        if self._core.has_unread or self._notices:
            raise ProtocolViolation(f"{self._peer} sent more in clear text than its answer to STLS")
        self._stream = await encrypt(self._stream)

    def send(self, verb: str, argument: str = "") -> None:
        """Queue a command; it goes out when a reply is awaited."""
        self._core.send_command(verb, argument)

    async def flush(self) -> None:
        """Send what is queued. Raises ConnectionFailed."""
        data = self._core.data_to_send()
        if not data:
            return
        try:
            with trio.fail_after(self.patience_s + len(data) / LEAST_BYTES_A_S):
                await self._stream.send_all(data)
        except trio.TooSlowError:
            raise ConnectionFailed(f"{self._peer} does not take what it is sent") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ConnectionFailed(f"{self._peer} ended the connection") from None
        self.bytes_up += len(data)
        if not self._turned:
            self.round_trips += 1
            self._turned = True

    async def reply(self) -> Reply:
        """Return the next reply line; the first is the greeting. Raises Refused for a 5xx."""
        event = await self._event()
        if not isinstance(event, Reply):
            raise ProtocolViolation(f"{self._peer} sent {event!r:.80} where a reply was due")
        if event.code // 100 == codes.REFUSED:
            raise refusal(event.code, event.text)
        return event

    async def command(self, verb: str, argument: str = "") -> Reply:
        """Send a command and return its reply. Raises Refused."""
        self.send(verb, argument)
        return await self.reply()

    async def lines(self) -> AsyncGenerator[str, None]:
        """Yield the lines of a listing whose 1xx reply was read."""
        while True:
            match await self._event():
                case ListingLine(text):
                    yield text
                case ListingEnd():
                    return
                case event:
                    raise ProtocolViolation(f"{self._peer} sent {event!r:.80} inside a listing")

    async def answer(self) -> AsyncGenerator[bytes | Reply, None]:
        """Yield the blocks of a long answer, and last the 200 line that ends it. Raises Refused."""
        while True:
            reply = await self.reply()
            if reply.code // 100 != codes.BLOCK:
                yield reply
                return
            yield await self.block()

    async def block(self) -> bytes:
        """Return the block whose 6xx line was read."""
        event = await self._event()
        if not isinstance(event, Block):
            raise ProtocolViolation(f"{self._peer} sent {event!r:.80} where a block was due")
        return event.data

    async def send_body(self, data: Iterable[bytes]) -> None:
        """Send the block that a 7xx reply asked for."""
        for part in data:
            for at in range(0, len(part), _SEND_BYTES):
                self._core.send_body(part[at : at + _SEND_BYTES])
                await self.flush()

    async def send_listing(self, lines: Iterable[str]) -> None:
        """Send the listing that a 4xx reply asked for."""
        self._core.send_listing(lines)
        await self.flush()

    async def notice(self) -> Notice:
        """Wait for the next 9xx line (ASYN 1 was sent, and no reply is due).

        Raises Refused with the server's last word, if it ends the session.
        """
        while not self._notices:
            await self.flush()
            event = await self._event(notices=True)
            if isinstance(event, Reply) and event.code // 100 == codes.REFUSED:
                raise refusal(event.code, event.text)  # why the server ends the session
            if not isinstance(event, Notice):
                raise ProtocolViolation(f"{self._peer} sent {event!r:.80} unasked")
            return event
        return self._notices.popleft()

    async def _event(self, *, notices: bool = False) -> ServerSaid:
        """Return what the server says next. An answer is waited for with patience, for the whole
        of it, a notice for ever: who waits for one has its own idea of how long."""
        while True:
            event = self._core.next_event()
            if event is None:
                if self._core.state is State.CLOSED:
                    raise ConnectionFailed(f"{self._peer} ended the connection")
                if notices:
                    await self._receive()
                else:
                    await self._receive_answer()
            elif isinstance(event, Notice) and not notices:
                self._notices.append(event)
            elif isinstance(event, Closed):
                raise ConnectionFailed(f"{self._peer} ended the connection")
            else:
                if _ends_answer(event):
                    self._late_s = 0.0
                return event

    async def _receive_answer(self) -> None:
        """Take what comes next of the answer that is due."""
        began = trio.current_time()
        patience_s = self.patience_s if self.bytes_down else min(GREETING_S, self.patience_s)
        try:
            with trio.fail_at(began + patience_s - self._late_s):
                received = await self._receive()
        except trio.TooSlowError:
            raise ConnectionFailed(
                f"{self._peer} does not answer: nothing, or hardly anything, has come for "
                f"{patience_s:.0f} s"
            ) from None
        late_s = self._late_s + trio.current_time() - began - received / LEAST_BYTES_A_S
        self._late_s = max(0.0, late_s)

    async def _receive(self) -> int:
        """Take what comes next; return how many bytes that are."""
        await self.flush()
        try:
            data = await self._stream.receive_some(_RECEIVE_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            if (refused := refused_certificate(self._peer, error.__cause__)) is not None:
                raise refused from None
            is_tls = isinstance(error.__cause__, SSLError)  # which says why, a socket does not
            why = f": {alert_text(error.__cause__)}" if is_tls else ""
            raise ConnectionFailed(f"{self._peer} broke the connection{why}") from None
        self._turned = False
        if data:
            self.bytes_down += len(data)
            self._core.receive_data(bytes(data))
        else:
            self._core.receive_eof()
        return len(data)


def _ends_answer(event: ServerSaid) -> bool:
    """Say whether nothing more follows: of a listing or of blocks, a server may send any number."""
    if isinstance(event, Reply):
        return event.code // 100 not in (codes.LISTING, codes.BLOCK)
    return isinstance(event, ListingEnd)
