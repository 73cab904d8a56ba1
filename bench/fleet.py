"""Many clients in one process, by the library: what the load figures drive the server with.

    python -m bench.fleet WHAT COUNT PORT FOLDER

prints one JSON object, a `Fleet`. A client that fails is counted and its reason kept; the others
go on. The password of the users `replica` and `editor` is in SYNC_PASSWORD.
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

from bench.measure import BenchmarkError, Stopwatch
from syncclient import Client
from syncclient.replica import Path as SyncPath
from syncclient.replica import Replica
from syncd.errors import SyncError
from syncd.store import Store

_LOGINS_AT_ONCE = 64
"""While a fleet gathers; in `bootstrap` all come at once."""
_NOTICE_S = 60.0


@dataclass
class Fleet:
    """What became of the clients. Seconds count from the start or, if there is one, the commit."""

    slowest_s: float = 0.0
    gathering_s: float = 0.0
    """Until all were logged in, where that comes before the commit."""
    done: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


class Driver:
    """`count` clients of the server on a port of this machine, with their stores in `folder`."""

    def __init__(self, count: int, port: int, folder: Path) -> None:
        self.fleet = Fleet()
        self._count = count
        self._port = port
        self._folder = folder
        self._password = os.environ["SYNC_PASSWORD"]
        self._logins = trio.CapacityLimiter(_LOGINS_AT_ONCE)
        self._waiting = count
        self._gathered = trio.Event()
        self._committed = trio.Event()
        self._watch = Stopwatch()

    async def bootstrap(self) -> None:
        """All come at once; each fills an empty store of its own."""
        await self._run_all(self._bootstrap_one)

    async def resync(self) -> None:
        """All are up to date and watch; after one commit each brings its store to it."""
        await self._bootstrap_one(-1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._commit_when_gathered)
            await self._run_all(self._resync_one)

    async def watch(self) -> None:
        """All watch; after one commit each hears of it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._commit_when_gathered)
            await self._run_all(self._watch_one)

    async def _run_all(self, one: Callable[[int], Awaitable[None]]) -> None:
        async def run(number: int) -> None:
            try:
                await one(number)
            except (SyncError, BenchmarkError, OSError, trio.TooSlowError) as error:
                reason = f"{type(error).__name__}: {error}"
                self.fleet.reasons[reason] = self.fleet.reasons.get(reason, 0) + 1
                self.fleet.failed += 1
                if not self._committed.is_set():
                    self._one_is_ready()
            else:
                self.fleet.done += 1
                self.fleet.slowest_s = max(self.fleet.slowest_s, self._watch.seconds)

        self._watch = Stopwatch()
        async with trio.open_nursery() as nursery:
            for number in range(self._count):
                nursery.start_soon(run, number)

    async def _commit_when_gathered(self) -> None:
        """Add a record to one zone when every client is ready, or has failed."""
        await self._gathered.wait()
        self.fleet.gathering_s = self._watch.seconds
        async with Client.connect(self._address("editor"), self._password) as client:
            zone = (await client.names("zones"))[0]
            present = (await client.info("zones", zone)).rows[0]["digest"]
            added = f"+load-{present}.{zone} 300 IN A 192.0.2.99\n".encode()
            self._watch = Stopwatch()
            self._committed.set()
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
                outcome = await Replica(store, client, source="source").synchronise()
        if outcome.path is not SyncPath.BOOTSTRAP:
            raise BenchmarkError(f"{outcome.path.value} instead of a bootstrap")

    async def _resync_one(self, number: int) -> None:
        path = self._folder / f"{number}.db"
        await trio.to_thread.run_sync(shutil.copyfile, self._folder / "-1.db", path)
        with Store.open(self._store(number)) as store:
            async with Client.connect(self._address(), self._password) as client:
                async with self._logins:
                    present = await client.begin_watch("*")
                self._one_is_ready()
                await self._committed.wait()
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
            await self._committed.wait()
            with trio.fail_after(_NOTICE_S):
                await anext(commits)

    def _store(self, number: int) -> str:
        return f"sqlite:///{self._folder / f'{number}.db'}"


def main() -> None:
    what, count, port, folder = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    driver = Driver(int(count), int(port), Path(folder))
    runs = {"bootstrap": driver.bootstrap, "resync": driver.resync, "watch": driver.watch}
    trio.run(runs[what])
    print(json.dumps(asdict(driver.fleet)))


if __name__ == "__main__":
    main()
