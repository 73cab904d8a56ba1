"""Questions to which no whole answer comes over UDP, one after another over TCP (RFC 7766).

A server may close a connection whenever it likes: then the question is asked once more over a new
one. Nobody is waited for longer than all attempts over UDP together take.
"""

import struct
from collections.abc import Sequence
from typing import TypeVar

import trio

from syncclient.dns.messages import Answer, MessageError, query, read_answer
from syncclient.dns.pace import Pace
from syncclient.dns.questions import AskLimits, Question, Take
from syncclient.dns.server import DnsServer

T = TypeVar("T")

_LENGTH = struct.Struct("!H")
_NUMBER = 0
"""The id of every message: the connection says already whose answer it is."""
_MOST_FAILURES = 3
"""In a row: then the server is not asked over TCP any more."""


async def ask_over_tcp(
    server: DnsServer,
    questions: Sequence[Question[T]],
    take: Take[T],
    limits: AskLimits,
    pace: Pace | None = None,
) -> str | None:
    """Ask questions over TCP; return in words why this server cannot be asked so, else None.

    The outcome of each question is taken, whatever it is.
    """
    connection = _Connection(server, limits.timeout_s * limits.attempts)
    fails: str | None = None
    in_a_row = 0
    try:
        for question in questions:
            if fails is not None:
                take(question.subject, fails)
                continue
            while pace is not None and not pace.take(trio.current_time()):
                await trio.sleep_until(pace.next_turn)
            outcome = await connection.ask(question.asked, limits, question.dnssec)
            in_a_row = in_a_row + 1 if isinstance(outcome, str) else 0
            if isinstance(outcome, str) and in_a_row == _MOST_FAILURES:
                fails = outcome
            take(question.subject, outcome)
    finally:
        await connection.close()
    return fails


class _Connection:
    """A TCP connection, made when it is needed."""

    def __init__(self, server: DnsServer, timeout_s: float) -> None:
        self._server, self._timeout_s = server, timeout_s
        self._stream: trio.SocketStream | None = None
        self._held = bytearray()

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        self._held.clear()
        if stream is not None:
            await trio.aclose_forcefully(stream)

    async def ask(self, asked: bytes, limits: AskLimits, dnssec: bool) -> Answer | str:
        """Return the reply to one question, or in words why there is none."""
        why = "no answer that is whole over UDP, and over TCP "
        message = query(_NUMBER, asked, limits.edns_bytes, dnssec=dnssec)
        fresh = self._stream is None
        with trio.move_on_after(self._timeout_s):
            while True:
                try:
                    return await self._exchange(message, asked)
                except (OSError, trio.BrokenResourceError) as error:
                    await self.close()
                    if fresh:
                        return f"{why}nobody can be asked: {error}"
                    fresh = True  # it was closed since the last question
                except MessageError as error:
                    return f"{why}none: {error}"
        await self.close()
        return f"{why}none in {self._timeout_s:g} s"

    async def _exchange(self, message: bytes, asked: bytes) -> Answer:
        if self._stream is None:
            self._stream = await trio.open_tcp_stream(self._server.host, self._server.port)
        await self._stream.send_all(_LENGTH.pack(len(message)) + message)
        (length,) = _LENGTH.unpack(await self._receive(_LENGTH.size))
        reply = await self._receive(length)
        answer = read_answer(reply, asked)
        if answer is None:
            raise MessageError("it is truncated too")
        return answer

    async def _receive(self, count: int) -> bytes:
        assert self._stream is not None
        while len(self._held) < count:
            data = await self._stream.receive_some()
            if not data:
                raise trio.BrokenResourceError("the server closed the connection")
            self._held += data
        taken = bytes(self._held[:count])
        del self._held[:count]
        return taken
