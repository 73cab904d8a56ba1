"""Damage that leaves the tally right: found by hashing everything, and fetched again."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.commands import (
    Proxy,
    Serving,
    assert_folder_holds,
    assert_replicates,
    refused,
    run,
    start,
    urls,
)
from tests.faults.sources import write_zones

Damage = Callable[[sqlite3.Connection], object]


def flip_a_bit_of_every_chunk(connection: sqlite3.Connection) -> None:
    rows = connection.execute("SELECT digest, body FROM chunk").fetchall()
    for digest, body in rows:
        at = random.Random(digest).randrange(len(body))
        rotten = body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :]
        connection.execute("UPDATE chunk SET body = ? WHERE digest = ?", (rotten, digest))


def exchange_two_chunks(connection: sqlite3.Connection) -> None:
    (one, first), (two, second) = connection.execute("SELECT digest, body FROM chunk LIMIT 2")
    connection.execute("UPDATE chunk SET body = ? WHERE digest = ?", (second, one))
    connection.execute("UPDATE chunk SET body = ? WHERE digest = ?", (first, two))


DAMAGES: dict[str, Damage] = {
    "rotten": flip_a_bit_of_every_chunk,
    "exchanged": exchange_two_chunks,
    "missing": lambda c: c.execute("DELETE FROM chunk WHERE rowid % 3 = 0"),
    "size": lambda c: c.execute("UPDATE version SET size = size + 1"),
    "crc32": lambda c: c.execute("UPDATE version SET crc32 = crc32 + 1 WHERE type = 'zones'"),
    "chunks": lambda c: c.execute("UPDATE version SET chunks = substr(chunks, 33)"),
    "future": lambda c: c.execute("UPDATE version SET seq = seq + 100"),
    "closed": lambda c: c.execute("UPDATE version SET until = seq + 1 WHERE name = 'example.net.'"),
    "commits": lambda c: c.execute('DELETE FROM "commit"'),
}


@pytest.fixture
def replica(tmp_path: Path) -> str:
    return urls(tmp_path, ("replica",))[0]


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_fetched_again(
    tmp_path: Path, source: str, zones: Path, replica: str, name: str
) -> None:
    run("syncd", "import", "zones", zones, "--store", source)
    options = ("--store", replica, "--zones-dir", tmp_path / "out")
    with Serving(source) as serving:
        run("syncclient", "bootstrap", serving.url(), *options)
        with sqlite3.connect(tmp_path / "replica.db") as connection:
            DAMAGES[name](connection)
        connection.close()
        run("syncd", "fsck", "--store", replica, status=8)
        if name != "commits":
            done = run("syncclient", "verify", serving.url(), "--store", replica, status=10)
            assert "`syncclient resync --verify` fetches it again" in done.err
        done = run("syncclient", "resync", serving.url(), *options, "--verify")
        assert done.out.startswith("repair: ")
        assert_replicates(replica, source)
        run("syncclient", "verify", serving.url(), "--store", replica)
        assert run("syncclient", "resync", serving.url(), *options).out.startswith("nothing to do")


def test_only_what_is_damaged_is_fetched(
    tmp_path: Path, source: str, zones: Path, replica: str
) -> None:
    run("syncd", "import", "zones", zones, "--store", source)
    with Serving(source) as serving:
        whole = run("syncclient", "bootstrap", serving.url(), "--store", replica, "--json").json()
        with sqlite3.connect(tmp_path / "replica.db") as connection:
            connection.execute("UPDATE chunk SET body = zeroblob(9) WHERE rowid = 7")
        connection.close()
        command = ("syncclient", "resync", serving.url(), "--store", replica, "--json")
        done = run(*command, "--verify").json()
        assert (done["path"], done["changed"]) == ("repair", 1)
        assert done["bytes_down"] < whole["bytes_down"] / 10
        assert run(*command, "--verify").json()["path"] == "nothing to do"
    assert_replicates(replica, source)


def test_a_rotten_chunk_that_a_change_meets_is_fetched_without_being_asked_to(
    tmp_path: Path, source: str, zones: Path, replica: str
) -> None:
    run("syncd", "import", "zones", zones, "--store", source)
    with Serving(source) as serving:
        run("syncclient", "bootstrap", serving.url(), "--store", replica)
        with sqlite3.connect(tmp_path / "replica.db") as connection:
            flip_a_bit_of_every_chunk(connection)
        connection.close()
        (tmp_path / "patch").write_text("+new.example.com. 300 IN A 192.0.2.9\n")
        patch = ("syncclient", "patch", serving.url(), "example.com", "--file", tmp_path / "patch")
        run(*patch)
        done = run("syncclient", "resync", serving.url(), "--store", replica)
        assert done.out.startswith("repair: ")
    assert_replicates(replica, source)


def test_a_floor_above_the_last_commit_is_told_of_by_every_command(
    tmp_path: Path, source: str
) -> None:
    """Looking for a view that is held would never end."""
    with Serving(source) as serving, sqlite3.connect(tmp_path / "source.db") as connection:
        connection.execute("UPDATE clock SET floor = seq + 1")
        connection.commit()
        said = refused("syncclient", "verify", serving.url(), status=6)
        assert "510 the store is damaged: its floor" in said
    connection.close()
    assert "`syncd fsck`" in refused("syncd", "user", "list", "--store", source, status=8)
    done = run("syncd", "fsck", "--store", source, status=8)
    assert "above its commit" in done.out


def test_zone_files_that_somebody_changed_are_written_again(
    tmp_path: Path, source: str, zones: Path, replica: str
) -> None:
    run("syncd", "import", "zones", zones, "--store", source)
    out = tmp_path / "out"
    options = ("--store", replica, "--zones-dir", out)
    with Serving(source) as serving:
        run("syncclient", "bootstrap", serving.url(), *options)
        (out / "example.com.zone").write_text("nonsense\n")
        (out / "example.net.zone").unlink()
        (out / "stranger.example.zone").write_text("nonsense\n")
        done = run("syncclient", "resync", serving.url(), *options, "--verify")
    assert done.out.startswith("nothing to do: ")
    assert "2 zone files written, 1 removed" in done.out
    assert_folder_holds(out, replica)


def test_a_second_client_on_the_same_store_is_told_to_wait(
    tmp_path: Path, source: str, replica: str
) -> None:
    write_zones(tmp_path / "master", serial=1)
    run("syncd", "import", "zones", tmp_path / "master", "--store", source)
    with Serving(source) as serving:
        command = ("syncclient", "bootstrap", serving.url(), "--store", replica)
        with HeldBack(serving, replica) as first:
            said = refused(*command, status=6)
            assert "another bootstrap or resync is running on this store" in said
            first.process.kill()  # its lock goes with it
            first.process.wait()
            run(*command)
    assert_replicates(replica, source)


class HeldBack:
    """A bootstrap whose server answers so slowly that it is under way while the context lasts."""

    def __init__(self, serving: Serving, replica: str) -> None:
        self.proxy = Proxy(serving.port, 5000, lambda: None)
        self.process = start("syncclient", "bootstrap", self.proxy.url(), "--store", replica)
        assert self.proxy.reached.wait(20)

    def __enter__(self) -> "HeldBack":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.proxy.close()
