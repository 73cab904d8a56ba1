"""A full disk, on either side: one clear line, nothing lost, and all goes on once there is room."""

import random
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import (
    Serving,
    assert_folder_holds,
    assert_replicates,
    finish,
    refused,
    run,
    start,
)
from tests.disks import Disk, SmallDisk
from tests.faults.sources import token_of, write_zones
from tests.store.objects import store_url

NOISE = random.Random(1).randbytes(300_000)
NO_ROOM = r"(disk is full; make room|disk I/O error; look at the disk)"
NO_ROOM_IN_FILES = r"(No space left on device; make room|File too large; raise the limit)"


@pytest.fixture
def store(disk: Disk, source: str, zones: Path) -> str:
    """The URL of a source on the disk, with an administrator and three zones."""
    url = store_url(disk.path, "source")
    copied = Path(source.removeprefix("sqlite:///")).read_bytes()
    on_disk = disk.seen_from_here if isinstance(disk, SmallDisk) else disk.path
    (on_disk / "source.db").write_bytes(copied)
    run("syncd", "import", "zones", zones, "--store", url, within=disk.within)
    return url


def test_an_import_that_finds_no_room_changes_nothing_and_can_be_repeated(
    disk: Disk, store: str, tmp_path: Path
) -> None:
    before = token_of(store, disk.within)
    changed = write_zones(tmp_path / "changed", serial=2)
    command = ("syncd", "import", "zones", changed, "--store", store)
    disk.fill()
    assert re.search(NO_ROOM, refused(*command, status=8, within=disk.within))
    disk.free()
    assert token_of(store, disk.within) == before
    run(*command, within=disk.within)
    assert token_of(store, disk.within) != before


def test_a_daemon_without_room_reads_on_and_writes_again_once_there_is_some(
    disk: Disk, store: str, tmp_path: Path
) -> None:
    (tmp_path / "noise").write_bytes(NOISE)
    put = ("--type", "files", "--file", tmp_path / "noise")
    with Serving(store, within=disk.within) as serving:
        pid = serving.process.pid
        command = ("syncclient", "put", serving.url(), "noise", *put)
        disk.fill(pid)
        for _ in range(3):
            assert re.search(f"510 store sqlite:.*{NO_ROOM}", refused(*command, status=6))
        assert "example.com." in run("syncclient", "get", serving.url(), "example.com.").out
        run("syncclient", "verify", serving.url())
        disk.free(pid)
        run(*command)
        done = serving.end()
    assert done.status == 0
    assert "Traceback" not in done.err
    assert store.split("///")[1] in done.err
    token_of(store, disk.within)


def test_a_body_that_finds_no_room_beside_the_store_is_refused(
    disk: Disk, source: str, tmp_path: Path
) -> None:
    (tmp_path / "noise").write_bytes(NOISE * 5)
    put = ("--type", "files", "--file", tmp_path / "noise")
    with Serving(source, within=disk.within, variables={"TMPDIR": str(disk.path)}) as serving:
        command = ("syncclient", "put", serving.url(), "noise", *put)
        run(*command)  # Python looks for a folder that it can write to only once
        (tmp_path / "noise").write_bytes(NOISE * 6)
        disk.fill(serving.process.pid)
        assert re.search(f"510 .*{NO_ROOM_IN_FILES}", refused(*command, status=6))
        disk.free(serving.process.pid)
        run(*command)
        assert "Traceback" not in serving.end().err


def test_gc_without_room_removes_nothing_and_can_be_repeated(
    disk: Disk, store: str, tmp_path: Path
) -> None:
    changed = write_zones(tmp_path / "changed", serial=2)
    run("syncd", "import", "zones", changed, "--store", store, within=disk.within)
    before = token_of(store, disk.within)
    disk.fill()
    command = ("syncd", "gc", "--keep-commits", "1", "--store", store)
    assert re.search(NO_ROOM, refused(*command, status=8, within=disk.within))
    disk.free()
    assert token_of(store, disk.within) == before
    export = ("syncd", "export", "zones", tmp_path / "old", "--at", "2", "--store", store)
    assert "3 zones" in run(*export, within=disk.within).out
    run(*command, within=disk.within)
    refused(*export, status=6, within=disk.within)


def test_an_export_without_room_names_the_file(disk: Disk, source: str, zones: Path) -> None:
    run("syncd", "import", "zones", zones, "--store", source)
    disk.fill()
    command = ("syncd", "export", "zones", disk.path / "out", "--store", source)
    said = refused(*command, status=8, within=disk.within)
    assert re.search(f"syncd: {disk.path}/out/.*: {NO_ROOM_IN_FILES}", said)
    disk.free()
    run(*command, within=disk.within)


@pytest.fixture
def serving(source: str, zones: Path) -> Iterator[Serving]:
    """A source that has all the room it needs."""
    run("syncd", "import", "zones", zones, "--store", source)
    with Serving(source) as serving:
        yield serving


def here(disk: Disk, path: Path) -> Path:
    """A path on the disk, for this process."""
    if isinstance(disk, SmallDisk):
        return disk.seen_from_here / path.relative_to(disk.path)
    return path


