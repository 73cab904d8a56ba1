"""Commands in copies of a process that has imported what they need: the tests run thousands.

A copy is made by fork, and is a process of its own with the command's arguments, environment and
standard streams; it ends as the interpreter always ends. What it saves is the time in which Python
starts and imports, which is most of what a command takes. A test that looks at that time, at memory
or arguments, or at how a program is started or ended, starts the real one.
"""

import atexit
import json
import os
import pkgutil
import random
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from threading import Thread
from typing import IO, NoReturn

PROGRAMS = ("syncd", "syncclient")
_DRIVERS = ("psycopg", "pymysql", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql")
_REQUEST_BYTES = 64 * 1024
_NUMBER = struct.Struct("!i")


class Copy:
    """A command that runs in a copy, with as much of subprocess.Popen as is asked of it."""

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], *, reads: bool
    ) -> None:
        self.returncode: int | None = None
        self._report, report = socket.socketpair()
        pipes = [os.pipe() for _ in range(3)]
        (given, give), (out, to_out), (err, to_err) = pipes
        request = json.dumps([words, dict(environment), os.getcwd()]).encode()
        theirs = [given, to_out, to_err, report.detach()]
        socket.send_fds(_server(), [request], theirs)
        for descriptor in theirs:
            os.close(descriptor)
        self.stdin: IO[str] | None = os.fdopen(give, "w")
        self.stdout: IO[str] = os.fdopen(out)
        self.stderr: IO[str] = os.fdopen(err)
        if not reads:
            self.stdin.close()
            self.stdin = None
        self._readers: list[_Reader] = []
        self.pid = _receive(self._report)

    def poll(self) -> int | None:
        """Return the exit status, a signal's number below zero; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._report.settimeout(timeout)
            try:
                self.returncode = _receive(self._report)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("copy", timeout or 0) from None
            self._report.close()
        return self.returncode

    def communicate(
        self, input: str | None = None, timeout: float | None = None
    ) -> tuple[str, str]:
        """Raises subprocess.TimeoutExpired; it can be asked again then."""
        if not self._readers:
            self._readers = [_Reader(self.stdout), _Reader(self.stderr)]
        if self.stdin is not None:
            with suppress(BrokenPipeError), self.stdin:
                self.stdin.write(input or "")
            self.stdin = None
        self.wait(timeout)
        out, err = (reader.all() for reader in self._readers)
        return out, err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Reader(Thread):
    """Reads a stream to its end."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(daemon=True)
        self._stream, self._read = stream, ""
        self.start()

    def run(self) -> None:
        with self._stream:
            self._read = self._stream.read()

    def all(self) -> str:
        self.join()
        return self._read


def _receive(connection: socket.socket) -> int:
    (number,) = _NUMBER.unpack(connection.recv(_NUMBER.size))
    return int(number)


@cache
def _server() -> socket.socket:
    """Start the process that is copied; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(requests: socket.socket) -> None:
    """Copy this process for each request, until nobody can make one any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies that supervise
    signal.signal(signal.SIGINT, signal.default_int_handler)
    while True:
        request, descriptors, *_ = socket.recv_fds(requests, _REQUEST_BYTES, 4)
        if not request:
            return
        if os.fork() == 0:
            requests.close()
            _supervise(*json.loads(request), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _supervise(
    words: list[str], environment: dict[str, str], folder: str, *descriptors: int
) -> NoReturn:
    """Run a command in a copy of this copy, and say how it ended."""
    *streams, done = descriptors
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command == 0:
        os.close(done)
        _become(words, environment, folder, streams)
    for stream in streams:
        os.close(stream)
    with socket.socket(fileno=done) as report:
        report.sendall(_NUMBER.pack(command))
        _, status = os.waitpid(command, 0)
        with suppress(BrokenPipeError):  # nobody asks
            report.sendall(_NUMBER.pack(os.waitstatus_to_exitcode(status)))
    os._exit(0)


def _become(
    words: list[str], environment: dict[str, str], folder: str, streams: list[int]
) -> NoReturn:
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    sys.argv = words
    program = os.path.basename(words[0])
    sys.exit(import_module(f"{program}.cli").main())


def _import_all() -> None:
    for program in PROGRAMS:
        package = import_module(program)
        for module in pkgutil.walk_packages(package.__path__, f"{program}."):
            if ".migrations." not in module.name:
                import_module(module.name)
    for driver in _DRIVERS:
        import_module(driver)


if __name__ == "__main__":
    _import_all()
    _serve(socket.socket(fileno=int(sys.argv[1])))
