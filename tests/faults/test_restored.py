"""Histories that do not fit: a restored backup, another source, a token from the future.

Each is caught by the next resync and made good, the zones folder with it; never silently wrong.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from syncd.store import Store
from tests.cli.commands import (
    Serving,
    add_admin,
    assert_folder_holds,
    assert_replicates,
    finish,
    run,
    start,
    urls,
    zone_text,
)
from tests.databases import on_every_engine, present_databases
from tests.store.objects import new_store

pytestmark = on_every_engine


@dataclass
class Pair:
    """A source with a backup of its third commit, and a replica of it."""

    source: str
    replica: str
    out: Path
    backup: bytes = b""

    def commit(self, *names: str, serial: int) -> None:
        """Make one commit for each zone."""
        with Serving(self.source) as serving:
            for name in names:
                text = zone_text(serial, f"www 60 IN A 192.0.2.{serial}")
                run("syncclient", "put", serving.url(), name, stdin=text)
            serving.end()  # so that a file holds everything

    def restore(self) -> None:
        present_databases().restore(self.source, self.backup)

    def resync(self, *options: str) -> str:
        """Resync, check that everything is right afterwards, and return how it was done."""
        with Serving(self.source) as serving:
            done = run(
                "syncclient", "resync", serving.url(), "--store", self.replica, "--zones-dir",
                self.out, "--json", *options,
            )  # fmt: skip
            serving.end()
        self.assert_right()
        path: str = done.json()["path"]
        return path

    def assert_right(self) -> None:
        assert_replicates(self.replica, self.source)
        assert_folder_holds(self.out, self.replica)
        with Serving(self.source) as serving:
            run("syncclient", "verify", serving.url(), "--store", self.replica)
            serving.end()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    source, replica = urls(tmp_path)
    made = Pair(source, replica, tmp_path / "out")
    with new_store(tmp_path, "source") as store:
        add_admin(store)
    made.commit("a.example.", "b.example.", serial=1)
    made.backup = present_databases().back_up(source)
    made.resync()
    return made


def test_a_restored_source_that_says_so_is_compared_once(pair: Pair) -> None:
    pair.commit("a.example.", "c.example.", serial=2)
    pair.resync()
    pair.restore()
    assert "a new history begins at" in run("syncd", "restored", "--store", pair.source).out
    assert pair.resync() == "repair"
    assert pair.resync() == "nothing to do"
    pair.commit("a.example.", serial=3)
    assert pair.resync() == "delta"


def test_a_restored_source_that_is_behind_its_replica_is_caught(pair: Pair) -> None:
    """The replica's token is from the future."""
    pair.commit("a.example.", "c.example.", serial=2)
    pair.resync()
    pair.restore()
    assert pair.resync() == "repair"
    assert not (pair.out / "c.example.zone").exists()


@pytest.mark.parametrize("more", [0, 1, 2])
def test_a_restored_source_that_comes_to_the_same_number_is_caught(pair: Pair, more: int) -> None:
    """The same epoch and number, or a later one, and not the same content; nobody has said
    `syncd restored`."""
    pair.commit("a.example.", "c.example.", serial=2)
    pair.resync()
    pair.restore()
    pair.commit("b.example.", "d.example.", *["e.example."] * more, serial=5)
    assert pair.resync() == "repair"
    assert not (pair.out / "c.example.zone").exists()
    assert "192.0.2.1" in (pair.out / "a.example.zone").read_text()


def test_a_folder_that_slept_through_a_repair_is_compared(pair: Pair) -> None:
    """Its token is in the replica's history again, and of another one all the same."""
    pair.commit("a.example.", "c.example.", serial=2)
    pair.resync()
    pair.restore()
    with Serving(pair.source) as serving:
        options = ("--store", pair.replica)
        run("syncclient", "resync", serving.url(), *options)
        for name in ("b.example.", "d.example.", "e.example."):
            run("syncclient", "put", serving.url(), name, stdin=zone_text(7))
            run("syncclient", "resync", serving.url(), *options)
        serving.end()
    assert pair.resync() == "nothing to do"


def test_a_store_restored_under_a_running_daemon_is_told_to_those_who_watch(pair: Pair) -> None:
    pair.commit("a.example.", "c.example.", serial=2)
    pair.resync()
    with Serving(pair.source) as serving:
        watching = start(
            "syncclient", "resync", serving.url(), "--store", pair.replica, "--zones-dir",
            pair.out, "--watch",
        )  # fmt: skip
        assert watching.stdout is not None
        try:
            run("syncclient", "put", serving.url(), "f.example.", stdin=zone_text(1))
            assert watching.stdout.readline().startswith("delta: ")
            pair.restore()
            assert watching.stdout.readline().startswith("repair: ")
        finally:
            watching.terminate()
            finish(watching)
        serving.end()
    pair.resync()


def test_a_replica_that_is_pointed_at_another_source_becomes_its_copy_and_says_so(
    pair: Pair, tmp_path: Path
) -> None:
    with new_store(tmp_path, "other") as store:
        add_admin(store)
    other = Pair(urls(tmp_path, ("other",))[0], pair.replica, pair.out)
    other.commit("a.example.", "z.example.", serial=9)
    with Serving(other.source) as serving:
        options = ("--store", pair.replica, "--zones-dir", pair.out)
        done = run("syncclient", "resync", serving.url(), *options)
    assert "warning: until now this store copied syncd://root@127.0.0.1:" in done.err
    assert done.out.startswith("repair: ")
    other.assert_right()


def test_many_objects_of_another_source_are_not_replaced_without_being_told_to(
    pair: Pair, tmp_path: Path
) -> None:
    with Serving(pair.source) as serving:
        for number in range(12):
            run("syncclient", "put", serving.url(), f"n{number}.example.", stdin=zone_text(1))
        serving.end()
    pair.resync()
    with new_store(tmp_path, "other") as store:
        add_admin(store)
    other = urls(tmp_path, ("other",))[0]
    with Serving(other) as serving:
        command = ("syncclient", "resync", serving.url(), "--store", pair.replica)
        assert "14 would go" in run(*command, status=9).err
    assert pair.resync() == "nothing to do"


def test_a_daemon_that_serves_a_replica_tells_its_own_replicas_of_a_new_history(
    pair: Pair, tmp_path: Path
) -> None:
    """A replica of a replica: what the first repairs, the second does."""
    second = Pair(pair.replica, urls(tmp_path, ("second",))[0], tmp_path / "out2")
    pair.commit("a.example.", "c.example.", serial=2)
    pair.resync()
    second.resync()
    pair.restore()
    pair.commit("b.example.", "d.example.", serial=5)
    assert pair.resync() == "repair"
    assert second.resync() == "repair"
    with Store.open(second.replica) as last, Store.open(pair.source) as first:
        assert last.clock().token == first.clock().token
