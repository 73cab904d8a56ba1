"""A name server of the tests' own: on loopback, in a folder of the test's, until its block ends.

It ends as well when the tests' process does, and no two servers get one port. Its control socket
lies in a folder with a short path, whatever the test's is called.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

from bench.measure import free_port

_START_S = 60.0
_STOP_S = 10.0
_QUERY_S = 2.0
_CONTROL_S = 60.0

Zones = Mapping[str, str | Path]
"""Names of zones, and the file of each; a relative one is in the server's folder."""


class ControlFailed(Exception):
    """A control command that the server refused, with what it said."""


class NameServer(ABC):
    """A server, set up but started only by `with`; it may be stopped and started again."""

    name: ClassVar[str]

    def __init__(self, folder: Path, zones: Zones) -> None:
        self.folder = folder
        self.port = free_port()
        self._zones = zones
        self._process: subprocess.Popen[bytes] | None = None
        self._run_folder: Path | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self._run_folder = Path(tempfile.mkdtemp(prefix=f"syncd-{self.name}-"))
        try:
            self._configure()
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._remove()

    @property
    def run_folder(self) -> Path:
        """For sockets: their paths may have some hundred characters only."""
        assert self._run_folder is not None, "the server was not entered"
        return self._run_folder

    @property
    def config(self) -> Path:
        return self.folder / f"{self.name}.conf"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def start(self) -> None:
        """Start the server; wait until it takes commands, and answers for its zones."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )
        self.wait_until(self._takes_commands)
        for zone in self._zones:
            self.wait_until(partial(self._answers_for, zone))

    def _answers_for(self, zone: str) -> bool:
        return self.serial(zone) is not None

    def wait_until(self, come: Callable[[], bool], timeout_s: float = _START_S) -> None:
        """Wait for something that a server does in its own time; its log is in the error."""
        deadline = time.monotonic() + timeout_s
        while not come():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                said = "has ended" if ended else f"is not there after {timeout_s:.0f} s"
                raise RuntimeError(f"{self.name} {said}:\n{self.log_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Have the server end in order, with all of its processes; kill them if it does not."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Pull the server's plug."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.send_signal(number)
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_S)
        finally:
            with suppress(ProcessLookupError):  # unless it left something behind
                os.killpg(process.pid, signal.SIGKILL)

    def _remove(self) -> None:
        self._end(signal.SIGKILL)
        shutil.rmtree(self.run_folder)

    def log_text(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def query(self, name: str, kind: str, *, tcp: bool = False) -> dns.message.Message:
        """Ask the server. Raises dns.exception.Timeout, OSError."""
        ask = dns.query.tcp if tcp else dns.query.udp
        return ask(dns.message.make_query(name, kind), "127.0.0.1", _QUERY_S, self.port)

    def serial(self, zone: str) -> int | None:
        """Return the serial that the server answers with; None while it has none of the zone."""
        try:
            answer = self.query(zone, "SOA")
        except (dns.exception.Timeout, OSError):
            return None
        if answer.rcode() != dns.rcode.NOERROR or not answer.flags & dns.flags.AA:
            return None
        return int(answer.answer[0][0].serial) if answer.answer else None

    def _control(self, *command: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_CONTROL_S,
            check=False,
        )
        if done.returncode != 0:
            raise ControlFailed(f"{command[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    def _takes(self, *command: str) -> bool:
        try:
            self._control(*command)
        except ControlFailed:
            return False
        return True

    @abstractmethod
    def _configure(self) -> None: ...

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _takes_commands(self) -> bool: ...
