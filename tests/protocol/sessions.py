"""Whole sessions between two connections in memory: a script, both sides, the events of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

from hypothesis import strategies as st

from syncd.protocol.codes import Code
from syncd.protocol.connection import ClientConnection, ServerConnection, framed_block
from syncd.protocol.events import (
    BadLine,
    Block,
    Body,
    BodyEnd,
    ClientSaid,
    Closed,
    Command,
    ListingEnd,
    ListingLine,
    Notice,
    Reply,
    ServerSaid,
)

LINE_LIMIT, LISTING_LINE_LIMIT = 64, 96
"""Small ones, so that random lines meet them."""


@dataclass(frozen=True)
class Exchange:
    """A command and its answer: what the client sends, and what the server makes of it."""

    command: Command
    raw: bytes | None = None
    """A line that cannot be read, sent in place of the command."""
    listing: tuple[str, ...] | None = None
    blocks: tuple[bytes, ...] = ()
    asks_listing: tuple[bytes, ...] | None = None
    asks_block: bytes | None = None
    final: tuple[int, str] = (Code.OK, "done")
    notices: tuple[str, ...] = ()
    """Sent before the command is read."""


def _line(limit_bytes: int) -> st.SearchStrategy[str]:
    """Texts that stand on one line, of up to some bytes, trailing CR excluded."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0")
    return st.text(characters, max_size=limit_bytes // 4)


_verbs = st.sampled_from(["NOOP", "SYNC", "ECHO", "USER", "A", ""])
_commands = st.builds(Command, _verbs, _line(LINE_LIMIT - 8))
_finals = st.tuples(st.sampled_from([Code.OK, Code.MORE_DATA, Code.BUSY]), _line(80))
_listing_lines = _line(80).filter(lambda line: line != "000")
_body_lines = st.one_of(
    _listing_lines.map(str.encode),
    st.binary(max_size=LISTING_LINE_LIMIT + 8).filter(
        lambda line: b"\n" not in line and not line.endswith(b"\r") and line != b"000"
    ),
)
_bad_lines = st.one_of(
    st.integers(LINE_LIMIT, 3 * LINE_LIMIT).map(lambda count: b"x" * count + b"\n"),
    st.sampled_from([b"NOOP \xff\n", b"\xff\xfd\x01\r\n", b"ECHO \0\n"]),
)
exchanges = st.one_of(
    st.builds(Exchange, _commands, final=_finals),
    st.builds(Exchange, st.just(Command("QNOP", ""))),
    st.builds(Exchange, st.just(Command("BAD", "")), raw=_bad_lines),
    st.builds(Exchange, _commands, listing=st.lists(_listing_lines, max_size=4).map(tuple)),
    st.builds(
        Exchange, _commands, blocks=st.lists(st.binary(max_size=80), max_size=3).map(tuple),
        final=_finals,
    ),
    st.builds(
        Exchange, _commands, asks_listing=st.lists(_body_lines, max_size=4).map(tuple),
        final=_finals,
    ),
    st.builds(Exchange, _commands, asks_block=st.binary(max_size=80), final=_finals),
).flatmap(
    lambda exchange: st.lists(_line(40), max_size=2).map(
        lambda notices: Exchange(**{**vars(exchange), "notices": tuple(notices)})
    )
)  # fmt: skip
scripts = st.lists(exchanges, max_size=8)
cuts = st.lists(st.integers(1, 40) | st.just(10_000), min_size=1, max_size=8)


@dataclass
class Server:
    """Answers as the script says, as soon as it has read what it needs."""

    script: Sequence[Exchange]
    core: ServerConnection = field(default_factory=ServerConnection)
    events: list[ClientSaid] = field(default_factory=list)
    done: int = 0

    def __post_init__(self) -> None:
        self.core.send_reply(Code.OK, "ready")
        self._notify()

    def _notify(self) -> None:
        if self.done < len(self.script):
            for text in self.script[self.done].notices:
                self.core.send_notice(Code.ASYNC_CHANGE, text)

    def receive(self, data: bytes) -> None:
        self.core.receive_data(data)
        while (event := self.core.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, BodyEnd):
                self._end(self.script[self.done])
            elif isinstance(event, Command | BadLine):
                self._answer(self.script[self.done])

    def _answer(self, exchange: Exchange) -> None:
        core = self.core
        if exchange.asks_listing is not None:
            core.send_reply(Code.SEND_LISTING, "send lines")
        elif exchange.asks_block is not None:
            core.ask_block(len(exchange.asks_block))
        elif exchange.listing is not None:
            core.send_reply(Code.LISTING_FOLLOWS, "lines")
            core.send_lines(exchange.listing)
            core.send_listing_end()
            self._next()
        elif exchange.command.verb == "QNOP":
            core.send_silence()
            self._next()
        else:
            for block in exchange.blocks:
                core.send_block(framed_block(block))
            self._end(exchange)

    def _end(self, exchange: Exchange) -> None:
        self.core.send_reply(*exchange.final)
        self._next()

    def _next(self) -> None:
        self.done += 1
        self._notify()


@dataclass
class Client:
    """Sends the script's commands, as far ahead as one may or each after the answer before.

    Nothing is sent ahead of a body: it would be taken for a part of it.
    """

    script: Sequence[Exchange]
    line_end: bytes = b"\n"
    core: ClientConnection = field(default_factory=ClientConnection)
    events: list[ServerSaid] = field(default_factory=list)
    outbound: bytearray = field(default_factory=bytearray)
    sent: int = 0
    owes_body: bool = False

    def send_next(self) -> bool:
        """Send the next command; False if there is none."""
        if self.sent == len(self.script):
            return False
        exchange = self.script[self.sent]
        self.sent += 1
        self.owes_body = exchange.asks_listing is not None or exchange.asks_block is not None
        self.core.send_command(exchange.command.verb, exchange.command.argument)
        line = self.core.data_to_send()
        self.outbound += exchange.raw or line.replace(b"\n", self.line_end)
        return True

    def receive(self, data: bytes) -> None:
        self.core.receive_data(data)
        while (event := self.core.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, Reply) and event.code in (Code.SEND_LISTING, Code.SEND_BLOCK):
                self._send_body(event)

    def _send_body(self, reply: Reply) -> None:
        self.owes_body = False
        exchange = self.script[self.sent - 1]
        if reply.code == Code.SEND_LISTING:
            self._send_listing(exchange.asks_listing or ())
            return
        body = exchange.asks_block or b""
        for part in filter(None, (body[:3], body[3:])):
            self.core.send_body(part)
        self.outbound += self.core.data_to_send()

    def _send_listing(self, lines: Sequence[bytes]) -> None:
        self.core.send_listing(())  # the lines may be more than the core lets pass
        self.core.data_to_send()
        self.outbound += b"".join(line + self.line_end for line in (*lines, b"000"))


def play(
    script: Sequence[Exchange],
    sizes: Sequence[int],
    *,
    pipelined: bool,
    line_end: bytes = b"\n",
) -> tuple[list[ClientSaid], list[ServerSaid]]:
    """Play a script, moving bytes in pieces of these sizes; return what each side was told."""
    server, client = Server(script), Client(script, line_end)
    pieces = cycle(sizes)
    down = bytearray()
    while True:
        while pipelined and not client.owes_body and client.send_next():
            pass
        down += server.core.data_to_send()
        if client.outbound:
            server.receive(_take(client.outbound, next(pieces)))
        elif down:
            client.receive(_take(down, next(pieces)))
        elif not client.send_next():
            break
    server.core.receive_eof()
    server.receive(b"")
    client.core.receive_eof()
    client.receive(b"")
    return _merged(server.events), client.events


def _take(data: bytearray, count: int) -> bytes:
    piece = bytes(data[:count])
    del data[:count]
    return piece


def _merged(events: Sequence[ClientSaid]) -> list[ClientSaid]:
    """Join bodies that follow each other, as where they are divided means nothing."""
    merged: list[ClientSaid] = []
    for event in events:
        if isinstance(event, Body) and merged and isinstance(before := merged[-1], Body):
            merged[-1] = Body(before.data + event.data)
        else:
            merged.append(event)
    return merged


def heard_by_server(script: Sequence[Exchange], line_end: bytes) -> list[ClientSaid]:
    """What a server is told in the course of a script."""
    longest = LISTING_LINE_LIMIT - len(line_end)
    events: list[ClientSaid] = []
    for exchange in script:
        if exchange.raw is not None:
            events.append(_bad(exchange.raw))
        else:
            events.append(exchange.command)
        if exchange.asks_listing is not None:
            readable = [line for line in exchange.asks_listing if len(line) <= longest]
            refused = len(readable) < len(exchange.asks_listing)
            if readable:
                events.append(Body(b"\n".join(readable) + b"\n"))
            events.append(BodyEnd(_too_long(LISTING_LINE_LIMIT) if refused else None))
        elif exchange.asks_block is not None:
            if exchange.asks_block:
                events.append(Body(exchange.asks_block))
            events.append(BodyEnd())
    return [*events, Closed(True)]


def _bad(raw: bytes) -> BadLine:
    if len(raw) > LINE_LIMIT:
        return _too_long(LINE_LIMIT)
    what = "has a NUL byte" if b"\0" in raw else "is not UTF-8"
    return BadLine(Code.ILLEGAL_VALUE, f"the line {what}; nothing was done")


def _too_long(limit: int) -> BadLine:
    return BadLine(Code.TOO_BIG, f"a line has at most {limit} bytes; nothing was done")


def heard_by_client(script: Sequence[Exchange]) -> list[ServerSaid]:
    """What a client is told in the course of a script."""
    events: list[ServerSaid] = [Reply(Code.OK, "ready")]
    for exchange in script:
        events += [Notice(Code.ASYNC_CHANGE, text) for text in exchange.notices]
        if exchange.command.verb == "QNOP":
            continue
        if exchange.listing is not None:
            events.append(Reply(Code.LISTING_FOLLOWS, "lines"))
            events += [ListingLine(line) for line in exchange.listing]
            events.append(ListingEnd())
            continue
        if exchange.asks_listing is not None:
            events.append(Reply(Code.SEND_LISTING, "send lines"))
        elif exchange.asks_block is not None:
            size = len(exchange.asks_block)
            events.append(Reply(Code.SEND_BLOCK, str(size), size))
        for block in exchange.blocks:
            events += [Reply(Code.BLOCK_FOLLOWS, str(len(block)), len(block)), Block(block)]
        events.append(Reply(*exchange.final))
    return [*events, Closed(True)]
