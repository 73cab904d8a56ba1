"""A daemon that runs out of file descriptors says so rarely, and serves on once it has some."""

import resource
import socket
import time
from pathlib import Path

from tests.cli.commands import Serving, run
from tests.databases import on_every_engine

pytestmark = on_every_engine

SPARE = 2
"""Enough for one client at a time."""
MAX_LINES = 6
"""Of the log, for some seconds without descriptors."""


def descriptors_in_use(serving: Serving) -> int:
    return len(list(Path(f"/proc/{serving.process.pid}/fd").iterdir()))


def test_a_daemon_out_of_descriptors_recovers_and_does_not_flood_its_log(source: str) -> None:
    with Serving(source) as serving:
        run("syncclient", "status", serving.url())
        limit = descriptors_in_use(serving) + SPARE
        pid = serving.process.pid
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
        clients = [socket.create_connection(("127.0.0.1", serving.port)) for _ in range(20)]
        time.sleep(3)
        assert serving.process.poll() is None
        for client in clients:
            client.close()
        run("syncclient", "status", serving.url())
        clients = [socket.create_connection(("127.0.0.1", serving.port)) for _ in range(20)]
        time.sleep(0.5)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        for client in clients:
            client.settimeout(10)
            assert client.recv(100).startswith(b"200 ")
            client.close()
        run("syncclient", "verify", serving.url())
        done = serving.end()
    assert done.status == 0
    assert "Traceback" not in done.err
    lines = [line for line in done.err.splitlines() if " INFO " not in line]
    assert "Too many open files" in done.err
    assert "Raise the limit on open files" in done.err
    assert len(lines) < MAX_LINES, done.err
