"""Small objects, read together with their content: a zone of a few records is one row.

There may be 100,000 of them, and asking for versions and chunks apart takes twice as long.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Integer, and_, literal_column, select

from syncd.store.schema import chunk, version
from syncd.store.view import OF_PAGE, ROWS, VERSION_COLUMNS, View

SMALL_BYTES = 16 * 1024
"""Content that is read with its version, at most."""

_ONLY_CHUNK = and_(
    version.c.size <= literal_column(str(SMALL_BYTES), Integer),
    version.c.chunks == chunk.c.digest,
)
_PAGE = (
    select(*VERSION_COLUMNS, chunk.c.body)
    .select_from(version.outerjoin(chunk, _ONLY_CHUNK))
    .where(*OF_PAGE)
    .order_by(version.c.name)
    .limit(ROWS)
)


def bodies_in(row: Sequence[Any]) -> tuple[bytes, ...] | None:
    """Return the chunks, one or none, of a small object from a row of `pages_with_bodies`; None for
    any other object, and for one whose chunk is missing."""
    chunks, body = row[-2:]
    if body is not None:
        return (body,)
    return None if chunks else ()


def pages_with_bodies(
    view: View,
    types: Sequence[str],
    page_rows: Callable[[], int],
    *,
    after: tuple[str, str] | None = None,
) -> Iterator[Sequence[Any]]:
    """Yield the objects of a view as `View.pages` does: the columns of a version, and the body of
    its chunk if it is a small one. Raises ViewGone."""
    return view.pages(_PAGE, types, page_rows, after=after)
