"""A server process that the benchmark started, and that never outlives it.

It runs in a session of its own, so that Ctrl-C reaches the benchmark alone, which then ends each
server by its own pid on the way out.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.measure import BenchmarkError, peak_kib

_STOP_S = 60.0


class Daemon:
    """A running server; leaving the `with` block ends it."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.log = log
        self._name = argv[0]
        self._peak_kib: int | None = None
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                pass_fds=pass_fds,
                start_new_session=True,
            )

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def peak_kib(self) -> int | None:
        """The peak so far; after the end, the last one read before it."""
        if self._process.poll() is None:
            self._peak_kib = peak_kib(self.pid)
        return self._peak_kib

    def check_running(self) -> None:
        """Raise BenchmarkError with the end of its log if the server has ended."""
        if self._process.poll() is not None:
            raise BenchmarkError(
                f"{self._name} ended with code {self._process.returncode}: {self.log_tail()}"
            )

    def log_tail(self, size_bytes: int = 2000) -> str:
        return self.log.read_bytes()[-size_bytes:].decode(errors="replace")

    def kill(self) -> None:
        """End the server at once: for one that would first write out what nobody will read."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask the server to end, and kill it if it has not by the time limit."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process.poll() is not None:
            return
        self._peak_kib = peak_kib(self.pid)
        self._process.send_signal(number)
        try:
            self._process.wait(_STOP_S)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
