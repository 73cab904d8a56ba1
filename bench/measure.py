"""What every part of the benchmark measures with: a figure, a process, a port, a peak, a clock.

Peaks of processes that end by themselves come from wait4 in a small launcher; peaks of daemons
come from VmHWM just before they are ended. Both count resident pages, shared ones included.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Goes before a command whose peak wait4 shall tell; it takes the report's descriptor first.
LAUNCHER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")))
_CONNECT_PAUSE_S = 0.005


class BenchmarkError(Exception):
    """A measured side did not do what its figure needs; the text says which and what it said."""


@dataclass(frozen=True)
class Figure:
    """One measurement of one side.

    What a side cannot tell is None. `seconds` is None when the time limit ran out first;
    `fraction_done` then says how far it came.
    """

    seconds: float | None = None
    bytes_received: int | None = None  # by the side that asks: the secondary, the client
    bytes_sent: int | None = None
    round_trips: int | None = None
    peak_kib_primary: int | None = None
    peak_kib_secondary: int | None = None
    fraction_done: float = 1.0
    answered_seconds: float | None = None  # until every zone was answered, files or not
    after_commit_seconds: float | None = None  # of `seconds`, those after the source's commit
    samples_seconds: tuple[float, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ProcessMeasurement:
    seconds: float
    cpu_seconds: float
    peak_kib: int
    returncode: int
    stdout: bytes
    stderr: bytes = b""

    def checked(self, what: str) -> "ProcessMeasurement":
        """Return this measurement, or raise BenchmarkError if the process failed."""
        if self.returncode != 0:
            said = (self.stderr or self.stdout).decode(errors="replace").strip()
            raise BenchmarkError(f"{what} ended with code {self.returncode}: {said[-2000:]}")
        return self


class Stopwatch:
    """Monotonic seconds since it was made."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


def measure_command(
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float | None = None,
) -> ProcessMeasurement:
    """Run a command to its end and measure it from the spawn until the wait returned.

    The peak is that of the command and of the children it waited for, and of nothing else.
    `env` is added to the environment. On expiry, or if anything is raised here, the command is
    ended with SIGTERM first.
    """
    read_end, write_end = os.pipe()
    with open(read_end, "rb") as report:
        try:
            launcher = subprocess.Popen(
                [*LAUNCHER, str(write_end), *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **(env or {})},
                pass_fds=(write_end,),
                start_new_session=True,
            )
        finally:
            os.close(write_end)
        try:
            stdout, stderr = launcher.communicate(stdin, timeout=timeout_s)
        except BaseException as error:
            launcher.terminate()
            launcher.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchmarkError(f"{argv[0]}: not done after {timeout_s} s") from error
            raise
        words = report.read().split()
    if len(words) != 4:
        raise BenchmarkError(f"{argv[0]} could not be started: {stderr.decode(errors='replace')}")
    return ProcessMeasurement(
        float(words[0]), float(words[1]), int(words[2]), int(words[3]), stdout, stderr
    )


def peak_kib(pid: int) -> int | None:
    """Return the peak resident size of a running process (VmHWM), or None if it has gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return None


def forget_peak(pid: int) -> None:
    """Have the kernel count the peak resident size of a running process from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


_given_ports: set[int] = set()
"""The system may give one twice, and of two listeners of one named neither says anything."""


def free_port() -> int:
    """Return a loopback port that is free for both TCP and UDP at this moment; each only once."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            if port in _given_ports:
                continue
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                _given_ports.add(port)
                return port


def wait_for_port(port: int, timeout_s: float = 60.0) -> None:
    """Return once a TCP connection to a loopback port is accepted."""
    watch = Stopwatch()
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=timeout_s).close()
            return
        except ConnectionRefusedError:
            if watch.seconds > timeout_s:
                raise BenchmarkError(f"port {port} not open after {timeout_s} s") from None
            time.sleep(_CONNECT_PAUSE_S)
