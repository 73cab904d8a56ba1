"""SYNC actions that read."""

from zlib import crc32

import msgpack
import pytest

from syncd.content.compression import decompress
from syncd.content.messages import BlockReader, Gone, Head, Opening
from syncd.content.versions import fingerprint_text
from syncd.errors import ViewGone
from syncd.protocol.limits import BLOCK_BYTES
from syncd.server import clockwatch
from syncd.store import Store
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import EPOCH, EXAMPLE_COM, EXAMPLE_NET, NOON, FixedClock, put
from tests.server.conftest import Connect
from tests.server.line_client import LineClient

pytestmark = on_every_engine


def proof(store: Store, *types: str) -> str:
    view = store.view()
    totals = view.recount(types)
    return f"{view.token}|{totals.count}|{fingerprint_text(totals.fingerprint)}"


def elements(client: LineClient, command: str) -> tuple[list[object], str]:
    """Ask for blocks; return what stands in them, and the line that ends them."""
    client.send(command)
    blocks, final = client.blocks()
    reader = BlockReader()
    return [element for block in blocks for element in reader.read(block)], final


def test_info_shows_a_line_for_each_object(connect: Connect, source_store: Store) -> None:
    client = connect("bob")
    assert client.ask("SYNC zones|info") == f"100 {proof(source_store, 'zones')}"
    com, net = client.lines()
    assert com.split("|") == [
        "example.com.", "1", "5", f"{crc32(EXAMPLE_COM.encode()):08x}",
        source_store.view().version("zones", "example.com.").digest.hex()[:12], str(NOON), "5",
    ]  # fmt: skip
    assert net.startswith("example.net.|1|2|")


def test_info_of_users_shows_no_hash(connect: Connect) -> None:
    lines = connect("ns2").listing("SYNC users|info")
    assert [line.split("|")[:2] for line in lines] == [
        ["alice", "operator"], ["bob", "reader"], ["ns2", "replica"], ["root", "admin"],
    ]  # fmt: skip
    assert "argon2" not in "".join(lines)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("example.com", ["example.com."]),
        ("EXAMPLE.com.", ["example.com."]),
        ("*.com.", ["example.com."]),
        ("example.???.", ["example.com.", "example.net."]),
        ("example.[!c]*", ["example.net."]),
        ("nosuch.", []),
    ],
)
def test_a_name_or_pattern_chooses(connect: Connect, pattern: str, found: list[str]) -> None:
    assert connect("bob").listing(f"SYNC zones|list|{pattern}") == found


@pytest.mark.parametrize("action", ["list", "info"])
def test_a_pattern_that_would_take_long_to_read_is_refused(connect: Connect, action: str) -> None:
    client = connect("bob")
    refusal = "512 a pattern has at most 700 characters"
    assert client.ask(f"SYNC zones|{action}|{'[' * 16000}") == refusal
    assert client.listing(f"SYNC zones|{action}|{'[' * 700}") == []


def test_a_page_begins_behind_the_last_name_of_the_one_before(
    connect: Connect, source_store: Store
) -> None:
    names = [f"d/{number:03}" for number in range(7)]
    for name in names:
        put(source_store, "files", name, name)
    client = connect("bob")
    found: list[str] = []
    after = ""
    while page := client.listing(f"SYNC files|list|d/*|limit=3|after={after}"):
        assert len(page) <= 3
        found += page
        after = page[-1]
    assert found == names
    assert client.listing("SYNC files|list|limit=0") == []


def test_a_name_like_the_end_of_a_listing_does_not_end_it(
    connect: Connect, source_store: Store
) -> None:
    put(source_store, "files", "000", "")
    put(source_store, "files", "a|b=%", "")
    client = connect("bob")
    assert client.listing("SYNC files|list") == ["%30" + "00", "a%7Cb=%25", "etc/motd"]
    assert client.listing("SYNC files|list|000") == ["%3000"]


def test_a_name_like_an_option_is_asked_for_with_its_equals_sign_escaped(
    connect: Connect, source_store: Store
) -> None:
    put(source_store, "files", "at=5", "x")
    client = connect("bob")
    assert client.listing("SYNC files|list|at%3D5") == ["at=5"]


def test_listings_come_in_msgpack_as_well(connect: Connect, source_store: Store) -> None:
    client = connect("bob")
    client.send("SYNC zones|info|format=msgpack")
    blocks, final = client.blocks()
    rows = [row for block in blocks for row in msgpack.unpackb(block)]
    assert rows[0][:3] == ["example.com.", 1, 5]
    assert final == f"200 {proof(source_store, 'zones')}"


