"""One method per verb, over real sockets; what a server answers wrongly is one kind of error."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing

from syncclient import Client
from syncclient.answers import parse_proof
from syncclient.connection import Connection
from syncd.content.fleet import ServerState
from syncd.content.reports import Outcome, ServerReport
from syncd.content.tokens import Token
from syncd.content.versions import fingerprint_text
from syncd.errors import (
    ConnectionFailed,
    HigherAccessRequired,
    IllegalValue,
    MovedOn,
    NoSuchObject,
    NoSuchUser,
    NotLoggedIn,
    PasswordRequired,
    ProtocolViolation,
)
from syncd.store import Store
from tests.databases import on_every_engine
from tests.running import EPOCH, NOON, PASSWORD, RunningDaemon
from tests.running import put as put_object
from tests.syncclient.link import in_trio

ZONE = b"""\
@ 3600 IN SOA ns1 hostmaster 5 7200 3600 1209600 300
@ 3600 IN NS ns1
ns1 3600 IN A 192.0.2.1
"""


def session(
    daemon: RunningDaemon,
    work: Callable[[Client], Awaitable[object]],
    *,
    user: str = "root",
    password: str = PASSWORD,
) -> object:
    async def run() -> object:
        async with Client.connect(daemon.address(user), password) as client:
            return await work(client)

    with_time_limit = trio.fail_after

    async def limited() -> object:
        with with_time_limit(20):
            return await run()

    return in_trio(limited)


@on_every_engine
def test_looking_around(running_daemon: RunningDaemon, source_store: Store) -> None:
    async def work(client: Client) -> None:
        await client.noop()
        assert client.logged_in
        assert await client.echo("a | b % c") == "a | b % c"
        assert abs(await client.time() - NOON) < 1 << 31
        assert any(line.startswith("SYNC ") for line in await client.help())
        assert [row[1] for row in await client.who()] == ["root"]
        assert len(await client.server_info()) > 20
        assert await client.names("zones") == ["example.com.", "example.net."]
        info = await client.info("zones")
        assert [row["zone"] for row in info.rows] == ["example.com.", "example.net."]
        assert info.proof.token == source_store.clock().token
        assert (await client.info("zones", "*.net.")).rows == info.rows[1:]
        assert (await client.info("zones", at=5)).rows == info.rows[:1]
        content = b"".join([part async for part in client.get("files", "etc/motd")])
        assert content == b"welcome\n"
        proof = await client.verify("*")
        assert (
            proof.fingerprint == source_store.view().totals(["files", "users", "zones"]).fingerprint
        )
        await client.quit()

    session(running_daemon, work)


@on_every_engine
def test_putting_patching_and_deleting(running_daemon: RunningDaemon, source_store: Store) -> None:
    async def work(client: Client) -> None:
        token, warnings = await client.put("zones", "example.org.", [ZONE[:20], ZONE[20:]])
        assert (token, warnings) == (Token(EPOCH, 8), [])
        assert await client.put("zones", "example.org.", [ZONE]) == (None, [])
        token, warnings = await client.patch(
            "zones", "example.org.", [b"+www A 192.0.2.9\n"], serial=5, comment="a | b"
        )
        assert warnings == ["example.org.: serial 5 advanced to 6"]
        lines = await client.delta_text("zones", Token(EPOCH, 8))
        assert lines[0].startswith("@zones|example.org.|")
        assert "+www.example.org. 3600 IN A 192.0.2.9" in lines
        with pytest.raises(MovedOn, match="serial 6, not 5"):
            await client.delete("zones", "example.org.", serial=5)
        assert (await client.delete("zones", "example.org."))[0] == Token(EPOCH, 10)
        with pytest.raises(NoSuchObject):
            await client.delete("zones", "example.org.")
        await client.put("files", "odd=name", [b""], mode="600", mtime=5)
        assert (await client.info("files", "odd=name")).rows[0]["mode"] == "600"

    session(running_daemon, work)
    assert source_store.log(3)[1].comment == ""
    assert source_store.log(3)[2].comment == "a | b"


def test_freezing(running_daemon: RunningDaemon, source_store: Store) -> None:
    async def work(client: Client) -> None:
        frozen = await client.freeze(0, 30)
        assert (frozen.token, frozen.expire_s) == (source_store.clock().token, 30)
        assert source_store.clock().frozen_by
        await client.release()
        assert source_store.clock().frozen_by is None
        with pytest.raises(IllegalValue, match="not frozen"):
            await client.release()

    session(running_daemon, work)


def test_watching(running_daemon: RunningDaemon) -> None:
    async def work(client: Client) -> None:
        commits: Any = client.watch("*")
        assert await anext(commits) == Token(EPOCH, 7)
        async with Client.connect(running_daemon.address("root"), PASSWORD) as other:
            await other.put("files", "a", [b"x"])
        assert await anext(commits) == Token(EPOCH, 8)
        await commits.aclose()

    session(running_daemon, work)


def test_waiting_for_a_commit_ends_with_it_or_with_the_time(running_daemon: RunningDaemon) -> None:
    async def work(client: Client) -> None:
        await client.wait_for_commit("*", Token(EPOCH, 6), 60)  # is there already
        with trio.fail_after(5):
            await client.wait_for_commit("*", Token(EPOCH, 7), 0.01)
        async with Client.connect(running_daemon.address("root"), PASSWORD) as other:
            await other.put("files", "a", [b"x"])
        with trio.fail_after(5):
            await client.wait_for_commit("*", Token(EPOCH, 7), 60)

    session(running_daemon, work)


@pytest.mark.parametrize(
    ("user", "password", "error"),
    [("root", "wrong", PasswordRequired), ("root", "", PasswordRequired),
     ("nobody", PASSWORD, NoSuchUser)],
)  # fmt: skip
def test_a_login_that_fails_is_seen_with_the_first_command(
    running_daemon: RunningDaemon, user: str, password: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        session(running_daemon, lambda client: client.names("zones"), user=user, password=password)


def test_nobody_listening_is_named(running_daemon: RunningDaemon) -> None:
    running_daemon.stop()
    with pytest.raises(ConnectionFailed, match=rf"127\.0\.0\.1:{running_daemon.port}"):
        session(running_daemon, lambda client: client.noop())


def test_a_server_that_ends_is_named(running_daemon: RunningDaemon) -> None:
    async def work(client: Client) -> None:
        await client.noop()
        await trio.to_thread.run_sync(running_daemon.stop)
        while True:
            await client.noop()

    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1"):
        session(running_daemon, work)


# Servers that answer nonsense


def answered(reply: bytes, work: Callable[[Client], Awaitable[object]]) -> object:
    """What a client makes of a server that greets, and then says `reply`."""

    async def run() -> object:
        ours, theirs = trio.testing.memory_stream_pair()
        await theirs.send_all(b"200 ready\n" + reply)
        await theirs.send_eof()
        return await work(Client(Connection(ours, "liar"), None, ""))

    return in_trio(run)


@pytest.mark.parametrize(
    ("reply", "work"),
    [
        (b"nonsense\n", lambda client: client.noop()),
        (b"200\n", lambda client: client.time()),
        (b"200 late\n", lambda client: client.time()),
        (b"200 ok\n", lambda client: client.info("zones")),
        (b"100 nonsense\n000\n", lambda client: client.info("zones")),
        (b"100 %s:1|0|0\none|two\n000\n" % (b"0" * 16), lambda client: client.info("zones")),
        (b"100 %s:1|0|0\n%%\n000\n" % (b"0" * 16), lambda client: client.info("zones")),
        (b"200 nonsense\n", lambda client: client.verify("*")),
        (b"200 nonsense\n", lambda client: client.freeze()),
        (b"200 %s:1|x|0\n" % (b"0" * 16), lambda client: client.freeze()),
        (b"200 nonsense\n", lambda client: client.delete("zones", "a.")),
        (b"200 ok\n", lambda client: client.put("zones", "a.", [b"x"])),
        (b"700 5\n", lambda client: client.put("zones", "a.", [b"x"])),
        (b"200 ok\n200 nonsense\n", lambda client: client.begin_watch("*")),
        (b"600 99999999\n", lambda client: anext(client.get("zones", "a."))),
        (b"600 many\n", lambda client: anext(client.get("zones", "a."))),
        (b"800 ok\n", lambda client: client.noop()),
        (b"\xff\xfe\n", lambda client: client.noop()),
    ],
)
def test_an_answer_that_cannot_be_read_breaks_the_protocol(
    reply: bytes, work: Callable[[Client], Awaitable[object]]
) -> None:
    with pytest.raises(ProtocolViolation) as refused:
        answered(reply, work)
    assert "\n" not in str(refused.value)


def test_an_answer_that_ends_too_early_is_a_connection_that_failed() -> None:
    for reply in (b"", b"20", b"100 heading\nline\n", b"100 heading\n00"):
        with pytest.raises(ConnectionFailed, match="liar ended the connection"):
            answered(reply, lambda client: client.listing("INFO"))


def test_a_proof_is_read_as_it_is_written() -> None:
    proof = parse_proof(f"{'a' * 16}:7|3|{fingerprint_text(255)}")
    assert (proof.token, proof.count, proof.fingerprint) == (Token("a" * 16, 7), 3, 255)


def test_what_needs_a_login_says_so() -> None:
    async def work(client: Client) -> None:
        await client.names("zones")

    with pytest.raises(NotLoggedIn):
        answered(b"520 log in first\n", work)


def test_servers_are_reported_between_notices(
    running_daemon: RunningDaemon, source_store: Store
) -> None:
    put = partial(put_object, source_store, "zones", "example.net.")
    head = source_store.clock().token
    fingerprint = source_store.view().totals(["zones"]).fingerprint
    report = ServerReport(
        "ns1", "bind", 30, Outcome.APPLIED, token=head, fingerprint=fingerprint, version="9.18"
    )

    async def work(client: Client) -> None:
        assert await client.servers() == []
        assert await client.begin_watch("zones") == head
        await client.report(report)
        (row,) = await client.servers()
        assert (row.name, row.state, row.behind) == ("ns1", ServerState.IN_SYNC, 0)
        await trio.to_thread.run_sync(put, ZONE.decode())
        await client.wait_for_commit("zones", head, 60)
        await client.report(replace(report, reason="two zones | 100 %"))
        (row,) = await client.servers([ServerState.BEHIND])
        assert (row.behind, row.reason, row.token) == (1, "two zones | 100 %", head)
        assert await client.servers([ServerState.FAILED, ServerState.IN_SYNC]) == []
        await client.forget_server("ns1")
        with pytest.raises(NoSuchObject, match="no server ns1"):
            await client.forget_server("ns1")
        assert await client.servers() == []

    session(running_daemon, work)


def test_a_server_of_another_user_is_refused(running_daemon: RunningDaemon) -> None:
    report = ServerReport("ns1", "bind", 30, Outcome.FAILED, reason="no room")

    async def send(client: Client) -> None:
        await client.report(report)

    session(running_daemon, send, user="alice")
    with pytest.raises(HigherAccessRequired, match="ns1 is reported by alice"):
        session(running_daemon, send, user="ns2")