def assert_same_as_the_source(disk: Disk, replica: str, source: str, tmp_path: Path) -> None:
    copy = tmp_path / "copied.db"
    for end in ("", "-wal"):  # what a Ctrl-C has left in the log is in the database all the same
        file = here(disk, disk.path / f"replica.db{end}")
        if file.exists():
            copy.with_name(copy.name + end).write_bytes(file.read_bytes())
    assert_replicates(f"sqlite:///{copy}", source)


def test_a_bootstrap_without_room_ends_clearly_and_the_next_goes_on(
    disk: Disk, serving: Serving, source: str, tmp_path: Path
) -> None:
    replica = store_url(disk.path, "replica")
    run("syncd", "init", "--store", replica, within=disk.within)
    command = ("syncclient", "bootstrap", serving.url(), "--store", replica)
    disk.fill()
    assert re.search(NO_ROOM, refused(*command, status=8, within=disk.within))
    disk.free()
    run(*command, within=disk.within)
    assert_same_as_the_source(disk, replica, source, tmp_path)


def test_a_resync_without_room_leaves_the_replica_where_it_was(
    disk: Disk, serving: Serving, source: str, tmp_path: Path
) -> None:
    replica = store_url(disk.path, "replica")
    options = ("--store", replica, "--allow-large-change")
    run("syncclient", "bootstrap", serving.url(), *options, within=disk.within)
    before = token_of(replica, disk.within)
    changed = write_zones(tmp_path / "changed", serial=2)
    run("syncd", "import", "zones", changed, "--store", source)
    disk.fill()
    command = ("syncclient", "resync", serving.url(), *options)
    assert re.search(NO_ROOM, refused(*command, status=8, within=disk.within))
    disk.free()
    assert token_of(replica, disk.within) == before
    run(*command, within=disk.within)
    assert_same_as_the_source(disk, replica, source, tmp_path)


def test_a_full_zones_folder_is_finished_by_the_next_run(
    disk: Disk, serving: Serving, tmp_path: Path
) -> None:
    replica = store_url(tmp_path, "replica")
    out = disk.path / "out"
    run("syncclient", "bootstrap", serving.url(), "--store", replica)
    command = ("syncclient", "resync", serving.url(), "--store", replica, "--zones-dir", out)
    disk.fill()
    said = refused(*command, status=8, within=disk.within)
    assert re.search(f"zone files: .*out.*: {NO_ROOM_IN_FILES}.*the next resync finishes", said)
    assert not here(disk, out).exists()
    disk.free()
    assert "3 zone files written" in run(*command, within=disk.within).out
    assert_folder_holds(here(disk, out), replica)


def test_a_zones_folder_that_is_full_during_a_change_is_finished_by_the_next_run(
    disk: Disk, serving: Serving, source: str, tmp_path: Path
) -> None:
    replica = store_url(tmp_path, "replica")
    out = disk.path / "out"
    options = ("--store", replica, "--zones-dir", out, "--allow-large-change")
    command = ("syncclient", "resync", serving.url(), *options)
    run("syncclient", "bootstrap", serving.url(), *options, within=disk.within)
    changed = write_zones(tmp_path / "changed", serial=2, records=1500)
    run("syncd", "import", "zones", changed, "--store", source)
    run("syncclient", "resync", serving.url(), *options[:2], "--allow-large-change")
    disk.fill()
    assert re.search(NO_ROOM_IN_FILES, refused(*command, status=8, within=disk.within))
    disk.free()
    assert "nothing to do" in run(*command, within=disk.within).out
    assert_folder_holds(here(disk, out), replica)
    assert not [file for file in here(disk, out).iterdir() if "new" in file.name]


def test_a_bootstrap_whose_zones_folder_is_full_has_its_store(
    mounted: SmallDisk, serving: Serving, source: str, tmp_path: Path
) -> None:
    replica = store_url(tmp_path, "replica")
    out = mounted.path / "out"
    command = ("syncclient", "bootstrap", serving.url(), "--store", replica, "--zones-dir", out)
    mounted.fill()
    said = refused(*command, status=8, within=mounted.within)
    assert "No space left on device" in said
    assert_replicates(replica, source)
    mounted.free()
    assert "nothing to do" in run(*command, within=mounted.within).out
    assert_folder_holds(here(mounted, out), replica)


def test_a_replica_that_watches_outlives_a_full_disk(
    disk: Disk, serving: Serving, source: str, tmp_path: Path
) -> None:
    replica = store_url(disk.path, "replica")
    run("syncclient", "bootstrap", serving.url(), "--store", replica, within=disk.within)
    watching = start(
        "syncclient", "resync", serving.url(), "--store", replica, "--watch",
        "--allow-large-change", within=disk.within,
    )  # fmt: skip
    assert watching.stderr is not None
    assert watching.stdout is not None
    try:
        run("syncclient", "put", serving.url(), "small", "--type", "files", stdin="content\n")
        assert re.search(r"delta: at .*:3,", watching.stdout.readline())
        disk.fill(watching.pid)
        changed = write_zones(tmp_path / "changed", serial=2)
        run("syncd", "import", "zones", changed, "--store", source)
        assert re.search(f"{NO_ROOM}.*trying again", watching.stderr.readline())
        disk.free(watching.pid)
        assert re.search(r"(delta|repair): at .*:4,", watching.stdout.readline())
    finally:
        watching.send_signal(signal.SIGINT)
        finish(watching)
    assert_same_as_the_source(disk, replica, source, tmp_path)
