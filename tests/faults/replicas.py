"""Replicas as programs of their own, and faults of the machine that they run on.

A replica has its store in one folder and its zone files in another, below `folder`; a fault begins
and ends with a context.
"""

import re
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy import make_url, update

from syncd.store import Store
from syncd.store.schema import clock
from tests.cli.commands import Serving, assert_folder_holds, run, start, zone_text
from tests.disks import SmallDisk
from tests.faults.sources import token_of
from tests.running import put, wait_until
from tests.store.objects import past_the_store, store_url

PROGRAMS = ("resync --watch", "follow")
_NAMES = ("example.com.", "example.net.")
_LIMIT_S = 60
_WAIT_FOR_LOCK_S = 1
_RETRIES_S = 7
"""More than lies between two attempts."""


_WITHOUT_RIGHTS = [shutil.which("setpriv") or "setpriv", "--bounding-set=-all", "--inh-caps=-all"]
"""The command under which root is refused what the mode of a file does not allow."""


@dataclass
class Replica:
    """One that is kept in step with `serving`, which has the store `source`; its own `database` is
    in `data`, unless it is on a server, the rest on `disk`."""

    serving: Serving
    source: str
    data: Path
    disk: SmallDisk

    @property
    def database(self) -> str:
        return store_url(self.data, "replica")

    @property
    def store(self) -> str:
        """Its URL as the programs are given it."""
        url = make_url(self.database).update_query_dict({"timeout": str(_WAIT_FOR_LOCK_S)})
        return url.render_as_string(hide_password=False)

    @property
    def within(self) -> list[str]:
        return [*self.disk.within, *_WITHOUT_RIGHTS]

    @property
    def zones(self) -> Path:
        """Its zones folder, as this process sees it."""
        return self.disk.seen_from_here / "zones"

    def once(self) -> list[str]:
        """The command that brings it into step."""
        return [
            "syncclient", "resync", self.serving.url(), "--store", self.store,
            "--zones-dir", str(self.disk.path / "zones"), "--allow-large-change",
        ]  # fmt: skip

    def start(self, program: str) -> "Running":
        if program == "resync --watch":
            return Running(start(*self.once(), "--watch", within=self.within))
        config = self.data / "replica.toml"
        config.write_text(
            f'[agent]\nname = "ns2"\nfolder = "{self.disk.path}"\n'
            f'[[source]]\nurl = "{self.serving.url()}"\n[files]\n'
            f'[replica]\nstore = "{self.store}"\ntypes = "*"\n'
            "allow_large_change = true\npoll_s = 0.2\nlongest_wait_s = 0.2\n"
        )
        return Running(start("syncclient", "follow", "--config", config, within=self.within))

    def put(self, serial: int) -> None:
        """Give the source zones of this serial."""
        for name in _NAMES:
            text = zone_text(serial, *(f"r{at} 60 IN TXT serial-{serial}" for at in range(300)))
            with Store.open(self.source) as store:
                put(store, "zones", name, text)

    def is_at(self, serial: int) -> bool:
        """Say whether its zone files are those that were put with a serial."""
        files = [self.zones / f"{name}zone" for name in _NAMES]
        return all(file.exists() and f"serial-{serial}" in file.read_text() for file in files)

    def assert_in_step(self) -> None:
        """Its store is sound and what the source is, and so are its files."""
        run("syncclient", "verify", self.serving.url(), "--store", self.store)
        token_of(self.store, [])
        assert_folder_holds(self.zones, self.store)


class Running:
    """A program that runs while the context lasts; what it prints is kept."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        """Lines, of standard output and standard error."""
        streams = process.stdout, process.stderr
        self._readers = [threading.Thread(target=self._read, args=(one,)) for one in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            self.said.extend(stream)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def wait_until(self, true: Callable[[], object]) -> None:
        """Wait for something that the program is about to do."""
        try:
            wait_until(lambda: true() or not self.runs, _LIMIT_S)
        except AssertionError:
            raise AssertionError(f"it does not come true; said: {self.said}") from None
        assert self.runs, self.said

    def tries_again(self) -> None:
        """Give the program time to try again; it has to live through it."""
        time.sleep(_RETRIES_S)
        assert self.runs, self.said

    def says(self, pattern: str) -> list[str]:
        """Return the lines in which a pattern is found."""
        return [line for line in self.said if re.search(pattern, line)]


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write a folder, and what is in it, from everybody."""
    inside = [folder, *folder.rglob("*")]
    for path in inside:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        for path in inside:
            path.chmod(path.stat().st_mode | 0o200)


@contextmanager
def full(disk: SmallDisk) -> Iterator[None]:
    disk.fill()
    try:
        yield
    finally:
        disk.free()


@contextmanager
def out_of_descriptors(pid: int, spare: int) -> Iterator[None]:
    """Let a process open so many files more, and no others."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = sorted(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir())
    free = (number for number in range(used[-1] + spare + 2) if number not in used)
    limit = [next(free) for _ in range(spare + 1)][-1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@contextmanager
def locked(database: str) -> Iterator[None]:
    """Keep a database locked, as a process that hangs in a transaction does."""
    with past_the_store(database) as connection:
        connection.execute(update(clock).values(swept=clock.c.swept))
        yield
