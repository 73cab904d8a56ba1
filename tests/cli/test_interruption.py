"""Ctrl-C, and kill -9 at any point: the next run ends where an undisturbed one would have ended."""

import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from syncd.ingest.zones import find_master_files, import_zones
from syncd.store import Store
from tests.cli.commands import (
    Proxy,
    Serving,
    add_admin,
    assert_folder_holds,
    assert_replicates,
    fingerprint_of,
    finish,
    run,
    start,
    zone_text,
)
from tests.databases import on_every_engine
from tests.running import PASSWORD
from tests.store.objects import assert_sound, content_of, put, store_url
from tests.syncclient.replicas import copy_database

ZONES = 400
BOOTSTRAP_BYTES = 3_300_000
"""About what a bootstrap of the fixture's source takes."""


def write_zones(folder: Path, *, serial: int, every: int = 1) -> None:
    """Zone files, all of them or every so many."""
    folder.mkdir(exist_ok=True)
    for number in range(0, ZONES, every):
        text = zone_text(
            serial, *(f"h{n} 3600 IN A 192.0.2.{(n + serial) % 250}" for n in range(40))
        )
        (folder / f"z{number}.example.zone").write_text(text)


def large_file(seed: int) -> list[bytes]:
    return [random.Random(seed * 1000 + at).randbytes(60_000) for at in range(50)]


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A folder with a source of 400 zones and a large file, as of two commits; and a replica of
    the first.

    Tests copy what they need of it.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_zones(folder / "zones", serial=1)
        url, replica = (f"sqlite:///{folder / name}.db" for name in ("source", "replica"))
        with Store.create(url) as source:
            add_admin(source)
            put(source, "large", *large_file(1))
            import_zones(source, find_master_files([folder / "zones"]), author="test")
            with Serving(url) as serving:
                run(
                    "syncclient", "bootstrap", serving.url(),
                    "--store", replica, "--zones-dir", folder / "out",
                )  # fmt: skip
            write_zones(folder / "zones", serial=2, every=5)
            import_zones(source, find_master_files([folder / "zones"]), author="test")
            put(source, "large", *large_file(1)[:25], *large_file(2))
            for number in range(3, 40, 9):
                source.remove("zones", f"z{number}.example.", author="test")
        yield folder


def copy_store(made: Path, tmp_path: Path, name: str, to: str | None = None) -> str:
    """Have a database of the test's hold what was made; return its URL."""
    url = store_url(tmp_path, to or name)
    if url.startswith("sqlite:///"):
        shutil.copy(made / f"{name}.db", url.removeprefix("sqlite:///"))
    else:
        copy_database(f"sqlite:///{made / name}.db", url)
    return url


@pytest.fixture
def source(tmp_path: Path, made: Path) -> str:
    return copy_store(made, tmp_path, "source")


@pytest.fixture
def serving(source: str) -> Iterator[Serving]:
    with Serving(source) as server:
        yield server


def copy_replica(made: Path, tmp_path: Path) -> None:
    copy_store(made, tmp_path, "replica")
    shutil.copytree(made / "out", tmp_path / "out")


def end_right(serving: Serving, tmp_path: Path, source: str) -> None:
    """The run after an interrupted one, and what there has to be then."""
    replica = store_url(tmp_path, "replica")
    options = ("--store", replica, "--zones-dir", tmp_path / "out", "--allow-large-change")
    run("syncclient", "resync", serving.url(), *options)
    assert_replicates(replica, source)
    assert_folder_holds(tmp_path / "out", replica)
    assert [file.name for file in (tmp_path / "out").iterdir() if ".syncd-new" in file.name] == []
    assert list(tmp_path.glob(".out*")) == []


def client_through(
    port: int, tmp_path: Path, after_bytes: int, number: int, command: str
) -> "tuple[subprocess.Popen[str], Proxy]":
    """A client that gets a signal once so many bytes have reached it."""
    processes: list[subprocess.Popen[str]] = []

    def strike() -> None:
        time.sleep(random.Random(after_bytes).uniform(0, 0.05))
        processes[0].send_signal(number)

    proxy = Proxy(port, after_bytes, strike)
    process = start(
        "syncclient", command, proxy.url(), "--store", store_url(tmp_path, "replica"),
        "--zones-dir", tmp_path / "out", "--allow-large-change",
    )  # fmt: skip
    processes.append(process)
    return process, proxy


@on_every_engine
@pytest.mark.parametrize("share", [0.01, 0.4, 0.95])
def test_ctrl_c_in_a_bootstrap_ends_it_without_a_trace_and_the_next_goes_on(
    tmp_path: Path, source: str, serving: Serving, share: float
) -> None:
    after = int(BOOTSTRAP_BYTES * share)
    process, proxy = client_through(serving.port, tmp_path, after, signal.SIGINT, "bootstrap")
    done = finish(process)
    assert proxy.reached.is_set()
    proxy.close()
    assert done.status == 130, done
    assert done.err.strip() == "syncclient: interrupted"
    options = ("--store", store_url(tmp_path, "replica"), "--zones-dir", tmp_path / "out")
    record = run("syncclient", "bootstrap", serving.url(), *options, "--json").json()
    if share > 0.9:
        assert record["path"] == "bootstrap, resumed"
        assert record["bytes_down"] < BOOTSTRAP_BYTES
    end_right(serving, tmp_path, source)


