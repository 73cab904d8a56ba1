"""How a DNS server is measured, whichever it is: its arrival on disk, its queries, its transfers.

A zone has arrived when its file stands under its final name: Knot and BIND both write a file under
another name first and rename it, so a file that is there is whole. While the clock runs, only the
first file that is still missing is looked for, so 100,000 files cost 100,000 looks and no listing.
When the clock has stopped, every file is read, and its records are counted.
"""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Protocol

from bench.daemon import Daemon
from bench.datasets import Dataset
from bench.dns_queries import (
    ask_every_soa,
    ask_serial,
    is_positive,
    query,
    transfer_every_zone,
)
from bench.measure import BenchmarkError, Figure, Stopwatch

_PAUSE_S = 0.002
_PAUSE_MANY_S = 0.02
_MANY = 10_000  # zones, from which on the watcher looks less often and asks for fewer
_ANSWERS_ASKED = 100
_LOADED_S = 600.0
_HEAD_BYTES = 8_192
_SERIAL = re.compile(rb"\sSOA\s+\S+\s+\S+\s+\(?\s*(\d+)")


class Server(Protocol):
    """A primary or a secondary: Knot's or BIND's."""

    port: int
    folder: Path  # of its zone files

    @property
    def daemon(self) -> Daemon: ...

    def start(self) -> None: ...


