"""A TCP proxy on loopback that counts what passes: bytes each way, and who spoke after whom.

Two threads a connection, each with one large buffer: it passes well over 300 MB/s, but it takes
CPU time that a two-core machine would give to the two ends, so timed runs go without it.
"""

import contextlib
import socket
import threading
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

_BUFFER_BYTES = 512 * 1024
_HEAD_BYTES = 4096


class Direction(Enum):
    UP = "from the client to the server"
    DOWN = "from the server to the client"


@dataclass
class Run:
    """Bytes that went in one direction without any in the other between them."""

    direction: Direction
    size_bytes: int = 0
    head: bytearray = field(default_factory=bytearray)  # its beginning: which verbs it carried


class CountingProxy:
    """Passes every connection on to a loopback port, and counts.

    A round trip is a run upwards that was answered, so `turns` counts the greeting as well, and
    requests that were sent together count once.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._lock = threading.Lock()
        self._runs: list[Run] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self) -> "CountingProxy":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run so far, in order; those of several connections are interleaved."""
        with self._lock:
            return tuple(self._runs)

    @property
    def bytes_up(self) -> int:
        return sum(run.size_bytes for run in self.runs if run.direction is Direction.UP)

    @property
    def bytes_down(self) -> int:
        return sum(run.size_bytes for run in self.runs if run.direction is Direction.DOWN)

    @property
    def turns(self) -> int:
        """How often the direction changed."""
        return max(0, len(self.runs) - 1)

    @property
    def round_trips(self) -> int:
        """How often the client waited for an answer."""
        return round_trips(self.runs)

    def reset(self) -> None:
        """Count from nothing again."""
        with self._lock:
            self._runs = []

    def close(self) -> None:
        # A shutdown wakes the thread that waits in accept; closing alone would leave it there.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.append(end)
            self._start(client, server, Direction.UP)
            self._start(server, client, Direction.DOWN)

    def _start(self, source: socket.socket, target: socket.socket, direction: Direction) -> None:
        thread = threading.Thread(target=self._pass, args=(source, target, direction), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _pass(self, source: socket.socket, target: socket.socket, direction: Direction) -> None:
        buffer = memoryview(bytearray(_BUFFER_BYTES))
        try:
            while size_bytes := source.recv_into(buffer):
                # Counted before it is passed on, so that an answer cannot be counted first.
                self._count(direction, buffer[:size_bytes])
                target.sendall(buffer[:size_bytes])
        except OSError:
            # A reset is passed on as an end: what was counted until then stays true.
            pass
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _count(self, direction: Direction, data: memoryview) -> None:
        with self._lock:
            if not self._runs or self._runs[-1].direction is not direction:
                self._runs.append(Run(direction))
            run = self._runs[-1]
            run.size_bytes += len(data)
            if len(run.head) < _HEAD_BYTES:
                run.head += data[: _HEAD_BYTES - len(run.head)]


def round_trips(runs: tuple[Run, ...]) -> int:
    """Return how many runs upwards were followed by an answer."""
    return sum(1 for run, _ in pairwise(runs) if run.direction is Direction.UP)
