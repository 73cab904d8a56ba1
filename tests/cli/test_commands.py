"""The commands from end to end, as an operator gives them: what they do, print and end with."""

import signal
import socket
from io import BytesIO
from pathlib import Path

import pytest

from syncd.content.versions import fingerprint_text
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.types.zones import ZONES
from tests.cli.commands import (
    Serving,
    assert_folder_holds,
    assert_replicates,
    fingerprint_of,
    refused,
    run,
    urls,
    zone_text,
)
from tests.databases import on_every_engine
from tests.running import PASSWORD
from tests.store.objects import store_url

pytestmark = on_every_engine


def test_from_an_empty_folder_to_a_replica_with_zone_files(tmp_path: Path, zones: Path) -> None:
    source, replica = urls(tmp_path)
    out = tmp_path / "out"
    assert "is an empty store, at" in run("syncd", "init", "--store", source).out
    done = run("syncd", "import", "zones", zones, "--store", source, "--comment", "first")
    assert "3 zones read, 3 changed, 0 removed, 0 failed; the store is at" in done.out
    done = run(
        "syncd", "user", "add", "Root", "--role", "admin", "--password-stdin", "--store", source,
        stdin=f"{PASSWORD}\n",
    )  # fmt: skip
    assert done.out == "user root may log in as admin\n"
    with Serving(source) as serving:
        options = ("--store", replica, "--zones-dir", out)
        done = run("syncclient", "bootstrap", serving.url(), *options, "--freeze")
        assert done.out.startswith("bootstrap: at ")
        assert "4 objects verified" in done.out
        assert_replicates(replica, source)
        assert_folder_holds(out, replica)
        done = run("syncclient", "resync", serving.url(), *options)
        assert done.out.startswith("nothing to do: at ")
        run("syncclient", "put", serving.url(), "example.org.", stdin=zone_text(1))
        run("syncclient", "delete", serving.url(), "example.net.")
        done = run("syncclient", "resync", serving.url(), *options, "--json").json()
        assert (done["path"], done["changed"], done["gone"]) == ("delta", 1, 1)
        assert (done["files_written"], done["files_removed"]) == (1, 1)
        assert_replicates(replica, source)
        assert_folder_holds(out, replica)
        done = serving.end()
        assert (done.status, "Traceback" in done.err) == (0, False)


def test_a_replica_that_is_behind_is_seen_in_status_diff_and_verify(
    tmp_path: Path, server: Serving
) -> None:
    replica = store_url(tmp_path, "replica")
    run("syncclient", "bootstrap", server.url(), "--store", replica)
    compare = (server.url(), "--store", replica)
    assert "NO" not in run("syncclient", "status", *compare).out
    assert run("syncclient", "diff", *compare).out == "no difference in 4 objects\n"
    assert "the same" in run("syncclient", "verify", *compare).out
    done = run("syncclient", "patch", server.url(), "example.com.", stdin="+new A 192.0.2.9\n")
    assert "serial 1 advanced to 2" in done.err
    states = run("syncclient", "status", *compare, "--json", status=10).json()
    assert [(row["type"], row["in sync"]) for row in states] == [
        ("files", "yes"), ("users", "yes"), ("zones", "NO"),
    ]  # fmt: skip
    zones = states[-1]
    assert zones["server fingerprint"] != zones["replica fingerprint"]
    assert (zones["server at"][:-1], zones["server at"]) == (
        zones["replica at"][:-1], done.out.split()[-1],
    )  # fmt: skip
    assert all(key == key.strip() for key in zones)
    rows = run("syncclient", "diff", *compare, "--json", status=10).json()
    assert rows == [{"type": "zones", "name": "example.com.", "state": "differs"}]
    lines = run("syncclient", "diff", *compare, "--text", status=10).out.splitlines()
    assert "+new.example.com. 3600 IN A 192.0.2.9" in lines
    assert run("syncclient", "verify", *compare, "--json", status=10).json()["verdict"] == (
        "NOT the same"
    )
    run("syncclient", "resync", *compare)
    run("syncclient", "status", *compare)
    run("syncclient", "diff", *compare)
    run("syncclient", "verify", *compare)


def test_a_replica_of_some_types_is_compared_by_these(tmp_path: Path, server: Serving) -> None:
    compare = (server.url(), "--store", store_url(tmp_path, "zones"))
    run("syncclient", "bootstrap", *compare, "--types", "zones")
    states = run("syncclient", "status", *compare, "--json").json()
    assert [(row["type"], row["in sync"]) for row in states] == [("zones", "yes")]
    assert "the same" in run("syncclient", "verify", *compare).out
    assert "NOT the same" in run("syncclient", "verify", *compare, "--types", "*", status=10).out


