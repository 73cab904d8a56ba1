"""A store's file that may only be read, is moved away, exchanged, or kept locked under a daemon."""

import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.store import Store
from tests.cli.commands import Serving, assert_folder_holds, refused, run
from tests.disks import SmallDisk
from tests.faults.sources import token_of
from tests.store.objects import assert_sound

ZONE = """\
@ 3600 IN SOA ns1 hostmaster {serial} 7200 3600 1209600 300
@ 3600 IN NS ns1
ns1 3600 IN A 192.0.2.1
"""


def path_of(store: str) -> Path:
    return Path(store.removeprefix("sqlite:///").partition("?")[0])


def put(serving: Serving, serial: int, *, refused_with: int | None = None) -> str:
    """Put a zone; return what was said."""
    command = ("syncclient", "put", serving.url(), "example.com.")
    if refused_with is None:
        return run(*command, stdin=ZONE.format(serial=serial)).out
    return refused(*command, stdin=ZONE.format(serial=serial), status=refused_with)


def serial_of(serving: Serving) -> str:
    return run("syncclient", "get", serving.url(), "example.com.").out.split()[6]


def test_a_read_only_file_system_is_refused_clearly_and_used_once_it_is_writable(
    mounted: SmallDisk, source: str
) -> None:
    store = f"sqlite:///{mounted.path}/source.db"
    shutil.copy(path_of(source), mounted.seen_from_here / "source.db")
    mounted.remount("ro")
    for command in (("log",), ("serve", "--port", "0"), ("gc",), ("restored",)):
        said = refused("syncd", *command, "--store", store, status=8, within=mounted.within)
        assert re.search(
            r"store sqlite:///.*source\.db: .*(make the file|see that the folder)", said
        )
    mounted.remount("rw")
    token_of(store, mounted.within)


def test_a_read_only_store_is_served_to_readers_if_its_log_is_there(
    mounted: SmallDisk, source: str
) -> None:
    """As after a crash, when the system has mounted a damaged file system for reading only."""
    store = f"sqlite:///{mounted.path}/source.db"
    shutil.copy(path_of(source), mounted.seen_from_here / "source.db")
    with Serving(store, within=mounted.within) as serving:
        put(serving, 1)
        serving.end(signal.SIGKILL)
    mounted.remount("ro")
    with Serving(store, within=mounted.within) as serving:
        assert serial_of(serving) == "1"
        said = put(serving, 2, refused_with=6)
        assert re.search(r"510 store .*readonly database; make the file and its folder", said)
        run("syncclient", "verify", serving.url())
        mounted.remount("rw")
        put(serving, 2)
        assert "Traceback" not in serving.end().err
    token_of(store, mounted.within)


def test_a_zones_folder_that_is_read_only_is_finished_later(
    mounted: SmallDisk, source: str, tmp_path: Path
) -> None:
    replica = f"sqlite:///{tmp_path}/replica.db"
    options = ("--store", replica, "--zones-dir", mounted.path / "out")
    with Serving(source) as serving:
        put(serving, 1)
        command = ("syncclient", "bootstrap", serving.url(), *options)
        mounted.remount("ro")
        said = refused(*command, status=8, within=mounted.within)
        assert re.search("Read-only file system; have its file system mounted for writing", said)
        mounted.remount("rw")
        run(*command, within=mounted.within)
    assert_folder_holds(mounted.seen_from_here / "out", replica)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep a database locked, as a process that hangs in a transaction does."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_a_store_kept_locked_is_read_and_refuses_writers_in_time(source: str) -> None:
    with Serving(f"{source}?timeout=1") as serving:
        put(serving, 1)
        with locked(path_of(source)):
            begun = time.monotonic()
            said = put(serving, 2, refused_with=6)
            assert 1 <= time.monotonic() - begun < 10
            assert re.search(r"552 store .*: another process keeps it locked;.*try again", said)
            assert serial_of(serving) == "1"
            assert "commit" in run("syncd", "log", "--store", source).out
            said = refused("syncd", "gc", "--store", f"{source}?timeout=1", status=6)
            assert "another process keeps it locked" in said
        put(serving, 2)
        assert serial_of(serving) == "2"
        assert "Traceback" not in serving.end().err


def move_away(path: Path) -> None:
    for part in ("", "-wal", "-shm"):
        beside = path.with_name(path.name + part)
        if beside.exists():
            beside.rename(path.with_name(path.name + part + ".away"))


def move_back(path: Path) -> None:
    for part in ("", "-wal", "-shm"):
        away = path.with_name(path.name + part + ".away")
        if away.exists():
            away.rename(path.with_name(path.name + part))


def test_a_store_that_is_moved_away_is_missed_and_not_written_to(source: str) -> None:
    with Serving(source) as serving:
        put(serving, 1)
        move_away(path_of(source))
        said = put(serving, 2, refused_with=6)
        assert "510 the store cannot be used; the server's log says why" in said
        refused("syncclient", "get", serving.url(), "example.com.", status=6)
        assert not path_of(source).exists()
        move_back(path_of(source))
        assert serial_of(serving) == "1"
        put(serving, 2)
        assert serial_of(serving) == "2"
        told = serving.end().err
        assert re.search(r"store .*: there is no such file \(any more\); put it back", told)
        assert "Traceback" not in told
    with Store.open(source) as store:
        assert_sound(store)


def test_a_store_that_is_exchanged_is_served_as_it_is_now(source: str, tmp_path: Path) -> None:
    with Serving(source) as serving:
        put(serving, 1)
        run("syncd", "gc", "--store", source)
        with sqlite3.connect(path_of(source)) as old, sqlite3.connect(tmp_path / "copy") as new:
            old.backup(new)
        old.close()
        new.close()
        put(serving, 2)
        move_away(path_of(source))
        (tmp_path / "copy").rename(path_of(source))
        assert serial_of(serving) == "1"
        put(serving, 3)
        assert serial_of(serving) == "3"
        assert "Traceback" not in serving.end().err
    with Store.open(source) as store:
        assert_sound(store)
        assert store.clock().seq == 3


@pytest.mark.parametrize("program", ["log", "fsck", "gc"])
def test_a_store_that_was_never_there_is_not_made(tmp_path: Path, program: str) -> None:
    store = f"sqlite:///{tmp_path / 'none.db'}"
    assert "there is no such file" in refused("syncd", program, "--store", store, status=8)
    assert list(tmp_path.iterdir()) == []
