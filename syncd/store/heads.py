"""What a commit does to the heads, and to the tally: all inside its one transaction.

The tally changes by exactly the heads that come and go, so a type's fingerprint costs nothing to
ask; the clock is locked, so nobody else writes it.
"""

from collections.abc import Collection
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    null,
    select,
    update,
)

from syncd.content.versions import DIGEST_BYTES, add_marks, mark_number, object_mark
from syncd.errors import MovedOn
from syncd.store.bulk import Row, update_rows
from syncd.store.schema import staged, tally, version

_ROWS = 500
HEAD_KEY = ("type", "name", "seq")
_REST = ("size", "lines", "crc32", "digest", "attributes", "chunks")

# Made once: making a statement costs as much as running it.
_HEAD = version.alias("head")
_SAME_OBJECT = and_(
    _HEAD.c.type == staged.c.type, _HEAD.c.name == staged.c.name, _HEAD.c.until.is_(None)
)
_OF_BATCH = staged.c.batch == bindparam("own")
_CHANGES = (
    select(
        staged.c.type, staged.c.name, staged.c.based_on, staged.c.digest, staged.c.attributes,
        staged.c.seq, _HEAD.c.seq, _HEAD.c.digest, _HEAD.c.attributes,
    )
    .select_from(staged.outerjoin(_HEAD, _SAME_OBJECT))
    .where(_OF_BATCH)
)  # fmt: skip
_KEYS_REPLACED = (
    select(*(_HEAD.c[name] for name in HEAD_KEY))
    .select_from(staged.join(_HEAD, _SAME_OBJECT))
    .where(_OF_BATCH)
)
_MOVE = insert(version).from_select(
    ["type", "name", "seq", "until", "mtime", *_REST],
    select(
        staged.c.type,
        staged.c.name,
        func.coalesce(staged.c.seq, bindparam("now_seq", type_=BigInteger)),
        null(),
        func.coalesce(staged.c.mtime, bindparam("now", type_=BigInteger)),
        *(staged.c[name] for name in _REST),
    ).where(_OF_BATCH, staged.c.digest.is_not(None)),
)
_HEADS = select(version.c.type, version.c.name, version.c.digest, version.c.attributes).where(
    version.c.until.is_(None)
)
_TALLY = select(tally.c.count, tally.c.fingerprint).where(tally.c.type == bindparam("kind"))
_SET_TALLY = update(tally).where(tally.c.type == bindparam("kind"))
_ADD_TALLY = insert(tally)


class Replaced(NamedTuple):
    """A head that goes: `by` is the seq of what replaces it, None if that is the commit's own."""

    type: str
    name: str
    seq: int
    by: int | None


def account(connection: Connection, batch_id: str) -> list[Replaced]:
    """Bring the tally up to date for what a batch has staged; return the heads that it replaces.

    Raises MovedOn if a head is not the one that the staged object was made from.
    """
    replaced: list[Replaced] = []
    changes: dict[str, TallyChange] = {}
    # A result that is left open keeps its snapshot.
    with connection.execute(_CHANGES, {"own": batch_id}) as rows:
        for kind, name, based_on, digest, attributes, by, seq, old, old_attributes in rows:
            if based_on is not None and based_on != (seq or 0):
                raise MovedOn(f"{name} was changed by somebody else meanwhile; look again")
            change = changes.setdefault(kind, TallyChange())
            if seq is not None:
                replaced.append(Replaced(kind, name, seq, by))
                change.lose(object_mark(kind, name, old, old_attributes))
            if digest is not None:
                change.gain(object_mark(kind, name, digest, attributes))
    for kind, change in changes.items():
        change.apply(connection, kind)
    return replaced


def keys_replaced(connection: Connection, batch_id: str) -> list[Row]:
    """Return the keys of the heads in whose place something is staged."""
    return list(connection.execute(_KEYS_REPLACED, {"own": batch_id}).all())


def end(connection: Connection, rows: list[Replaced], seq: int) -> None:
    """Close the intervals of replaced heads where the new ones begin, or at `seq`."""
    ended = [(seq if row.by is None else row.by, row.type, row.name, row.seq) for row in rows]
    update_rows(connection, version, HEAD_KEY, "until", ended)


def move_staged(connection: Connection, batch_id: str, seq: int, now: int) -> None:
    """Turn what a batch has staged into heads, of commit `seq` and of `now` where they are not
    staged with a number and a time of their own."""
    connection.execute(_MOVE, {"own": batch_id, "now_seq": seq, "now": now})


def recount(connection: Connection) -> None:
    """Make the tally anew from the heads, whatever it said."""
    connection.execute(delete(tally))
    changes: dict[str, TallyChange] = {}
    text = str(_HEADS.compile(dialect=connection.dialect))
    # There may be 100,000, so they are taken many at a time, and as the driver gives them.
    for rows in connection.exec_driver_sql(text).partitions(_ROWS):
        for kind, same in groupby(rows, key=itemgetter(0)):
            marks = [object_mark(*row) for row in same]
            changes.setdefault(kind, TallyChange()).gain_all(marks)
    for kind, change in changes.items():
        change.apply(connection, kind)


class TallyChange:
    """What a commit does to one type's count and fingerprint."""

    def __init__(self) -> None:
        self._count = 0
        self._gained = 0
        self._lost = 0

    def gain(self, mark: bytes) -> None:
        """Count an object in."""
        self._count += 1
        self._gained += mark_number(mark)

    def gain_all(self, marks: Collection[bytes]) -> None:
        """Count objects in."""
        self._count += len(marks)
        self._gained += sum(map(mark_number, marks))

    def lose(self, mark: bytes) -> None:
        """Count an object out."""
        self._count -= 1
        self._lost += mark_number(mark)

    def apply(self, connection: Connection, type_name: str) -> None:
        """Write the type's row; the clock is locked, so nobody else does."""
        present = connection.execute(_TALLY, {"kind": type_name}).one_or_none()
        known, fingerprint = (0, bytes(DIGEST_BYTES)) if present is None else present
        count, before = self._count + known, mark_number(fingerprint)
        after = add_marks(before, gained=self._gained, lost=self._lost).to_bytes(32, "big")
        values = {"count": count, "fingerprint": after}
        if present is None:
            connection.execute(_ADD_TALLY, {"type": type_name, **values})
        else:
            connection.execute(_SET_TALLY, {"kind": type_name, **values})
