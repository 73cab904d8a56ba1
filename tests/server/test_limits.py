"""What a client may cost: each limit, met by a real client on a real socket."""

import ast
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from typing import Any

import pytest

from syncclient import client, dialling, repair
from syncclient import connection as client_connection
from syncclient.connection import LEAST_BYTES_A_S
from syncd.protocol import limits as fixed
from syncd.server.limits import Limits
from syncd.server.limitsreference import limit_text
from syncd.server.throttle import PER_ADDRESS, PER_USER
from syncd.server.transport import AddressCount
from syncd.store import Store
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import EPOCH, RunningDaemon, put, wait_until
from tests.server.conftest import Connect
from tests.server.line_client import LineClient
from tests.server.transcripts import PROTOCOL

pytestmark = on_every_engine

NOT_COUNTED: tuple[str, ...] = ()


def ends_with(client: LineClient, line: str, *, between_s: tuple[float, float]) -> None:
    """The server says a last word and closes, between so many seconds from now."""
    began = time.monotonic()
    assert client.line() == line
    took_s = time.monotonic() - began
    assert between_s[0] <= took_s <= between_s[1]
    assert client.is_ended()


def test_one_address_does_not_take_all_sessions(
    start_daemon: StartDaemon, connect: Connect
) -> None:
    daemon = start_daemon(max_sessions_per_address=2, uncounted_networks=NOT_COUNTED)
    first = connect("bob", daemon)
    connect("bob", daemon)
    third = LineClient(daemon.host, daemon.port)
    assert third.line() == "551 your address has its 2 sessions"
    third.close()
    elsewhere = socket.socket()
    elsewhere.bind(("127.0.0.2", 0))
    elsewhere.connect((daemon.host, daemon.port))
    assert elsewhere.recv(100) == b"200 syncd ready\n"
    elsewhere.close()
    first.ask("QUIT")
    assert first.is_ended()
    wait_until(lambda: len(daemon.daemon.sessions) == 1)
    assert connect("bob", daemon).ask("NOOP") == "200 ok"


def test_addresses_are_counted_by_ipv4_address_and_ipv6_network() -> None:
    count = AddressCount(Limits(max_sessions_per_address=1))
    count.add("192.0.2.1")
    count.add("2001:db8::1")
    assert count.is_full("192.0.2.1")
    assert count.is_full("::ffff:192.0.2.1")
    assert not count.is_full("192.0.2.2")
    assert count.is_full("2001:db8::ffff:1")
    assert not count.is_full("2001:db8:0:1::1")
    for host in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "gone"):
        count.add(host)
        assert not count.is_full(host)
    count.add("fe80::1%eth0")
    assert count.is_full("fe80::2%eth0")
    count.remove("192.0.2.1")
    assert not count.is_full("192.0.2.1")


def test_who_does_not_log_in_is_sent_away(start_daemon: StartDaemon, connect: Connect) -> None:
    daemon = start_daemon(login_s=0.5)
    logged_in, stranger = connect("bob", daemon), connect(None, daemon)
    stranger.ask("NOOP")  # does not put it off
    ends_with(stranger, "520 nobody logged in within 0.5 s", between_s=(0.2, 3))
    assert logged_in.ask("NOOP") == "200 ok"
    logged_in.ask("LOUT")
    ends_with(logged_in, "520 nobody logged in within 0.5 s", between_s=(0.4, 3))


def test_who_says_nothing_is_sent_away_but_not_watchers_and_holders(
    start_daemon: StartDaemon, connect: Connect
) -> None:
    daemon = start_daemon(idle_s=0.5)
    idle, watcher, holder = (connect(user, daemon) for user in ("bob", "bob", "ns2"))
    watcher.ask("ASYN 1")
    holder.ask("SNGL 0|60")
    ends_with(idle, "500 no command for 0.5 s", between_s=(0.0, 3))
    time.sleep(1)
    assert watcher.line().startswith("902 freeze|")
    assert watcher.is_silent(0)
    assert holder.ask("NOOP") == "200 ok"
    assert watcher.ask("ASYN 0") == "200 0"
    ends_with(watcher, "500 no command for 0.5 s", between_s=(0.4, 3))


