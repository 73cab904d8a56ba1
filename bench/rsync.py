"""rsync from a daemon on loopback: a whole copy of a folder of zone files, and a second run.

Bytes are those that rsync itself counts, which include its own protocol. Nothing is verified
beyond what rsync does, and nothing is served: it is the floor for moving files, not a peer.
"""

import os
import re
import shutil
from pathlib import Path

from bench.daemon import Daemon
from bench.measure import (
    LAUNCHER,
    BenchmarkError,
    Figure,
    free_port,
    measure_command,
    wait_for_port,
)

NAME = "rsync"
_BYTES = {
    way: re.compile(rf"^Total bytes {way}: ([\d,]+)$".encode(), re.MULTILINE)
    for way in ("sent", "received")
}


def available() -> bool:
    return shutil.which("rsync") is not None


class RsyncDaemon:
    """A daemon that offers one folder, read only; leaving the `with` block ends it.

    Its peak is known after its end only: the daemon forks for each connection, and wait4 tells
    the largest of them.
    """

    def __init__(self, folder: Path, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.peak_kib: int | None = None
        config = work / "rsyncd.conf"
        config.write_text(
            f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\n"
            f"[zones]\npath = {folder}\nread only = yes\n"
        )
        read_end, write_end = os.pipe()
        self._report = open(read_end, "rb")  # noqa: SIM115 - read when the daemon has ended
        try:
            self._daemon = Daemon(
                [
                    *LAUNCHER,
                    str(write_end),
                    "rsync",
                    "--daemon",
                    "--no-detach",
                    f"--config={config}",
                    "--address=127.0.0.1",
                    f"--port={self.port}",
                ],
                work / "rsyncd.log",
                pass_fds=(write_end,),
            )
        finally:
            os.close(write_end)

    def __enter__(self) -> "RsyncDaemon":
        try:
            wait_for_port(self.port)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._daemon.stop()
        with self._report:
            words = self._report.read().split()
        self.peak_kib = int(words[2]) if len(words) == 4 else None


def copy(daemon: RsyncDaemon, target: Path, limit_s: float) -> Figure:
    """Copy everything the daemon offers into a folder; the second time nothing is to be done."""
    done = measure_command(
        [
            "rsync",
            "-a",
            "--stats",
            "--no-human-readable",
            f"rsync://127.0.0.1:{daemon.port}/zones/",
            f"{target}/",
        ],
        env={"LC_ALL": "C"},
        timeout_s=limit_s,
    ).checked("rsync")
    return Figure(
        seconds=done.seconds,
        bytes_received=_stated(done.stdout, "received"),
        bytes_sent=_stated(done.stdout, "sent"),
        peak_kib_secondary=done.peak_kib,
        note="peak of the receiving side",
    )


def _stated(stdout: bytes, way: str) -> int:
    found = _BYTES[way].search(stdout)
    if found is None:
        raise BenchmarkError(f"rsync did not say how many bytes it {way}")
    return int(found[1].replace(b",", b""))
