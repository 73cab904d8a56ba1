"""What changed between two commits of a store, object by object, in flat memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, select

from syncd.content.tokens import Token
from syncd.content.versions import Version
from syncd.errors import TokenLost, ViewGone
from syncd.store.clock import read_clock
from syncd.store.schema import commit, version
from syncd.store.view import PAGE_ROWS, VERSION_COLUMNS, View, as_version, live_at


@dataclass(frozen=True, slots=True)
class Change:
    """An object whose version differs: `old` is None for a new one, `new` for one that is gone."""

    old: Version | None
    new: Version | None


def changes(since: Token, view: View, types: Sequence[str]) -> Iterator[Change]:
    """Yield what differs between `since` and `view`: first what is gone, then what is new or
    changed.

    Raises TokenLost, also in the middle if gc passes `since` meanwhile.
    """
    earlier = view.at(since)
    try:
        with view.reading() as connection:
            _check_token(connection, since)
        yield from _gone(earlier, view, types)
        yield from _changed(earlier, view, types)
    except ViewGone as error:
        raise TokenLost(f"{since} was passed by gc: {error}") from None


def _check_token(connection: Connection, token: Token) -> None:
    """Raise TokenLost unless a delta from `token` can be given, whole and right."""
    present = read_clock(connection)
    if token.epoch != present.epoch:
        raise TokenLost(f"{token} is of another history than {present.token}")
    if token.seq < present.floor:
        raise TokenLost(f"{token} is below the floor, {present.floor}")
    known = connection.execute(_COMMIT, {"seq": token.seq}).scalar()
    if known is None:
        raise TokenLost(f"{token} is no commit that this store has stood at")


def _gone(earlier: View, view: View, types: Sequence[str]) -> Iterator[Change]:
    for page in _pages(_GONE, earlier, view, types):
        yield from (Change(old, None) for old in page)


def _changed(earlier: View, view: View, types: Sequence[str]) -> Iterator[Change]:
    for page in _pages(_CHANGED, earlier, view, types):
        olds: dict[tuple[str, str], Version] = {}
        for kind in {new.type for new in page}:
            names = [new.name for new in page if new.type == kind]
            olds |= {(kind, name): old for name, old in earlier.find(kind, names).items()}
        yield from (Change(olds.get((new.type, new.name)), new) for new in page)


def _pages(
    found: "_Found", earlier: View, view: View, types: Sequence[str]
) -> Iterator[Sequence[Version]]:
    """Yield what is found in the order of type and name, some at a time.

    A few changes are found by their commits, all of them at once; many in the order of the names,
    so that no page reads again what the pages before have read.
    """
    between = {"since": earlier.token.seq, "seq": view.token.seq, "rows": PAGE_ROWS}
    with earlier.reading() as connection:
        few = connection.execute(found.few, between).all()
    if len(few) < PAGE_ROWS:
        versions = [as_version(row) for row in few if row.type in types]
        yield sorted(versions, key=lambda present: (present.type, present.name))
        return
    for kind in sorted(types):
        behind = ""
        while True:
            with earlier.reading() as connection:
                rows = connection.execute(found.page, {**between, "kind": kind, "behind": behind})
                page = [as_version(row) for row in rows.all()]
            yield page
            if len(page) < PAGE_ROWS:
                break
            behind = page[-1].name


_SINCE: BindParameter[int] = bindparam("since")
_SEQ: BindParameter[int] = bindparam("seq")
_ROWS: BindParameter[int] = bindparam("rows")


@dataclass(frozen=True)
class _Found:
    """A statement for versions between two commits, `since` and `seq`, made once for both ways of
    paging."""

    few: Select[Any]
    page: Select[Any]

    @classmethod
    def by(cls, statement: Select[Any]) -> "_Found":
        """Return the two statements."""
        page = (
            statement.where(
                version.c.type == bindparam("kind"), version.c.name > bindparam("behind")
            )
            .order_by(version.c.name)
            .limit(_ROWS)
        )
        return cls(statement.limit(_ROWS), page)


_LATER = version.alias("later")
_COMMIT = select(commit.c.seq).where(commit.c.seq == _SEQ)
_GONE = _Found.by(
    select(*VERSION_COLUMNS)
    .select_from(
        version.outerjoin(
            _LATER,
            and_(
                _LATER.c.type == version.c.type,
                _LATER.c.name == version.c.name,
                live_at(_SEQ, _LATER),
            ),
        )
    )
    .where(
        version.c.until > _SINCE,
        version.c.until <= _SEQ,
        version.c.seq <= _SINCE,
        _LATER.c.seq.is_(None),
    )
)
_CHANGED = _Found.by(select(*VERSION_COLUMNS).where(version.c.seq > _SINCE, live_at(_SEQ)))
