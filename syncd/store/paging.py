"""Reading a table page by page in the order of its key: flat memory, on every database.

A cursor of the server's would do on some; on MariaDB nothing else can be asked while one is open.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction


class behind(GenericFunction[bool]):
    """Say which rows come after another in the order of some columns.

    Arguments: the columns, then as many values.
    """

    inherit_cache = True


@compiles(behind)
def _compare_rows(element: Any, compiler: Any, **options: Any) -> str:
    columns, values = _halves(element)
    return str(compiler.process(tuple_(*columns) > tuple_(*values), **options))


@compiles(behind, "mysql", "mariadb")
def _compare_columns(element: Any, compiler: Any, **options: Any) -> str:
    """Compare one column after another: MariaDB finds no range of an index for whole rows."""
    columns, values = _halves(element)
    alternatives = [
        and_(
            *(column == value for column, value in zip(columns[:at], values[:at], strict=True)),
            columns[at] > values[at],
        )
        for at in range(len(columns))
    ]
    return f"({compiler.process(or_(*alternatives), **options)})"


def _halves(element: Any) -> tuple[list[ColumnElement[Any]], list[ColumnElement[Any]]]:
    both = list(element.clauses)
    return both[: len(both) // 2], both[len(both) // 2 :]


def pages(
    connection: Connection,
    statement: Select[Any],
    key: Sequence[ColumnElement[Any]],
    page_rows: int,
) -> Iterator[Any]:
    """Yield a statement's rows in the order of `key`, whose columns are the first it selects."""
    ordered = statement.order_by(*key).limit(page_rows)
    page = connection.execute(ordered).all()
    while page:
        yield from page
        if len(page) < page_rows:
            return
        last = page[-1][: len(key)]
        page = connection.execute(ordered.where(behind(*key, *last))).all()
