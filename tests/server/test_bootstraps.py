"""A bootstrap's blocks: whole however they are cut, small state, and made once for many."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
import trio

from syncd.content.messages import BLOCK_BYTES, BlockReader, Head, Opening
from syncd.server.bootstraps import (
    FIRST_BLOCK_BYTES,
    LEAST_BLOCK_BYTES,
    Made,
    Position,
    SharedBlocks,
    make_block,
)
from syncd.store import Store, View
from tests.databases import on_every_engine
from tests.running import EXAMPLE_COM, put
from tests.server.conftest import Connect

pytestmark = on_every_engine

TYPES = ["files", "users", "zones"]


def framed_content(framed: bytes) -> bytes:
    head, _, content = framed.partition(b"\n")
    assert head == b"600 %d" % len(content)
    return content


def all_blocks(view: View, limit_bytes: int, begin: Position) -> list[bytes]:
    found: list[bytes] = []
    opening: Opening | None = Opening(str(view.token), 0)
    position: Position | None = begin
    while position is not None:
        made = make_block(view, TYPES, position, limit_bytes, opening)
        position, opening = made.following, None
        if made.framed is not None:
            found.append(framed_content(made.framed))
    return found


@pytest.fixture
def filled(source_store: Store) -> Store:
    """Objects of no chunk, of one, and of many."""
    rng = random.Random(5)
    put(source_store, "files", "empty", b"")
    put(source_store, "files", "random", rng.randbytes(600_000))
    hosts = "".join(f"h{n}.example.com. 3600 IN A 192.0.2.7\n" for n in range(2000))
    put(source_store, "zones", "example.com.", EXAMPLE_COM + hosts)
    return source_store


@pytest.mark.parametrize("limit_bytes", [1, 300, 5_000, 70_000, BLOCK_BYTES])
def test_the_blocks_together_are_the_same_however_small_they_are(
    filled: Store, limit_bytes: int
) -> None:
    view = filled.view()
    whole = [e for b in all_blocks(view, 1 << 30, Position(None)) for e in BlockReader().read(b)]
    reader = BlockReader()
    blocks = all_blocks(view, limit_bytes, Position(None))
    assert [e for block in blocks for e in reader.read(block)] == whole
    names = [element.name for element in whole if isinstance(element, Head)]
    assert names == [
        *("empty", "etc/motd", "random"),
        *("alice", "bob", "ns2", "root"),
        *("example.com.", "example.net."),
    ]


def test_a_resumed_bootstrap_begins_in_the_middle_of_an_object(filled: Store) -> None:
    view = filled.view()
    digests = view.version("files", "random").chunk_digests()
    begin = Position(("files", "etc/motd"), skip=3)
    reader = BlockReader()
    blocks = all_blocks(view, 50_000, begin)
    _, head, *rest = (element for block in blocks for element in reader.read(block))
    assert isinstance(head, Head)
    assert (head.name, head.bodies) == ("random", len(digests) - 3)
    bodies = view.bodies(digests)
    assert rest[: len(digests) - 3] == [bodies[digest] for digest in digests[3:]]


def test_more_chunks_than_there_are_cannot_be_skipped(connect: Connect) -> None:
    reply = connect("bob").ask("SYNC files|getall|skip=2")
    assert reply == "512 skip=2: etc/motd has 1 chunk"


def test_bootstraps_at_once_are_sent_blocks_that_were_made_once(
    filled: Store, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Position] = []
    begun: list[None] = []
    all_have_begun = threading.Event()
    reader = SharedBlocks.reader

    @contextmanager
    def noticed(shared: SharedBlocks) -> Iterator[None]:
        with reader(shared):
            begun.append(None)
            if len(begun) == len(clients):
                all_have_begun.set()
            yield

    def counted(view: View, types: list[str], position: Position, *rest: Any) -> Made:
        assert all_have_begun.wait(60)
        made.append(position)
        return make_block(view, types, position, *rest)

    monkeypatch.setattr(SharedBlocks, "reader", noticed)
    monkeypatch.setattr("syncd.server.verbs.sync_read.make_block", counted)
    clients = [connect("ns2") for _ in range(6)]
    for client in clients:
        client.send("SYNC *|getall")
    answers = [client.blocks() for client in clients]
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0][0]) > 2
    assert len(made) < 2 * len(answers[0][0])


def test_of_two_who_ask_for_a_block_at_once_one_makes_it() -> None:
    calls: list[str] = []

    async def ask(shared: SharedBlocks, name: str) -> None:
        async def make() -> Made:
            calls.append(name)
            await trio.sleep(0.01)
            return Made(name.encode(), None)

        with shared.reader():
            assert (await shared.get("key", make)).framed == calls[0].encode()

    async def both() -> None:
        shared = SharedBlocks()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, shared, "one")
            nursery.start_soon(ask, shared, "other")

    trio.run(both)
    assert len(calls) == 1


def test_if_making_fails_the_next_makes_it() -> None:
    async def fail() -> Made:
        raise OSError("the database is away")

    async def make() -> Made:
        return Made(b"block", None)

    async def run() -> None:
        shared = SharedBlocks()
        with pytest.raises(OSError, match="away"):
            await shared.get("key", fail)
        assert (await shared.get("key", make)).framed == b"block"

    trio.run(run)


def test_no_more_is_kept_than_the_limit_and_nothing_after_the_last() -> None:
    calls: list[int] = []

    async def get(shared: SharedBlocks, number: int) -> None:
        async def make() -> Made:
            calls.append(number)
            return Made(bytes(400), None)

        await shared.get(number, make)

    async def run() -> None:
        shared = SharedBlocks(limit_bytes=1000)
        with shared.reader(), shared.reader():
            for number in (1, 2, 3, 2, 3, 1):
                await get(shared, number)
        with shared.reader(), shared.reader():
            await get(shared, 1)

    trio.run(run)
    assert calls == [1, 2, 3, 1, 1]


def test_blocks_grow_but_less_where_many_are_sent() -> None:
    shared = SharedBlocks()
    with shared.reader():
        sizes = [FIRST_BLOCK_BYTES]
        while sizes[-1] < BLOCK_BYTES:
            sizes.append(shared.next_limit(sizes[-1]))
        assert all(later == 2 * earlier for earlier, later in pairwise(sizes))
        others = [shared.reader() for _ in range(999)]
        for other in others:
            other.__enter__()
        assert shared.next_limit(BLOCK_BYTES) == LEAST_BLOCK_BYTES
