"""`syncd import zones` of much at once, by several processes: the outcome is that of one."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.ingest import halves, readahead
from syncd.ingest.zones import find_master_files, import_zones
from syncd.output import printable
from syncd.store import Store
from tests.cli.commands import finish, run, start
from tests.databases import on_every_engine
from tests.store.objects import assert_sound, new_store, store_url

pytestmark = on_every_engine

HEAD = "$TTL 300\n@ SOA ns.other. hm 1 2 3 4 5\n@ NS ns.other.\n"
LARGE = "".join(f"host-{number} A 192.0.2.{number % 250}\n" for number in range(200_000))
CANONICAL = "".join(f"{number}.h.example. 300 IN A 192.0.2.1\n" for number in range(200_000))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good zones around bad ones, and one of more bytes than are read in one process."""
    folder = tmp_path_factory.mktemp("zones")
    bodies = {
        "a": "a A 192.0.2.1\na 60 A 192.0.2.2\n",
        "b": "a CNAME b\na A 192.0.2.1\n",
        "c": LARGE,
        "d": "\n\na A 192.0.2.256\n",
        os.fsdecode(b"e\xff"): "a A 192.0.2.3\na A 192.0.2.3\n",
        "f": "$ORIGIN a.example.\n@ SOA ns.other. hm 1 2 3 4 5\n",
        "g": "a A 192.0.2.3\n",
        "h": CANONICAL,
    }
    for name, body in bodies.items():
        (folder / f"{name}.example.zone").write_text(HEAD + body)
    assert len(LARGE) > readahead.LEAST_BYTES
    assert len(CANONICAL) > halves.LEAST_BYTES
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path, "here") as made:
        yield made


def held(store: Store) -> list[tuple[str, bytes]]:
    return [(version.name, version.digest) for version in store.view().versions(["zones"])]


def readers_of(pid: int) -> tuple[int, int]:
    """The processes in which a running import reads, as soon as they are there: the one that reads
    ahead, and the one that reads half of large files for it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    while len(found := children.read_text().split()) < 2:
        time.sleep(0.001)
    half, reader = map(int, found)
    return reader, half


def begin_import(folder: Path, tmp_path: Path) -> "subprocess.Popen[str]":
    """Import the large zone, of which two processes read a half each."""
    url = store_url(tmp_path, "here")
    return start("syncd", "import", "zones", folder / "h.example.zone", "--store", url)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"


def test_two_processes_import_what_one_does(folder: Path, store: Store, tmp_path: Path) -> None:
    result = import_zones(store, find_master_files([folder]), author="test", keep_going=True)
    assert (len(result.failed), len(result.warnings)) == (3, 2)
    with new_store(tmp_path, "beside") as beside:
        url = store_url(tmp_path, "beside")
        done = run("syncd", "import", "zones", folder, "--keep-going", "--store", url, status=5)
        assert held(beside) == held(store)
        assert_sound(beside)
    warnings = [f"syncd: warning: {text}" for text in result.warnings]
    failures = [f"syncd: {printable(error)}" for error in result.failed]
    assert done.err.splitlines() == warnings + failures


def test_the_first_bad_file_is_told_and_nothing_is_changed(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    url = store_url(tmp_path, "here")
    done = run("syncd", "import", "zones", folder, "--store", url, status=5)
    assert "b.example.zone:5: a.b.example.: a CNAME cannot stand beside" in done.err
    assert held(store) == []


def test_a_killed_reader_is_told_and_nothing_is_changed(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    importing = begin_import(folder, tmp_path)
    reader, _ = readers_of(importing.pid)
    os.kill(reader, signal.SIGKILL)
    done = finish(importing)
    assert done.status == 8
    assert "h.example.zone: the process that reads the files has ended" in done.err
    assert held(store) == []


def test_who_reads_half_of_a_file_can_be_done_without(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    importing = begin_import(folder, tmp_path)
    _, half = readers_of(importing.pid)
    os.kill(half, signal.SIGKILL)
    assert finish(importing).status == 0
    (version,) = store.view().versions(["zones"])
    assert version.lines == 200_002


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_import_that_is_ended_leaves_no_reader(
    number: signal.Signals, status: int, folder: Path, store: Store, tmp_path: Path
) -> None:
    importing = begin_import(folder, tmp_path)
    readers = readers_of(importing.pid)
    if number is signal.SIGINT:  # as a terminal does
        for reader in readers:
            os.kill(reader, number)
    os.kill(importing.pid, number)
    assert finish(importing).status == status
    while any(map(runs, readers)):
        time.sleep(0.01)
    assert held(store) == []