def test_a_command_puts_the_end_of_an_idle_session_off(
    start_daemon: StartDaemon, connect: Connect
) -> None:
    bob = connect("bob", start_daemon(idle_s=1))
    for _ in range(8):
        time.sleep(0.25)
        assert bob.ask("NOOP") == "200 ok"


def test_a_line_that_comes_byte_by_byte_has_its_time(
    start_daemon: StartDaemon, connect: Connect
) -> None:
    daemon = start_daemon(command_s=0.6)
    slow, other = connect("bob", daemon), connect("bob", daemon)
    began = time.monotonic()
    for _ in range(4):
        slow.send_bytes(b"x")
        time.sleep(0.1)
    assert slow.line() == "500 the line did not end within 0.6 s; nothing was done"
    assert 0.5 <= time.monotonic() - began <= 3
    assert slow.is_ended()
    assert other.ask("NOOP") == "200 ok"


def test_an_over_long_line_that_never_ends_has_its_time_too(
    start_daemon: StartDaemon, connect: Connect
) -> None:
    slow = connect("bob", start_daemon(command_s=0.6))
    slow.send_bytes(b"x" * 100_000)
    ends_with(slow, "500 the line did not end within 0.6 s; nothing was done", between_s=(0.3, 3))


def test_a_body_has_to_make_progress(
    start_daemon: StartDaemon, connect: Connect, source_store: Store
) -> None:
    daemon = start_daemon(body_step_s=0.6)
    slow, steady = connect("alice", daemon), connect("alice", daemon)
    assert slow.ask("SYNC zones|put|example.org").startswith("400 ")
    assert steady.ask(f"SYNC files|put|a|size={6 * 65536}").startswith("700 ")
    for _ in range(3):
        slow.send_bytes(b"x\n")
        steady.send_bytes(bytes(65536))
        time.sleep(0.3)
    refusal = "500 less than 65536 bytes of the body came within 0.6 s; nothing was done"
    assert slow.line() == refusal
    assert slow.is_ended()
    for _ in range(3):
        steady.send_bytes(bytes(65536))
        time.sleep(0.3)
    assert steady.line() == f"200 {EPOCH}:8"
    assert source_store.clock().seq == 8


def test_a_listing_that_never_ends_is_ended(start_daemon: StartDaemon, connect: Connect) -> None:
    daemon = start_daemon(max_body_bytes=100_000)
    alice = connect("alice", daemon)
    assert alice.ask("SYNC zones|put|example.org").startswith("400 ")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        for _ in range(100):
            alice.send_bytes(b"x\n" * 10_000)
            time.sleep(0.05)
    assert connect("alice", daemon).ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:8"


def test_a_client_that_never_reads_loses_its_session_and_its_freeze(
    start_daemon: StartDaemon, connect: Connect, source_store: Store
) -> None:
    put(source_store, "files", "large", bytes(range(256)) * 100_000)
    daemon = start_daemon(stall_s=0.5)
    deaf, other = connect("ns2", daemon), connect("root", daemon)
    assert deaf.ask("SNGL 0|3600").startswith("200 ")
    deaf.send(*["SYNC files|get|large"] * 20)
    wait_until(lambda: len(other.listing("RWHO")) == 1)
    assert other.ask("SYNC zones|delete|example.com") == f"200 {EPOCH}:9"


def test_a_client_that_reads_slowly_but_reads_is_served(
    start_daemon: StartDaemon, connect: Connect, source_store: Store
) -> None:
    content = bytes(range(256)) * 30_000
    put(source_store, "files", "large", content)
    bob = connect("bob", start_daemon(stall_s=1))
    bob.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    bob.send("SYNC files|get|large")
    received = bytearray()
    while line := bob.line():
        if not line.startswith("600 "):
            break
        left = int(line.split(" ")[1])
        while left:
            part = min(left, 131_072)
            received += bob.read(part)
            left -= part
            time.sleep(0.05)
    assert line.startswith("200 ")
    assert received == content


def test_a_dead_peer_is_noticed_by_keep_alive(
    connect: Connect, running_daemon: RunningDaemon
) -> None:
    connect("bob")
    (session,) = running_daemon.daemon.sessions.values()
    guarded: Any = session._stream
    ours = guarded._stream.socket
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


