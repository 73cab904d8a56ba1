"""The protocol as a pure machine: bytes in, events out, and bytes to send. No IO, no clock.

    connection.receive_data(data)      what the socket gave, cut anywhere
    connection.receive_eof()
    connection.next_event()            an event, or None: more data is needed
    connection.send_...(...)           queues bytes, moves the state
    connection.data_to_send()          what the socket is to get

`states.TRANSITIONS` is the only place that says what may follow what. The events do not depend on
how the bytes were split, but for where one Body ends and the next begins.
"""

import re
from collections.abc import Iterable

from syncd.errors import ProtocolViolation
from syncd.protocol import codes
from syncd.protocol.codes import Code
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
from syncd.protocol.fields import TERMINATOR
from syncd.protocol.limits import MAX_BLOCK_BYTES, MAX_LINE_BYTES, MAX_LISTING_LINE_BYTES
from syncd.protocol.states import REPLY_STEPS, TRANSITIONS, State, Step

_REPLY_LINE = re.compile(r"[0-9]{3}( |\Z)")


class _Connection:
    """What both roles share: buffers, the state, and cutting bytes into lines."""

    def __init__(self) -> None:
        self.state = State.REPLY  # the greeting is due
        self._inbound = bytearray()
        self._scanned = 0
        self._outbound: list[bytes] = []
        self._eof = False
        self._missing = 0
        self._skipping = False

    def receive_data(self, data: bytes) -> None:
        """Take what the socket gave."""
        self._inbound += data

    def receive_eof(self) -> None:
        """Take note that the socket gives no more."""
        self._eof = True

    def data_to_send(self) -> bytes:
        """Return, and forget, the bytes that are to be sent."""
        data = self._outbound[0] if len(self._outbound) == 1 else b"".join(self._outbound)
        self._outbound.clear()
        return data

    @property
    def has_unread(self) -> bool:
        """Whether more was received than was made into events."""
        return bool(self._inbound)

    def _move(self, step: Step) -> None:
        try:
            self.state = TRANSITIONS[self.state][step]
        except KeyError:
            raise ProtocolViolation(f"{step.name} is not possible in {self.state.name}") from None

    def _take_line(self) -> tuple[bytes, int] | None:
        """Return the next line without its LF or CRLF, and its bytes with them; or None."""
        end = self._inbound.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._inbound)
            return None
        line = bytes(self._inbound[: end - 1 if self._inbound[end - 1 : end] == b"\r" else end])
        del self._inbound[: end + 1]
        self._scanned = 0
        return line, end + 1

    def _take_bytes(self, count: int) -> bytes:
        data = bytes(self._inbound[:count])
        del self._inbound[: len(data)]
        self._scanned = 0
        return data

    def _closed(self) -> Closed | None:
        if not self._eof:
            return None
        complete = self.state is State.COMMAND and not self._inbound and not self._skipping
        self.state = State.CLOSED
        return Closed(complete)