def test_get_gives_the_content_and_what_it_is(connect: Connect, source_store: Store) -> None:
    client = connect("bob")
    client.send("SYNC zones|get|example.com")
    blocks, final = client.blocks()
    assert b"".join(blocks) == EXAMPLE_COM.encode()
    digest = source_store.view().version("zones", "example.com.").digest.hex()
    assert final.removeprefix("200 ").split("|") == [
        f"{EPOCH}:7", str(len(EXAMPLE_COM)), f"{crc32(EXAMPLE_COM.encode()):08x}", digest,
        str(NOON), "5",
    ]  # fmt: skip


def test_get_of_an_empty_file_has_no_block(connect: Connect, source_store: Store) -> None:
    put(source_store, "files", "empty", "")
    client = connect("bob")
    client.send("SYNC files|get|empty")
    blocks, final = client.blocks()
    assert blocks == []
    assert final.split("|")[1:3] == ["0", "00000000"]


def test_get_of_a_large_file_comes_in_blocks_of_up_to_512_kib(
    connect: Connect, source_store: Store
) -> None:
    content = b"".join(number.to_bytes(4, "big") for number in range(500_000))
    put(source_store, "files", "large", content)
    client = connect("bob")
    client.send("SYNC files|get|large")
    blocks, _ = client.blocks()
    assert b"".join(blocks) == content
    assert len(blocks) >= 4
    assert max(map(len, blocks)) <= BLOCK_BYTES


@pytest.mark.parametrize(
    ("request_text", "code"),
    [("zones|get|nosuch", "571"), ("files|get|../x", "512"), ("users|get|%00", "512")],
)
def test_get_of_what_is_not_there_is_refused(
    connect: Connect, request_text: str, code: str
) -> None:
    assert connect("root").ask(f"SYNC {request_text}").startswith(f"{code} ")


def test_at_shows_what_was(connect: Connect, source_store: Store) -> None:
    before = proof(source_store, "zones")
    put(source_store, "zones", "example.com.", EXAMPLE_COM.replace("192.0.2.2", "192.0.2.9"))
    source_store.remove("zones", "example.net.", author="test")
    client = connect("bob")
    assert client.listing("SYNC zones|list") == ["example.com."]
    assert client.ask("SYNC zones|list|at=7") == f"100 {before}"
    assert client.lines() == ["example.com.", "example.net."]
    client.send("SYNC zones|get|example.com|at=7")
    assert b"".join(client.blocks()[0]) == EXAMPLE_COM.encode()
    assert client.listing("SYNC zones|list|at=5") == ["example.com."]
    assert client.ask("SYNC zones|get|example.net|at=5").startswith("571 ")
    assert client.ask("SYNC zones|verify|at=7") == f"200 {before}"


@pytest.mark.parametrize(
    "request_text",
    ["info", "list", "get|example.com", "getall", "digest", "verify", "chunks|example.com."],
)
def test_a_view_that_is_not_held_is_refused(
    connect: Connect, source_store: Store, request_text: str
) -> None:
    put(source_store, "files", "a", "x")
    source_store.collect(keep_seq=6)
    client = connect("bob")
    assert client.ask(f"SYNC zones|{request_text}|at=5").startswith("583 commit 5 is not held")
    assert client.ask(f"SYNC zones|{request_text}|at=9").startswith("583 ")
    assert client.ask(f"SYNC zones|{request_text}|at=6")[:3] in ("100", "200", "600")


def test_getall_gives_everything_with_its_proof(connect: Connect, source_store: Store) -> None:
    found, final = elements(connect("ns2"), "SYNC *|getall")
    assert final == f"200 {proof(source_store, 'zones', 'files', 'users')}"
    assert found[0] == Opening(f"{EPOCH}:7", 7)
    heads = [element for element in found if isinstance(element, Head)]
    assert [(head.type, head.name) for head in heads] == [
        ("files", "etc/motd"), ("users", "alice"), ("users", "bob"), ("users", "ns2"),
        ("users", "root"), ("zones", "example.com."), ("zones", "example.net."),
    ]  # fmt: skip
    bodies = [decompress(body, BLOCK_BYTES) for body in found[-2:] if isinstance(body, bytes)]
    assert b"".join(bodies) == EXAMPLE_NET.encode()


