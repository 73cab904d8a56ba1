"""BIND 9 as a primary and as an empty secondary, with every transfer limit raised.

A secondary of BIND writes the file of a zone that came by AXFR at once, but delays it after an
IXFR; there it is told to, with `rndc sync`, as soon as it answers with the new serial.
"""

import base64
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bench.daemon import Daemon
from bench.datasets import Dataset
from bench.measure import BenchmarkError, Figure, Stopwatch, free_port
from bench.peers import (
    measure_bootstrap,
    measure_changes,
    wait_for_answered_serial,
    wait_for_file_serial,
    wait_until_loaded,
)
from bench.zone_edit import EditedZone

NAME = "BIND"
RELOAD_ALL = "reload"
_CHANGE_S = 60.0
_MANY = 10_000
_XFR_BYTES = re.compile(rb"Transfer completed: .*?(\d+) bytes")


def available() -> bool:
    return shutil.which("named") is not None and shutil.which("rndc") is not None


class BindServer:
    """One named, set up but not yet started; leaving the `with` block ends it."""

    def __init__(
        self,
        work: Path,
        port: int,
        zones: Sequence[str],
        folder: Path,
        zone_options: str,
        other_port: int,
        notify: bool,
        include: Path | None = None,
    ) -> None:
        self.port = port
        self.folder = folder
        self._work = work
        self._config = work / "named.conf"
        self._rndc_config = work / "rndc.conf"
        self._control_port = free_port()
        self._daemon: Daemon | None = None
        self._log = work / "named.log"
        for made in (work, folder):
            made.mkdir(parents=True, exist_ok=True)
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        key = f'key "bench" {{ algorithm hmac-sha256; secret "{secret}"; }};\n'
        self._rndc_config.write_text(
            key + 'options { default-key "bench"; default-server 127.0.0.1; '
            f"default-port {self._control_port}; }};\n"
        )
        level = "warning" if len(zones) > _MANY else "info"
        self._config.write_text(
            key
            + _config(self, work, self._control_port, level, other_port if notify else None)
            + "\n".join(
                f'zone "{zone}" {{ file "{folder}/{zone}.zone"; {zone_options} }};'
                for zone in zones
            )
            + (f'\ninclude "{include}";\n' if include else "\n")
        )

    @property
    def rndc_config(self) -> Path:
        return self._rndc_config

    def start(self) -> None:
        cores = os.cpu_count() or 1
        self._daemon = Daemon(
            ["named", "-f", "-4", "-n", str(cores), "-c", str(self._config)], self._log
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def daemon(self) -> Daemon:
        if self._daemon is None:
            raise BenchmarkError("named is used before it was started")
        return self._daemon

    def control(self, *words: str) -> None:
        """Run one rndc command."""
        done = subprocess.run(
            ["rndc", "-c", str(self._rndc_config), *words],
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode != 0:
            raise BenchmarkError(f"rndc {' '.join(words)}: {done.stdout}{done.stderr}")

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.kill()


def _config(
    server: BindServer, work: Path, control_port: int, level: str, notify_port: int | None
) -> str:
    notify = "no" if notify_port is None else "explicit"
    also = "" if notify_port is None else f"also-notify {{ 127.0.0.1 port {notify_port}; }};"
    return f"""
controls {{ inet 127.0.0.1 port {control_port} allow {{ 127.0.0.1; }} keys {{ "bench"; }}; }};
logging {{
    channel told {{ stderr; severity {level}; }};
    category default {{ told; }};
}};
options {{
    directory "{work}";
    listen-on port {server.port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    lock-file none;
    session-keyfile none;
    recursion no;
    dnssec-validation no;
    empty-zones-enable no;
    minimal-responses yes;
    allow-transfer {{ 127.0.0.1; }};
    allow-notify {{ 127.0.0.1; }};
    notify {notify};
    {also}
    notify-delay 0;
    notify-rate 100000;
    startup-notify-rate 100000;
    serial-query-rate 100000;
    transfers-in 1000;
    transfers-out 1000;
    transfers-per-ns 1000;
    tcp-clients 10000;
    tcp-listen-queue 1000;
    masterfile-format text;
    masterfile-style full;
    provide-ixfr yes;
    request-ixfr yes;
    zone-statistics none;
}};
"""


class Primary(BindServer):
    """A loaded primary; it writes journals into `folder` only when a zone is reloaded."""

    def __init__(
        self,
        work: Path,
        zones: Sequence[str],
        folder: Path,
        notify_port: int | None = None,
        *,
        takes_updates: bool = False,
    ) -> None:
        options = "type primary; check-names ignore; "
        options += "allow-update { 127.0.0.1; };" if takes_updates else "ixfr-from-differences yes;"
        notify = notify_port is not None
        super().__init__(work, free_port(), zones, folder, options, notify_port or 1, notify)
        self._zones = zones

    def __enter__(self) -> Self:
        try:
            self.start()
            wait_until_loaded(self, self._zones)
        except BaseException:
            self.stop()
            raise
        return self


def secondary_of(work: Path, zones: Sequence[str], primary_port: int, port: int) -> BindServer:
    options = f"type secondary; primaries {{ 127.0.0.1 port {primary_port}; }};"
    return BindServer(work, port, zones, work / "zones", options, primary_port, notify=False)


def notify(primary: Primary, zone: str) -> None:
    """Nothing is to be done: with `notify-delay 0` the primary tells at once."""


def bootstrap(primary: Primary, data: Dataset, work: Path, limit_s: float) -> Figure:
    """From the start of an empty secondary's process until each zone file is on disk."""
    zones = [file.zone for file in data.files()]
    with secondary_of(work, zones, primary.port, free_port()) as secondary:
        return measure_bootstrap(primary, secondary, data, limit_s)


def change_one_record(data: Dataset, work: Path, repeat: int, limit_s: float) -> Figure:
    """From `rndc reload` until the secondary's zone file holds the new serial."""
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
            edited.write(path)
            watch = Stopwatch()
            primary.control("reload", zone)
            wait_for_answered_serial(port, zone, change.serial, _CHANGE_S)
            secondary.control("sync", zone)
            wait_for_file_serial(secondary.folder / path.name, change.serial, _CHANGE_S)
            return watch.seconds

        return measure_changes(change, repeat, primary, secondary, _XFR_BYTES)
