"""The database server's plug is pulled at any moment of a change: the store comes up at a commit,
and what was promised is there."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import (
    Serving,
    add_admin,
    assert_folder_holds,
    assert_replicates,
    finish,
    run,
    start,
)
from tests.databases import databases_on
from tests.databaseservers import SERVERS, Server
from tests.faults.sources import token_of, write_zones
from tests.store.objects import new_store, store_url

SEEDS = range(5)


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """One that flushes what it promises."""
    with SERVERS[request.param](durable=True) as server:
        yield server


@pytest.fixture
def source(server: Server, tmp_path: Path) -> Iterator[str]:
    with databases_on(server):
        with new_store(tmp_path, "source") as store:
            add_admin(store)
        url = store_url(tmp_path, "source")
        run("syncd", "import", "zones", write_zones(tmp_path / "master", serial=1), "--store", url)
        yield url


def kill_during(server: Server, seed: int, limit_s: float, *command: str | Path) -> int:
    """Run a program, kill the server somewhere in it, start it again; return the exit status."""
    running = start(*command)
    time.sleep(random.Random(seed).uniform(0.2, limit_s))
    server.stop()
    done = finish(running)
    server.start()
    assert "Traceback" not in done.err
    return done.status


@pytest.mark.parametrize("seed", SEEDS)
def test_an_import_is_there_or_not(server: Server, source: str, tmp_path: Path, seed: int) -> None:
    before = token_of(source, [])
    changed = write_zones(tmp_path / "changed", serial=2, records=4000)
    command = ("syncd", "import", "zones", changed, "--store", source)
    status = kill_during(server, seed, 2.5, *command)
    after = token_of(source, [])
    assert status in (0, 8)
    assert after != before or status == 8
    repeated = run(*command).out
    assert f"{'3' if after == before else '0'} changed" in repeated


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replica_is_made_good(server: Server, source: str, tmp_path: Path, seed: int) -> None:
    """Its source stands elsewhere."""
    with databases_on(None):
        elsewhere = store_url(tmp_path, "elsewhere")
        with new_store(tmp_path, "elsewhere") as store:
            add_admin(store)
        changed = write_zones(tmp_path / "changed", serial=2, records=4000)
        run("syncd", "import", "zones", changed, "--store", elsewhere)
    replica = store_url(tmp_path, "replica")
    out = tmp_path / "out"
    with Serving(elsewhere) as serving:
        command = (
            "syncclient", "resync", serving.url(), "--store", replica, "--zones-dir", out,
        )  # fmt: skip
        assert kill_during(server, seed, 2.5, *command) in (0, 8)
        run(*command)
        serving.end()
    assert_replicates(replica, elsewhere)
    assert_folder_holds(out, replica)
