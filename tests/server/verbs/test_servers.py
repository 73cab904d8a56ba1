"""SYNC servers: what agents may say, what everybody sees of it, and what it does not disturb."""

from collections.abc import Callable

import msgpack
import pytest

from syncd.content.fleet import COLUMNS
from syncd.store import Store
from syncd.store import reports as store_reports
from syncd.store.clock import lock_clock
from syncd.store.engine import WRITE
from tests.databases import on_every_engine
from tests.running import EPOCH, EXAMPLE_NET, FixedClock, RunningDaemon, logged, put
from tests.server.conftest import Connect
from tests.server.line_client import LineClient

pytestmark = on_every_engine

NEEDED = "backend=bind|state=applied|every=10"


def zones_fingerprint(store: Store) -> str:
    return f"{store.view().totals(['zones']).fingerprint:064x}"


@pytest.fixture
def report(connect: Connect, source_store: Store) -> Callable[..., str]:
    """Report a server that has what the source has now, but for what is said; return the reply."""
    agents: dict[str, LineClient] = {}

    def send(name: str = "ns1", *, user: str = "ns2", **options: object) -> str:
        said = {
            "backend": "bind",
            "state": "applied",
            "every": 10,
            "token": source_store.clock().token,
            "fingerprint": zones_fingerprint(source_store),
        } | options
        fields = [f"{key}={value}" for key, value in said.items() if value is not None]
        client = agents.setdefault(user, connect(user))
        return client.ask("|".join([f"SYNC servers|report|{name}", *fields]))

    return send


def rows(client: LineClient, options: str = "") -> list[dict[str, str]]:
    return [
        dict(zip(COLUMNS, line.split("|"), strict=True))
        for line in client.listing(f"SYNC servers|list{options}")
    ]


def states(client: LineClient, options: str = "") -> list[tuple[str, str]]:
    return [(row["server"], row["state"]) for row in rows(client, options)]


def test_readers_see_what_agents_report_worst_first(
    connect: Connect, report: Callable[..., str], source_store: Store, clock: FixedClock
) -> None:
    behind = source_store.clock().token, zones_fingerprint(source_store)
    assert report("late", token=behind[0], fingerprint=behind[1]) == "200 late|applied"
    put(source_store, "zones", "example.net.", EXAMPLE_NET + "a.example.net. 60 IN A 192.0.2.9\n")
    report("same")
    report("broken", state="failed", reason="zone x%7Cy: no room")
    report("other", fingerprint="0" * 64)
    report("gone", every=1)
    clock.now += 5
    bob = connect("bob")
    assert states(bob) == [
        ("broken", "failed"), ("other", "out-of-sync"), ("gone", "unreachable"),
        ("late", "behind"), ("same", "in-sync"),
    ]  # fmt: skip
    found = {row["server"]: row for row in rows(bob)}
    assert found["broken"]["reason"] == "zone x%7Cy: no room"
    assert (found["late"]["behind"], found["late"]["behind_s"]) == ("1", "5")
    assert found["same"]["seen_s"] == "5"
    assert found["same"]["user"] == "ns2"
    heading = bob.ask("SYNC servers|list")
    bob.lines()
    assert heading == f"100 {EPOCH}:8|2|{zones_fingerprint(source_store)}|5"


def test_states_can_be_chosen(connect: Connect, report: Callable[..., str]) -> None:
    report("ok")
    report("broken", state="failed")
    bob = connect("bob")
    assert states(bob, "|state=failed") == [("broken", "failed")]
    assert states(bob, "|state=behind") == []
    assert len(states(bob, "|state=in-sync,failed")) == 2
    assert bob.ask("SYNC servers|list|state=fine").startswith("512 no such state: 'fine'")
    assert bob.ask("SYNC servers|list|ns1").startswith("512 it takes no value; syntax: SYNC serv")


