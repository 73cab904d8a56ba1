"""Every transcript of protocol.md, played against a real server."""

from collections.abc import Callable, Iterator

import pytest

from tests.certificates import Certificates
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import FixedClock, RunningDaemon
from tests.server.conftest import Connect
from tests.server.line_client import LineClient
from tests.server.transcripts import Player, Transcript, read_transcripts

pytestmark = on_every_engine

TRANSCRIPTS = read_transcripts()


@pytest.fixture
def running_daemon(start_daemon: StartDaemon, certificates: Certificates) -> RunningDaemon:
    """The daemon of the transcripts has a certificate."""
    return start_daemon(tls=certificates.settings())


@pytest.fixture
def dial(running_daemon: RunningDaemon) -> Iterator[Callable[[], LineClient]]:
    clients: list[LineClient] = []

    def connect() -> LineClient:
        clients.append(LineClient(running_daemon.host, running_daemon.port))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    "transcript", TRANSCRIPTS, ids=[f"line {found.line}" for found in TRANSCRIPTS]
)
def test_the_server_says_what_protocol_md_says(
    connect: Connect,
    dial: Callable[[], LineClient],
    clock: FixedClock,
    running_daemon: RunningDaemon,
    certificates: Certificates,
    transcript: Transcript,
) -> None:
    Player(connect, dial, clock, running_daemon.drain, certificates).play(transcript)


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 20
    for transcript in TRANSCRIPTS:
        assert any(step.startswith("S") for step in transcript.steps)
