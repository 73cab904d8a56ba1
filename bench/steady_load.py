"""Questions to a name server at a constant rate, from a process of its own, each of them counted:

    python -m bench.steady_load FOLDER PORT RATE

FOLDER is a data set. "asking" is printed when the first question is on its way; when the input
ends, what is still on its way is waited for, and one JSON object is printed, an `Outcome`. The rate
does not depend on the answers, and what this process itself would lose is told apart: it has
receive buffers for seconds, and the kernel says what did not fit into them.
"""

import json
import os
import random
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.datasets import zone_files
from syncclient.dns import Rrset, expected_rrsets
from syncclient.dns.judgement import judge
from syncclient.dns.messages import MessageError, query, question, read_answer

ASKING = "asking"
ANSWER_S = 2.0
"""What is not answered by then is lost."""
_SOCKETS = 8
_RECEIVE_BYTES = 4 << 20
_TURN_S = 0.002
_BURST = 64
"""Questions sent in one turn, at most. What could not be sent in time, as this process was kept
from running, is not sent at all: all at once it would not fit into a server's receive buffer."""
_EDNS_BYTES = 1232
_HEAD_LINES = 3  # SOA, NS, NS; an SOA changes with every change
_EVERY = 100
"""Of a zone's further records, the last of so many is asked for."""
_MESSAGE_BYTES = 4096


@dataclass
class Outcome:
    """What became of the questions."""

    asked: int = 0
    right: int = 0
    unanswered: int = 0
    wrong: dict[str, int] = field(default_factory=dict)
    """What was answered instead, and how often."""
    refused: int = 0
    """How often the port was found closed."""
    slowest_s: float = 0.0
    longest_turn_s: float = 0.0
    """How long this process did not get to run."""
    seconds: float = 0.0
    own_drops: int = 0
    """Answers that did not fit into this process's receive buffers: if any, nothing is proven."""
    server_drops: int = 0
    """Questions that did not fit into the server's."""

    @property
    def lost(self) -> int:
        """Questions without the right answer in time."""
        return self.unanswered + sum(self.wrong.values())


def questions(folder: Path) -> list[Rrset]:
    """Return what is asked for: of each zone the NS records, and some names with one record."""
    found: list[Rrset] = []
    for file in zone_files(folder):
        lines = file.path.read_text().splitlines()
        chosen = lines[1:_HEAD_LINES] + lines[_HEAD_LINES + _EVERY - 1 :: _EVERY]
        found += expected_rrsets(f"{file.zone}.", chosen)[0]
    random.Random(1).shuffle(found)
    return found


class _Asker:
    """One socket, and what is on its way over it."""

    def __init__(self, port: int) -> None:
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        # The kernel gives as much of it as net.core.rmem_max allows.
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        self._udp.setblocking(False)
        self._udp.connect(("127.0.0.1", port))
        self.inode = os.fstat(self._udp.fileno()).st_ino
        self._next = 0
        self.waiting: dict[int, tuple[float, Rrset]] = {}

    def close(self) -> None:
        self._udp.close()

    def ask(self, rrset: Rrset, outcome: Outcome) -> None:
        """Send a question; a port that was found closed before is counted, and asked again."""
        number = self._next
        self._next = (number + 1) & 0xFFFF
        message = query(number, question(rrset.name, rrset.type), _EDNS_BYTES)
        outcome.asked += 1
        self.waiting[number] = (time.monotonic(), rrset)
        while True:
            try:
                self._udp.send(message)
                return
            except ConnectionRefusedError:
                outcome.refused += 1  # an earlier question; this one was not sent yet

    def receive(self, outcome: Outcome) -> Iterator[tuple[float, Rrset, bytes]]:
        """Yield what has come: the seconds that it took, what was asked for, and the answer."""
        while True:
            try:
                message = self._udp.recv(_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                outcome.refused += 1
                continue
            found = self.waiting.pop(int.from_bytes(message[:2], "big"), None)
            if found is not None:
                yield time.monotonic() - found[0], found[1], message

    def give_up(self, before: float) -> int:
        """Forget what was asked before a time; return how much that is."""
        late = []
        for number, (asked_at, _) in self.waiting.items():  # the oldest comes first
            if asked_at >= before:
                break
            late.append(number)
        for number in late:
            del self.waiting[number]
        return len(late)


def run(rrsets: list[Rrset], port: int, rate: int, until: int) -> Outcome:
    """Ask until a descriptor can be read, then wait for what is on its way."""
    outcome, wrong = Outcome(), Counter[str]()
    upcoming = deque(rrsets)
    server_drops = drops(port=port)
    ended = False
    with ExitStack() as stack:
        askers = [_Asker(port) for _ in range(_SOCKETS)]
        for asker in askers:
            stack.callback(asker.close)
        began = turn = due_at = time.monotonic()
        while not ended or any(asker.waiting for asker in askers):
            now = time.monotonic()
            outcome.longest_turn_s = max(outcome.longest_turn_s, now - turn)
            turn = now
            due_at = max(due_at, now - _BURST / rate)
            while due_at <= now and not ended:
                due_at += 1 / rate
                askers[outcome.asked % _SOCKETS].ask(upcoming[0], outcome)
                if outcome.asked == 1:
                    print(ASKING, flush=True)
                upcoming.rotate(-1)
            for asker in askers:
                for seconds, rrset, message in asker.receive(outcome):
                    outcome.slowest_s = max(outcome.slowest_s, seconds)
                    finding = _finding(rrset, message)
                    if finding is None:
                        outcome.right += 1
                    else:
                        wrong[finding] += 1
                # Only after everything was received that had come by then.
                outcome.unanswered += asker.give_up(turn - ANSWER_S)
            if ended:
                time.sleep(_TURN_S)
            elif select.select([until], [], [], _TURN_S)[0]:
                ended = True
                outcome.seconds = time.monotonic() - began
        outcome.own_drops = drops(inodes={asker.inode for asker in askers})
    outcome.server_drops = drops(port=port) - server_drops
    outcome.wrong = dict(wrong)
    return outcome


def _finding(rrset: Rrset, message: bytes) -> str | None:
    """Return what is wrong with an answer, or None."""
    try:
        answer = read_answer(message, question(rrset.name, rrset.type))
    except MessageError as error:
        return str(error)
    if answer is None:
        return "truncated"
    found = judge(rrset, answer)
    return found if found is None or isinstance(found, str) else f"not to be judged: {found}"


def drops(*, port: int | None = None, inodes: Collection[int] = ()) -> int:
    """Return the datagrams that the kernel has thrown away for sockets with these inodes, or that
    listen on this port, because their buffers were full."""
    total = 0
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[9]) in inodes or int(words[1].split(":")[1], 16) == port:
            total += int(words[12])
    return total


def main() -> int:
    folder, port, rate = sys.argv[1:]
    outcome = run(questions(Path(folder)), int(port), int(rate), sys.stdin.fileno())
    print(json.dumps(asdict(outcome)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