@on_every_engine
@pytest.mark.parametrize("share", [0.0005, 0.2, 0.5, 0.8, 0.999])
def test_a_bootstrap_that_is_killed_while_it_receives_is_made_good(
    tmp_path: Path, source: str, serving: Serving, share: float
) -> None:
    after = int(BOOTSTRAP_BYTES * share)
    process, proxy = client_through(serving.port, tmp_path, after, signal.SIGKILL, "bootstrap")
    assert finish(process).status == -signal.SIGKILL
    proxy.close()
    end_right(serving, tmp_path, source)


@on_every_engine
@pytest.mark.parametrize("after", [1, 400, 5_000, 100_000, 800_000])
def test_a_resync_that_is_killed_while_it_receives_is_made_good(
    tmp_path: Path, source: str, serving: Serving, made: Path, after: int
) -> None:
    copy_replica(made, tmp_path)
    process, proxy = client_through(serving.port, tmp_path, after, signal.SIGKILL, "resync")
    assert finish(process).status == -signal.SIGKILL
    proxy.close()
    end_right(serving, tmp_path, source)


@on_every_engine
@pytest.mark.parametrize("seed", range(6))
def test_a_client_that_is_killed_at_any_time_is_made_good(
    tmp_path: Path, source: str, serving: Serving, made: Path, seed: int
) -> None:
    """Also while it writes its store, or zone files."""
    command = "bootstrap" if seed % 2 else "resync"
    if command == "resync":
        copy_replica(made, tmp_path)
    process = start(
        "syncclient", command, serving.url(), "--store", store_url(tmp_path, "replica"),
        "--zones-dir", tmp_path / "out",
    )  # fmt: skip
    time.sleep(0.18 + 0.05 * seed)
    process.kill()
    finish(process)
    end_right(serving, tmp_path, source)


@on_every_engine
@pytest.mark.parametrize("seed", range(5))
def test_an_import_that_is_killed_leaves_all_or_nothing_and_can_be_repeated(
    tmp_path: Path, made: Path, seed: int
) -> None:
    write_zones(tmp_path / "zones", serial=3)
    source = copy_store(made, tmp_path, "source")
    with Store.open(source) as store:
        before = store.clock().seq, fingerprint_of(store)
    arguments = ("syncd", "import", "zones", tmp_path / "zones", "--delete", "--store", source)
    process = start(*arguments)
    time.sleep(0.2 + 0.08 * seed)
    process.kill()
    finish(process)
    with Store.open(source) as store:
        assert_sound(store)
        killed = store.clock().seq, fingerprint_of(store)
        assert killed == before or killed[0] == before[0] + 1
        run(*arguments)
        assert store.clock().seq == before[0] + 1
        assert_sound(store)
        after = fingerprint_of(store)
    undisturbed = copy_store(made, tmp_path, "source", "undisturbed")
    run(*arguments[:-1], undisturbed)
    with Store.open(undisturbed) as store:
        assert fingerprint_of(store) == after


@on_every_engine
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("delay_s", [0.0, 0.02])
def test_a_server_that_is_killed_during_a_put_has_the_old_or_the_new(
    tmp_path: Path, source: str, share: float, delay_s: float
) -> None:
    old, new = b"".join([*large_file(1)[:25], *large_file(2)]), b"".join(large_file(9))
    with Serving(source) as serving:
        with socket.create_connection(("127.0.0.1", serving.port)) as client:
            client.sendall(
                f"USER root\nPASS {PASSWORD}\nSYNC files|put|large|size={len(new)}\n".encode()
            )
            lines = client.makefile("rb")
            while not lines.readline().startswith(b"700 "):
                pass
            client.sendall(new[: int(len(new) * share)])
            time.sleep(delay_s)
            serving.end(signal.SIGKILL)
    with Store.open(source) as store:
        assert_sound(store)
        assert content_of(store.view(), "large") in (old, new)
        if share < 1:
            assert content_of(store.view(), "large") == old
    with Serving(source) as serving:
        (tmp_path / "new").write_bytes(new)
        options = ("--type", "files", "--file", tmp_path / "new")
        run("syncclient", "put", serving.url(), "large", *options)
        assert serving.end().status == 0
    with Store.open(source) as store:
        assert_sound(store)
        assert content_of(store.view(), "large") == new


@on_every_engine
def test_clients_that_bootstrap_while_a_writer_commits_end_at_views_that_there_were(
    tmp_path: Path, source: str, serving: Serving
) -> None:
    """A hundred commits by another process's writer, three clients at once."""
    stopped = threading.Event()
    with Store.open(source) as writer:
        first = writer.clock().seq

        def write() -> None:
            for number in range(100):
                put(writer, f"f{number % 7}", b"%d" % number * 1000)
                time.sleep(0.008)
            stopped.set()

        writing = threading.Thread(target=write)
        clients = [
            start(
                "syncclient", "bootstrap", serving.url(), "--store",
                store_url(tmp_path, f"replica{number}"), "--json",
            )
            for number in range(3)
        ]  # fmt: skip
        writing.start()
        ends = [finish(client) for client in clients]
        writing.join()
        assert writer.clock().seq == first + 100
        for number, done in enumerate(ends):
            assert done.status == 0, done
            seq = int(done.json()["token"].split(":")[1])
            assert first <= seq <= first + 100
            assert done.json()["fingerprint"] == fingerprint_of(writer, seq)
            with Store.open(store_url(tmp_path, f"replica{number}")) as replica:
                assert_sound(replica)
                assert replica.clock().seq == seq
                assert fingerprint_of(replica) == done.json()["fingerprint"]
        assert_sound(writer)
