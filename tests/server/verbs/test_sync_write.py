"""SYNC actions that write."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from syncd.errors import MovedOn
from syncd.store import Store
from syncd.store.batch import Batch
from syncd.store.clock import lock_clock
from syncd.store.engine import WRITE
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import EPOCH, EXAMPLE_COM, PASSWORD_HASH, put
from tests.server.conftest import Connect

pytestmark = on_every_engine

SOA, *RECORDS = EXAMPLE_COM.splitlines()
NEW_SOA = SOA.replace(" 1 7200", " 2 7200")


def content(store: Store, type_name: str, name: str) -> bytes:
    view = store.view()
    return b"".join(view.content(view.version(type_name, name)))


def digest(store: Store, name: str = "example.com.") -> str:
    return store.view().version("zones", name).digest.hex()


def test_a_zone_is_put_as_a_listing(connect: Connect, source_store: Store) -> None:
    lines = ["$TTL 3600", "@ IN SOA ns1 hostmaster 1 2 3 4 5", " NS ns1", "ns1 A 192.0.2.7"]
    assert connect("alice").put("SYNC zones|put|Example.ORG", lines) == f"200 {EPOCH}:8"
    assert content(source_store, "zones", "example.org.").splitlines()[2] == (
        b"ns1.example.org. 3600 IN A 192.0.2.7"
    )


def test_a_zone_is_put_as_a_counted_block(connect: Connect, source_store: Store) -> None:
    text = EXAMPLE_COM.replace("\n", "\r\n").replace("192.0.2.2", "192.0.2.9")
    reply = connect("alice").put_bytes("SYNC zones|put|example.com", text.encode())
    assert reply == f"200 {EPOCH}:8|example.com.: serial 1 advanced to 2"
    assert b"192.0.2.9" in content(source_store, "zones", "example.com.")


def test_a_block_may_hold_what_would_end_a_listing(connect: Connect, source_store: Store) -> None:
    body = b"a\n000\nNOOP\n\0\xff"
    client = connect("alice")
    assert client.put_bytes("SYNC files|put|a", body) == f"200 {EPOCH}:8"
    assert content(source_store, "files", "a") == body
    assert client.ask("NOOP") == "200 ok"


def test_a_zone_whose_text_has_a_line_000_takes_a_block(
    connect: Connect, source_store: Store
) -> None:
    text = f"{EXAMPLE_COM}a.example.com. 60 IN TXT (\n000\n)\n"
    client = connect("alice")
    assert client.put("SYNC zones|put|example.com", text.splitlines()[:-2]).startswith("512 ")
    assert client.put_bytes("SYNC zones|put|example.com", text.encode()).startswith("200 ")
    assert b'TXT "000"' in content(source_store, "zones", "example.com.")


def test_a_file_of_no_bytes_is_put(connect: Connect, source_store: Store) -> None:
    assert connect("alice").put_bytes("SYNC files|put|empty", b"") == f"200 {EPOCH}:8"
    assert content(source_store, "files", "empty") == b""


def test_a_file_takes_its_mode_and_time(connect: Connect) -> None:
    alice = connect("alice")
    alice.put_bytes("SYNC files|put|bin/x|mode=755|mtime=1000000000", b"#!/bin/sh\n")
    (line,) = alice.listing("SYNC files|info|bin/x")
    assert line.split("|")[2] == "755"
    assert line.split("|")[5] == "1000000000"


def test_a_file_is_no_listing(connect: Connect) -> None:
    assert connect("alice").ask("SYNC files|put|a").startswith("512 size= is missing")


def test_an_admin_puts_users_who_may_then_log_in(connect: Connect) -> None:
    root = connect("root")
    assert root.put("SYNC users|put|carol|role=reader", [PASSWORD_HASH]) == f"200 {EPOCH}:8"
    assert connect().log_in("carol") == "200 carol|reader"
    assert root.put("SYNC users|put|dave", [PASSWORD_HASH]).startswith("512 role= is missing")
    assert root.put("SYNC users|put|dave|role=reader", ["secret"]).startswith("512 ")
    assert root.ask("SYNC users|delete|carol") == f"200 {EPOCH}:9"
    assert connect().log_in("carol").startswith("570 ")


def test_what_is_there_already_makes_no_commit(connect: Connect, source_store: Store) -> None:
    alice = connect("alice")
    assert alice.put("SYNC zones|put|example.com", EXAMPLE_COM.splitlines()) == "200 unchanged"
    assert alice.put_bytes("SYNC files|put|etc/motd", b"welcome\n") == "200 unchanged"
    assert source_store.clock().seq == 7


def test_the_log_says_who_wrote_and_why(connect: Connect, source_store: Store) -> None:
    connect("alice").put_bytes("SYNC files|put|a|comment=50%25 done%7C", b"x")
    (newest,) = source_store.log(1)
    assert (newest.author, newest.comment) == ("alice", "50% done|")


@pytest.mark.parametrize(
    ("request_text", "reply"),
    [
        ("files|put|/etc/passwd|size=1", "512 "),
        ("files|put|a/../b|size=1", "512 "),
        ("zones|put|a..b", "512 "),
        ("users|put|no such|role=reader", "512 "),
        ("files|put|a|size=-1", "512 size: '-1' is not a number"),
        ("files|put|a|size=1|digest=1234567", "512 digest='1234567': give 8 to 64 hex digits"),
        ("files|put|a|size=1|digest=ghijklmn", "512 digest='ghijklmn'"),
        ("files|put|a|size=1|comment=a%0Ab", "512 comment= has characters"),
        ("zones|delete|example.com.|serial=x", "512 serial='x': give a zone's serial"),
        ("zones|patch|example.com.", "512 state digest= or serial="),
    ],
)
def test_what_cannot_be_taken_is_refused_before_its_body(
    connect: Connect, request_text: str, reply: str
) -> None:
    client = connect("root")
    assert client.ask(f"SYNC {request_text}").startswith(reply)
    assert client.ask("NOOP") == "200 ok"


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        ("mode=9", "512 mode=9"),
        ("mode=7777", "512 mode 7777"),
        ("mtime=soon", "512 "),
        ("mtime=99999999999999999999999", "512 "),
        ("serial=1", "530 files have no serial"),
    ],
)
def test_options_of_files_are_checked(connect: Connect, options: str, reply: str) -> None:
    client = connect("alice")
    assert client.put_bytes(f"SYNC files|put|etc/motd|{options}", b"x").startswith(reply)
    assert client.ask("NOOP") == "200 ok"


@pytest.mark.parametrize(
    "lines",
    [[], ["no zone"], RECORDS, [SOA], [SOA, "x IN A 1.2.3"], [SOA, "$INCLUDE /etc/passwd"]],
    ids=["nothing", "no record", "no SOA", "no NS", "a bad address", "an include"],
)
def test_a_bad_zone_is_refused_and_changes_nothing(
    connect: Connect, source_store: Store, lines: list[str]
) -> None:
    client = connect("alice")
    assert client.put("SYNC zones|put|example.com", lines).startswith("512 ")
    assert client.ask("NOOP") == "200 ok"
    assert source_store.clock().seq == 7


def test_a_zone_is_not_put_under_another_ones_name(connect: Connect) -> None:
    reply = connect("alice").put("SYNC zones|put|example.org", EXAMPLE_COM.splitlines())
    assert reply.startswith("512 the SOA record is that of example.com., not of example.org.")


def test_a_put_with_a_condition_is_taken_at_that_state_only(
    connect: Connect, source_store: Store
) -> None:
    alice = connect("alice")
    before = digest(source_store)
    changed = [NEW_SOA, *RECORDS]
    assert alice.put("SYNC zones|put|example.com|serial=7", changed) == (
        "581 example.com. is at serial 1, not 7"
    )
    assert alice.put(f"SYNC zones|put|example.com|digest={before[:8].upper()}", changed) == (
        f"200 {EPOCH}:8"
    )
    reply = alice.put(f"SYNC zones|put|example.com|digest={before}", changed)
    assert reply.startswith("581 example.com. is at digest ")
    assert alice.put("SYNC zones|put|new.org|serial=1", changed).startswith("581 ")


def test_a_patch_changes_what_it_says(connect: Connect, source_store: Store) -> None:
    request = f"SYNC zones|patch|example.com|digest={digest(source_store)[:12]}"
    reply = connect("alice").put(
        request, ["-ns2 A 192.0.2.2", "+ns2 A 192.0.2.9", "+ns2 3600 IN AAAA 2001:db8::2"]
    )
    assert reply == f"200 {EPOCH}:8|example.com.: serial 1 advanced to 2"
    assert content(source_store, "zones", "example.com.").decode().splitlines() == [
        NEW_SOA,
        *RECORDS[:-1],
        "ns2.example.com. 3600 IN A 192.0.2.9",
        "ns2.example.com. 3600 IN AAAA 2001:db8::2",
    ]


@pytest.mark.parametrize(
    ("condition", "diff", "code"),
    [
        ("digest=00000000", ["+a A 192.0.2.9"], "581"),
        ("serial=2", ["+a A 192.0.2.9"], "581"),
        ("serial=1", ["-a A 192.0.2.9"], "581"),
        ("serial=1", ["+ns2 A 192.0.2.2"], "581"),
        ("serial=1", [" ns2 A 192.0.2.2"], "512"),
        ("serial=1", ["+x.example.org. A 192.0.2.2"], "512"),
        ("serial=1", [], "512"),
    ],
)
def test_a_patch_that_does_not_fit_changes_nothing(
    connect: Connect, source_store: Store, condition: str, diff: list[str], code: str
) -> None:
    alice = connect("alice")
    reply = alice.put(f"SYNC zones|patch|example.com|{condition}", diff)
    assert reply.startswith(f"{code} ")
    assert source_store.clock().seq == 7
    assert alice.ask("NOOP") == "200 ok"


def test_only_zones_that_are_there_can_be_patched(connect: Connect) -> None:
    root = connect("root")
    assert root.put("SYNC zones|patch|new.org|serial=1", ["+a A 192.0.2.1"]).startswith("581 ")
    for kind in ("files", "users"):
        reply = root.ask(f"SYNC {kind}|patch|etc/motd|digest={'0' * 8}")
        assert reply == f"530 {kind} cannot be patched; put them whole"


def test_files_are_put_whole_and_not_patched(connect: Connect, source_store: Store) -> None:
    at = source_store.view().version("files", "etc/motd").digest.hex()
    reply = connect("alice").put_bytes(f"SYNC files|patch|etc/motd|digest={at}", b"+x\n")
    assert reply.startswith("530 files cannot be patched")


def test_delete_takes_an_object_out(connect: Connect, source_store: Store) -> None:
    alice = connect("alice")
    assert alice.ask("SYNC zones|delete|Example.NET|comment=bye") == f"200 {EPOCH}:8"
    assert alice.ask("SYNC zones|delete|example.net").startswith("571 ")
    assert alice.listing("SYNC zones|list") == ["example.com."]


def test_a_delete_with_a_condition_is_done_at_that_state_only(
    connect: Connect, source_store: Store
) -> None:
    alice = connect("alice")
    assert alice.ask("SYNC zones|delete|example.com|serial=2").startswith("581 ")
    assert alice.ask("SYNC zones|delete|example.com|digest=00000000").startswith("581 ")
    assert alice.ask(f"SYNC zones|delete|example.com|digest={digest(source_store)}") == (
        f"200 {EPOCH}:8"
    )


def test_a_body_over_the_limit_is_refused(start_daemon: StartDaemon, connect: Connect) -> None:
    alice = connect("alice", start_daemon(max_body_bytes=300))
    assert alice.ask("SYNC files|put|a|size=301") == "511 size=301: at most 300 bytes are taken"
    assert alice.put_bytes("SYNC files|put|a", b"x" * 300) == f"200 {EPOCH}:8"
    lines = [*EXAMPLE_COM.splitlines(), ";" + "x" * 60]
    assert alice.put("SYNC zones|put|example.com", lines) == "511 at most 300 bytes are taken"
    assert alice.ask("NOOP") == "200 ok"


def test_a_listing_with_a_line_over_the_limit_is_refused_at_its_end(connect: Connect) -> None:
    alice = connect("alice")
    reply = alice.put("SYNC zones|put|example.com", [SOA, "x" * (1 << 20), *RECORDS])
    assert reply.startswith("511 a line has at most 1048576 bytes")
    assert alice.ask("NOOP") == "200 ok"


def test_a_huge_listing_is_taken(connect: Connect) -> None:
    alice = connect("alice")
    hosts = [f"h{number} A 192.0.2.{number % 250}" for number in range(30_000)]
    assert alice.put("SYNC zones|put|example.com", [NEW_SOA, *RECORDS, *hosts]) == f"200 {EPOCH}:8"
    assert alice.listing("SYNC zones|info|example.com")[0].split("|")[2] == "30005"


@pytest.mark.parametrize("rudely", [False, True])
@pytest.mark.parametrize("request_text", ["zones|put|example.com", "files|put|a|size=1000"])
def test_who_leaves_in_the_middle_of_a_body_leaves_nothing(
    connect: Connect, source_store: Store, request_text: str, rudely: bool
) -> None:
    alice, bob = connect("alice"), connect("bob")
    assert alice.ask(f"SYNC {request_text}")[0] in "47"
    alice.send(SOA, RECORDS[0])
    alice.hang_up_rudely() if rudely else alice.close()
    while len(bob.listing("RWHO")) > 1:
        pass
    assert source_store.clock().seq == 7
    assert bob.ask("NOOP") == "200 ok"


def test_a_replica_takes_no_writes(connect: Connect, source_store: Store) -> None:
    from sqlalchemy import update

    from syncd.store.engine import WRITE
    from syncd.store.schema import clock

    with source_store.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(update(clock).values(source="syncd://ns1", types="*"))
    root = connect("root")
    assert root.ask("SYNC files|put|a|size=1").startswith("582 this is a replica of syncd://ns1")
    assert root.ask("SYNC zones|patch|example.com|serial=1").startswith("582 ")
    assert root.ask("SYNC zones|delete|example.com").startswith("582 ")
    assert root.ask("SNGL 0|5").startswith("582 ")


def test_of_two_writers_at_one_state_one_is_refused(connect: Connect, source_store: Store) -> None:
    alice, root = connect("alice"), connect("root")
    request = f"SYNC zones|patch|example.com|digest={digest(source_store)}"
    assert alice.ask(request).startswith("400 ")
    assert root.put(request, ["+b A 192.0.2.3"]).startswith(f"200 {EPOCH}:8")
    alice.send("+a A 192.0.2.3", "000")
    assert alice.line().startswith("581 ")


def test_a_put_that_was_overtaken_is_made_again(connect: Connect, source_store: Store) -> None:
    alice = connect("alice")
    assert alice.ask("SYNC zones|put|example.com").startswith("400 ")
    put(source_store, "zones", "example.com.", EXAMPLE_COM.replace("192.0.2.2", "192.0.2.9"))
    alice.send(SOA, *RECORDS, "000")
    assert alice.line() == f"200 {EPOCH}:9|example.com.: serial 1 advanced to 3"


@pytest.mark.parametrize("command", ["put", "delete"])
def test_of_many_who_write_at_once_without_a_condition_the_last_wins(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr("syncd.store.store._ATTEMPTS", 1)  # at one daemon they take turns
    text = EXAMPLE_COM + "".join(f"h{n} A 192.0.2.9\n" for n in range(300))

    def write(number: int) -> list[str]:
        client = connect("alice")
        if command == "delete" and number % 2:
            return [client.ask("SYNC zones|delete|example.com") for _ in range(4)]
        record = f"own{number} A 192.0.2.{number}\n"
        body = f"{text}{record}".encode()
        return [client.put_bytes("SYNC zones|put|example.com", body) for _ in range(4)]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for each in pool.map(write, range(8)) for answer in each]
    assert {answer[:3] for answer in answers} <= {"200", "571"}


def test_a_delete_that_is_overtaken_by_another_daemons_write_is_made_again(
    source_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    overtaken = iter([True, True, False])
    real = Batch.publish

    def publish(self: Batch, *arguments: Any) -> Any:
        if next(overtaken):
            raise MovedOn("example.com. was changed by somebody else meanwhile")
        return real(self, *arguments)

    monkeypatch.setattr(Batch, "publish", publish)
    assert source_store.remove("zones", "example.com.", author="test") is not None
    overtaken = iter([True])
    with pytest.raises(MovedOn):
        source_store.remove("zones", "example.net.", author="test", serial="1")


@pytest.mark.parametrize(
    "options",
    ["mode=0o644", "mode=6_4", "mode= 644", "mode=%2B644", "mode=\u0666\u0664", "mtime=1_0",
     "mtime=+1"],
)  # fmt: skip
def test_only_plain_numbers_are_numbers(connect: Connect, options: str) -> None:
    reply = connect("alice").put_bytes(f"SYNC files|put|a|{options}", b"1")
    assert reply.startswith("512 "), reply


def test_a_name_that_no_folder_can_hold_is_refused(connect: Connect) -> None:
    client = connect("alice")
    assert client.put_bytes(f"SYNC files|put|a/{'x' * 255}", b"1").startswith("200 ")
    assert client.put_bytes(f"SYNC files|put|a/{'x' * 256}", b"1").startswith("512 ")


def test_what_stands_behind_a_hash_is_refused(connect: Connect, source_store: Store) -> None:
    body = PASSWORD_HASH.encode() + b" " * 600 + b"junk"
    root = connect("root")
    assert root.put_bytes("SYNC users|put|eve|role=reader", body).startswith("512 ")
    assert root.put_bytes("SYNC users|put|eve|role=reader", body[:400]).startswith("200 ")


def test_type_and_action_may_be_escaped(connect: Connect) -> None:
    assert connect("bob").listing("SYNC %7Aones|%6Cist") == ["example.com.", "example.net."]


@pytest.mark.parametrize("command", ["put", "delete"])
def test_writes_that_wait_for_a_long_one_leave_the_readers_their_threads(
    connect: Connect, source_store: Store, command: str
) -> None:
    writers = [connect("root") for _ in range(12)]
    bob = connect("bob")
    if command == "delete":
        for at in range(12):
            put(source_store, "files", str(at), "x")
    with source_store.engine.execution_options(**WRITE).begin() as long_write:
        lock_clock(long_write)
        for at, writer in enumerate(writers):
            if command == "delete":
                writer.send(f"SYNC files|delete|{at}")
            else:
                assert writer.ask(f"SYNC files|put|{at}|size=1").startswith("700 ")
                writer.send_bytes(b"x")
        assert writers[0].is_silent()
        assert bob.listing("SYNC zones|list") == ["example.com.", "example.net."]
    assert {writer.line()[:3] for writer in writers} == {"200"}
