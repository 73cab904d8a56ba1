"""Our own side, measured over the command line alone: whole processes, from exec to exit.

A figure therefore holds the start of the interpreter and every import, and what it measures is
durable: the process has ended. Only `change_while_watching` uses the library, to send its patch.
"""

import os
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Self

import trio

from bench.compilezone import of_runs
from bench.daemon import Daemon
from bench.datasets import Dataset
from bench.measure import BenchmarkError, Figure, ProcessMeasurement, Stopwatch, measure_command
from bench.peers import check_complete, file_serial
from bench.proxy import CountingProxy, Direction, Run, round_trips
from bench.zone_edit import Difference, EditedZone
from syncclient import Client

NAME = "syncd"
_REPLICA = "replica"
_EDITOR = "editor"
_EDITOR_ROLE = "operator"  # whichever role may patch zones
PASSWORD = "only on loopback, only for this run"
_READY = re.compile(rb"syncd is ready: syncd://\S+:(\d+)\s*$", re.MULTILINE)
_READY_S = 60.0
_SETUP_S = 900.0
_LOOK_S = 0.002


def available() -> bool:
    return shutil.which(program("syncd")) is not None


def program(name: str) -> str:
    """Return the command of the environment that runs the benchmark, or else the one in PATH."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else name


def _run(
    name: str, *words: str, stdin: str = "", timeout_s: float = _SETUP_S
) -> ProcessMeasurement:
    done = measure_command(
        [program(name), *words],
        env={"SYNC_PASSWORD": PASSWORD},
        stdin=stdin.encode(),
        timeout_s=timeout_s,
    )
    return done.checked(f"{name} {words[0]}")


class Source:
    """A source that holds a folder or a file of zones; leaving the `with` block ends it."""

    def __init__(
        self,
        zones: Path,
        work: Path,
        store: str | None = None,
        *,
        serve_options: Sequence[str] = (),
    ) -> None:
        work.mkdir(parents=True)
        self._zones = zones
        self._serve_options = serve_options
        self._log = work / "serve.log"
        self._store = store or f"sqlite:///{work / 'source.db'}"
        self._daemon: Daemon | None = None
        self._import_peak_kib = 0
        self.port = 0

    def __enter__(self) -> Self:
        _run("syncd", "init", "--store", self._store)
        for user, role in ((_REPLICA, "replica"), (_EDITOR, _EDITOR_ROLE)):
            _run(
                "syncd",
                "user",
                "add",
                user,
                "--role",
                role,
                "--password-stdin",
                "--store",
                self._store,
                stdin=f"{PASSWORD}\n",
            )
        self._import_peak_kib = self.import_again().peak_kib
        self._daemon = Daemon(
            [
                *(program("syncd"), "serve", "--store", self._store, "--port", "0"),
                *self._serve_options,
            ],
            self._log,
            env={"PYTHONUNBUFFERED": "1"},
        )
        try:
            self.port = self._wait_until_ready(self._daemon)
        except BaseException:
            self._daemon.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._daemon is not None:
            self._daemon.stop()

    def import_again(self) -> ProcessMeasurement:
        """Import the folder as it is now, as one commit."""
        return _run("syncd", "import", "zones", str(self._zones), "--store", self._store)

    def seq(self) -> int:
        """The last commit, as anybody sees it; of a store in SQLite."""
        with closing(sqlite3.connect(self._store.removeprefix("sqlite:///"))) as database:
            return int(database.execute("SELECT seq FROM clock").fetchone()[0])

    @property
    def peak_kib(self) -> int | None:
        """The higher of the import's peak and the server's."""
        served = self._daemon.peak_kib if self._daemon is not None else None
        return max(self._import_peak_kib, served or 0) or None

    @property
    def pid(self) -> int:
        """The server's process. Raises BenchmarkError if it does not run."""
        if self._daemon is None:
            raise BenchmarkError("the server was not started")
        self._daemon.check_running()
        return self._daemon.pid

    def address(self, user: str = _REPLICA, port: int | None = None) -> str:
        return f"syncd://{user}@127.0.0.1:{port or self.port}"

    def _wait_until_ready(self, daemon: Daemon) -> int:
        watch = Stopwatch()
        while (found := _READY.search(self._log.read_bytes())) is None:
            daemon.check_running()
            if watch.seconds > _READY_S:
                raise BenchmarkError(f"syncd serve is not ready: {daemon.log_tail()}")
            time.sleep(0.02)
        return int(found[1])


