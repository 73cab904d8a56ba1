"""Long answers are read to their end, whatever happens to them, so that the connection stays
good."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncclient.client import Client, sync_request
from syncclient.exchange import exchange
from syncd.errors import NoSuchObject, VerificationFailed, ViewGone
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import new_store, put_all
from tests.syncclient.link import Link, add_user, in_trio

pytestmark = on_every_engine


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as store:
        add_user(store)
        put_all(store, {f"f{number:03}": [bytes([number]) * 5000] for number in range(200)})
        yield store


def get_all(**options: int) -> str:
    return sync_request("*", "getall", **options)


def test_answers_come_in_the_order_of_the_requests(source: Store) -> None:
    taken: list[int] = []

    async def work() -> None:
        async with Link(source).client() as client:
            finals = await exchange(
                client, [get_all(), get_all()], lambda index, block: taken.append(index)
            )
            assert len(finals) == 2

    in_trio(work)
    assert taken == sorted(taken)
    assert set(taken) == {0, 1}


def test_what_cannot_be_taken_leaves_the_connection_good(source: Store) -> None:
    async def work() -> None:
        async with Link(source).client() as client:

            def refuse(index: int, block: bytes) -> None:
                raise VerificationFailed("not what it should be")

            with pytest.raises(VerificationFailed, match="not what it should be"):
                await exchange(client, [get_all(), get_all()], refuse)
            assert await client.names("users") == ["root"]

    in_trio(work)


def test_what_the_server_refuses_leaves_the_connection_good(source: Store) -> None:
    async def work() -> None:
        async with Link(source).client() as client:
            with pytest.raises(ViewGone):
                await exchange(client, [get_all(at=99), get_all()], lambda index, block: None)
            assert await client.names("users") == ["root"]
            await check_again(client)

    async def check_again(client: Client) -> None:
        with pytest.raises(NoSuchObject):
            await exchange(
                client, [sync_request("files", "get", ["nothing"])], lambda index, block: None
            )

    in_trio(work)


def test_an_error_that_nobody_foresaw_is_not_swallowed(source: Store) -> None:
    async def work() -> None:
        async with Link(source).client() as client:

            def fail(index: int, block: bytes) -> None:
                raise ZeroDivisionError

            await exchange(client, [get_all()], fail)

    with pytest.raises(ZeroDivisionError):
        in_trio(work)
