"""Many clients in one process, by the library: what the load figures drive the server with.

    python -m bench.fleet WHAT COUNT PORT FOLDER SERVER_PID

prints one JSON object, a `Fleet`. First all gather: they connect and log in. The server's peak is
counted anew from there on, so that what password checks take is not mistaken for what sessions
take. A client that fails is counted and its reason kept; the others go on. The password of the
users `replica` and `editor` is in SYNC_PASSWORD.
"""

import json
import os
import resource
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import trio

from bench.measure import BenchmarkError, Stopwatch, forget_peak, peak_kib
from syncclient import Client
from syncclient.replica import Path as SyncPath
from syncclient.replica import Replica
from syncd.errors import SyncError
from syncd.store import Store

_LOGINS_AT_ONCE = 64
_NOTICE_S = 60.0
_BASE = -1
"""The number of the store that the others begin as copies of."""


@dataclass
class Fleet:
    """What became of the clients. Seconds count from when all had gathered: the commit, if any."""

    slowest_s: float = 0.0
    gathering_s: float = 0.0
    """Until all were logged in."""
    gathering_peak_kib: int = 0
    """The server's peak until then."""
    done: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


class Driver:
    """`count` clients of the server on a port of this machine, with their stores in `folder`."""

    def __init__(self, count: int, port: int, folder: Path, server_pid: int) -> None:
        self.fleet = Fleet()
        self._count = count
        self._port = port
        self._folder = folder
        self._server_pid = server_pid
        self._password = os.environ["SYNC_PASSWORD"]
        self._logins = trio.CapacityLimiter(_LOGINS_AT_ONCE)
        self._waiting = count
        self._gathered = trio.Event()
        self._begun = trio.Event()
        self._watch = Stopwatch()

    async def bootstrap(self) -> None:
        """Each fills an empty store of its own."""
        await self._run_all(self._bootstrap_one)

    async def resync(self) -> None:
        """All are up to date and watch; after one commit each brings its store to it."""
        with Store.create(self._store(_BASE)) as store:
            async with Client.connect(self._address(), self._password) as client:
                await Replica(store, client, source="source").synchronise()
        await self._run_all(self._resync_one, self._commit)

    async def watch(self) -> None:
        """All watch; after one commit each hears of it."""
        await self._run_all(self._watch_one, self._commit)

    async def _run_all(
        self,
        one: Callable[[int], Awaitable[None]],
        begin: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._watch = Stopwatch()
        async with trio.open_nursery() as nursery:
            for number in range(self._count):
                nursery.start_soon(self._run_one, one, number)
            await self._gathered.wait()
            self.fleet.gathering_s = self._watch.seconds
            self.fleet.gathering_peak_kib = peak_kib(self._server_pid) or 0
            forget_peak(self._server_pid)
            self._watch = Stopwatch()
            self._begun.set()
            if begin is not None:
                await begin()

    async def _run_one(self, one: Callable[[int], Awaitable[None]], number: int) -> None:
        try:
            await one(number)
        except (SyncError, BenchmarkError, OSError, trio.TooSlowError) as error:
            reason = f"{type(error).__name__}: {error}"
            self.fleet.reasons[reason] = self.fleet.reasons.get(reason, 0) + 1
            self.fleet.failed += 1
            if not self._begun.is_set():
                self._one_is_ready()
        else:
            self.fleet.done += 1
            self.fleet.slowest_s = max(self.fleet.slowest_s, self._watch.seconds)

    async def _commit(self) -> None:
        """Add a record to one zone."""
        async with Client.connect(self._address("editor"), self._password) as client:
            zone = (await client.names("zones"))[0]
            present = (await client.info("zones", zone)).rows[0]["digest"]
            added = f"+load-{present}.{zone} 300 IN A 192.0.2.99\n".encode()
            self._watch = Stopwatch()
            await client.patch("zones", zone, [added], digest=present)

    def _one_is_ready(self) -> None:
        self._waiting -= 1
        if self._waiting == 0:
            self._gathered.set()

    # One client

    def _address(self, user: str = "replica") -> str:
        return f"syncd://{user}@127.0.0.1:{self._port}"

    async def _bootstrap_one(self, number: int) -> None:
        with Store.create(self._store(number)) as store:
            async with Client.connect(self._address(), self._password) as client:
                async with self._logins:
                    await client.noop()
                self._one_is_ready()
                await self._begun.wait()
                outcome = await Replica(store, client, source="source").synchronise()
        if outcome.path is not SyncPath.BOOTSTRAP:
            raise BenchmarkError(f"{outcome.path.value} instead of a bootstrap")

    async def _resync_one(self, number: int) -> None:
        path = self._folder / f"{number}.db"
        await trio.to_thread.run_sync(shutil.copyfile, self._folder / f"{_BASE}.db", path)
        with Store.open(self._store(number)) as store:
            async with Client.connect(self._address(), self._password) as client:
                async with self._logins:
                    present = await client.begin_watch("*")
                self._one_is_ready()
                await self._begun.wait()
                await client.wait_for_commit("*", present, _NOTICE_S)
                outcome = await Replica(store, client, source="source").synchronise()
        path.unlink()
        if outcome.path is not SyncPath.DELTA:
            raise BenchmarkError(f"{outcome.path.value} instead of a delta")

    async def _watch_one(self, number: int) -> None:
        async with Client.connect(self._address(), self._password) as client:
            commits = client.watch("*")
            async with self._logins:
                await anext(commits)
            self._one_is_ready()
            await self._begun.wait()
            with trio.fail_after(_NOTICE_S):
                await anext(commits)

    def _store(self, number: int) -> str:
        return f"sqlite:///{self._folder / f'{number}.db'}"


def main() -> None:
    what, count, port, folder, server_pid = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    driver = Driver(int(count), int(port), Path(folder), int(server_pid))
    runs = {"bootstrap": driver.bootstrap, "resync": driver.resync, "watch": driver.watch}
    trio.run(runs[what])
    print(json.dumps(asdict(driver.fleet)))


if __name__ == "__main__":
    main()
