"""Numbers become visible in their order, and a clock that is locked makes the next writer wait."""

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from syncd.errors import Frozen, ReadOnly
from syncd.store import Clock, Store
from syncd.store.clock import check_writable, read_clock
from syncd.store.schema import commit
from tests.databases import on_every_engine
from tests.store.objects import content_of, new_store, put, store_url

pytestmark = on_every_engine

_INSERTS_COMMIT = re.compile(r"INSERT INTO \W?commit\b")
"""However a database quotes the table's name."""


class Gate:
    """Holds a writer between taking its number and its commit."""

    def __init__(self, engine: Engine) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

        @event.listens_for(engine, "before_cursor_execute")
        def hold(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            if _INSERTS_COMMIT.match(statement):
                self.reached.set()
                assert self.opened.wait(20)


def seen(store: Store) -> tuple[int, list[int]]:
    """The clock, and the commits there are, in one transaction."""
    with store.engine.connect() as connection:
        numbers = list(connection.execute(select(commit.c.seq).order_by(commit.c.seq)).scalars())
        return read_clock(connection).seq, numbers


def test_nobody_sees_a_number_before_those_below_it(tmp_path: Path, store: Store) -> None:
    """One writer is held open with its number taken; another one commits at the same time."""
    slow, fast = Store.open(store_url(tmp_path)), Store.open(store_url(tmp_path))
    gate = Gate(slow.engine)
    first = threading.Thread(target=put, args=(slow, "first", b"1"))
    second = threading.Thread(target=put, args=(fast, "second", b"2"))
    first.start()
    assert gate.reached.wait(20)
    second.start()
    for _ in range(30):  # the second writer has all the time it would need to overtake
        second.join(0.01)
        now, numbers = seen(store)
        assert numbers == list(range(now + 1))
        assert second.is_alive()
    gate.opened.set()
    while first.is_alive() or second.is_alive():
        now, numbers = seen(store)
        assert numbers[: now + 1] == list(range(now + 1))
        second.join(0.001)
    assert seen(store) == (2, [0, 1, 2])
    assert store.view(1).find("files", ["second"]) == {}
    assert content_of(store.view(2), "second") == b"2"
    slow.close()
    fast.close()


def test_a_reader_does_not_wait_for_a_writer(tmp_path: Path, store: Store) -> None:
    put(store, "a", b"before")
    with Store.open(store_url(tmp_path)) as slow:
        gate = Gate(slow.engine)
        writer = threading.Thread(target=put, args=(slow, "a", b"after"))
        writer.start()
        assert gate.reached.wait(20)
        assert content_of(store.view(), "a") == b"before"
        gate.opened.set()
        writer.join()
    assert content_of(store.view(), "a") == b"after"


def test_a_writer_that_dies_with_its_number_leaves_no_gap(tmp_path: Path, store: Store) -> None:
    with new_store(tmp_path, "other") as other:

        @event.listens_for(other.engine, "before_cursor_execute")
        def fail(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            if _INSERTS_COMMIT.match(statement):
                raise RuntimeError("pulled the plug")

        with pytest.raises(RuntimeError, match="plug"):
            put(other, "a", b"lost")
        event.remove(other.engine, "before_cursor_execute", fail)
        assert other.clock().seq == 0
        token = put(other, "a", b"kept")
    assert token is not None
    assert token.seq == 1


def clock(**changed: Any) -> Clock:
    present: dict[str, Any] = {
        "epoch": "0" * 16, "seq": 1, "floor": 0, "swept": 0, "frozen_by": None,
        "frozen_until": None, "frozen_for": None, "source": None, "types": None,
    }  # fmt: skip
    return Clock(**present | changed)


def test_a_store_of_its_own_that_is_not_frozen_may_be_written_to() -> None:
    check_writable(clock(), 100.0)


def test_a_replica_may_not_be_written_to_and_says_where_to_write() -> None:
    with pytest.raises(ReadOnly, match="replica of syncd://ns1; write there"):
        check_writable(clock(source="syncd://ns1"), 100.0)


def test_a_frozen_store_may_not_be_written_to_until_the_freeze_ends() -> None:
    frozen = clock(frozen_by="bob from 192.0.2.1:9", frozen_until=110.0, frozen_for=10.0)
    with pytest.raises(Frozen, match=r"bob from 192.0.2.1:9 for up to 1 s more"):
        check_writable(frozen, 109.0)
    check_writable(frozen, 110.0)
