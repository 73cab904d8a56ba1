"""A freeze holds for everybody who uses the database, until it is released or expires."""

import subprocess
import sys
from pathlib import Path

import pytest

from syncd.errors import Frozen, ReadOnly
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import held, new_store, put, store_url
from tests.store.test_replica import make_replica

pytestmark = on_every_engine

_PUT = """
import sys
from syncd.errors import Frozen
from syncd.store import Store
from tests.store.objects import put
with Store.open(sys.argv[1]) as store:
    try:
        put(store, "elsewhere", b"content")
    except Frozen as error:
        print("refused:", error)
"""


class Time:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(store: Store) -> Time:
    store.now = Time()
    return store.now


def put_in_another_process(tmp_path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PUT, store_url(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_freeze_refuses_writes_from_another_process(tmp_path: Path, store: Store) -> None:
    store.freeze("bob from 192.0.2.1:9", 100)
    before = held(store.view())
    assert put_in_another_process(tmp_path).startswith("refused: frozen by bob from 192.0.2.1:9")
    assert held(store.view()) == before
    store.release("bob from 192.0.2.1:9")
    assert put_in_another_process(tmp_path) == ""
    assert store.view().find("files", ["elsewhere"])


def test_a_batch_that_began_before_the_freeze_is_not_published_in_it(store: Store) -> None:
    with store.batch() as batch:
        from tests.store.objects import prepared

        batch.put("files", prepared("a", b"x"), None)
        batch.flush()
        store.freeze("bob", 100)
        with pytest.raises(Frozen):
            batch.publish("test")
    assert store.clock().seq == 0


def test_the_token_of_a_freeze_stands_still(store: Store) -> None:
    put(store, "a", b"x")
    assert store.freeze("bob", 100).token == store.clock().token


def test_only_one_holder_at_a_time(store: Store, time: Time) -> None:
    store.freeze("bob", 100)
    with pytest.raises(Frozen, match="frozen by bob"):
        store.freeze("alice", 100)
    time.now += 101
    store.freeze("alice", 100)


def test_a_freeze_ends_by_itself(store: Store, time: Time) -> None:
    store.freeze("bob", 100)
    time.now += 99
    with pytest.raises(Frozen):
        put(store, "a", b"x")
    time.now += 1
    put(store, "a", b"x")


def test_a_sign_of_life_puts_off_the_end(store: Store, time: Time) -> None:
    store.freeze("bob", 100)
    time.now += 90
    assert store.keep_frozen("bob")
    time.now += 90
    with pytest.raises(Frozen):
        put(store, "a", b"x")
    time.now += 100
    assert not store.keep_frozen("bob"), "what has ended does not come back"


def test_a_freeze_is_released_by_its_holder_or_by_an_administrator(store: Store) -> None:
    store.freeze("bob", 100)
    assert not store.release("alice")
    assert store.release("bob")
    assert not store.release("bob")
    store.freeze("bob", 100)
    assert store.release(None)
    put(store, "a", b"x")


def test_a_replica_is_not_frozen_but_its_source(tmp_path: Path, store: Store) -> None:
    put(store, "a", b"x")
    with new_store(tmp_path, "replica") as replica:
        make_replica(replica, store)
        with pytest.raises(ReadOnly):
            replica.freeze("bob", 100)
