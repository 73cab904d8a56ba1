"""Many questions to one name server at once, over one UDP socket; over TCP what is truncated
there, or lost again and again.

Each question is answered exactly once, by a reply that came from the server's address with its
number and its question, or by words that say why there is none. No more than `window` are on their
way at once, so neither side's buffers overflow. A server that says nothing at all costs the time of
one question, however many there are.
"""

import random
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import trio

from syncclient.dns.messages import MessageError, query, read_answer
from syncclient.dns.pace import Pace
from syncclient.dns.questions import DEFAULT_LIMITS, AskLimits, Question, Take
from syncclient.dns.server import DnsServer
from syncclient.dns.stream import ask_over_tcp
from syncd.errors import ConnectionFailed, file_failure

T = TypeVar("T")

_RECEIVE_BYTES = 4096
"""Largest reply over UDP: more than we ever say that we take."""
_SOCKET_BYTES = 4 * 1024 * 1024
_MOST_OVER_TCP = 1000
"""Questions that are kept before they are asked over TCP."""
_FEW = 10
"""Questions that may stay unanswered together without the server being taken for dead."""
_NEVER = float("inf")
_FULL_NAP_S = 0.002
"""How long a send buffer that is full is given."""


async def ask_all(
    server: DnsServer,
    questions: Iterable[Question[T]],
    take: Take[T],
    limits: AskLimits = DEFAULT_LIMITS,
) -> None:
    """Ask a server all questions; each one's outcome is taken as soon as it is there.

    Raises ConnectionFailed if the server cannot be reached, refuses questions at its port, or
    does not answer at all.
    """
    with await _connected(server) as udp:
        asker = _Asker(server, udp, iter(questions), take, limits)
        tcp_fails: str | None = None
        while await asker.ask():
            left, asker.over_tcp = asker.over_tcp, []
            if tcp_fails is None:
                tcp_fails = await ask_over_tcp(server, left, take, limits, asker.pace)
            else:
                for question in left:
                    take(question.subject, tcp_fails)


async def _connected(server: DnsServer) -> socket.socket:
    """Return a socket that takes datagrams from the server's address only."""
    try:
        found = await trio.socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        udp = socket.socket(family, kind, protocol)
        udp.setblocking(False)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BYTES)
        udp.connect(address)
    except (OSError, UnicodeError) as error:
        raise _unreachable(server, error) from None
    return udp


def _unreachable(server: DnsServer, error: Exception) -> ConnectionFailed:
    said = str(file_failure(error)) if isinstance(error, OSError) else "no name of a host"
    return ConnectionFailed(f"the name server {server} cannot be asked: {said}")


class _Waiting(Generic[T]):
    """A question on its way."""

    __slots__ = ("answered", "attempts", "deadline", "message", "number", "question", "since")

    def __init__(self, question: Question[T], number: int, message: bytes, now: float) -> None:
        self.question, self.number, self.message = question, number, message
        self.since = now
        self.deadline = 0.0
        self.attempts = 0
        self.answered = False


class _Asker(Generic[T]):
    """The questions of one `ask_all`, over UDP."""

    def __init__(
        self,
        server: DnsServer,
        udp: socket.socket,
        questions: Iterator[Question[T]],
        take: Take[T],
        limits: AskLimits,
    ) -> None:
        self._server, self._udp, self._take, self._limits = server, udp, take, limits
        self._questions = questions
        self._next = next(questions, None)
        self._waiting: dict[int, _Waiting[T]] = {}
        self._by_deadline: deque[_Waiting[T]] = deque()
        now = trio.current_time()
        self.pace = None if limits.rate is None else Pace(limits.rate, now)
        self._heard: float | None = None
        self._strays = 0
        self._numbers = random.SystemRandom()
        self.over_tcp: list[Question[T]] = []

    async def ask(self) -> bool:
        """Ask until nothing is left, or much is left for TCP; say whether there was anything to do.

        Raises ConnectionFailed.
        """
        began = self._next is not None
        try:
            while True:
                nap_until = self._repeat_late()
                if len(self.over_tcp) < _MOST_OVER_TCP:
                    nap_until = min(nap_until, self._fill())
                if nap_until == _NEVER and self._by_deadline:
                    nap_until = self._by_deadline[0].deadline
                if not self._waiting and (
                    self._next is None or len(self.over_tcp) >= _MOST_OVER_TCP
                ):
                    return began
                with trio.move_on_at(nap_until):
                    await trio.lowlevel.wait_readable(self._udp)
                self._receive()
        except OSError as error:
            raise _unreachable(self._server, error) from None

    def _fill(self) -> float:
        """Send questions while the window and the pace allow; return when there is a turn again."""
        now = trio.current_time()
        while self._next is not None and len(self._waiting) < self._limits.window:
            if self.pace is not None and not self.pace.take(now):
                return self.pace.next_turn
            question = self._next
            number = self._numbers.getrandbits(16)
            while number in self._waiting:
                number = self._numbers.getrandbits(16)
            edns_bytes = self._limits.edns_bytes if question.edns else 0
            message = query(number, question.asked, edns_bytes, dnssec=question.dnssec)
            waiting = _Waiting(question, number, message, now)
            if not self._send(waiting, now):
                return now + _FULL_NAP_S
            self._waiting[number] = waiting
            self._next = next(self._questions, None)
        return _NEVER

    def _send(self, waiting: _Waiting[T], now: float) -> bool:
        try:
            self._udp.send(waiting.message)
        except BlockingIOError:
            return False
        waiting.attempts += 1
        waiting.deadline = now + self._limits.timeout_s
        self._by_deadline.append(waiting)
        return True

    def _repeat_late(self) -> float:
        """Ask again what is late, give up what was asked often enough; return when to look next."""
        now = trio.current_time()
        late = self._by_deadline
        while late:
            first = late[0]
            if first.answered:
                late.popleft()
            elif first.deadline > now:
                return first.deadline
            elif first.attempts == self._limits.attempts:
                late.popleft()
                self._give_up(first)
            elif self.pace is not None and not self.pace.take(now):
                return self.pace.next_turn
            else:
                late.popleft()
                if not self._send(first, now):
                    late.appendleft(first)
                    return now + _FULL_NAP_S
        return _NEVER

    def _give_up(self, waiting: _Waiting[T]) -> None:
        silent = self._heard is None or self._heard < waiting.since
        many = self._next is not None or len(self._waiting) > _FEW
        said = f"no answer after {waiting.attempts} attempts"
        if self._strays:
            said += f" ({self._strays} datagrams came that answer no question)"
        if silent and (self._heard is None or many):
            raise ConnectionFailed(f"the name server {self._server} is not there: {said}")
        del self._waiting[waiting.number]
        # A server that limits the rate of its answers drops datagrams, and takes TCP for honest.
        self.over_tcp.append(waiting.question)

    def _receive(self) -> None:
        """Take all replies that are there."""
        receive, waiting = self._udp.recv, self._waiting
        while waiting:
            try:
                message = receive(_RECEIVE_BYTES)
            except BlockingIOError:
                return
            one = waiting.get(int.from_bytes(message[:2], "big"))
            if one is None:
                self._strays += 1  # late, or not from the server
                continue
            try:
                answer = read_answer(message, one.question.asked)
            except MessageError:
                self._strays += 1
                continue
            del waiting[one.number]
            one.answered = True
            self._heard = trio.current_time()
            if answer is None:
                self.over_tcp.append(one.question)
            else:
                self._take(one.question.subject, answer)
