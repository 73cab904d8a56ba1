"""Knot DNS as a primary and as an empty secondary, with its limits raised.

The secondary writes each zone file at once (zonefile-sync 0). Background workers wait for the
network, so more of them than cores pay: `large` took 0.63 s with 2, 0.38 to 0.40 s with 4 to 32.
Connections to the primary are kept for the next zone: `many` took 15 s with that, 22 s without.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bench.daemon import Daemon
from bench.datasets import Dataset
from bench.measure import BenchmarkError, Figure, Stopwatch, free_port
from bench.peers import (
    measure_bootstrap,
    measure_changes,
    wait_for_file_serial,
    wait_until_loaded,
)
from bench.zone_edit import EditedZone

NAME = "Knot"
RELOAD_ALL = "zone-reload"
_BACKGROUND_WORKERS = 8
_CHANGE_S = 60.0
_MANY = 10_000
_PAUSE_S = 0.002
_IXFR_BYTES = re.compile(rb"IXFR, incoming,.* finished,.* (\d+) bytes")


def available() -> bool:
    return shutil.which("knotd") is not None and shutil.which("knotc") is not None


class KnotServer:
    """One knotd, set up but not yet started; leaving the `with` block ends it."""

    def __init__(
        self,
        work: Path,
        port: int,
        zones: Sequence[str],
        folder: Path,
        template: Sequence[str],
        other_port: int,
        include: Path | None = None,
    ) -> None:
        self.port = port
        self.folder = folder
        self._socket = work / "s"
        self._config = work / "knot.conf"
        for made in (work / "run", work / "db", folder):
            made.mkdir(parents=True, exist_ok=True)
        level = "warning" if len(zones) > _MANY else "info"
        text = _config(work, self, zones, template, other_port, level)
        if include is not None:
            text += f"include: {include}\n"
        self._config.write_text(text)
        self._daemon: Daemon | None = None
        self._log = work / "knot.log"

    @property
    def socket(self) -> Path:
        return self._socket

    def start(self) -> None:
        self._daemon = Daemon(
            ["knotd", "-c", str(self._config), "-s", str(self._socket)], self._log
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def daemon(self) -> Daemon:
        if self._daemon is None:
            raise BenchmarkError("knotd is used before it was started")
        return self._daemon

    def control(self, *words: str) -> None:
        """Run one knotc command."""
        done = subprocess.run(
            ["knotc", "-s", str(self._socket), *words], capture_output=True, text=True, timeout=60
        )
        if done.returncode != 0:
            raise BenchmarkError(f"knotc {' '.join(words)}: {done.stdout}{done.stderr}")

    def stop(self) -> None:
        if self._daemon is not None:
            # Its databases are thrown away, so it need not write them out.
            self._daemon.kill()


def _config(
    work: Path,
    server: KnotServer,
    zones: Sequence[str],
    template: Sequence[str],
    other_port: int,
    level: str,
) -> str:
    cores = os.cpu_count() or 1
    lines = [
        "server:",
        f"    rundir: {work / 'run'}",
        f"    listen: 127.0.0.1@{server.port}",
        f"    udp-workers: {cores}",
        f"    tcp-workers: {cores}",
        f"    background-workers: {_BACKGROUND_WORKERS}",
        "    tcp-max-clients: 10000",
        "    tcp-idle-timeout: 120",
        "    tcp-io-timeout: 0",
        "    tcp-remote-io-timeout: 60000",
        "    remote-pool-limit: 64",
        "    remote-pool-timeout: 60",
        "log:",
        "  - target: stdout",
        f"    any: {level}",
        "database:",
        f"    storage: {work / 'db'}",
        "remote:",
        "  - id: other",
        f"    address: 127.0.0.1@{other_port}",
        "acl:",
        "  - id: loopback",
        "    address: 127.0.0.1",
        "    action: [transfer, notify, update]",
        "template:",
        "  - id: default",
        f"    storage: {server.folder}",
        '    file: "%s.zone"',
        "    acl: loopback",
        "    refresh-min-interval: 2",
        "    journal-content: changes",
        *(f"    {line}" for line in template),
        "zone:",
        *(f"  - domain: {zone}." for zone in zones),
    ]
    return "\n".join(lines) + "\n"


class Primary(KnotServer):
    """A loaded primary; it never writes into `folder`. Leaving the `with` block ends it."""

    def __init__(
        self,
        work: Path,
        zones: Sequence[str],
        folder: Path,
        notify_port: int | None = None,
        *,
        takes_updates: bool = False,
    ) -> None:
        template = ["zonefile-sync: -1", "zonefile-load: difference"]
        if notify_port is not None:
            template.append("notify: other")
        super().__init__(work, free_port(), zones, folder, template, notify_port or 1)
        self._zones = zones

    def __enter__(self) -> Self:
        try:
            self.start()
            wait_until_loaded(self, self._zones)
        except BaseException:
            self.stop()
            raise
        return self


def secondary_of(work: Path, zones: Sequence[str], primary_port: int, port: int) -> KnotServer:
    return KnotServer(
        work, port, zones, work / "zones", ["zonefile-sync: 0", "master: other"], primary_port
    )


def notify(primary: Primary, zone: str) -> None:
    """Have the primary send its NOTIFY now; by itself Knot 3.2 waits for a second."""
    primary.control("zone-notify", zone)


def bootstrap(primary: Primary, data: Dataset, work: Path, limit_s: float) -> Figure:
    """From the start of an empty secondary's process until each zone file is on disk."""
    zones = [file.zone for file in data.files()]
    with secondary_of(work, zones, primary.port, free_port()) as secondary:
        return measure_bootstrap(primary, secondary, data, limit_s)


