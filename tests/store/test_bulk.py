"""Many rows at once do what the same rows one by one would do."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, delete, select

from syncd.errors import StoreError
from syncd.store import Store
from syncd.store.bulk import delete_rows, insert_rows, update_rows
from syncd.store.copying import MIN_ROWS
from syncd.store.engine import WRITE
from syncd.store.schema import chunk, commit
from tests.databases import on_every_engine
from tests.store.objects import assert_sound

pytestmark = on_every_engine


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    with store.engine.execution_options(**WRITE).connect() as connection:
        connection.execute(delete(commit))
        yield connection


def rows(connection: Connection) -> list[tuple[int, int, str, str]]:
    return [tuple(row) for row in connection.execute(select(commit).order_by(commit.c.seq))]


FIVE = [(number, number * 10, "alice", "x") for number in range(5)]
MANY = [(number, -number, "älice\t\\N", "\U0001f600" * (number % 9)) for number in range(MIN_ROWS)]


def test_rows_are_inserted_in_the_order_of_the_columns(connection: Connection) -> None:
    insert_rows(connection, commit, FIVE)
    assert rows(connection) == FIVE


def test_rows_whose_key_is_known_are_passed_over_if_that_is_asked_for(
    connection: Connection,
) -> None:
    insert_rows(connection, commit, FIVE[:2])
    insert_rows(connection, commit, [(1, 99, "bob", "y"), FIVE[2]], ignore_known=True)
    assert rows(connection) == FIVE[:3]


@pytest.mark.parametrize("copies", [2, MIN_ROWS])
def test_rows_whose_key_is_known_are_refused_otherwise(store: Store, copies: int) -> None:
    with pytest.raises(StoreError, match=r"UNIQUE constraint failed|[Dd]uplicate"):
        with store.engine.execution_options(**WRITE).begin() as connection:
            insert_rows(connection, chunk, [(bytes(32), 1, b"")] * copies)
    assert_sound(store)


def test_a_great_many_rows_are_inserted_as_few_are(connection: Connection) -> None:
    insert_rows(connection, commit, FIVE)
    for _ in range(2):
        insert_rows(connection, commit, MANY, ignore_known=True)
        assert rows(connection) == FIVE + MANY[5:]
    connection.execute(delete(commit))
    insert_rows(connection, commit, MANY)
    assert rows(connection) == MANY


def test_octets_of_any_value_and_number_come_back(connection: Connection) -> None:
    bodies = [bytes(range(256)) * 2100, b"", b"\0", b"\\x00\\'\"%s"]
    given = [(bytes([at]) + bytes(31), len(bodies[at % 4]), bodies[at % 4]) for at in range(60)]
    insert_rows(connection, chunk, given[:8], ignore_known=True)
    insert_rows(connection, chunk, given, ignore_known=True)
    found = connection.execute(select(chunk).order_by(chunk.c.digest))
    assert [tuple(row) for row in found] == given


def test_one_column_is_set_in_the_rows_that_a_key_names(connection: Connection) -> None:
    insert_rows(connection, commit, FIVE)
    update_rows(connection, commit, ("seq", "author"), "at", [(7, 1, "alice"), (8, 2, "bob")])
    assert [row[1] for row in rows(connection)] == [0, 7, 20, 30, 40]


def test_the_rows_that_a_key_names_are_deleted(connection: Connection) -> None:
    insert_rows(connection, commit, FIVE)
    delete_rows(connection, commit, ("seq",), [(1,), (3,), (9,)])
    assert [row[0] for row in rows(connection)] == [0, 2, 4]


def test_no_rows_are_no_work(connection: Connection) -> None:
    insert_rows(connection, commit, [])
    update_rows(connection, commit, ("seq",), "at", [])
    delete_rows(connection, commit, ("seq",), [])
    assert rows(connection) == []
