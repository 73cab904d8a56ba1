"""Damage that leaves the tally right: found by hashing everything, and fetched again."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, func, select, update

from syncd.store.schema import chunk, clock, commit, version
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
from tests.databases import on_every_engine
from tests.faults.sources import write_zones
from tests.store.objects import past_the_store

pytestmark = on_every_engine

Damage = Callable[[Connection], object]


def set_body(connection: Connection, digest: bytes, body: bytes) -> None:
    connection.execute(update(chunk).where(chunk.c.digest == digest).values(body=body))


def some_chunks(connection: Connection) -> list[tuple[bytes, bytes]]:
    """Digests and bodies, in no order that means anything."""
    rows = connection.execute(select(chunk.c.digest, chunk.c.body).order_by(chunk.c.digest))
    return [(digest, body) for digest, body in rows]


def flip_a_bit_of_every_chunk(connection: Connection) -> None:
    for digest, body in some_chunks(connection):
        at = random.Random(digest).randrange(len(body))
        set_body(connection, digest, body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :])


def exchange_two_chunks(connection: Connection) -> None:
    (one, first), (two, second) = some_chunks(connection)[:2]
    set_body(connection, one, second)
    set_body(connection, two, first)


def remove_a_third(connection: Connection) -> None:
    for digest, _ in some_chunks(connection)[::3]:
        connection.execute(delete(chunk).where(chunk.c.digest == digest))


def empty_one(connection: Connection) -> None:
    set_body(connection, some_chunks(connection)[7][0], bytes(9))


every, of = update(version), version.c
DAMAGES: dict[str, Damage] = {
    "rotten": flip_a_bit_of_every_chunk,
    "exchanged": exchange_two_chunks,
    "missing": remove_a_third,
    "size": lambda c: c.execute(every.values(size=of.size + 1)),
    "crc32": lambda c: c.execute(every.where(of.type == "zones").values(crc32=of.crc32 + 1)),
    "chunks": lambda c: c.execute(every.values(chunks=func.substr(of.chunks, 33))),
    "future": lambda c: c.execute(every.values(seq=of.seq + 100)),
    "closed": lambda c: c.execute(every.where(of.name == "example.net.").values(until=of.seq + 1)),
    "commits": lambda c: c.execute(delete(commit)),
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
        with past_the_store(replica) as connection:
            DAMAGES[name](connection)
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
        with past_the_store(replica) as connection:
            empty_one(connection)
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
        with past_the_store(replica) as connection:
            flip_a_bit_of_every_chunk(connection)
        (tmp_path / "patch").write_text("+new.example.com. 300 IN A 192.0.2.9\n")
        patch = ("syncclient", "patch", serving.url(), "example.com", "--file", tmp_path / "patch")
        run(*patch)
        done = run("syncclient", "resync", serving.url(), "--store", replica)
        assert done.out.startswith("repair: ")
    assert_replicates(replica, source)


def test_a_floor_above_the_last_commit_is_told_of_by_every_command(source: str) -> None:
    """Looking for a view that is held would never end."""
    with Serving(source) as serving:
        with past_the_store(source) as connection:
            connection.execute(update(clock).values(floor=clock.c.seq + 1))
        said = refused("syncclient", "verify", serving.url(), status=6)
        assert "510 the store cannot be used; the server's log says why" in said
        assert "the store is damaged: its floor" in serving.end().err
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
