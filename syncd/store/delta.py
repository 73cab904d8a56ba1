"""What changed between two commits of a store, object by object, in flat memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, and_, select

from syncd.content.tokens import Token
from syncd.content.versions import Version
from syncd.errors import TokenLost, ViewGone
from syncd.store.clock import read_clock
from syncd.store.paging import behind
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
    after = ("", "")
    later = version.alias("later")
    while True:
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
                version.c.type.in_(types),
                later.c.seq.is_(None),
                behind(version.c.type, version.c.name, *after),
            )
            .order_by(version.c.type, version.c.name)
            .limit(PAGE_ROWS)
        )
        with engine.connect() as connection:
            page = [as_version(row) for row in connection.execute(statement)]
        yield from (Change(old, None) for old in page)
        if len(page) < PAGE_ROWS:
            return
        after = page[-1].type, page[-1].name


def _changed(engine: Engine, since: Token, view: View, types: Sequence[str]) -> Iterator[Change]:
    after = ("", "")
    earlier = View(engine, since)
    while True:
        statement = (
            select(*VERSION_COLUMNS)
            .where(
                version.c.seq > since.seq,
                live_at(view.token.seq),
                version.c.type.in_(types),
                behind(version.c.type, version.c.name, *after),
            )
            .order_by(version.c.type, version.c.name)
            .limit(PAGE_ROWS)
        )
        with engine.connect() as connection:
            page = [as_version(row) for row in connection.execute(statement)]
        olds: dict[tuple[str, str], Version] = {}
        for kind in {new.type for new in page}:
            names = [new.name for new in page if new.type == kind]
            olds |= {(kind, name): old for name, old in earlier.find(kind, names).items()}
        yield from (Change(olds.get((new.type, new.name)), new) for new in page)
        if len(page) < PAGE_ROWS:
            return
        after = page[-1].type, page[-1].name