def test_getall_goes_on_behind_an_object_and_inside_one(
    connect: Connect, source_store: Store
) -> None:
    put(
        source_store,
        "zones",
        "example.com.",
        EXAMPLE_COM + "".join(f"h{n} A 192.0.2.9\n" for n in range(200)),
    )
    view = source_store.view()
    version = view.version("zones", "example.com.")
    soa, *rest = view.content(version)
    assert soa.count(b"\n") == 1
    found, _ = elements(connect("ns2"), "SYNC *|getall|after=users/root|skip=1|at=8")
    heads = [element for element in found if isinstance(element, Head)]
    assert [(head.name, head.bodies) for head in heads] == [
        ("example.com.", len(rest)),
        ("example.net.", 1),
    ]
    bodies = [decompress(body, BLOCK_BYTES) for body in found if isinstance(body, bytes)]
    assert bodies == [*rest, EXAMPLE_NET.encode()]


@pytest.mark.parametrize("option", ["after=zones", "skip=-1", "after=zones/example.com.|skip=2"])
def test_getall_from_where_nothing_is_is_refused(connect: Connect, option: str) -> None:
    assert connect("ns2").ask(f"SYNC zones|getall|{option}").startswith("512 ")


def test_a_delta_is_what_changed(connect: Connect, source_store: Store) -> None:
    put(source_store, "zones", "example.com.", EXAMPLE_COM.replace("192.0.2.2", "192.0.2.9"))
    source_store.remove("zones", "example.net.", author="test")
    put(source_store, "files", "etc/motd", "hello\n")
    client = connect("bob")
    assert client.ask(f"SYNC *|delta|{EPOCH}:7") == f"100 {proof(source_store, 'zones', 'files')}"
    text = client.lines()
    assert text[0].startswith("@zones|example.net.|48cf41a1b659|-")
    assert text[1].startswith("@files|etc/motd|")
    assert text[2].startswith("@zones|example.com.|0c2cc762790c|")
    assert text[3:] == [
        f"-{EXAMPLE_COM.splitlines()[0]}",
        "-ns2.example.com. 3600 IN A 192.0.2.2",
        f"+{EXAMPLE_COM.splitlines()[0].replace(' 1 7200', ' 2 7200')}",
        "+ns2.example.com. 3600 IN A 192.0.2.9",
    ]
    found, final = elements(client, f"SYNC *|delta|{EPOCH}:7|format=msgpack")
    assert final == f"200 {proof(source_store, 'zones', 'files')}"
    assert found[0] == Gone("zones", "example.net.")
    assert [element.name for element in found if isinstance(element, Head)] == [
        "etc/motd", "example.com.",
    ]  # fmt: skip


def test_a_delta_of_nothing_is_its_proof_alone(connect: Connect, source_store: Store) -> None:
    client = connect("bob")
    assert client.ask(f"SYNC zones|delta|{EPOCH}:7") == f"100 {proof(source_store, 'zones')}"
    assert client.lines() == []
    client.send(f"SYNC zones|delta|{EPOCH}:7|format=msgpack")
    assert client.blocks() == ([], f"200 {proof(source_store, 'zones')}")


@pytest.mark.parametrize("form", ["text", "msgpack"])
def test_a_lost_token_is_refused_and_never_answered_in_part(
    connect: Connect, source_store: Store, form: str
) -> None:
    put(source_store, "files", "a", "x")
    source_store.collect(keep_seq=6)
    client = connect("bob")
    for token in ("0123456789abcdef:7", f"{EPOCH}:5", f"{EPOCH}:9"):
        assert client.ask(f"SYNC zones|delta|{token}|format={form}").startswith("580 ")
    assert client.ask(f"SYNC zones|delta|{EPOCH}:6|format={form}")[:3] in ("100", "200")


@pytest.mark.parametrize("token", ["", "7", "5eed5eed5eed5eed:", "5EED5EED5EED5EED:7", "x:1"])
def test_what_is_no_token_is_refused(connect: Connect, token: str) -> None:
    assert connect("bob").ask(f"SYNC zones|delta|{token}").startswith("512 ")


