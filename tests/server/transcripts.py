"""The transcripts of protocol.md: how they are written, and what plays them against a daemon."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.certificates import Certificates
from tests.running import FixedClock
from tests.server.line_client import LineClient

PROTOCOL = Path(__file__).parents[2] / "protocol.md"

_FENCE = re.compile(r"^```transcript([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"(?P<side>[CS])(?P<number>\d?)(?P<how>[:#]) ?(?P<text>.*)")
_MEANWHILE = re.compile(r"\.\.\. (?P<what>.*)")
_PASSING = re.compile(r"(\d+) seconds pass")
_TLS = re.compile(r"TLS begins(?:; the client's certificate names (\w+))?")
_PLACEHOLDER = re.compile(r"<[a-z]+>")
_REPEATED = re.compile(r"\{(.)\*(\d+)\}")


@dataclass(frozen=True)
class Transcript:
    """One fenced block: `line` is where it stands."""

    line: int
    users: tuple[str, ...]
    steps: tuple[str, ...]


def read_transcripts() -> list[Transcript]:
    """Return the transcripts of protocol.md, in order."""
    text = PROTOCOL.read_text("utf-8")
    return [
        Transcript(
            text.count("\n", 0, found.start()) + 1,
            tuple(found[1].split()),
            tuple(_REPEATED.sub(_repeat, found[2]).splitlines()),
        )
        for found in _FENCE.finditer(text)
    ]


@dataclass
class Player:
    """Plays transcripts: sends what the client says, compares what the server says."""

    connect: Callable[..., LineClient]
    dial: Callable[[], LineClient]
    clock: FixedClock
    drain: Callable[[], None]
    certificates: Certificates
    clients: dict[int, LineClient] = field(default_factory=dict)

    def play(self, transcript: Transcript) -> None:
        """Play one; raises AssertionError, with the step, where the server says something else."""
        for number, user in enumerate(transcript.users, 1):
            self.clients[number] = self.connect(user)
        for step in transcript.steps:
            try:
                self._step(step)
            except (EOFError, TimeoutError) as error:
                raise AssertionError(f"{step!r:.200}: {error!r:.200}") from error
        for client in self.clients.values():
            assert client.socket.fileno() < 0 or client.is_silent(0.05), "the server says more"

    def _step(self, step: str) -> None:
        if found := _MEANWHILE.fullmatch(step):
            self._meanwhile(found["what"])
            return
        found = _STEP.fullmatch(step)
        assert found is not None, f"{step!r} is not a step of a transcript"
        client = self._client(int(found["number"] or 1))
        if found["side"] == "C":
            client.send(found["text"])
        elif found["how"] == "#":
            expected = bytes.fromhex(found["text"])
            heard = client.read(len(expected))
            assert heard == expected, f"{step!r}: {heard.hex(' ')}"
        else:
            line = client.line()
            assert _fits(line, found["text"]), f"{step!r}: the server says {line!r}"

    def _client(self, number: int) -> LineClient:
        if number not in self.clients:
            self.clients[number] = self.dial()
        return self.clients[number]

    def _meanwhile(self, what: str) -> None:
        client = self.clients[1]
        if beginning := _TLS.fullmatch(what):
            name = beginning[1]
            own = None if name is None else self.certificates.issue(name, common_name=name)
            client.start_tls(self.certificates.context(own))
        elif passing := _PASSING.fullmatch(what):
            self.clock.now += int(passing[1])
        elif what == "the server is told to stop":
            self.drain()
        elif what == "the connection ends":
            assert client.is_ended(), "the connection goes on"
            client.close()
        elif what == "the client closes the connection":
            client.close()
            self._wait_until_gone()
        else:
            raise AssertionError(f"{what!r} is not known to the player of transcripts")

    def _wait_until_gone(self) -> None:
        other = self.clients[2]
        while len(other.listing("RWHO")) > 1:
            time.sleep(0.01)


def _fits(line: str, expected: str) -> bool:
    pattern = "[^|]+".join(re.escape(part) for part in _PLACEHOLDER.split(expected))
    return re.fullmatch(pattern, line) is not None


def _repeat(found: re.Match[str]) -> str:
    return found[1] * int(found[2])