class ServerConnection(_Connection):
    """The server's side; starts with the greeting due (`send_reply(Code.OK, ...)`)."""

    def __init__(self) -> None:
        super().__init__()
        self._body_refusal: BadLine | None = None

    def next_event(self) -> ClientSaid | None:
        """Return what the client said next, or None while that is not complete.

        While a reply is due nothing is read: pipelined commands wait in the buffer.
        """
        match self.state:
            case State.COMMAND:
                return self._next_command() or self._closed()
            case State.LISTING_UP:
                return self._next_body_lines() or self._closed()
            case State.BLOCK_UP:
                return self._next_body_bytes() or self._closed()
            case State.REPLY | State.LISTING_DOWN | State.BLOCK_DOWN | State.CLOSED:
                return None

    def _next_line(self, limit_bytes: int) -> bytes | BadLine | None:
        """Return the next line; BadLine for one over the limit, of which nothing is kept."""
        taken = self._take_line()
        if taken is None:
            if self._skipping or len(self._inbound) >= limit_bytes:
                self._skipping = True
                self._take_bytes(len(self._inbound))
            return None
        line, size_bytes = taken
        if self._skipping or size_bytes > limit_bytes:
            self._skipping = False
            return BadLine(
                Code.TOO_BIG, f"a line has at most {limit_bytes} bytes; nothing was done"
            )
        return line

    def _next_command(self) -> Command | BadLine | None:
        line = self._next_line(MAX_LINE_BYTES)
        if line is None:
            return None
        self._move(Step.COMMAND)
        if isinstance(line, BadLine):
            return line
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            return BadLine(Code.ILLEGAL_VALUE, "the line is not UTF-8; nothing was done")
        if "\0" in text:
            return BadLine(Code.ILLEGAL_VALUE, "the line has a NUL byte; nothing was done")
        verb, _, argument = text.partition(" ")
        return Command(verb.upper(), argument)

    def _next_body_lines(self) -> Body | BodyEnd | None:
        lines: list[bytes] = []
        while (line := self._next_line(MAX_LISTING_LINE_BYTES)) is not None:
            if isinstance(line, BadLine):
                self._body_refusal = line
                continue
            if line == TERMINATOR.encode():
                if lines:  # hand out the lines first: put the terminator back
                    self._inbound[:0] = line + b"\n"
                    break
                self._move(Step.LISTING_UP_END)
                refusal, self._body_refusal = self._body_refusal, None
                return BodyEnd(refusal)
            lines.append(line)
        return Body(b"\n".join(lines) + b"\n") if lines else None

    def _next_body_bytes(self) -> Body | BodyEnd | None:
        if self._missing == 0:
            self._move(Step.BLOCK_UP_END)
            return BodyEnd()
        data = self._take_bytes(self._missing)
        self._missing -= len(data)
        return Body(data) if data else None

    def send_reply(self, code: int, text: str = "") -> None:
        """Queue a reply line that needs no count: 1xx to 5xx. LF and CR in `text` become blanks."""
        self._move(REPLY_STEPS[code // 100])
        self._line(f"{code:03d} {_one_line(text)}")

    def send_lines(self, lines: Iterable[str]) -> None:
        """Queue lines of a listing; each is one line without an end, and none is `000`."""
        if self.state is not State.LISTING_DOWN:
            raise ProtocolViolation("no listing was announced")
        for line in lines:
            self._line(_listing_line(line))

    def send_listing_end(self) -> None:
        """Queue the end of a listing."""
        self._move(Step.LISTING_DOWN_END)
        self._line(TERMINATOR)

    def send_block(self, framed: bytes) -> None:
        """Queue one block with its line, as `framed_block` made it; it is not copied."""
        self._move(Step.BLOCK)
        self._outbound.append(framed)
        self._move(Step.BLOCK_DOWN_END)

    def ask_block(self, size_bytes: int) -> None:
        """Queue the 7xx line that lets the client send exactly `size_bytes`."""
        self._move(Step.WANT_BLOCK)
        self._missing = size_bytes
        self._line(f"{Code.SEND_BLOCK} {size_bytes}")

    def send_silence(self) -> None:
        """Answer nothing (QNOP)."""
        self._move(Step.SILENCE)

    @property
    def in_line(self) -> bool:
        """Whether the client has begun a command line and not ended it."""
        return self.state is State.COMMAND and (bool(self._inbound) or self._skipping)

    def send_farewell(self, code: int, text: str) -> None:
        """Queue a 5xx line that says why the server closes the connection now, unasked."""
        self._move(Step.FAREWELL)
        self._line(f"{code:03d} {_one_line(text)}")

    def send_notice(self, code: int, text: str) -> None:
        """Queue a 9xx line; only between commands, so that it never stands inside an answer."""
        if self.state is not State.COMMAND:
            raise ProtocolViolation("a notice inside an answer")
        self._line(f"{code:03d} {_one_line(text)}")

    def _line(self, text: str) -> None:
        self._outbound.append(text.encode("utf-8", "surrogateescape") + b"\n")


class ClientConnection(_Connection):
    """The client's side. Commands may be sent ahead of their replies (pipelining)."""

    def __init__(self) -> None:
        super().__init__()
        self._pipelined = 0

    @property
    def replies_due(self) -> int:
        """How many replies are still to come, the one under way included."""
        return self._pipelined + (self.state not in (State.COMMAND, State.CLOSED))

    def send_command(self, verb: str, argument: str = "") -> None:
        """Queue a command line; its reply comes after those of the commands before it.

        Raises ValueError for a line that is too long or has a line end in it.
        """
        line = f"{verb} {argument}" if argument else verb
        data = line.encode("utf-8") + b"\n"
        if len(data) > MAX_LINE_BYTES or data.count(b"\n") != 1 or b"\0" in data:
            shown = verb if verb.upper() == "PASS" else f"{line[:80]!r}"
            raise ValueError(f"not one line of at most {MAX_LINE_BYTES} bytes: {shown}")
        self._outbound.append(data)
        if verb.upper() == "QNOP":
            return
        if self.state is State.COMMAND:
            self._move(Step.COMMAND)
        else:
            self._pipelined += 1

    def next_event(self) -> ServerSaid | None:
        """Return what the server said next, or None while that is not complete.

        Raises ProtocolViolation for bytes that the protocol does not allow here.
        """
        if self.state is State.BLOCK_DOWN:
            return self._next_block() or self._closed()
        if self.state in (State.CLOSED, State.LISTING_UP, State.BLOCK_UP):
            return None
        taken = self._take_line()
        if (len(self._inbound) if taken is None else taken[1]) > MAX_LISTING_LINE_BYTES:
            raise ProtocolViolation(f"a line of over {MAX_LISTING_LINE_BYTES} bytes")
        if taken is None:
            return self._closed()
        text = taken[0].decode("utf-8", "surrogateescape")
        if self.state is State.LISTING_DOWN:
            if text != TERMINATOR:
                return ListingLine(text)
            self._move(Step.LISTING_DOWN_END)
            self._next_pipelined()
            return ListingEnd()
        return self._next_reply(text)

    def _next_reply(self, text: str) -> Reply | Notice:
        if _REPLY_LINE.match(text) is None:
            raise ProtocolViolation(f"not a reply line: {text[:80]!r}")
        code, words = int(text[:3]), text[4:]
        if code // 100 == codes.NOTICE:
            return Notice(code, words)
        if code // 100 not in REPLY_STEPS:
            raise ProtocolViolation(f"no such reply code: {text[:80]!r}")
        if self.state is State.COMMAND and code // 100 == codes.REFUSED:
            self._move(Step.FAREWELL)
            return Reply(code, words)
        self._move(REPLY_STEPS[code // 100])
        size = 0
        if code // 100 in (codes.BLOCK, codes.WANT_BLOCK):
            count = words.split(" ", 1)[0]
            if not (count.isascii() and count.isdigit() and len(count) < 16):
                raise ProtocolViolation(f"a count is missing: {text[:80]!r}")
            size = self._missing = int(count)
            if code // 100 == codes.BLOCK and size > MAX_BLOCK_BYTES:
                raise ProtocolViolation(f"a block of {size} bytes is over {MAX_BLOCK_BYTES}")
            if code // 100 == codes.WANT_BLOCK and size == 0:
                self._move(Step.BLOCK_UP_END)  # the block is complete before a byte is sent
        self._next_pipelined()
        return Reply(code, words, size)

    def _next_block(self) -> Block | None:
        if len(self._inbound) < self._missing:
            return None
        data = self._take_bytes(self._missing)
        self._move(Step.BLOCK_DOWN_END)
        return Block(data)

    def _next_pipelined(self) -> None:
        if self._pipelined and self.state is State.COMMAND:
            self._pipelined -= 1
            self._move(Step.COMMAND)

    def send_body(self, data: bytes) -> None:
        """Queue bytes of the block that the server asked for with 7xx.

        Raises ValueError for more bytes than it asked for.
        """
        if self.state is not State.BLOCK_UP or len(data) > self._missing:
            raise ValueError("more bytes than the server asked for")
        self._missing -= len(data)
        self._outbound.append(data)
        if self._missing == 0:
            self._move(Step.BLOCK_UP_END)

    def send_listing(self, lines: Iterable[str]) -> None:
        """Queue the whole listing that the server asked for with 4xx, its end included.

        Raises ProtocolViolation for a line that cannot stand in one: `000`, or one with a line end.
        """
        data = [_listing_line(line).encode("utf-8") + b"\n" for line in lines]
        self._move(Step.LISTING_UP_END)
        self._outbound += data
        self._outbound.append(TERMINATOR.encode() + b"\n")


def framed_block(data: bytes) -> bytes:
    """Return a block with the 6xx line that announces it."""
    return b"%d %d\n%b" % (Code.BLOCK_FOLLOWS, len(data), data)


def _listing_line(line: str) -> str:
    """Return a line; a CR would be lost on the way, and LF or `000` would end it early."""
    if line == TERMINATOR or "\n" in line or "\r" in line:
        raise ProtocolViolation(f"{line!r:.80} cannot stand in a listing")
    return line


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
