"""What changed between two commits of a store, object by object, in flat memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Select, and_, select

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


def check_token(engine: Engine, token: Token) -> None:
    """Raise TokenLost unless a delta from `token` can be given, whole and right."""
    with engine.connect() as connection:
        present = read_clock(connection)
        if token.epoch != present.epoch:
            raise TokenLost(f"{token} is of another history than {present.token}")
        if token.seq < present.floor:
            raise TokenLost(f"{token} is below the floor, {present.floor}")
        known = connection.execute(select(commit.c.seq).where(commit.c.seq == token.seq)).scalar()
        if known is None:
            raise TokenLost(f"{token} is no commit that this store has stood at")


def changes(engine: Engine, since: Token, view: View, types: Sequence[str]) -> Iterator[Change]:
    """Yield what differs between `since` and `view`: first what is gone, then what is new or
    changed.

    Raises TokenLost, also in the middle if gc passes `since` meanwhile.
    """
    check_token(engine, since)
    try:
        yield from _gone(engine, since, view, types)
        yield from _changed(engine, since, view, types)
    except ViewGone as error:
        raise TokenLost(f"{since} was passed by gc: {error}") from None
    check_token(engine, since)


def _gone(engine: Engine, since: Token, view: View, types: Sequence[str]) -> Iterator[Change]:
    later = version.alias("later")
    statement = (
        select(*VERSION_COLUMNS)
        .select_from(
            version.outerjoin(
                later,
                and_(
                    later.c.type == version.c.type,
                    later.c.name == version.c.name,
                    live_at(view.token.seq, later),
                ),
            )
        )
        .where(
            version.c.until > since.seq,
            version.c.until <= view.token.seq,
            version.c.seq <= since.seq,
            later.c.seq.is_(None),
        )
    )
    for page in _pages(engine, statement, types):
        yield from (Change(old, None) for old in page)


def _changed(engine: Engine, since: Token, view: View, types: Sequence[str]) -> Iterator[Change]:
    statement = select(*VERSION_COLUMNS).where(version.c.seq > since.seq, live_at(view.token.seq))
    earlier = View(engine, since)
    for page in _pages(engine, statement, types):
        olds: dict[tuple[str, str], Version] = {}
        for kind in {new.type for new in page}:
            names = [new.name for new in page if new.type == kind]
            olds |= {(kind, name): old for name, old in earlier.find(kind, names).items()}
        yield from (Change(olds.get((new.type, new.name)), new) for new in page)


def _pages(
    engine: Engine, statement: Select[Any], types: Sequence[str]
) -> Iterator[Sequence[Version]]:
    """Yield what a statement selects in the order of type and name, some at a time.

    A few changes are found by their commits, all of them at once; many in the order of the names,
    so that no page reads again what the pages before have read.
    """
    with engine.connect() as connection:
        few = connection.execute(statement.limit(PAGE_ROWS)).all()
    if len(few) < PAGE_ROWS:
        found = [as_version(row) for row in few if row.type in types]
        yield sorted(found, key=lambda present: (present.type, present.name))
        return
    for kind in sorted(types):
        behind = ""
        while True:
            page_statement = (
                statement.where(version.c.type == kind, version.c.name > behind)
                .order_by(version.c.name)
                .limit(PAGE_ROWS)
            )
            with engine.connect() as connection:
                page = [as_version(row) for row in connection.execute(page_statement).all()]
            yield page
            if len(page) < PAGE_ROWS:
                break
            behind = page[-1].name