def bootstrap_running(primary: Primary, data: Dataset, work: Path, limit_s: float) -> Figure:
    """From `zone-retransfer` of everything, at a secondary that runs, until each zone file is on
    disk anew."""
    zones = [file.zone for file in data.files()]
    with secondary_of(work, zones, primary.port, free_port()) as secondary:
        measure_bootstrap(primary, secondary, data, limit_s)
        files = [secondary.folder / file.path.name for file in data.files()]
        old = {file: file.stat().st_ino for file in files}
        watch = Stopwatch()
        secondary.control("zone-retransfer")
        while old:
            if watch.seconds > limit_s:
                raise BenchmarkError(f"{len(old)} files are not written anew after {limit_s} s")
            old = {file: inode for file, inode in old.items() if _inode(file) in (inode, None)}
            time.sleep(_PAUSE_S)
        return Figure(seconds=watch.seconds, peak_kib_secondary=secondary.daemon.peak_kib)


def _inode(file: Path) -> int | None:
    """Return which file has a name now; none while it is replaced."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def change_one_record(data: Dataset, work: Path, repeat: int, limit_s: float) -> Figure:
    """From `knotc zone-reload` until the secondary's zone file holds the new serial.

    The primary reads its 400,000-record file again, as a reload does; `change_by_transaction` is
    the figure without that.
    """
    return _change(data, work, repeat, limit_s, transaction=False)


def change_by_transaction(data: Dataset, work: Path, repeat: int, limit_s: float) -> Figure:
    """From `knotc zone-commit` until the secondary's zone file holds the new serial."""
    return _change(data, work, repeat, limit_s, transaction=True)


def _change(data: Dataset, work: Path, repeat: int, limit_s: float, transaction: bool) -> Figure:
    source = work / "primary" / "zones"
    source.mkdir(parents=True)
    edited = EditedZone(data.files()[0].path)
    zone, path = edited.zone, source / f"{edited.zone}.zone"
    edited.write(path)
    port = free_port()
    with (
        Primary(work / "primary", [zone], source, port) as primary,
        secondary_of(work / "secondary", [zone], primary.port, port) as secondary,
    ):
        measure_bootstrap(primary, secondary, data, limit_s)

        def change() -> float:
            change = edited.change()
            if transaction:
                primary.control("zone-begin", zone)
                for line in change.removed:
                    primary.control("zone-unset", zone, *_words(line, ttl=False))
                for line in change.added:
                    primary.control("zone-set", zone, *_words(line, ttl=True))
            else:
                edited.write(path)
            watch = Stopwatch()
            primary.control("zone-commit" if transaction else "zone-reload", zone)
            wait_for_file_serial(secondary.folder / path.name, change.serial, _CHANGE_S)
            return watch.seconds

        return measure_changes(change, repeat, primary, secondary, _IXFR_BYTES)


def _words(line: str, ttl: bool) -> list[str]:
    """Return a record's fields as knotc takes them: owner, TTL only when set, type, data."""
    owner, seconds, _, *rest = line.split(" ")
    return [owner, *([seconds] if ttl else []), *rest]
