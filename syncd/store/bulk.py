"""Many rows at once, without the per-row cost of SQLAlchemy's parameter processing.

The statement is SQLAlchemy's, compiled once for the dialect; the rows go to the driver's
executemany.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect, Table, bindparam
from sqlalchemy.sql import Delete, Insert, Update
from sqlalchemy.sql.expression import ClauseElement

from syncd.store import copying

_STATEMENT_VALUES = 900
"""Values in one statement; 999 is what every SQLite takes."""

Row = Sequence[Any]


def insert_rows(
    connection: Connection, table: Table, rows: Sequence[Row], *, ignore_known: bool = False
) -> None:
    """Insert rows, each with a value for every column of the table in its order.

    With `ignore_known`, a row whose key is there already is passed over.
    """
    if connection.dialect.name == "postgresql" and len(rows) >= copying.MIN_ROWS:
        copying.copy_rows(connection, table, rows, ignore_known=ignore_known)
    elif rows:
        text, names = _compiled_insert(table, connection.dialect, ignore_known)
        columns = tuple(table.columns.keys())
        if connection.dialect.name == "sqlite":
            assert names == columns
            rows = _insert_at_once(connection, text, len(columns), rows)
        _execute_many(connection, text, names, columns, rows)


def _insert_at_once(
    connection: Connection, text: str, columns: int, rows: Sequence[Row]
) -> Sequence[Row]:
    """Insert on SQLite as many rows by one statement as it takes values; return those left over.

    The driver gives up the interpreter's lock for each row that it inserts alone, and sets the
    statement up anew: together they take two thirds of the time.
    """
    at_once = _STATEMENT_VALUES // columns
    whole = len(rows) - len(rows) % at_once
    if whole:
        statement = _for_several(text, columns, at_once)
    for at in range(0, whole, at_once):
        values = tuple(chain.from_iterable(rows[at : at + at_once]))
        connection.exec_driver_sql(statement, values)
    return rows[whole:]


@lru_cache(maxsize=32)
def _for_several(text: str, columns: int, rows: int) -> str:
    """Return an INSERT of one row as one of several."""
    row = f"({', '.join('?' * columns)})"
    before, after = text.split(row)
    return f"{before}{', '.join([row] * rows)}{after}"


def update_rows(
    connection: Connection, table: Table, key: tuple[str, ...], value: str, rows: Sequence[Row]
) -> None:
    """Set column `value` in the rows named by `key`; a row holds the value, then the key."""
    if rows:
        text, names = _compiled_update(table, connection.dialect, key, value)
        _execute_many(connection, text, names, (_VALUE, *map(_key_parameter, key)), rows)


def delete_rows(
    connection: Connection, table: Table, key: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Delete the rows named by `key`."""
    if rows:
        text, names = _compiled_delete(table, connection.dialect, key)
        _execute_many(connection, text, names, tuple(map(_key_parameter, key)), rows)


_VALUE = "to_value"


def _key_parameter(column: str) -> str:
    return f"key_{column}"


@lru_cache(maxsize=32)
def _compiled_update(
    table: Table, dialect: Dialect, key: tuple[str, ...], value: str
) -> tuple[str, tuple[str, ...] | None]:
    statement: Update = table.update().values({value: bindparam(_VALUE)})
    for name in key:
        statement = statement.where(table.c[name] == bindparam(_key_parameter(name)))
    return _compile(statement, dialect)


@lru_cache(maxsize=32)
def _compiled_delete(
    table: Table, dialect: Dialect, key: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None]:
    statement: Delete = table.delete()
    for name in key:
        statement = statement.where(table.c[name] == bindparam(_key_parameter(name)))
    return _compile(statement, dialect)


@lru_cache(maxsize=32)
def _compiled_insert(
    table: Table, dialect: Dialect, ignore_known: bool
) -> tuple[str, tuple[str, ...] | None]:
    statement: Insert
    match dialect.name if ignore_known else None:
        case None:
            statement = table.insert()
        case "sqlite":
            from sqlalchemy.dialects import sqlite

            statement = sqlite.insert(table).on_conflict_do_nothing()
        case "postgresql":
            from sqlalchemy.dialects import postgresql

            statement = postgresql.insert(table).on_conflict_do_nothing()
        case _:
            from sqlalchemy.dialects import mysql

            unchanged = {name: table.c[name] for name in table.primary_key.columns.keys()}  # noqa: SIM118 not a dict
            statement = mysql.insert(table).on_duplicate_key_update(unchanged)
    values: dict[str, Any] = {name: bindparam(name) for name in table.columns.keys()}  # noqa: SIM118 not a dict
    return _compile(statement.values(values), dialect)


def _compile(statement: ClauseElement, dialect: Dialect) -> tuple[str, tuple[str, ...] | None]:
    """Return the statement's text, and the order of its parameters if they are positional."""
    compiled: Any = statement.compile(dialect=dialect)
    return str(compiled), tuple(compiled.positiontup) if compiled.positional else None


def _execute_many(
    connection: Connection,
    text: str,
    names: tuple[str, ...] | None,
    columns: tuple[str, ...],
    rows: Iterable[Row],
) -> None:
    parameters: list[Any]
    if names is None:
        parameters = [dict(zip(columns, row, strict=True)) for row in rows]
    elif names == columns:
        parameters = [tuple(row) for row in rows]
    else:
        order = [columns.index(name) for name in names]
        parameters = [tuple(row[at] for at in order) for row in rows]
    if parameters:
        connection.exec_driver_sql(text, parameters)
