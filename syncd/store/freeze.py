"""SNGL and ESNG in the store: a freeze stands in the clock row, so every daemon and command keeps
to it."""

from sqlalchemy import Engine, update

from syncd.errors import Frozen
from syncd.store.clock import Clock, check_writable, freeze_text, lock_clock, read_clock
from syncd.store.engine import WRITE
from syncd.store.schema import clock

NONE: dict[str, None] = {"frozen_by": None, "frozen_until": None, "frozen_for": None}
"""In the clock row: nobody froze the store."""


def freeze(engine: Engine, holder: str, for_s: float, now: float) -> Clock:
    """Freeze the store for `holder`, or lengthen its freeze; return the clock, its token fixed.

    Ends `for_s` seconds after the last `freeze` or `keep_frozen`. Raises Frozen if somebody else
    holds it. Taking the clock's lock has waited for every write that was in its last step.
    """
    with engine.execution_options(**WRITE).begin() as connection:
        present = lock_clock(connection)
        if present.freeze_left_s(now) > 0 and present.frozen_by != holder:
            raise Frozen(freeze_text(present, now))
        if present.source is not None:
            check_writable(present, now)
        connection.execute(
            update(clock).values(frozen_by=holder, frozen_until=now + for_s, frozen_for=for_s)
        )
        return present


def keep_frozen(engine: Engine, holder: str, now: float) -> bool:
    """Put off the end of a holder's freeze, as it gave a sign of life; False if it has ended."""
    with engine.execution_options(**WRITE).begin() as connection:
        changed = connection.execute(
            update(clock)
            .where(clock.c.frozen_by == holder, clock.c.frozen_until > now)
            .values(frozen_until=now + clock.c.frozen_for)
        )
        return changed.rowcount == 1


def set_end_anew(engine: Engine, now: float) -> Clock:
    """Have a freeze end as late as it may from `now` on, whatever the clock said when it was made;
    return the clock.

    Without it, a clock that is set back by an hour would freeze the source for an hour more.
    """
    with engine.execution_options(**WRITE).begin() as connection:
        if lock_clock(connection).freeze_is_put_off(now):
            connection.execute(update(clock).values(frozen_until=now + clock.c.frozen_for))
        return read_clock(connection)


def clear_expired(engine: Engine, now: float) -> None:
    """Forget a freeze that has expired, so that a clock that is set back later does not bring it
    back."""
    with engine.execution_options(**WRITE).begin() as connection:
        connection.execute(update(clock).where(clock.c.frozen_until <= now).values(**NONE))


def release(engine: Engine, holder: str | None) -> bool:
    """End the freeze of a holder, or anybody's if None; False if there was none."""
    statement = update(clock).where(clock.c.frozen_by.is_not(None))
    if holder is not None:
        statement = statement.where(clock.c.frozen_by == holder)
    with engine.execution_options(**WRITE).begin() as connection:
        changed = connection.execute(statement.values(**NONE))
        return changed.rowcount == 1