def test_objects_are_put_got_patched_and_deleted(tmp_path: Path, server: Serving) -> None:
    url = server.url()
    (tmp_path / "motd").write_bytes(b"welcome\x00\xff\n")
    put = ("syncclient", "put", url, "etc/motd", "--type", "files")
    done = run(*put, "--file", tmp_path / "motd", "--mode", "600", "--mtime", "5")
    assert done.out.startswith("committed as ")
    assert run(*put, "--file", tmp_path / "motd", "--mode", "600", "--mtime", "5").out == (
        "unchanged\n"
    )
    run("syncclient", "get", url, "etc/motd", "--type", "files", "--output", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"welcome\x00\xff\n"
    assert (
        "www.example.com. 3600 IN A 192.0.2.80" in run("syncclient", "get", url, "example.com.").out
    )
    run("syncclient", "patch", url, "example.com.", "--serial", "1", stdin="-www A 192.0.2.80\n")
    assert "www" not in run("syncclient", "get", url, "example.com.").out
    assert "www" in run("syncclient", "get", url, "example.com.", "--at", "2").out
    assert "not 1" in refused(
        "syncclient", "patch", url, "example.com.", "--serial", "1",
        stdin="+a A 192.0.2.1\n", status=6,
    )  # fmt: skip
    run("syncclient", "delete", url, "example.com.", "--comment", "no longer needed")
    assert "571" in refused("syncclient", "get", url, "example.com.", status=6)
    assert "571" in refused("syncclient", "delete", url, "example.com.", status=6)


def test_the_log_is_kept_collected_and_checked(
    tmp_path: Path, server: Serving, source: str
) -> None:
    for serial in (2, 3, 4):
        text = zone_text(serial, f"h{serial} 3600 IN A 192.0.2.9")
        run("syncclient", "put", server.url(), "example.com.", "--comment", "x|y", stdin=text)
    rows = run("syncd", "log", "--store", source, "--json", "--limit", "2").json()
    assert [(row["commit"], row["author"], row["objects"], row["comment"]) for row in rows] == [
        (5, "root", 1, "x|y"), (4, "root", 1, "x|y"),
    ]  # fmt: skip
    assert "test" in run("syncd", "log", "--store", source).out
    run("syncd", "export", "zones", tmp_path / "then", "--at", "3", "--store", source)
    run("syncd", "export", "zones", tmp_path / "now", "--store", source)
    assert "h2.example.com." in (tmp_path / "then" / "example.com.zone").read_text()
    assert "h4.example.com." in (tmp_path / "now" / "example.com.zone").read_text()
    assert_folder_holds(tmp_path / "now", source)
    done = run("syncd", "gc", "--keep-commits", "2", "--store", source)
    assert done.out.startswith("the oldest commit is now 4; removed 4 commits, 2 versions")
    assert "there are 4 to 5" in refused(
        "syncd", "export", "zones", tmp_path / "gone", "--at", "3", "--store", source, status=6
    )
    assert run("syncd", "fsck", "--store", source).out.startswith("sound, at ")
    assert run("syncd", "fsck", "--store", source, "--json").json() == []
    with (
        Store.open(source) as store,
        store.engine.execution_options(**WRITE).begin() as connection,
    ):
        connection.exec_driver_sql("UPDATE tally SET count = 77 WHERE type = 'zones'")
    done = run("syncd", "fsck", "--store", source, status=8)
    assert "tally of zones" in done.out
    assert done.err == "syncd: 1 damages found\n"


def test_a_replica_becomes_the_source_of_the_others(tmp_path: Path, server: Serving) -> None:
    first, second = (store_url(tmp_path, name) for name in ("first", "second"))
    for replica in (first, second):
        run("syncclient", "bootstrap", server.url(), "--store", replica)
    server.end()
    refused("syncd", "user", "passwd", "root", "--password-stdin", "--store", first, stdin="x",
            status=6)  # fmt: skip
    assert run("syncd", "promote", "--store", first).out.startswith("a source now, with a new")
    assert "is no replica" in refused("syncd", "promote", "--store", first, status=6)
    with Serving(first) as promoted:
        run("syncclient", "put", promoted.url(), "example.org.", stdin=zone_text(1))
        done = run("syncclient", "resync", promoted.url(), "--store", second)
        assert "until now this store copied" in done.err
        assert done.out.startswith("repair: ")
        run("syncclient", "verify", promoted.url(), "--store", second)


def test_an_import_beside_a_running_server_is_served_at_once(
    zones: Path, server: Serving, source: str
) -> None:
    (zones / "example.org.zone").write_text(zone_text(7))
    (zones / "example.net.zone").unlink()
    done = run("syncd", "import", "zones", zones, "--delete", "--store", source, "--json").json()
    assert [(row["read"], row["changed"], row["removed"]) for row in done] == [(3, 1, 1)]
    rows = run("syncclient", "status", server.url(), "--json").json()
    assert {row["type"]: row["objects"] for row in rows}["zones"] == 3
    assert " 7 " in run("syncclient", "get", server.url(), "example.org.").out


def test_bad_zones_are_refused_by_file_and_line(zones: Path, source: str) -> None:
    bad = zones / "example.net.zone"
    bad.write_text(zone_text(1, "www 3600 IN A 192.0.2.999"))
    (zones / "example.com.zone").write_text(zone_text(1, "new 3600 IN A 192.0.2.9"))
    line = refused("syncd", "import", "zones", zones, "--store", source, status=5)
    assert line.startswith(f"syncd: {bad}:4: ")
    done = run("syncd", "import", "zones", zones, "--keep-going", "--store", source, status=5)
    assert "1 changed, 0 removed, 1 failed" in done.out
    assert f"{bad}:4: " in done.err


def test_files_are_imported_and_exported(tmp_path: Path, source: str) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "motd").write_text("welcome\n")
    (folder / "motd").chmod(0o600)
    assert (
        "1 file read, 1 changed" in run("syncd", "import", "files", folder, "--store", source).out
    )
    run("syncd", "export", "files", tmp_path / "out", "--store", source)
    assert (tmp_path / "out" / "motd").read_text() == "welcome\n"
    assert (tmp_path / "out" / "motd").stat().st_mode & 0o777 == 0o600
    (folder / "link").symlink_to("/etc/passwd")
    line = refused("syncd", "import", "files", folder, "--store", source, status=5)
    assert line == f"syncd: {folder}/link: is a link that points out of the folder"


