"""One connection: what it is told when something goes wrong, and that it goes on afterwards."""

import logging
import tempfile
from collections.abc import Iterable
from typing import Any

import pytest

from syncd.errors import ViewGone
from syncd.protocol.limits import MAX_LINE_BYTES
from syncd.server import channel, registry, session
from syncd.server.transport import GuardedStream
from syncd.store import Store, View
from tests.databases import on_every_engine
from tests.running import EPOCH, EXAMPLE_COM, PASSWORD, logged, put, wait_until
from tests.server.conftest import Connect

pytestmark = on_every_engine


def test_a_verb_that_is_not_there_is_refused(connect: Connect) -> None:
    client = connect()
    assert client.ask("NOPE x") == "530 'NOPE' is no verb here; HELP lists them"
    assert client.ask("") == "530 '' is no verb here; HELP lists them"
    assert client.ask("x" * 1000) == f"530 '{'X' * 39} is no verb here; HELP lists them"


def test_verbs_are_read_in_either_case_and_lines_may_end_with_crlf(connect: Connect) -> None:
    client = connect()
    client.send_bytes(b"echo Hello\r\neChO you\n")
    assert [client.line(), client.line()] == ["200 Hello", "200 you"]


def test_each_reply_is_sent_in_one_write(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[bytes] = []
    send_all = GuardedStream.send_all

    async def counted(stream: GuardedStream, data: bytes) -> None:
        if data:  # else nothing goes out
            writes.append(bytes(data))
        await send_all(stream, data)

    monkeypatch.setattr(GuardedStream, "send_all", counted)
    client = connect()
    for command in (
        "NOOP", "ECHO x", "TIME", "IDEN 0|8|400|telnet|here", "INFO", "HELP", "MESG hello",
        "MSGP text/plain", "LFLR", "USER alice", f"PASS {PASSWORD}", "RWHO", "NOPE", "QUIT",
    ):  # fmt: skip
        writes.clear()
        reply = client.ask(command)
        if reply.startswith("1"):
            client.lines()
        assert len(writes) == 1, command


def test_a_line_over_the_limit_is_refused_whole(connect: Connect) -> None:
    client = connect()
    client.send_bytes(b"ECHO " + b"x" * (3 * MAX_LINE_BYTES) + b"\nNOOP\n")
    assert client.line() == f"511 a line has at most {MAX_LINE_BYTES} bytes; nothing was done"
    assert client.line() == "200 ok"


@pytest.mark.parametrize("line", [b"\xff\xf4\xff\xfd\x06\n", b"ECHO \0\n", b"\xc3\n"])
def test_a_line_that_is_no_text_is_refused(connect: Connect, line: bytes) -> None:
    client = connect()
    client.send_bytes(line + b"NOOP\n")
    assert client.line().startswith("512 the line ")
    assert client.line() == "200 ok"


def test_pipelined_commands_are_answered_in_order(connect: Connect) -> None:
    client = connect()
    client.send(
        "USER alice", f"PASS {PASSWORD}", "QNOP", "SYNC zones|list", "NOPE", "SYNC files|put|a",
        "SYNC files|get|etc/motd", "ECHO end", "QUIT", "NOOP",
    )  # fmt: skip
    assert [client.line(), client.line()] == ["300 alice", "200 alice|operator"]
    assert client.line().startswith("100 ")
    assert client.lines() == ["example.com.", "example.net."]
    assert client.line().startswith("530 ")
    assert client.line().startswith("512 ")
    blocks, final = client.blocks()
    assert (blocks, final[:4]) == ([b"welcome\n"], "200 ")
    assert [client.line(), client.line()] == ["200 end", "200 goodbye"]
    assert client.is_ended()


def test_commands_of_a_client_that_ended_its_side_are_all_answered(connect: Connect) -> None:
    client = connect()
    client.send(*(f"ECHO {number}" for number in range(1000)))
    client.socket.shutdown(1)
    assert [client.line() for _ in range(1000)] == [f"200 {number}" for number in range(1000)]
    assert client.is_ended()


def test_a_body_may_be_sent_ahead_of_the_reply_that_asks_for_it(
    connect: Connect, source_store: Store
) -> None:
    alice = connect("alice")
    alice.send("SYNC files|put|a|size=3")
    alice.send_bytes(b"abcECHO next\n")
    assert [alice.line() for _ in range(3)] == ["700 3", f"200 {EPOCH}:8", "200 next"]


def test_what_a_listing_is_cut_off_by_never_looks_whole_and_is_logged(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = View.versions

    def broken(view: View, *arguments: Any, **options: Any) -> Iterable[Any]:
        yield from real(view, *arguments, **options)
        raise ViewGone("gc came by")

    monkeypatch.setattr(View, "versions", broken)
    client = connect("bob")
    with caplog.at_level(logging.INFO, "syncd"):
        assert client.ask("SYNC zones|list").startswith("100 ")
        with pytest.raises(EOFError):
            client.lines()
        wait_until(lambda: "session_closed" in logged(caplog))
    text = logged(caplog)
    assert "gc came by" in text
    assert "sync_served" not in text
    assert "'reason': 'an answer was broken off'" in text


def test_what_goes_wrong_between_blocks_ends_the_answer_with_its_refusal(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, source_store: Store
) -> None:
    real = View.content

    def broken(view: View, *arguments: Any) -> Iterable[bytes]:
        yield from real(view, *arguments)
        raise ViewGone("gc came by")

    put(source_store, "files", "large", bytes(600_000))
    monkeypatch.setattr(View, "content", broken)
    client = connect("bob")
    client.send("SYNC files|get|large")
    blocks, final = client.blocks()
    assert len(blocks) == 1
    assert final == "583 gc came by"
    assert client.ask("NOOP") == "200 ok"


def test_what_nobody_foresaw_is_logged_and_does_not_end_the_session(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(session: session.Session, argument: str) -> None:
        raise ZeroDivisionError("surprise")

    verb = registry.VERBS["NOOP"]
    broken = registry.Verb("NOOP", verb.syntax, None, verb.summary, fail)
    monkeypatch.setitem(registry.VERBS, "NOOP", broken)
    client = connect()
    assert client.ask("NOOP") == "510 NOOP failed; the server's log says why"
    assert "surprise" in caplog.text
    assert client.ask("ECHO on") == "200 on"


def test_a_full_disk_refuses_a_body_at_its_end(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, source_store: Store
) -> None:
    class FullDisk(tempfile.SpooledTemporaryFile[bytes]):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(channel, "SpooledTemporaryFile", FullDisk)
    alice = connect("alice")
    assert alice.put("SYNC zones|put|example.com", EXAMPLE_COM.splitlines()).startswith("510 ")
    assert alice.put_bytes("SYNC files|put|a", b"x" * 300_000).startswith("510 ")
    assert source_store.clock().seq == 7
    assert alice.ask("SYNC files|put|a|size=10").startswith("700 ")
    alice.send_bytes(b"x")
    alice.close()
    other = connect("bob")
    while len(other.listing("RWHO")) > 1:
        pass


def test_a_client_that_leaves_in_the_middle_of_an_answer_ends_only_its_session(
    connect: Connect, source_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    put(source_store, "files", "large", bytes(range(256)) * 100_000)
    bob, other = connect("bob"), connect("alice")
    bob.ask("SYNC files|get|large")
    bob.hang_up_rudely()
    while len(other.listing("RWHO")) > 1:
        pass
    assert caplog.text == ""


def test_passwords_and_mistyped_lines_are_not_logged(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "syncd"):
        client = connect("alice")
        client.ask("hunter2")
        client.ask(f"PASS {PASSWORD}")
        client.ask("QUIT")
        wait_until(lambda: "session_closed" in logged(caplog))
    text = logged(caplog)
    assert "'user': 'alice'" in text
    assert PASSWORD not in text
    assert "hunter2" not in text.lower()
