"""A SELECT with an IN list gives what SQLAlchemy's own would, however long the list is."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, bindparam, select

from syncd.store import Store
from syncd.store.bulk import insert_rows
from syncd.store.engine import WRITE
from syncd.store.lists import IN_LIST_VALUES, LISTED, in_list, select_listed
from syncd.store.schema import chunk, commit
from tests.databases import on_every_engine

COUNT = 2 * IN_LIST_VALUES + 3
AUTHORS = ("alice", "%s", "%(author)s", ":listed_1", "?", "o'brien", 'say "x"', "a\\", "\U0001f600")
BODIES = select(chunk.c.digest, chunk.c.body).where(chunk.c.digest.in_(LISTED))


@pytest.fixture
def connection(store: Store) -> Iterator[Connection]:
    with store.engine.execution_options(**WRITE).connect() as connection:
        rows = [(number, 0, AUTHORS[number % len(AUTHORS)], "") for number in range(2, 900)]
        insert_rows(connection, commit, rows)
        insert_rows(connection, chunk, [(digest(n), n, bytes([n % 256])) for n in range(COUNT)])
        yield connection


def digest(number: int) -> bytes:
    return bytes([0, 0x27, 0x5C, 0xFF]) + number.to_bytes(28, "big")


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 64, IN_LIST_VALUES, IN_LIST_VALUES + 1, COUNT])
@on_every_engine
def test_every_value_of_a_list_is_looked_for(connection: Connection, count: int) -> None:
    wanted = [digest(number) for number in range(count)]
    found = [tuple(row) for row in select_listed(connection, BODIES, [*wanted, b"nothing"])]
    assert sorted(found) == [(own, bytes([number % 256])) for number, own in enumerate(wanted)]


@pytest.mark.parametrize("author", AUTHORS)
@on_every_engine
def test_no_value_is_taken_for_a_part_of_the_statement(connection: Connection, author: str) -> None:
    statement = select(commit.c.seq, commit.c.author).where(commit.c.author.in_(LISTED))
    found = [tuple(row) for row in select_listed(connection, statement, [author, "nobody"])]
    assert {name for _, name in found} == {author}
    assert sorted(seq for seq, _ in found) == [
        number for number in range(2, 900) if AUTHORS[number % len(AUTHORS)] == author
    ]


@on_every_engine
def test_the_other_parameters_go_to_their_places(connection: Connection) -> None:
    statement = select(commit.c.seq).where(
        commit.c.seq > bindparam("low"),
        commit.c.author.in_(LISTED),
        commit.c.seq < bindparam("high"),
        commit.c.seq != bindparam("low"),
    )
    found = select_listed(connection, statement, ["alice", "?"], low=9, high=30)
    assert sorted(row.seq for row in found) == [13, 18, 22, 27]


def test_lists_of_every_length_hold_what_they_were_given_in_few_lengths() -> None:
    lists = [list(range(count)) for count in range(IN_LIST_VALUES + 1)]
    padded = [in_list(values) for values in lists]
    assert [sorted(set(values)) for values in padded] == lists
    assert len({len(values) for values in padded if values}) <= 6
    assert all(len(values) <= IN_LIST_VALUES for values in padded)