def test_limits_that_were_hit_are_logged(
    start_daemon: StartDaemon, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = start_daemon(login_s=0.3, max_sessions=1)
    stranger = connect(None, daemon)
    second = LineClient(daemon.host, daemon.port)
    second.line()
    second.close()
    stranger.line()
    wait_until(lambda: not daemon.daemon.sessions)
    hits = [(record.msg, vars(record)["fields"]["limit"]) for record in caplog.records]
    assert hits == [("turned_away", "max_sessions"), ("limit_hit", "login_s")]


DNS_ITSELF = {
    "MAX_NAME_BYTES",
    "MAX_LABEL_BYTES",
    "MAX_NAME_POINTERS",
    "MAX_RDATA_BYTES",
    "MAX_RRSET_BYTES",
    "MAX_TTL",
}
OF_THEM_OR_WITHIN = {
    "MAX_FIELDS": "of a record, which no longer rdata has",
    "MAX_LINES": "where a chunk ends: section 10",
    "MAX_TEXT_BYTES": "where a chunk ends: section 10",
}
"""Limits that stand elsewhere in protocol.md, or follow from those of DNS."""
PACKAGES = ("protocol", "content", "types", "store", "server")


def section_5() -> str:
    return PROTOCOL.read_text("utf-8").split("## 5. Limits")[1].split("## 6.")[0]


def rows_of(table: str) -> dict[str, str]:
    """Return the limits of a table of section 5 by their names, as they stand there."""
    text = section_5().split(f"<!-- {table} -->")[1].split(f"<!-- /{table} -->")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {cells[0].strip("`"): cells[2] for cells in rows}


def limits_in(package: str) -> Iterator[tuple[str, object]]:
    """Yield the public limits that the modules of a package define."""
    for file in (PROTOCOL.with_name("syncd") / package).rglob("*.py"):
        if "migrations" in file.parts:
            continue
        names = [
            one.id
            for statement in ast.parse(file.read_text("utf-8")).body
            if isinstance(statement, ast.Assign | ast.AnnAssign)
            for one in ast.walk(statement)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        ]
        if names := [name for name in names if name.startswith("MAX_")]:
            parts = file.relative_to(PROTOCOL.parent).with_suffix("").parts
            module = import_module(".".join(parts))
            yield from ((name, getattr(module, name)) for name in names)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_limit_of_the_code_stands_in_section_5_with_its_value(package: str) -> None:
    stated = rows_of("limits")
    for name, value in limits_in(package):
        if name not in DNS_ITSELF | OF_THEM_OR_WITHIN.keys():
            assert stated[name] == limit_text(name, value), name


def test_every_limit_that_is_part_of_the_protocol_stands_in_section_5() -> None:
    stated = rows_of("limits")
    for name, value in vars(fixed).items():
        if name.isupper():
            assert stated[name] == limit_text(name, value), name


def test_every_setting_stands_in_section_5_with_its_default() -> None:
    defaults = {each.name: limit_text(each.name, each.default) for each in fields(Limits)}
    assert rows_of("settings") == defaults


def test_the_limits_of_the_client_stand_in_section_5() -> None:
    found = {
        (name, getattr(module, name))
        for module in (client, client_connection, dialling, repair)
        for name in vars(module)
        if name in ("CONNECT_S", "GREETING_S", "SILENCE_S", "LEAST_BYTES_A_S")
        or (name.startswith("MAX_") and name not in rows_of("limits"))
    }
    values = {name: limit_text(name, value) for name, value in found}
    assert rows_of("client") == values | {"LEAST_BYTES_A_S": f"{LEAST_BYTES_A_S:,}"}


def test_failed_logins_begin_with_what_the_settings_say() -> None:
    assert (Limits().failed_logins_per_address, Limits().failed_logins_per_user) == (
        PER_ADDRESS.failures,
        PER_USER.failures,
    )


def test_what_section_5_names_is_a_limit() -> None:
    known = {*rows_of("limits"), *rows_of("settings"), *rows_of("client")}
    for name in re.findall(r"`([a-z]+_[a-z_]+|[A-Z]+_[A-Z_]+)`", section_5()):
        assert name in known, name
