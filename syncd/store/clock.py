"""The clock row: where the store stands. Every write transaction locks it first.

A commit takes its number under that lock and holds it to its end, so commits become visible in the
order of their numbers, on every database. Sequences do not give that.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from syncd.content.tokens import Token
from syncd.errors import Frozen, ReadOnly, StoreError
from syncd.store.schema import clock

CLOCKS_APART_S = 5.0
"""How far the clocks of two machines on one database may be apart."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock row as it was read."""

    epoch: str
    seq: int
    floor: int
    swept: int
    frozen_by: str | None
    frozen_until: float | None
    frozen_for: float | None
    source: str | None
    types: str | None

    @property
    def token(self) -> Token:
        """Where the store stands."""
        return Token(self.epoch, self.seq)

    def freeze_left_s(self, now: float) -> float:
        """Return for how many seconds more the store is frozen, 0 if it is not."""
        if self.frozen_by is None or self.frozen_until is None:
            return 0.0
        return max(0.0, self.frozen_until - now)

    def freeze_is_put_off(self, now: float) -> bool:
        """Say whether a freeze would end later than it may: the system's clock was set back."""
        if self.frozen_until is None or self.frozen_for is None:
            return False
        return self.freeze_left_s(now) > self.frozen_for + CLOCKS_APART_S


_COLUMNS = (
    clock.c.epoch, clock.c.seq, clock.c.floor, clock.c.swept, clock.c.frozen_by,
    clock.c.frozen_until, clock.c.frozen_for, clock.c.source, clock.c.types,
)  # fmt: skip

_READ = select(*_COLUMNS)
_LOCK = _READ.with_for_update()


def read_clock(connection: Connection) -> Clock:
    """Return the clock. Raises StoreError for a database without one."""
    return _only(connection.execute(_READ).one_or_none())


def lock_clock(connection: Connection) -> Clock:
    """Lock the clock row until the transaction ends, and return it.

    On SQLite the whole database is locked since the transaction began.
    """
    return _only(connection.execute(_LOCK).one_or_none())


def _only(row: Any) -> Clock:
    if row is None:
        raise StoreError("the database has no clock: it is no store, or `syncd init` did not end")
    return Clock(*row)


def check_writable(present: Clock, now: float) -> None:
    """Raise Frozen or ReadOnly if nothing may be written at `now`."""
    if present.source is not None:
        raise ReadOnly(f"this is a replica of {present.source}; write there")
    if present.freeze_left_s(now) > 0:
        raise Frozen(freeze_text(present, now))


def freeze_text(present: Clock, now: float) -> str:
    """Say who froze the store, and until when."""
    left_s = present.freeze_left_s(now)
    return f"frozen by {present.frozen_by} for up to {left_s:.0f} s more (SNGL); try again then"