class Replica:
    """A replica's store and its folder of zone files; no process of its own."""

    def __init__(self, work: Path, store: str | None = None) -> None:
        work.mkdir(parents=True)
        self.zones = work / "zones"
        self._options = (
            "--store",
            store or f"sqlite:///{work / 'replica.db'}",
            "--zones-dir",
            str(self.zones),
            "--json",
        )

    def bootstrap(self, address: str, limit_s: float) -> ProcessMeasurement:
        return _run("syncclient", "bootstrap", address, *self._options, timeout_s=limit_s)

    def resync(self, address: str, limit_s: float = _SETUP_S) -> ProcessMeasurement:
        return _run("syncclient", "resync", address, *self._options, timeout_s=limit_s)

    def watch(self, address: str) -> Daemon:
        """Start a process that follows every commit."""
        words = [program("syncclient"), "resync", address, *self._options, "--watch"]
        return Daemon(words, self.zones.parent / "watch.log", env={"SYNC_PASSWORD": PASSWORD})

    def check_serial(self, name: str, serial: int) -> None:
        """Raise BenchmarkError unless a zone file holds the serial."""
        found = file_serial(self.zones / name)
        if found != serial:
            raise BenchmarkError(f"the replica's {name} has serial {found} instead of {serial}")


def bootstrap(
    source: Source, data: Dataset, work: Path, limit_s: float, store: str | None = None
) -> Figure:
    """From the exec of `syncclient bootstrap` to its exit; then every record is counted."""
    replica = Replica(work, store)
    done = replica.bootstrap(source.address(), limit_s)
    check_complete(replica.zones, data)
    return _figure(done, source)


def _figure(done: ProcessMeasurement, source: Source) -> Figure:
    said = done.stdout.decode(errors="replace").strip()
    return Figure(
        seconds=done.seconds,
        peak_kib_primary=source.peak_kib,
        peak_kib_secondary=done.peak_kib,
        note=f"{done.cpu_seconds:.3f} CPU s; {said}",
    )


def counted_resync(source: Source, replica: Replica) -> Figure:
    """Resync through the counting proxy; bytes and round trips are those after the login."""
    with CountingProxy(source.port) as proxy:
        done = replica.resync(source.address(port=proxy.port))
        part = after_login(proxy.runs)
        whole = f"login and end included: {proxy.bytes_up} up, {proxy.bytes_down} down, "
        whole += f"{proxy.round_trips} round trips"
    figure = _figure(done, source)
    return replace(
        figure,
        bytes_sent=sum(run.size_bytes for run in part if run.direction is Direction.UP),
        bytes_received=sum(run.size_bytes for run in part if run.direction is Direction.DOWN),
        round_trips=round_trips(part),
        note=f"{whole}; {figure.note}",
    )


