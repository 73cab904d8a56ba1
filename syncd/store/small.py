"""Small objects, read together with their content: a zone of a few records is one row.

There may be 100,000 of them, and asking for versions and chunks apart takes twice as long.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, and_, func, literal_column, select

from syncd.content.versions import DIGEST_BYTES
from syncd.store.schema import chunk, version
from syncd.store.view import OF_PAGE, ROWS, VERSION_COLUMNS, View

SMALL_BYTES = 16 * 1024
"""Content that is read with its version, at most."""
_SMALL_CHUNKS = 2
"""A zone has one for its SOA record, and one for up to some 200 others."""


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value), Integer)


_SMALL = and_(
    version.c.size <= _number(SMALL_BYTES),
    func.length(version.c.chunks) <= _number(_SMALL_CHUNKS * DIGEST_BYTES),
)


def _with_chunks(chunks: Sequence[Any]) -> FromClause:
    """Return versions, of small objects with their chunks, in order."""
    joined: FromClause = version
    for index, each in enumerate(chunks):
        begin, length = _number(1 + index * DIGEST_BYTES), _number(DIGEST_BYTES)
        digest = func.substr(version.c.chunks, begin, length)
        joined = joined.outerjoin(each, and_(_SMALL, each.c.digest == digest))
    return joined


_CHUNKS = [chunk.alias(f"chunk{index}") for index in range(_SMALL_CHUNKS)]
_PAGE = (
    select(*VERSION_COLUMNS, *(each.c.body for each in _CHUNKS))
    .select_from(_with_chunks(_CHUNKS))
    .where(*OF_PAGE)
    .order_by(version.c.name)
    .limit(ROWS)
)
_COLUMNS = len(VERSION_COLUMNS)


def bodies_in(row: Sequence[Any]) -> tuple[bytes, ...] | None:
    """Return the chunks of a small object from a row of `pages_with_bodies`, None for any other
    object, and for one that misses some."""
    bodies = tuple(body for body in row[_COLUMNS:] if body is not None)
    return bodies if len(bodies) * DIGEST_BYTES == len(row[_COLUMNS - 1]) else None


def pages_with_bodies(
    view: View,
    types: Sequence[str],
    page_rows: Callable[[], int],
    *,
    after: tuple[str, str] | None = None,
) -> Iterator[Sequence[Any]]:
    """Yield the objects of a view as `View.pages` does: the columns of a version, and the bodies of
    its chunks if it is a small one. Raises ViewGone."""
    return view.pages(_PAGE, types, page_rows, after=after)
