"""SYNC actions that compare and repair."""

import msgpack
import pytest
from sqlalchemy import update

from syncd.content.buckets import add_mark, bucket_of
from syncd.content.compression import decompress
from syncd.content.messages import BlockReader, Gone, Head
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.store.schema import clock, tally
from tests.databases import on_every_engine
from tests.running import EPOCH, EXAMPLE_COM, EXAMPLE_NET, put
from tests.server.conftest import Connect
from tests.server.line_client import LineClient
from tests.server.verbs.test_sync_read import elements, proof

pytestmark = on_every_engine


def sums_of(store: Store, bits: int, *types: str) -> list[int]:
    sums = [0] * (1 << bits)
    for version in store.view().versions(types):
        number = bucket_of(version.type, version.name, bits)
        sums[number] = add_mark(sums[number], version.mark)
    return sums


def test_digest_gives_the_sum_of_each_bucket(connect: Connect, source_store: Store) -> None:
    client = connect("bob")
    assert client.ask("SYNC zones,files|digest") == f"100 {proof(source_store, 'zones', 'files')}"
    sums = sums_of(source_store, 4, "zones", "files")
    assert client.lines() == [f"{number}|{total:016x}" for number, total in enumerate(sums)]
    client.send("SYNC zones,files|digest|bits=4|format=msgpack")
    (block,), _ = client.blocks()
    assert msgpack.unpackb(block) == b"".join(total.to_bytes(8, "big") for total in sums)


def test_one_bucket_holds_everything(connect: Connect, source_store: Store) -> None:
    (line,) = connect("bob").listing("SYNC zones|digest|bits=0")
    fingerprint = int(proof(source_store, "zones").split("|")[2], 16)
    assert line == f"0|{fingerprint & (1 << 64) - 1:016x}"


def test_digest_lists_what_is_in_buckets(connect: Connect, source_store: Store) -> None:
    client = connect("bob")
    marks = {
        version.name: version.mark[-8:].hex() for version in source_store.view().versions(["zones"])
    }
    everything = [f"zones|{name}|{mark}" for name, mark in marks.items()]
    assert client.listing("SYNC zones|digest|buckets=0-15") == everything
    number = bucket_of("zones", "example.net.", 4)
    found = client.listing(f"SYNC zones|digest|bits=4|buckets={number}")
    assert f"zones|example.net.|{marks['example.net.']}" in found
    assert len(client.listing("SYNC zones|digest|bits=16|buckets=0,2-3")) < 2
    client.send("SYNC zones|digest|buckets=0-15|format=msgpack")
    (block,), _ = client.blocks()
    ((kind, names, packed),) = msgpack.unpackb(block)
    assert (kind, decompress(names, 1000)) == ("zones", "\n".join(marks).encode())
    assert packed.hex() == "".join(marks.values())


@pytest.mark.parametrize(
    "option",
    ["bits=17", "bits=-1", "buckets=16", "buckets=3-2", "buckets=x", "buckets=", "buckets=-1"],
)
def test_buckets_that_are_not_there_are_refused(connect: Connect, option: str) -> None:
    assert connect("bob").ask(f"SYNC zones|digest|{option}").startswith("512 ")


def test_chunks_lists_digests_or_gives_small_objects_whole(
    connect: Connect, source_store: Store
) -> None:
    client = connect("bob")
    version = source_store.view().version("zones", "example.com.")
    found, final = elements(client, "SYNC zones|chunks|example.com.|nosuch.")
    assert final == f"200 {source_store.clock().token}"
    head, gone = found
    assert isinstance(head, Head)
    assert (head.digest, head.chunks) == (version.digest, version.chunks)
    assert gone == Gone("zones", "nosuch.")
    (head, *bodies), _ = elements(client, "SYNC zones|chunks|example.com.|inline=4096")
    assert isinstance(head, Head)
    assert head.bodies == len(bodies) == 1
    assert _content(bodies) == EXAMPLE_COM.encode()


def _content(bodies: list[object]) -> bytes:
    return b"".join(decompress(body, 1 << 20) for body in bodies if isinstance(body, bytes))


def test_chunks_are_given_by_digest_in_the_order_asked_for(
    connect: Connect, source_store: Store
) -> None:
    client = connect("bob")
    com, net = (version.chunks for version in source_store.view().versions(["zones"]))
    asked = ",".join(digest.hex() for digest in (net, com, net))
    bodies, _ = elements(client, f"SYNC zones|chunks|digest={asked}")
    assert _content(bodies) == (EXAMPLE_NET + EXAMPLE_COM + EXAMPLE_NET).encode()


@pytest.mark.parametrize("digest", ["", "ab", "x" * 64, "ab" * 33])
def test_what_is_no_digest_is_refused(connect: Connect, digest: str) -> None:
    assert connect("bob").ask(f"SYNC zones|chunks|digest={digest}").startswith("512 ")


def test_a_chunk_that_is_not_held_is_refused(connect: Connect) -> None:
    client = connect("bob")
    assert client.ask(f"SYNC zones|chunks|digest={'ab' * 32}").startswith("583 ")
    assert client.ask("NOOP") == "200 ok"


def test_names_and_digests_at_once_are_refused(connect: Connect) -> None:
    reply = connect("bob").ask(f"SYNC zones|chunks|a|digest={'ab' * 32}")
    assert reply.startswith("512 ")


def test_verify_counts_anew(connect: Connect, source_store: Store) -> None:
    client = connect("bob")
    assert client.ask("SYNC zones|verify") == f"200 {proof(source_store, 'zones')}"
    with source_store.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(update(tally).values(count=tally.c.count + 1))
    assert client.ask("SYNC zones|verify").startswith("510 the store's tally")


def test_a_repair_by_hand_finds_the_one_object_that_differs(
    connect: Connect, source_store: Store
) -> None:
    client = connect("bob")
    before = client.listing("SYNC files|digest|bits=8")
    put(source_store, "files", "etc/issue", "x")
    after = client.listing("SYNC files|digest|bits=8")
    differing = [line.split("|")[0] for line, old in zip(after, before, strict=True) if line != old]
    (found,) = client.listing(f"SYNC files|digest|bits=8|buckets={','.join(differing)}")
    assert found.startswith("files|etc/issue|")
    _whole(client, "etc/issue", b"x")


def _whole(client: LineClient, name: str, content: bytes) -> None:
    client.send(f"SYNC files|chunks|{name}|inline=10")
    (block,), _ = client.blocks()
    _, body = BlockReader().read(block)
    assert _content([body]) == content


@pytest.mark.parametrize(
    "request_text", ["*|getall", "files,zones|digest", f"*|delta|{EPOCH}:7", "files|getall"]
)
def test_a_replica_of_some_types_gives_nobody_the_others_as_empty(
    connect: Connect, source_store: Store, request_text: str
) -> None:
    with source_store.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(clock.update().values(source="syncd://ns1", types="users,zones"))
    agent = connect("ns2")
    reply = agent.ask(f"SYNC {request_text}")
    assert reply.startswith("530 this replica copies users,zones only: ask another source for file")
    assert agent.ask("SYNC users,zones|digest|bits=0").startswith("100 ")
