"""SELECTs with an IN list, without what SQLAlchemy does for each of its values every time.

The statement is SQLAlchemy's, compiled once for the dialect and each of a few lengths of the list;
the values go to the driver as they are.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import BindParameter, Connection, Dialect, Row, Select, bindparam

T = TypeVar("T")

IN_LIST_VALUES = 500
"""Values in one IN list, at most."""
_LENGTHS = (1, 4, 16, 64, 256, IN_LIST_VALUES)

LISTED: BindParameter[Any] = bindparam("listed", expanding=True)
"""Stands in a statement for the list: `column.in_(LISTED)`."""


def select_listed(
    connection: Connection, statement: Select[Any], values: Sequence[Any], **others: Any
) -> Iterator[Row[*tuple[Any, ...]]]:
    """Yield the rows of a SELECT with LISTED in it for any number of values, IN_LIST_VALUES at a
    time; `others` are its other parameters.

    Values and rows are the driver's: no type of SQLAlchemy's converts them.
    """
    for at in range(0, len(values), IN_LIST_VALUES):
        part = in_list(values[at : at + IN_LIST_VALUES])
        text, names = _compiled(statement, connection.dialect, len(part), tuple(others))
        named = others | dict(zip(_listed_names(len(part)), part, strict=True))
        parameters = named if names is None else tuple(map(named.__getitem__, names))
        yield from connection.exec_driver_sql(text, parameters).all()


def in_list(values: Sequence[T]) -> list[T]:
    """Return up to IN_LIST_VALUES values for an IN list, the last repeated up to one of a few
    lengths.

    A driver keeps the statements that it has compiled, on each connection. With one for every
    length they came to 30 MB in a daemon that many replicas bootstrap from.
    """
    length = next(length for length in _LENGTHS if length >= len(values))
    return [*values, *([values[-1]] * (length - len(values)) if values else ())]


@lru_cache(maxsize=len(_LENGTHS))
def _listed_names(length: int) -> tuple[str, ...]:
    """Return what SQLAlchemy calls the values of a list."""
    return tuple(f"{LISTED.key}_{number}" for number in range(1, length + 1))


@lru_cache(maxsize=256)
def _compiled(
    statement: Select[Any], dialect: Dialect, length: int, others: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None]:
    """Return the statement's text, and the order of its parameters if they are positional."""
    standing = {LISTED.key: [None] * length, **dict.fromkeys(others)}
    compiled: Any = statement.params(standing).compile(
        dialect=dialect, compile_kwargs={"render_postcompile": True}
    )
    return str(compiled), tuple(compiled.positiontup) if compiled.positional else None