def test_users_are_added_changed_listed_and_removed(source: str, server: Serving) -> None:
    add = ("syncd", "user", "add", "bob", "--password-stdin", "--store", source)
    run(*add, "--role", "reader", stdin=f"{PASSWORD}\n")
    assert "there is a user bob" in refused(*add, "--role", "reader", stdin="x\n", status=6)
    assert "'king' is not one of 'reader'" in refused(*add, "--role", "king", stdin="x\n", status=2)
    bob = server.url("bob")
    run("syncclient", "status", bob)
    assert "needs the role operator" in refused(
        "syncclient", "put", bob, "example.org.", stdin=zone_text(1), status=4
    )
    run("syncd", "user", "passwd", "bob", "--password-stdin", "--store", source, stdin="other\n")
    assert "wrong password" in refused("syncclient", "status", bob, status=4)
    rows = run("syncd", "user", "list", "--store", source, "--json").json()
    assert [(row["user"], row["role"]) for row in rows] == [("bob", "reader"), ("root", "admin")]
    role = ("syncd", "user", "role", "bob", "--store", source)
    run(*role, "operator")
    run("syncclient", "put", bob, "example.org.", stdin=zone_text(1), password="other")
    assert "'king' is not one of 'reader'" in refused(*role, "king", status=2)
    assert "no user eve" in refused(
        "syncd", "user", "role", "eve", "reader", "--store", source, status=6
    )
    run("syncd", "user", "remove", "bob", "--store", source)
    assert "no such user" in refused("syncclient", "status", bob, status=4)


def test_a_large_change_is_refused_until_it_is_meant(tmp_path: Path, source: str) -> None:
    replica = store_url(tmp_path, "replica")
    with Store.open(source) as store:
        for number in range(12):
            put_zone(store, f"z{number}.example.")
        with Serving(source) as server:
            run("syncclient", "bootstrap", server.url(), "--store", replica)
            for number in range(6):
                store.remove("zones", f"z{number}.example.", author="test")
            resync = ("syncclient", "resync", server.url(), "--store", replica)
            line = refused(*resync, status=9)
            assert "of 15 zones, 6 would go" in line
            run(*resync, "--allow-large-change")
    assert_replicates(replica, source)


@pytest.mark.parametrize("what", ["zones", "files"])
def test_an_import_of_another_folder_does_not_empty_the_store(
    tmp_path: Path, source: str, what: str
) -> None:
    many, few = tmp_path / "many", tmp_path / "few"
    for folder, count in ((many, 12), (few, 1)):
        folder.mkdir()
        for number in range(count):
            (folder / f"z{number}.example.zone").write_text(zone_text(1))
    run("syncd", "import", what, many, "--store", source)
    delete = ("syncd", "import", what, few, "--delete", "--store", source)
    gone, count = (14, 15) if what == "zones" else (11, 12)
    line = refused(*delete, status=9)
    assert line.startswith(f"syncd: of {count} {what}, {gone} would go, over 30%; nothing was")
    done = run(*delete, "--allow-large-change")
    assert f"1 {what.removesuffix('s')} read, " in done.out
    assert f"{gone} removed" in done.out


def put_zone(store: Store, name: str) -> None:
    store.write(
        "zones",
        name,
        lambda present: ZONES.prepare(name, BytesIO(zone_text(1).encode()), {}),
        author="test",
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly(source: str, number: int) -> None:
    with Serving(source) as server:
        with socket.create_connection(("127.0.0.1", server.port)):
            run("syncclient", "status", server.url())
            done = server.end(number)
    assert done.status == 0
    assert "Traceback" not in done.err


def test_verify_prints_the_fingerprint_that_the_store_has(source: str, server: Serving) -> None:
    record = run("syncclient", "verify", server.url(), "--json").json()
    with Store.open(source) as store:
        assert record["fingerprint"] == fingerprint_of(store)
        totals = store.view().totals(store.held_types())
    assert record["objects"] == totals.count
    assert record["fingerprint"] == fingerprint_text(totals.fingerprint)