class _Files:
    """Which of a secondary's zone files have come, in the order of the names."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._come = 0
        self.seconds: float | None = None

    def look(self, watch: Stopwatch) -> None:
        while self._come < len(self._paths) and self._paths[self._come].exists():
            self._come += 1
        if self._come == len(self._paths) and self.seconds is None:
            self.seconds = watch.seconds

    @property
    def fraction(self) -> float:
        if self.seconds is not None:
            return 1.0
        return sum(path.exists() for path in self._paths) / len(self._paths)


class Answers:
    """For which of some zones a secondary answers already; never waits for an answer."""

    def __init__(self, port: int, zones: Sequence[str]) -> None:
        self._open = dict(enumerate(zones[:: max(1, len(zones) // _ANSWERS_ASKED)]))
        self.seconds: float | None = None
        self._udp = socket.socket(type=socket.SOCK_DGRAM)
        self._udp.setblocking(False)
        self._udp.connect(("127.0.0.1", port))

    def look(self, watch: Stopwatch) -> None:
        if self.seconds is not None:
            return
        before = len(self._open)
        # An error means that nothing has come, or that the port is not open yet.
        with contextlib.suppress(OSError):
            while reply := self._udp.recv(4096):
                if is_positive(reply):
                    self._open.pop(int.from_bytes(reply[:2], "big"), None)
        if not self._open:
            self.seconds = watch.seconds
        # One query at a time until answers come, so as not to load a server that is not ready.
        at_once = 64 if len(self._open) < before else 1
        with contextlib.suppress(OSError):
            for number in list(self._open)[:at_once]:
                self._udp.send(query(number, self._open[number]))

    def close(self) -> None:
        self._udp.close()


def wait_until_loaded(server: Server, zones: Sequence[str]) -> None:
    """Return once a primary answers for every zone."""
    watch = Stopwatch()
    while ask_serial(server.port, zones[-1]) is None:
        server.daemon.check_running()
        _give_up(watch, f"port {server.port} does not answer for {zones[-1]}")
        time.sleep(_PAUSE_MANY_S)
    while ask_every_soa(server.port, zones).answered < len(zones):
        server.daemon.check_running()
        _give_up(watch, f"port {server.port} does not answer for every zone")
        time.sleep(0.5)


def _give_up(watch: Stopwatch, what: str) -> None:
    if watch.seconds > _LOADED_S:
        raise BenchmarkError(f"{what} after {_LOADED_S} s")


def measure_bootstrap(primary: Server, secondary: Server, data: Dataset, limit_s: float) -> Figure:
    """Start an empty secondary and wait until every zone file is on disk.

    The secondary is left running: whoever made it ends it.
    """
    files = data.files()
    zones = [file.zone for file in files]
    come = _Files([secondary.folder / file.path.name for file in files])
    answers = Answers(secondary.port, zones)
    pause_s = _PAUSE_MANY_S if len(zones) > _MANY else _PAUSE_S
    try:
        watch = Stopwatch()
        secondary.start()
        while come.seconds is None and watch.seconds < limit_s:
            come.look(watch)
            answers.look(watch)
            time.sleep(pause_s)
            secondary.daemon.check_running()
    finally:
        answers.close()
    every = max(1, len(zones) // _ANSWERS_ASKED)
    if come.seconds is not None:
        check_complete(secondary.folder, data)
    return Figure(
        seconds=come.seconds,
        answered_seconds=answers.seconds,
        fraction_done=come.fraction,
        peak_kib_primary=primary.daemon.peak_kib,
        peak_kib_secondary=secondary.daemon.peak_kib,
        note=f"answered_seconds: one zone in {every} was asked",
    )


def check_complete(folder: Path, data: Dataset) -> None:
    """Raise BenchmarkError unless the zone files hold as many zones and records as the data set."""
    counts = [count_records(path) for path in folder.rglob("*.zone")]
    if len(counts) != data.zones or sum(counts) != data.records:
        raise BenchmarkError(
            f"{folder} holds {len(counts)} zones and {sum(counts)} records "
            f"instead of {data.zones} and {data.records}"
        )


def count_records(path: Path) -> int:
    """Count the records of a zone file that has one a line."""
    return sum(
        1 for line in path.read_bytes().split(b"\n") if line and line[:1] not in (b";", b"$")
    )


def file_serial(path: Path) -> int | None:
    """Return the serial that a zone file begins with, or None if there is no such file."""
    try:
        with path.open("rb") as file:
            found = _SERIAL.search(file.read(_HEAD_BYTES))
    except FileNotFoundError:
        return None
    return int(found[1]) if found else None


def wait_for_file_serial(path: Path, serial: int, timeout_s: float) -> None:
    """Return once a zone file holds the serial."""
    watch = Stopwatch()
    while file_serial(path) != serial:
        if watch.seconds > timeout_s:
            raise BenchmarkError(f"{path} does not hold serial {serial} after {timeout_s} s")
        time.sleep(_PAUSE_S)


def wait_for_answered_serial(port: int, zone: str, serial: int, timeout_s: float) -> None:
    """Return once a server answers for a zone with the serial."""
    watch = Stopwatch()
    while ask_serial(port, zone) != serial:
        if watch.seconds > timeout_s:
            raise BenchmarkError(f"{zone}: serial {serial} not answered after {timeout_s} s")
        time.sleep(_PAUSE_S)


def measure_changes(
    change: Callable[[], float],
    repeat: int,
    primary: Server,
    secondary: Server,
    transfer_bytes: re.Pattern[bytes],
) -> Figure:
    """Change one record `repeat` times; `change` does it once and returns its seconds.

    `transfer_bytes` finds the size of a transfer in the secondary's log.
    """
    samples = tuple(change() for _ in range(repeat))
    sizes = transfer_bytes.findall(secondary.daemon.log.read_bytes())
    return Figure(
        seconds=median(samples),
        bytes_received=int(sizes[-1]) if sizes else None,
        peak_kib_primary=primary.daemon.peak_kib,
        peak_kib_secondary=secondary.daemon.peak_kib,
        samples_seconds=samples,
        note="bytes of the IXFR from the secondary's log, without NOTIFY and the SOA query",
    )


def measure_nothing_changed(primary: Server, zones: Sequence[str]) -> Figure:
    """What it costs to find out that nothing changed: one SOA query for each zone."""
    asked = ask_every_soa(primary.port, zones)
    if asked.answered != len(zones):
        raise BenchmarkError(f"{len(zones) - asked.answered} zones were not answered for")
    return Figure(
        seconds=asked.seconds,
        bytes_received=asked.bytes_received,
        bytes_sent=asked.bytes_sent,
        peak_kib_primary=primary.daemon.peak_kib,
        note=f"{len(zones)} SOA queries over UDP, DNS messages only",
    )


def measure_transfers(primary: Server, zones: Sequence[str], sample: int = 10_000) -> Figure:
    """What it costs to fetch everything again: AXFR of each zone, or of a sample, scaled."""
    step = max(1, len(zones) // sample)
    asked = zones[::step]
    moved = transfer_every_zone(primary.port, asked)
    scale = len(zones) / len(asked)
    return Figure(
        seconds=moved.seconds * scale,
        bytes_received=round(moved.bytes_received * scale),
        bytes_sent=round(moved.bytes_sent * scale),
        round_trips=len(zones),
        peak_kib_primary=primary.daemon.peak_kib,
        note=f"AXFR of {len(asked)} of {len(zones)} zones" + (", scaled" if step > 1 else ""),
    )
