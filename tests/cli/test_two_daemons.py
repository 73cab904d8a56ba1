"""Two daemons on one database serve and write at once, as one would."""

from collections.abc import Iterator
from contextlib import ExitStack, aclosing
from pathlib import Path

import pytest
import trio

from syncclient import Client
from syncd.content.tokens import Token
from syncd.errors import Busy, MovedOn
from syncd.store import Store
from tests.cli.commands import Serving, add_admin, assert_replicates, run, start
from tests.databases import on_every_engine
from tests.running import PASSWORD, put
from tests.store.objects import assert_sound, content_of, new_store, store_url

pytestmark = on_every_engine

_WRITERS, _WRITES = 2, 8
"""Writers at each daemon, and how often each counts up."""
_COUNTED = 2 * _WRITERS * _WRITES
_LIMIT_S = 120


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[list[Serving]]:
    with new_store(tmp_path, "source") as store:
        add_admin(store)
        put(store, "files", "shared", "0")
    with ExitStack() as stack:
        yield [stack.enter_context(Serving(store_url(tmp_path, "source"))) for _ in range(2)]


async def count_up(daemon: Serving, name: str) -> None:
    """Put files of one's own, and each time add one to a file that all write to."""
    async with Client.connect(daemon.url(), PASSWORD) as client:
        for number in range(_WRITES):
            await client.put("files", f"{name}-{number}", [b"%d" % number])
            while True:
                digest = (await client.info("files", "shared")).rows[0]["digest"]
                found = b"".join([part async for part in client.get("files", "shared")])
                try:
                    await client.put("files", "shared", [b"%d" % (int(found) + 1)], digest=digest)
                except MovedOn:
                    continue
                break


async def watch(daemon: Serving, seen: list[int], started: trio.Event, last: int) -> None:
    """Note the numbers of the commits that a daemon tells of, up to the last."""
    async with Client.connect(daemon.url(), PASSWORD) as client:
        async with aclosing(client.watch("files")) as tokens:
            async for token in tokens:
                seen.append(token.seq)
                started.set()
                if token.seq >= last:
                    return


def test_writers_at_both_lose_nothing_and_watchers_and_replicas_of_both_follow(
    tmp_path: Path, daemons: list[Serving]
) -> None:
    source = store_url(tmp_path, "source")
    replicas = [store_url(tmp_path, f"replica{number}") for number in range(2)]
    followers = [
        start("syncclient", "resync", daemon.url(), "--store", replica, "--watch")
        for daemon, replica in zip(daemons, replicas, strict=True)
    ]
    last = 2 + 2 * _COUNTED
    seen: list[list[int]] = [[], []]

    async def work() -> None:
        with trio.fail_after(_LIMIT_S):
            async with trio.open_nursery() as nursery:
                started = [trio.Event(), trio.Event()]
                for daemon, numbers, event in zip(daemons, seen, started, strict=True):
                    nursery.start_soon(watch, daemon, numbers, event, last)
                for event in started:
                    await event.wait()
                for at, daemon in enumerate(daemons):
                    for writer in range(_WRITERS):
                        nursery.start_soon(count_up, daemon, f"{at}-{writer}")
            while not all(map(follows, replicas)):
                await trio.sleep(0.1)

    def follows(replica: str) -> bool:
        with Store.create(replica, exist_ok=True) as store:
            return store.clock().seq == last

    try:
        trio.run(work)
    finally:
        for follower in followers:
            follower.terminate()
            follower.communicate()
    for numbers in seen:
        assert numbers == sorted(set(numbers))
        assert numbers[-1] == last
        assert len(numbers) > 2, "told of commits while they were made"
    with Store.open(source) as store:
        assert content_of(store.view(), "shared") == b"%d" % _COUNTED
        assert [commit.seq for commit in store.log()] == list(range(last, -1, -1))
        assert_sound(store)
    for replica in replicas:
        assert_replicates(replica, source)
    run("syncd", "fsck", "--store", source)


def test_a_freeze_at_one_holds_at_the_other(daemons: list[Serving]) -> None:
    async def write(number: str) -> Token | None:
        async with Client.connect(daemons[1].url(), PASSWORD) as client:
            return (await client.put("files", "shared", [number.encode()]))[0]

    async def work() -> None:
        async with Client.connect(daemons[0].url(), PASSWORD) as holder:
            frozen = await holder.freeze()
            for attempt in range(3):
                with pytest.raises(Busy, match="frozen by root"):
                    await write(f"while it is frozen {attempt}")
            with pytest.raises(Busy, match="frozen by root"):
                async with Client.connect(daemons[1].url(), PASSWORD) as other:
                    await other.freeze()
            await holder.release()
            token = await write("after it")
            assert token == Token(frozen.token.epoch, frozen.token.seq + 1)

    trio.run(work)