def test_a_listing_in_msgpack_has_the_same_rows(
    connect: Connect, report: Callable[..., str]
) -> None:
    report("ns1", took=250, fingerprint=None, token=None)
    bob = connect("bob")
    bob.send("SYNC servers|list|format=msgpack")
    (block,), final = bob.blocks()
    (row,) = msgpack.unpackb(block)
    found = dict(zip(COLUMNS, row, strict=True))
    assert (found["server"], found["token"], found["took_ms"]) == ("ns1", None, 250)
    assert final.endswith("|1")


def test_the_last_report_is_the_one_that_counts(
    connect: Connect, report: Callable[..., str]
) -> None:
    report(state="failed", reason="no room")
    report(reason="well again")
    (row,) = rows(connect("bob"))
    assert (row["state"], row["reason"]) == ("in-sync", "well again")


def test_reports_make_no_commit_and_wake_no_watcher(
    connect: Connect, report: Callable[..., str], source_store: Store
) -> None:
    before = source_store.clock(), source_store.log()
    agent = connect("ns2")
    assert agent.ask("ASYN 1") == "200 1"
    assert agent.ask("SYNC zones|watch") == f"200 {EPOCH}:7"
    for _ in range(3):
        assert agent.ask(f"SYNC servers|report|ns1|{NEEDED}") == "200 ns1|applied"
    assert agent.is_silent(0.6), "longer than the daemon takes to see others' commits"
    assert (source_store.clock(), source_store.log()) == before
    assert list(source_store.fsck()) == []


def test_reports_that_wait_for_a_long_write_leave_the_readers_their_threads(
    connect: Connect, source_store: Store
) -> None:
    agents = [connect("ns2") for _ in range(12)]
    bob = connect("bob")
    with source_store.engine.execution_options(**WRITE).begin() as long_write:
        lock_clock(long_write)
        for number, agent in enumerate(agents):
            agent.send(f"SYNC servers|report|ns{number}|{NEEDED}")
        assert agents[0].is_silent()
        assert bob.listing("SYNC zones|list") == ["example.com.", "example.net."]
    assert [agent.line() for agent in agents] == [f"200 ns{at}|applied" for at in range(12)]


def test_a_frozen_source_takes_reports(connect: Connect) -> None:
    agent, root = connect("ns2"), connect("root")
    assert root.ask("SNGL 0|60").startswith("200 ")
    assert agent.ask(f"SYNC servers|report|ns1|{NEEDED}") == "200 ns1|applied"


@pytest.mark.parametrize(
    ("user", "request_text", "least"),
    [
        ("bob", f"report|ns1|{NEEDED}", "replica"),
        ("bob", "forget|ns1", "operator"),
        ("ns2", "forget|ns1", "operator"),
    ],
)
def test_lesser_roles_are_refused(
    connect: Connect, user: str, request_text: str, least: str
) -> None:
    reply = connect(user).ask(f"SYNC servers|{request_text}")
    assert reply.startswith("550 ")
    assert f"needs the role {least}" in reply


def test_a_name_is_its_first_users_until_it_is_forgotten(
    connect: Connect, report: Callable[..., str], source_store: Store
) -> None:
    from tests.running import PASSWORD_HASH

    put(source_store, "users", "ns3", PASSWORD_HASH, role="replica")
    report("ns1")
    assert report("NS1", user="ns3", reason="mine").startswith("550 the server ns1 is reported by")
    assert report("ns1", user="alice", reason="by hand") == "200 ns1|applied"
    bob, alice = connect("bob"), connect("alice")
    assert [(row["user"], row["reason"]) for row in rows(bob)] == [("ns2", "by hand")]
    assert alice.ask("SYNC servers|forget|NS1") == "200 ns1 is forgotten"
    assert rows(bob) == []
    assert alice.ask("SYNC servers|forget|ns1").startswith("571 no server ns1 has reported")
    assert report("ns1", user="ns3") == "200 ns1|applied"


@pytest.mark.parametrize(
    ("limit", "text"),
    [("MAX_SERVERS", "there are 2 servers"), ("MAX_SERVERS_OF_USER", "ns2 has 2 servers")],
)
def test_there_is_an_end_to_names(
    report: Callable[..., str], monkeypatch: pytest.MonkeyPatch, limit: str, text: str
) -> None:
    monkeypatch.setattr(store_reports, limit, 2)
    assert report("a").startswith("200 ")
    assert report("b").startswith("200 ")
    assert report("c").startswith(f"511 {text} already")
    assert report("a").startswith("200 "), "those that are there go on"


