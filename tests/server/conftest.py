"""Connections to the daemon under test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from tests.running import RunningDaemon
from tests.server.line_client import LineClient

Connect = Callable[..., LineClient]


@pytest.fixture
def connect(running_daemon: RunningDaemon) -> Iterator[Connect]:
    """Connect to a daemon, the running one if none is named; log in if a user is."""
    with ExitStack() as stack:

        def dial(user: str | None = None, daemon: RunningDaemon = running_daemon) -> LineClient:
            client = stack.enter_context(closing(LineClient(daemon.host, daemon.port)))
            assert client.line() == "200 syncd ready"
            if user is not None:
                reply = client.log_in(user)
                assert reply.startswith("200 "), reply
            return client

        yield dial
