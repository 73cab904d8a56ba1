"""Many rows at once do what the same rows one by one would do."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, select

from syncd.errors import StoreError
from syncd.store import Store
from syncd.store.bulk import delete_rows, insert_rows, update_rows
from syncd.store.schema import chunk, commit, metadata


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def rows(connection: Connection) -> list[tuple[int, int, str, str]]:
    return [tuple(row) for row in connection.execute(select(commit).order_by(commit.c.seq))]  # type: ignore[misc]


FIVE = [(number, number * 10, "alice", "x") for number in range(5)]


def test_rows_are_inserted_in_the_order_of_the_columns(connection: Connection) -> None:
    insert_rows(connection, commit, FIVE)
    assert rows(connection) == FIVE


def test_rows_whose_key_is_known_are_passed_over_if_that_is_asked_for(
    connection: Connection,
) -> None:
    insert_rows(connection, commit, FIVE[:2])
    insert_rows(connection, commit, [(1, 99, "bob", "y"), FIVE[2]], ignore_known=True)
    assert rows(connection) == FIVE[:3]


def test_rows_whose_key_is_known_are_refused_otherwise(store: Store) -> None:
    with pytest.raises(StoreError, match="UNIQUE constraint failed"):
        with store.engine.begin() as connection:
            insert_rows(connection, chunk, [(bytes(32), 1, b""), (bytes(32), 1, b"")])


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