@pytest.mark.parametrize(
    ("request_text", "reply"),
    [
        ("report", "512 give one name; syntax: SYNC servers|report|name|backend="),
        (f"report|a|b|{NEEDED}", "512 give one name"),
        (f"report|n s|{NEEDED}", "512 'n s': a server's name has"),
        ("report|ns1|state=applied|every=1", "512 backend= is missing"),
        (f"report|ns1|{NEEDED}|reason=%1B[2J", "512 reason: a character that cannot be shown"),
        (f"report|ns1|{NEEDED}|reason=a%0Ab", "512 reason: a character that cannot be shown"),
        (f"report|ns1|{NEEDED}|reason={'x' * 501}", "512 reason: at most 500 characters"),
        (f"report|ns1|{NEEDED}|version=%00", "512 version: a character that cannot be shown"),
        (f"report|ns1|{NEEDED}|took=soon", "512 took: 'soon' is not a number"),
        (f"report|ns1|{NEEDED}|colour=red", "530 report has no option colour="),
        (f"report|ns1|{NEEDED}|format=msgpack", "512 format=msgpack: report has text"),
        ("info", "530 no such action: 'info'; there are list, report, forget"),
        ("nosuch", "530 no such action: 'nosuch'; there are list, report, forget"),
        ("forget", "512 give one name; syntax: SYNC servers|forget|name"),
        ("forget|n s", "512 'n s': a server's name has"),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_why(
    connect: Connect, request_text: str, reply: str
) -> None:
    client = connect("alice")
    assert client.ask(f"SYNC servers|{request_text}").startswith(reply)
    assert client.ask("NOOP") == "200 ok"


def test_servers_are_no_type(connect: Connect, report: Callable[..., str]) -> None:
    bob = connect("bob")
    before = bob.ask("SYNC *|verify")
    report("ns1")
    assert bob.ask("SYNC *|verify") == before
    assert bob.ask("SYNC zones,servers|verify").startswith("530 no such type: 'servers'")
    assert bob.ask("SYNC zones|report|ns1").startswith("530 no such action: 'report'")
    assert bob.ask("GOTO servers").startswith("571 ")


def test_servers_need_a_login(connect: Connect) -> None:
    assert connect().ask("SYNC servers|list").startswith("520 ")


def test_help_has_the_syntax(connect: Connect) -> None:
    lines = connect("bob").listing("SYNC ?")
    for name in ("list", "report", "forget"):
        assert any(line.startswith(f"action|SYNC servers | {name}") for line in lines)
    assert any(line.startswith("option|servers report|every=  ") for line in lines)
    known = dict(line.split("=", 1) for line in connect("bob").listing("INFO") if "=" in line)
    assert known["servers"] == "list,report,forget"
    assert known["servers.list"] == "state;format=text,msgpack"


def test_the_log_has_new_servers_and_not_every_report(
    report: Callable[..., str], connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for _ in range(3):
        report("ns1")
    alice = connect("alice")
    alice.ask("SYNC servers|forget|ns1")
    alice.ask("NOOP")  # a command is logged behind its answer
    text = logged(caplog)
    assert text.count("server_added") == text.count("server_forgotten") == 1
    assert text.count("'action': 'forget'") == 1
    assert "'action': 'report'" not in text


def test_a_restored_source_judges_by_what_is_answered(
    connect: Connect, report: Callable[..., str], source_store: Store, running_daemon: RunningDaemon
) -> None:
    report("same")
    report("other", fingerprint="1" * 64)
    source_store.renew_epoch()
    (other, same) = rows(connect("bob"))
    assert (same["state"], same["behind"]) == ("in-sync", "-")
    assert (other["state"], other["reason"]) == (
        "out-of-sync",
        f"is at {EPOCH}:7, of another history",
    )
