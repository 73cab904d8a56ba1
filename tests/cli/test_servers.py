"""`syncclient servers`: the table of a fleet, as an operator sees it."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest
import trio

from syncclient import Client
from syncd.content.fleet import COLUMNS
from syncd.content.reports import Outcome, ServerReport
from syncd.store import Store
from tests.cli.commands import BIN, Serving, add_admin, refused, run, start, zone_text
from tests.databases import on_every_engine
from tests.running import PASSWORD, put
from tests.store.objects import new_store, store_url

REPORT = ServerReport("ns1", "bind", 30, Outcome.APPLIED, version="9.18.33", zones=1, took_ms=231)
LONG = "zone sub.example.com.: kzonecheck: missing NS at the zone apex; " * 7


def in_step(store: Store) -> ServerReport:
    """What a server reports that has all that the source has."""
    fingerprint = store.view().totals(["zones"]).fingerprint
    return replace(REPORT, token=store.clock().token, fingerprint=fingerprint, changed_s=40)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path, "source") as made:
        add_admin(made)
        put(made, "zones", "example.com.", zone_text(1))
        yield made


@pytest.fixture
def server(tmp_path: Path, store: Store) -> Iterator[Serving]:
    with Serving(store_url(tmp_path, "source")) as serving:
        yield serving


def fill(store: Store) -> None:
    """One server in each state."""
    late = in_step(store)
    put(store, "zones", "example.com.", zone_text(2))
    same = in_step(store)
    now = store.now
    for report in (
        replace(same, name="same"),
        replace(late, name="late"),
        replace(same, name="other", fingerprint=1),
        replace(same, name="broken", outcome=Outcome.FAILED, reason=LONG[:450]),
    ):
        store.keep_report(report, "root")
    store.now = lambda: now() - 7200
    store.keep_report(replace(same, name="gone"), "root")
    store.now = now


def on_terminal(server: Serving, columns: int) -> str:
    terminal = pexpect.spawn(
        str(BIN / "syncclient"),
        ["servers", server.url()],
        env={"PATH": os.environ["PATH"], "SYNC_PASSWORD": PASSWORD, "TERM": "dumb"},
        encoding="utf-8",
        dimensions=(60, columns),
        timeout=60,
    )
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.before is not None
    return str(terminal.before).replace("\r\n", "\n")


@on_every_engine
def test_without_reports_it_says_how_to_get_one(server: Serving) -> None:
    done = run("syncclient", "servers", server.url())
    assert done.out.startswith("no server has reported here yet; start an agent")
    assert run("syncclient", "servers", server.url(), "--json").json() == []


@on_every_engine
def test_the_worst_stands_on_top_and_the_exit_status_says_so(store: Store, server: Serving) -> None:
    store.keep_report(in_step(store), "root")
    done = run("syncclient", "servers", server.url())
    heads, _, row, summary = done.out.splitlines()
    assert re.split(r"\s{2,}", heads.strip()) == [
        "server", "state", "behind", "seen", "changed", "took", "backend", "version", "reason",
    ]  # fmt: skip
    assert re.fullmatch(r"ns1 +in-sync +- +\d+ s ago +4\d s ago +231 ms +bind +9\.18\.33 +- *", row)
    assert summary == "1 server: 1 in-sync"
    fill(store)
    done = run("syncclient", "servers", server.url(), status=10)
    assert [line.split()[:2] for line in done.out.splitlines()[2:-1]] == [
        ["broken", "failed"], ["other", "out-of-sync"], ["gone", "unreachable"],
        ["late", "behind"], ["ns1", "behind"], ["same", "in-sync"],
    ]  # fmt: skip
    assert "2 h ago" in done.out
    assert "1 commit, " in done.out
    assert done.out.splitlines()[-1] == (
        "6 servers: 1 failed, 1 out-of-sync, 1 unreachable, 2 behind, 1 in-sync"
    )


@on_every_engine
def test_a_state_can_be_chosen(store: Store, server: Serving) -> None:
    fill(store)
    found = run(
        "syncclient", "servers", server.url(), "--state", "failed", "--json", status=10
    ).json()
    assert [row["server"] for row in found] == ["broken"]
    assert list(found[0]) == list(COLUMNS)
    assert found[0]["reason"] == LONG[:450]
    same = ("--state", "in-sync")
    assert "1 server: 1 in-sync" in run("syncclient", "servers", server.url(), *same).out
    store.forget_server("same")
    assert run("syncclient", "servers", server.url(), *same).out == "no server is in-sync\n"
    assert "--state" in refused("syncclient", "servers", server.url(), "--state", "x", status=2)


@on_every_engine
@pytest.mark.parametrize("columns", [80, 110, 150])
def test_a_table_fits_the_terminal(store: Store, server: Serving, columns: int) -> None:
    fill(store)
    shown = on_terminal(server, columns)
    assert "broken" in shown
    assert "kzonecheck" in shown
    assert max(len(line) for line in shown.splitlines()) <= columns, shown
    assert len(shown.splitlines()) < 30, shown


@on_every_engine
def test_a_name_is_freed_by_an_operator(store: Store, server: Serving) -> None:
    store.keep_report(in_step(store), "root")
    done = run("syncclient", "servers", server.url(), "--forget", "ns1")
    assert done.out.startswith("ns1 is forgotten; ")
    assert store.fleet().kept == []
    said = refused("syncclient", "servers", server.url(), "--forget", "ns1", status=6)
    assert "no server ns1 has reported" in said


@on_every_engine
def test_watching_prints_what_changed_until_it_is_interrupted(
    store: Store, server: Serving
) -> None:
    store.keep_report(in_step(store), "root")
    watching = start("syncclient", "servers", server.url(), "--watch")
    try:
        lines = lines_until_summary(watching)
        assert lines[-1] == "1 server: 1 in-sync"
        store.keep_report(replace(REPORT, outcome=Outcome.FAILED, reason="no room"), "root")
        lines = lines_until_summary(watching)
        assert lines[-1] == "1 server: 1 failed"
        assert lines[2].endswith("no room")
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=20)
        assert (watching.returncode, err.strip()) == (130, "syncclient: interrupted")
    finally:
        watching.kill()
        watching.communicate()


def lines_until_summary(process: "subprocess.Popen[str]") -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    while not (lines and re.match(r"\d+ servers?: ", lines[-1])):
        line = process.stdout.readline()
        assert line, "it ended"
        lines.append(line.rstrip())
    return lines


@on_every_engine
def test_two_daemons_on_one_database_show_each_others_reports(tmp_path: Path, store: Store) -> None:
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(Serving(store_url(tmp_path, "source"))) for _ in range(2)
        )

        async def report(daemon: Serving, name: str) -> None:
            async with Client.connect(daemon.url(), PASSWORD) as client:
                await client.report(replace(in_step(store), name=name))

        for daemon, name in ((first, "ns1"), (second, "ns2"), (first, "ns2")):
            trio.run(report, daemon, name)
        for daemon in (first, second):
            rows = run("syncclient", "servers", daemon.url(), "--json").json()
            assert [(row["server"], row["state"]) for row in rows] == [
                ("ns1", "in-sync"),
                ("ns2", "in-sync"),
            ]
        run("syncd", "fsck", "--store", store_url(tmp_path, "source"))
