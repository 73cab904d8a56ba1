"""`syncclient verify --query`: name servers beside a source, by the real command line."""

import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure import free_port
from syncclient.served import zones_below
from tests.cli.commands import Serving, finish, run, start, zone_text
from tests.databases import on_every_engine
from tests.nameservers.bind import Bind, running_bind
from tests.nameservers.knot import Knot, running_knot

ZONES = ("example.com", "example.net", "2.0.192.in-addr.arpa")


@pytest.fixture
def bind(tmp_path: Path, zones: Path) -> Iterator[Bind]:
    files = {f"{name}.": zones / f"{name}.zone" for name in ZONES}
    with running_bind(tmp_path / "bind", zones=files) as running:
        yield running


@pytest.fixture
def knot(tmp_path: Path, zones: Path) -> Iterator[Knot]:
    files = {f"{name}.": zones / f"{name}.zone" for name in ZONES}
    with running_knot(tmp_path / "knot", zones=files) as running:
        yield running


def at(port: int) -> str:
    return f"127.0.0.1:{port}"


@on_every_engine
def test_servers_that_answer_what_the_source_holds(server: Serving, bind: Bind, knot: Knot) -> None:
    queries = ("--query", at(bind.port), "--query", at(knot.port))
    done = run("syncclient", "verify", server.url(), *queries)
    for line, port in zip(done.out.splitlines(), (bind.port, knot.port), strict=False):
        assert line == f"{at(port)}: 3 zones asked, 0 differ"
    store = {"SYNCD_STORE": "sqlite:///of-other-commands.db"}
    done = run("syncclient", "verify", server.url(), *queries, "--records", variables=store)
    assert done.out.splitlines()[0] == (
        f"{at(bind.port)}: 3 zones asked, 0 differ; 12 records the same, 0 RRsets differ"
    )
    assert run("syncclient", "verify", server.url(), *queries, "--records", "--json").json() == []


@on_every_engine
def test_what_differs_is_listed(server: Serving, bind: Bind) -> None:
    verify = ("syncclient", "verify", server.url(), "--query", at(bind.port))
    run("syncclient", "patch", server.url(), "example.com.", stdin="+new 60 A 192.0.2.9\n")
    run("syncclient", "delete", server.url(), "example.net.")
    run(
        "syncclient",
        "put",
        server.url(),
        "example.net.",
        stdin=zone_text(1, "www 60 IN A 192.0.2.81"),
    )
    run(
        "syncclient",
        "put",
        server.url(),
        "example.org.",
        stdin=zone_text(1, "www 60 IN A 192.0.2.82"),
    )
    rows = run(*verify, "--records", "--json", status=10).json()
    found = {(row["zone"], row["source"], row["answered"], row["what"]) for row in rows}
    assert {row["server"] for row in rows} == {at(bind.port)}
    assert found >= {
        ("example.com.", 2, 1, "behind"),
        ("example.com.", 2, 1, "new.example.com. A: missing 192.0.2.9"),
        ("example.org.", 1, None, "REFUSED"),
        (
            "example.net.", 1, 1,
            "www.example.net. A: missing 192.0.2.81; surplus 192.0.2.80; TTL 3600, not 60",
        ),
    }  # fmt: skip
    done = run(*verify, status=10)
    assert f"{at(bind.port)}: 4 zones asked, 2 differ" in done.out
    assert "behind" in done.out
    done = run(*verify, "--zones", "*.net.", "--records", status=10)
    assert ": 1 zone asked, 0 differ; 3 records the same, 1 RRset differ" in done.out
    done = run(*verify, "--zones", "2.0.192.in-addr.arpa.", "--records", "--rate", "100")
    assert ": 1 zone asked, 0 differ; 4 records the same, 0 RRsets differ" in done.out


@on_every_engine
def test_a_server_that_is_down_is_told_and_the_others_are_asked(
    server: Serving, bind: Bind
) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        down = (at(free_port()), at(silent.getsockname()[1]))
        began = time.monotonic()
        queries = [word for one in (*down, at(bind.port)) for word in ("--query", one)]
        done = run("syncclient", "verify", server.url(), *queries, "--records", status=3)
        assert time.monotonic() - began < 15
    assert f"{at(bind.port)}: 3 zones asked, 0 differ; 12 records the same" in done.out
    assert f"the name server {down[0]} cannot be asked: " in done.err
    assert f"the name server {down[1]} is not there: no answer after 3 attempts" in done.err


@on_every_engine
def test_ctrl_c_ends_it_at_once(server: Serving, bind: Bind) -> None:
    process = start(
        "syncclient", "verify", server.url(), "--query", at(bind.port), "--records", "--rate", "0.2"
    )
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    done = finish(process)
    assert (done.status, done.err.strip()) == (130, "syncclient: interrupted")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--query", "a:b"), "'a:b' is no name server"),
        (("--query", "a", "--store", "sqlite:///x"), "give --store or --query"),
        (("--records",), "belong to --query"),
        (("--query", "a", "--rate", "0"), "0.1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: tuple[str, ...], said: str) -> None:
    done = run("syncclient", "verify", "syncd://root@127.0.0.1:1", *options, status=2)
    assert said in done.err


@on_every_engine
def test_a_pattern_that_no_zone_has_is_refused(server: Serving) -> None:
    done = run(
        "syncclient", "verify", server.url(), "--query", "127.0.0.1", "--zones", "x*", status=6
    )
    assert "the source has no zone x*" in done.err


def test_the_zones_right_below_each_are_known() -> None:
    zones = [".", "com.", "example.com.", "a.b.example.com.", "x.a.b.example.com.", "net."]
    assert zones_below(zones) == {
        ".": ["com.", "net."],
        "com.": ["example.com."],
        "example.com.": ["a.b.example.com."],
        "a.b.example.com.": ["x.a.b.example.com."],
    }
