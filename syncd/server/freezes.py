"""Freezes (SNGL, ESNG) as one daemon sees them: who asks, who holds, and who is told.

That nobody writes is the store's to guard, and holds for every daemon on it. Here the others are
told and waited for, and a freeze goes with its holder's session.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from syncd.content.tokens import Token
from syncd.errors import Busy, Frozen, ShuttingDown, SyncError
from syncd.logs import EventLog
from syncd.server.patience import STOPPING
from syncd.store import Clock
from syncd.store.clock import check_writable
from syncd.types import Role

if TYPE_CHECKING:
    from syncd.server.daemon import Daemon
    from syncd.server.session import Session

_WAIT_S = 0.05
_NOTICES = ("freeze|", "release|")

log = EventLog("syncd.daemon")


@dataclass(frozen=True)
class Freeze:
    """A freeze that one of the daemon's sessions made."""

    session: Session
    holder: str


class Freezes:
    """The freezes that one daemon's sessions make."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.asked_by: Session | None = None
        """Whose SNGL waits for the others to end."""
        self.held: Freeze | None = None

    async def freeze(self, session: Session, wait_s: float, expire_s: float) -> tuple[Token, int]:
        """Freeze the store for a session; return the token that stands still, and how many stay.

        New logins and writes are refused at once. Waits up to `wait_s` for writers and others to
        log out, telling them. Raises Busy if a writer is still at it then, Frozen if somebody else
        froze the store, ReadOnly, ShuttingDown, and NotLoggedIn if the user is gone meanwhile.
        """
        self.refuse_while_asked()
        self.asked_by = session
        holder = session.holder
        notified = False
        try:
            clock = await self._daemon.in_thread(self._daemon.store.clock)
            if clock.frozen_by != holder:
                check_writable(clock, self._daemon.store.now())
            if others := self._others(session):
                notified = True
                self._tell(others, f"freeze|{holder}|{wait_s:.0f}")
                await self._wait_for_others(session, wait_s)
                session.check_role(Role.REPLICA, "SNGL")
            if self._daemon.stopping:
                raise ShuttingDown(f"{STOPPING}; nothing is frozen")
            writers = [other.holder for other in self._others(session) if other.writing]
            if writers:
                raise Busy(f"still writing: {', '.join(writers)}; nothing is frozen")
            clock = await self._daemon.in_thread(self._daemon.store.freeze, holder, expire_s)
            self.held = Freeze(session, holder)
            log.info("frozen", holder=holder, expire_s=expire_s, token=clock.token)
        finally:
            self.asked_by = None
            if notified and not session.holds_freeze:
                self._tell(self._others(session), f"release|{holder}")
        return clock.token, len(self._others(session))

    async def _wait_for_others(self, session: Session, wait_s: float) -> None:
        """Wait until nobody else is logged in, or the session's client left, or time is up."""

        async def stop_when_left() -> None:
            await session.left()
            waiting.cancel()

        with trio.move_on_after(wait_s) as waiting:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stop_when_left)
                while self._others(session) and not self._daemon.stopping:
                    await trio.sleep(_WAIT_S)
                waiting.cancel()

    def refuse_while_asked(self) -> None:
        """Raise Frozen while a SNGL waits for the others to end."""
        if self.asked_by is not None:
            raise Frozen(f"{self.asked_by.holder} is freezing the source (SNGL); try again later")

    def _others(self, session: Session) -> list[Session]:
        return [
            other
            for other in self._daemon.sessions.values()
            if other is not session and other.user is not None
        ]

    async def release(self, session: Session, holder: str | None = None) -> bool:
        """End a session's freeze, or for it that of `holder`; False if there is none (any more).

        Raises what the store raises; then it is held as before.
        """
        holder, held = holder or session.holder, self.held
        released = await self._daemon.in_thread(self._daemon.store.release, holder)
        if held is not None and held.holder == holder and self.held is held:
            self.held = None
        if released:
            log.info("released", by=session.holder)
            self._tell(self._others(session), f"release|{session.holder}")
        return released

    async def check(self, freeze: Freeze, clock: Clock) -> None:
        """Tell of a freeze of this daemon's that ended without a word: it expired, or somebody
        ended it elsewhere. `clock` was read when `freeze` was the present one."""
        left_s = clock.freeze_left_s(self._daemon.store.now())
        if (clock.frozen_by == freeze.holder and left_s > 0) or self.held is not freeze:
            return
        self.held = None
        log.info("freeze_ended", holder=freeze.holder)
        everybody = [other for other in self._daemon.sessions.values() if other.user is not None]
        self._tell(everybody, f"release|{freeze.holder}")
        try:
            await self._daemon.in_thread(self._daemon.store.clear_expired_freeze)
        except SyncError as error:  # it has ended all the same, if nobody sets the clock back
            log.warning("freeze_not_cleared", holder=freeze.holder, reason=error)

    @staticmethod
    def _tell(sessions: list[Session], text: str) -> None:
        for other in sessions:
            other.notify(text, replaces=_NOTICES)

    async def release_at_end(self, session: Session) -> None:
        """End the freeze of a session that ends, whatever the store says to that."""
        try:
            await self.release(session)
        except Exception:  # the freeze ends by itself; the session has to end all the same
            log.exception("freeze_stays", holder=session.holder, text="until it expires")


def is_holder(clock: Clock, user: str | None) -> bool:
    """Say whether a session of this user's, on any daemon, froze the store."""
    return (clock.frozen_by or "").startswith(f"{user} ")  # a user's name has no blanks
