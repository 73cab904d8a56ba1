"""`syncd import zones`, `axfr` and `powerdns`, and [ingest.folder], as an operator has them."""

import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from bench.measure import free_port
from syncd.store import Store
from tests.cli.commands import BIN, Serving, refused, run, zone_text
from tests.databases import Databases, on_every_engine
from tests.ingest.powerdns_database import PowerDnsDatabase
from tests.nameservers.bind import running_bind
from tests.server.line_client import LineClient


@on_every_engine
def test_axfr_imports_and_a_second_time_finds_nothing_new(tmp_path: Path, source: str) -> None:
    file = tmp_path / "other.example.zone"
    file.write_text(zone_text(3))
    with running_bind(tmp_path / "server", zones={"other.example.": file}) as server:
        wanted = f"other.example@127.0.0.1:{server.port}"
        first = run("syncd", "import", "axfr", wanted, "--store", source)
        assert first.out.startswith("1 zone read, 1 changed, 0 removed, 0 failed; the store is at")
        again = run("syncd", "import", "axfr", wanted, "--store", source, "--json").json()
        assert (again[0]["read"], again[0]["changed"]) == (1, 0)
        missing = f"example.org@127.0.0.1:{server.port}"
        said = refused("syncd", "import", "axfr", missing, "--store", source, status=7)
        assert said.startswith(f"syncd: example.org.@127.0.0.1:{server.port}: the server ")


@on_every_engine
def test_axfr_says_what_is_wrong_with_its_arguments(tmp_path: Path, source: str) -> None:
    command = ("syncd", "import", "axfr")
    store = ("--store", source)
    assert "write ZONE@SERVER" in refused(*command, "example.com", *store, status=2)
    key = tmp_path / "key"
    key.write_text("")
    key.chmod(0o644)
    options = ("--tsig-key", key, *store)
    assert "can be used by others" in refused(*command, "a@127.0.0.1", *options, status=2)
    nobody = f"example.com@127.0.0.1:{free_port()}"
    assert "Connection refused" in refused(*command, nobody, *store, status=3)


@on_every_engine
def test_powerdns_is_named_on_the_command_line_or_in_a_variable(
    tmp_path: Path, source: str, databases: Databases
) -> None:
    database = PowerDnsDatabase(databases.url(tmp_path, "pdns"))
    database.add_zone("other.example")
    database.close()
    first = run("syncd", "import", "powerdns", database.url, "--store", source)
    assert first.out.startswith("1 zone read, 1 changed, 0 removed, 0 failed; the store is at")
    variables = {"SYNCD_POWERDNS": database.url}
    again = run("syncd", "import", "powerdns", "--store", source, variables=variables)
    assert again.out.startswith("1 zone read, 0 changed")
    gone = run("syncd", "import", "powerdns", database.url, "--delete", "--store", source)
    assert gone.out.startswith("1 zone read, 0 changed, 3 removed")


@on_every_engine
def test_powerdns_reports_what_it_leaves_out(tmp_path: Path, source: str) -> None:
    database = PowerDnsDatabase(f"sqlite:///{tmp_path}/pdns.db")
    database.add_zone("bad.example", [("a.bad.example", "ALIAS", "b.example")])
    database.add_zone("good.example")
    database.close()
    command = ("syncd", "import", "powerdns", database.url, "--store", source)
    assert "a.bad.example. ALIAS: only PowerDNS" in refused(*command, status=5)
    done = run(*command, "--keep-going", status=5)
    assert "1 zone read, 1 changed, 0 removed, 1 failed" in done.out
    assert "bad.example in sqlite:///" in done.err


def wait_for(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@on_every_engine
def test_a_watched_folder_is_served_as_it_changes(tmp_path: Path, source: str) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    config = tmp_path / "syncd.toml"
    config.write_text(
        f'[ingest.folder]\npath = "{folder}"\ninterval_s = 0.05\nsettle_s = 0.1\nauthor = "files"\n'
    )

    def serial(zone: str) -> object:
        with Store.open(source) as store:
            found = store.view().find("zones", [zone])
            return found[zone].attribute("serial") if zone in found else None

    with Serving(source, "--config", config) as serving:
        watcher = LineClient("127.0.0.1", serving.port)
        watcher.line()
        watcher.log_in("root")
        for command in ("ASYN 1", "SYNC zones|watch"):
            assert watcher.ask(command).startswith("2")
        (folder / "other.example.zone").write_text(zone_text(1))
        assert watcher.line().startswith("902 commit|")
        watcher.close()
        wait_for(lambda: serial("other.example.") == 1)
        (folder / "other.example.zone").write_text(zone_text(2, "www A 192.0.2"))
        (folder / "more.example.zone").write_text(zone_text(2))
        wait_for(lambda: serial("more.example.") == 2)
        assert serial("other.example.") == 1
        (folder / "other.example.zone").write_text(zone_text(3))
        wait_for(lambda: serial("other.example.") == 3)
        done = serving.end()
    assert done.status == 0
    assert "Traceback" not in done.err
    refusals = [line for line in done.err.splitlines() if " zone_file_refused " in line]
    assert len(refusals) == 1
    assert "file=other.example.zone" in refusals[0]
    assert "other.example.zone:4: " in refusals[0]
    assert " zone_file_mended file=other.example.zone" in done.err
    assert run("syncd", "log", "--limit", "1", "--store", source, "--json").json()[0]["author"] == (
        "files"
    )


@on_every_engine
def test_a_folder_that_is_not_there_is_logged_once_and_taken_when_it_comes(
    tmp_path: Path, source: str
) -> None:
    folder = tmp_path / "watched"
    config = tmp_path / "syncd.toml"
    config.write_text(f'[ingest.folder]\npath = "{folder}"\ninterval_s = 0.05\nsettle_s = 0.0\n')
    with Serving(source, "--config", config) as serving:
        time.sleep(0.5)
        folder.mkdir()
        (folder / "other.example.zone").write_text(zone_text(1))

        def taken() -> bool:
            with Store.open(source) as store:
                return "other.example." in store.view().find("zones", ["other.example."])

        wait_for(taken)
        done = serving.end()
    assert done.err.count(" folder_not_taken ") == 1
    assert done.err.count(" folder_is_taken_again ") == 1


def test_serve_prints_the_section_of_the_folder() -> None:
    assert "\n[ingest.folder]\n" in run("syncd", "serve", "--print-config").out


@on_every_engine
@pytest.mark.parametrize(("count", "shown"), [(3, False), (250, True)])
def test_an_import_that_takes_long_says_on_a_terminal_how_far_it_is(
    tmp_path: Path, source: str, count: int, shown: bool
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(count):
        (folder / f"z{number}.example.zone").write_text(zone_text(1))
    terminal = pexpect.spawn(
        str(BIN / "syncd"),
        ["import", "zones", str(folder), "--store", source],
        encoding="utf-8",
        timeout=60,
    )
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert f"{count} zones read, {count} changed" in terminal.before
    assert (f"{count}/{count}" in terminal.before) is shown