def test_watch_tells_of_commits_whoever_makes_them(
    connect: Connect, source_store: Store, clock: FixedClock
) -> None:
    watcher, alice = connect("bob"), connect("alice")
    watcher.ask("ASYN 1")
    assert watcher.ask("SYNC zones|watch") == f"200 {EPOCH}:7"
    assert alice.put_bytes("SYNC files|put|a", b"x") == f"200 {EPOCH}:8"
    assert watcher.line() == f"902 commit|{EPOCH}:8"
    put(source_store, "files", "a", "another process")
    assert watcher.line() == f"902 commit|{EPOCH}:9"
    assert watcher.is_silent(0.4)


def line_of_block(watcher: LineClient) -> str:
    """Return the line before the first block; what was put before may be told of before it."""
    while (line := watcher.line()).startswith("902 "):
        pass
    return line


def test_commits_that_come_close_together_are_told_of_once(
    connect: Connect, source_store: Store
) -> None:
    put(source_store, "files", "large", bytes(range(256)) * 100_000)
    watcher, alice = connect("bob"), connect("alice")
    watcher.ask("ASYN 1")
    watcher.ask("SYNC zones|watch")
    watcher.send("SYNC files|get|large")
    first = line_of_block(watcher)
    for number in range(5):
        alice.put_bytes("SYNC files|put|a", b"%d" % number)
    watcher.read(int(first.split(" ")[1]))
    _, final = watcher.blocks()
    assert final.startswith(f"200 {EPOCH}:8|")
    assert watcher.line() == f"902 commit|{EPOCH}:13"
    assert watcher.is_silent()


def test_watch_without_asyn_is_refused(connect: Connect) -> None:
    assert connect("bob").ask("SYNC zones|watch").startswith("512 send ASYN 1 first")


@pytest.mark.parametrize(("last", "reply"), [("ASYN 0", "200 0"), ("LOUT", "200 logged out")])
def test_who_does_not_want_notices_any_more_gets_none_that_was_still_to_be_sent(
    connect: Connect, source_store: Store, last: str, reply: str
) -> None:
    put(source_store, "files", "large", bytes(range(256)) * 100_000)
    watcher, alice = connect("bob"), connect("alice")
    watcher.ask("ASYN 1")
    watcher.ask("SYNC zones|watch")
    watcher.send("SYNC files|get|large", last)
    first = line_of_block(watcher)
    alice.put_bytes("SYNC files|put|a", b"x")
    watcher.read(int(first.split(" ")[1]))
    watcher.blocks()
    assert watcher.line() == reply
    alice.put_bytes("SYNC files|put|a", b"y")
    assert watcher.is_silent(0.4)


def test_a_commit_at_the_same_daemon_is_told_of_at_once(
    monkeypatch: pytest.MonkeyPatch, start_daemon: StartDaemon, connect: Connect
) -> None:
    monkeypatch.setattr(clockwatch, "WATCH_S", 3600)
    monkeypatch.setattr(clockwatch, "GLANCE_S", 3600)
    daemon = start_daemon()
    watcher, alice = connect("bob", daemon), connect("alice", daemon)
    watcher.ask("ASYN 1")
    watcher.ask("SYNC zones|watch")
    alice.put_bytes("SYNC files|put|a", b"x")
    assert watcher.line() == f"902 commit|{EPOCH}:8"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ("verify|foo", "verify takes no value, such as 'foo'"),
        ("digest|foo|bits=0", "digest takes no value, such as 'foo'"),
        ("getall|foo", "getall takes no value, such as 'foo'"),
        ("watch|foo", "watch takes no value, such as 'foo'"),
        ("chunks", "give names, or digest="),
    ],
)
def test_a_value_that_would_be_passed_over_is_refused(
    connect: Connect, request_: str, said: str
) -> None:
    assert connect("ns2").ask(f"SYNC zones|{request_}").startswith(f"512 {said}")


@pytest.mark.parametrize(
    "request_text",
    ["zones|list|after=%00", "*|getall|after=zones/%00", "files|get|a%00", "zones|chunks|a%00."],
)
def test_a_nul_is_refused_before_a_database_is_asked(connect: Connect, request_text: str) -> None:
    agent = connect("ns2")
    assert agent.ask(f"SYNC {request_text}").startswith("512 %00: neither a name nor an option has")
    assert agent.ask("NOOP") == "200 ok"


def test_a_view_of_another_history_is_told_as_that(source_store: Store) -> None:
    view = source_store.view()
    source_store.renew_epoch()
    with pytest.raises(ViewGone, match=f"a new history has begun since {EPOCH}:7"):
        list(view.versions(["zones"]))
