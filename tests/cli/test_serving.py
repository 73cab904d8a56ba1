"""`syncd serve`: how many sessions it takes, and that it may open the files for them."""

import resource
import socket
from contextlib import ExitStack

from tests.cli.commands import Serving


def test_serve_takes_as_many_sessions_as_it_is_told(source: str) -> None:
    with Serving(source, "--max-sessions", "2") as serving, ExitStack() as stack:
        greetings = []
        for _ in range(3):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", serving.port)))
            client.settimeout(20)
            greetings.append(client.recv(100))
    assert greetings[:2] == [b"200 syncd ready\n"] * 2
    assert greetings[2] == b"551 all 2 sessions are taken\n"


def test_serve_raises_a_low_limit_of_open_files(source: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with Serving(source, "--max-sessions", "300") as serving:
            raised, _ = resource.prlimit(serving.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised > 300
