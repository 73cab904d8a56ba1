"""The real programs in processes of their own, and what the kernel says of their memory."""

import subprocess
import sys
import threading
import time
from pathlib import Path

from syncd.cli.serving import give_large_buffers_back
from syncd.server import Daemon, Limits
from syncd.store import Store
from tests.server.line_client import LineClient

MAX_BODY_BYTES = 4 * 1024 * 1024
"""Small, so that what is over it is soon sent."""
_START_S = 30.0
_HOST = "127.0.0.1"


def memory_kib(pid: int, what: str) -> int:
    """Return VmRSS or VmHWM of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise ProcessLookupError(f"process {pid} has no {what}: it ended")


class DaemonProcess:
    """A daemon in a process; leaving the context ends it, and fails if it said anything."""

    def __init__(self, store_url: str, max_sessions: int) -> None:
        self.host = _HOST
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.processes", store_url, str(max_sessions)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline() or 0)
        assert self.port, "the daemon does not start"

    @property
    def pid(self) -> int:
        return self._process.pid

    def connect(self, user: str | None = None) -> LineClient:
        client = LineClient(self.host, self.port)
        greeting = client.line()
        assert greeting == "200 syncd ready", greeting
        if user is not None:
            reply = client.log_in(user)
            assert reply.startswith("200 "), reply
        return client

    def __enter__(self) -> "DaemonProcess":
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._process.terminate()
        _, said = self._process.communicate(timeout=_START_S)
        if error is None:
            assert said == "", f"the daemon complained: {said[:2000]}"


class Bystander:
    """Another user, who looks at the source and asks for a delta all the while."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self._client = daemon.connect("bob")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._error: BaseException | None = None
        self.rounds = 0
        self.slowest_s = 0.0
        self.proof = self._client.ask("SYNC zones,files|verify")
        self._token = self.proof.removeprefix("200 ").split("|")[0]

    def __enter__(self) -> "Bystander":
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._stop.set()
        self._thread.join(_START_S)
        assert not self._thread.is_alive(), "the bystander waits for ever"
        if error is None and self._error is not None:
            raise AssertionError("the bystander was disturbed") from self._error
        assert self._client.ask("SYNC zones,files|verify") == self.proof
        self._client.close()

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                began = time.monotonic()
                assert self._client.ask("NOOP") == "200 ok"
                self._client.send(f"SYNC zones,files|delta|{self._token}|format=msgpack")
                blocks, final = self._client.blocks()
                assert (blocks, final) == ([], self.proof)
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                self.rounds += 1
                time.sleep(0.02)
        except BaseException as error:  # noqa: BLE001 (given to the test's thread)
            self._error = error


async def _serve(store_url: str, max_sessions: int) -> None:
    with Store.open(store_url) as store:
        daemon = Daemon(store, Limits(max_sessions=max_sessions, max_body_bytes=MAX_BODY_BYTES))
        await daemon.run(
            _HOST,
            0,
            ready=lambda listeners: print(listeners[0].socket.getsockname()[1], flush=True),
        )


if __name__ == "__main__":
    import logging
    import os
    import resource
    import signal

    import trio

    give_large_buffers_back()  # as `syncd serve` does
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 8192), limit))
    logging.getLogger("syncd").setLevel(logging.ERROR)  # refusals are what is expected
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    trio.run(_serve, sys.argv[1], int(sys.argv[2]))
