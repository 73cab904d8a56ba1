"""The disk under a database server is full: one clear line, nothing lost, and all goes on once
there is room."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.commands import Serving, add_admin, assert_replicates, finish, refused, run, start
from tests.databases import databases_on
from tests.databaseservers import SERVERS, Server
from tests.disks import SmallDisk, small_disk
from tests.faults.sources import token_of, write_zones
from tests.store.objects import new_store, store_url

DISK_BYTES = 256 * 1024 * 1024
"""Room for what a server makes for itself, and for a few stores."""
NOISE = random.Random(1).randbytes(6_000_000)
"""More than a server has at hand in files that it made before."""
NO_ROOM = (
    r"store .*(; make room on its file system, then repeat|database server runs, .* its log says)"
)
"""MariaDB ends itself if it finds no room to undo what it found no room for."""


@dataclass
class Database:
    """A database server, and the disk under it."""

    disk: SmallDisk
    server: Server

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave no room; in the end there is some, and the server runs, as its supervisor sees
        to."""
        self.disk.fill()
        try:
            yield
        finally:
            self.disk.free()
            if not self.server.runs:
                self.server.start()


@pytest.fixture(params=SERVERS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """What the test has its databases on."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        assert disk.works
        with SERVERS[request.param](disk=disk) as server, databases_on(server):
            yield Database(disk, server)


@pytest.fixture
def source(database: Database, tmp_path: Path) -> str:
    with new_store(tmp_path, "source") as store:
        add_admin(store)
    url = store_url(tmp_path, "source")
    run("syncd", "import", "zones", write_zones(tmp_path / "master", serial=1), "--store", url)
    return url


@pytest.fixture
def noise(tmp_path: Path) -> tuple[str | Path, ...]:
    """What to put that takes room."""
    (tmp_path / "noise").write_bytes(NOISE)
    return ("noise", "--type", "files", "--file", tmp_path / "noise")


def test_a_daemon_writes_again_once_there_is_room(
    database: Database, source: str, noise: tuple[str | Path, ...]
) -> None:
    with Serving(source) as serving:
        put = ("syncclient", "put", serving.url(), *noise)
        with database.full():
            for _ in range(3):
                told = NO_ROOM if database.server.runs else "the store cannot be used"
                assert re.search(f"510 {told}", refused(*put, status=6))
            if database.server.runs:
                assert "SOA" in run("syncclient", "get", serving.url(), "example.com.").out
                run("syncclient", "verify", serving.url())
        run(*put)
        done = serving.end()
    assert done.status == 0
    assert "Traceback" not in done.err
    assert re.search(NO_ROOM, done.err)
    token_of(source, [])


def test_an_import_and_a_bootstrap_change_nothing_and_can_be_repeated(
    database: Database, source: str, tmp_path: Path
) -> None:
    before = token_of(source, [])
    changed = write_zones(tmp_path / "changed", serial=2, records=20_000)
    command = ("syncd", "import", "zones", changed, "--store", source)
    replica = store_url(tmp_path, "replica")
    run("syncd", "init", "--store", replica)
    with database.full():
        assert re.search(NO_ROOM, refused(*command, status=8))
    assert token_of(source, []) == before
    run(*command)
    with Serving(source) as serving:
        bootstrap = ("syncclient", "bootstrap", serving.url(), "--store", replica)
        with database.full():
            assert re.search(NO_ROOM, refused(*bootstrap, status=8))
        run(*bootstrap)
    assert_replicates(replica, source)


def test_a_replica_that_watches_outlives_it(
    database: Database, tmp_path: Path, noise: tuple[str | Path, ...]
) -> None:
    replica = store_url(tmp_path, "replica")
    with databases_on(None):
        source = store_url(tmp_path, "source")
        with new_store(tmp_path, "source") as store:
            add_admin(store)
    with Serving(source) as serving:
        watching = start("syncclient", "resync", serving.url(), "--store", replica, "--watch")
        assert watching.stdout is not None
        assert watching.stderr is not None
        try:
            assert watching.stdout.readline().startswith("bootstrap: ")
            with database.full():
                run("syncclient", "put", serving.url(), *noise)
                assert re.search(f"{NO_ROOM}.*; trying again", watching.stderr.readline())
            assert watching.stdout.readline().startswith(("delta: ", "repair: "))
        finally:
            watching.terminate()
            finish(watching)
        serving.end()
    assert_replicates(replica, source)