def after_login(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return the runs from the first SYNC command on, up to the QUIT, with nothing else in them.

    If no SYNC is to be seen (because it came inside TLS), all runs are returned: never less than
    what it took.
    """
    part: list[Run] = []
    for run in runs:
        up = run.direction is Direction.UP
        if part and up and run.head[:4].upper() == b"QUIT":
            break
        if part:
            part.append(run)
        elif up and (found := re.search(rb"(?im)^SYNC ", run.head)):
            head = run.head[found.start() :]
            part.append(Run(run.direction, run.size_bytes - found.start(), head))
    return tuple(part or runs)


def nothing_changed(source: Source, replica: Replica, repeat: int) -> Figure:
    """Resync a replica that is up to date: seconds without the proxy, then the counts with it."""
    samples = tuple(replica.resync(source.address()).seconds for _ in range(repeat))
    counted = counted_resync(source, replica)
    return replace(counted, seconds=median(samples), samples_seconds=samples)


def change_one_record(data: Dataset, work: Path, repeat: int, limit_s: float) -> Figure:
    """From the exec of `syncclient patch` to the exit of the `syncclient resync` after it."""
    path = data.files()[0].path
    edited = EditedZone(path)
    with Source(path, work / "source") as source:
        replica = Replica(work / "replica")
        replica.bootstrap(source.address(), limit_s)

        def patch() -> int:
            change = edited.change()
            words = (source.address(_EDITOR), edited.zone, "--file", "-")
            _run("syncclient", "patch", *words, stdin=change.diff)
            return change.serial

        samples: list[float] = []
        resyncs: list[float] = []
        for _ in range(repeat):
            watch = Stopwatch()
            serial = patch()
            resyncs.append(replica.resync(source.address()).seconds)
            samples.append(watch.seconds)
            replica.check_serial(path.name, serial)
        serial = patch()
        counted = counted_resync(source, replica)
        replica.check_serial(path.name, serial)
    return replace(
        counted,
        seconds=median(samples),
        samples_seconds=tuple(samples),
        note=f"of these, resync {median(resyncs):.3f} s; {counted.note}",
    )


def change_while_watching(data: Dataset, work: Path, repeat: int, limit_s: float) -> Figure:
    """From sending the patch, in a session that is logged in, until a watching replica, a process
    of its own, has the new serial in its zone file; the store holds it before."""
    path = data.files()[0].path
    edited = EditedZone(path)
    with Source(path, work / "source") as source:
        replica = Replica(work / "replica")
        replica.bootstrap(source.address(), limit_s)
        with replica.watch(source.address()) as watcher:
            samples = [
                trio.run(
                    _patch_and_wait, source.address(_EDITOR), edited, replica.zones / path.name
                )
                for _ in range(repeat + 1)
            ][1:]  # the first also waits for the watcher to start
            watcher.check_running()
            peak_kib = watcher.peak_kib
    return Figure(
        seconds=median(samples),
        samples_seconds=tuple(samples),
        peak_kib_primary=source.peak_kib,
        peak_kib_secondary=peak_kib,
    )


async def _patch_and_wait(address: str, edited: EditedZone, file: Path) -> float:
    change = edited.change()
    async with Client.connect(address, PASSWORD) as client:
        await client.noop()
        present = (await client.info("zones", edited.zone)).rows[0]["digest"]
        watch = Stopwatch()
        await client.patch("zones", edited.zone, [change.diff.encode()], digest=present)
        with trio.fail_after(_READY_S):
            while file_serial(file) != change.serial:
                await trio.sleep(_LOOK_S)
        return watch.seconds


def token_lost(
    source: Source, other: Source, work: Path, difference: Difference, limit_s: float
) -> Figure:
    """Resync a replica of `source` from `other`, whose epoch it does not know and which differs.

    Another store that imported nearly the same files stands for a source that came back from a
    backup: its epoch is another, so the replica's token is lost.
    """
    replica = Replica(work)
    replica.bootstrap(source.address(), limit_s)
    figure = counted_resync(other, replica)
    for name in difference.names:
        replica.check_serial(name, difference.serial)
    moved = (figure.bytes_sent or 0) + (figure.bytes_received or 0)
    return replace(
        figure, note=f"{moved - difference.content_bytes} bytes beside the content; {figure.note}"
    )


def import_zone(path: Path, work: Path, repeat: int) -> Figure:
    """`syncd import` of one zone file into an empty store, from exec to exit."""
    runs: list[ProcessMeasurement] = []
    for number in range(repeat):
        folder = work / f"import-{number}"
        folder.mkdir(parents=True)
        store = f"sqlite:///{folder / 'source.db'}"
        _run("syncd", "init", "--store", store)
        os.sync()
        runs.append(_run("syncd", "import", "zones", str(path), "--store", store))
    return of_runs(runs, "syncd import")


def exported(path: Path, work: Path, limit_s: float) -> Path:
    """Return the zone file of a replica of a source that imported one zone file."""
    with Source(path, work / "source") as source:
        replica = Replica(work / "replica")
        replica.bootstrap(source.address(), limit_s)
    written = [file for file in replica.zones.rglob("*") if file.is_file()]
    zones = [file for file in written if file.name.endswith("zone")]
    if len(zones) != 1:
        raise BenchmarkError(f"the replica of {path.name} holds {[file.name for file in written]}")
    return zones[0]
