"""Looks at the store's clock while somebody is logged in: what other processes did to it.

Sessions that watch hear of commits, freezes that ended are told of, and users whose role was
changed, or who are gone, lose it within WATCH_S at every daemon, without a query on any command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from syncd.content.tokens import Token
from syncd.errors import SyncError
from syncd.logs import EventLog
from syncd.store import Store
from syncd.types import Role

if TYPE_CHECKING:
    from syncd.server.daemon import Daemon
    from syncd.server.session import Session

WATCH_S = 0.25
"""How often the clock is looked at: what others' commits, and a new role, may wait."""
GLANCE_S = 0.05
"""How often the database is looked at from outside where it is a file: when something was written
to it, the clock is looked at now. More often would keep an idle daemon busy with waking up."""

log = EventLog("syncd.daemon")


class ClockWatch:
    """One daemon's eye on its store."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._checking_users = trio.Lock()
        self._seen: Token | None = None
        self._users = 0
        self._readable = True
        self._unforeseen: type[Exception] | None = None
        """What was logged last that nobody has thought of, while the store cannot be read."""

    async def run(self) -> None:
        """Look for ever.

        The file is written before a commit becomes visible, so after a change it is looked twice.
        """
        store = self._daemon.store
        written = False
        marks, due = store.file_marks(), trio.current_time() + WATCH_S
        while True:
            anybody = any(session.user is not None for session in self._daemon.sessions.values())
            await trio.sleep(GLANCE_S if anybody and marks is not None else WATCH_S)
            if not anybody:
                continue
            before, marks = marks, store.file_marks()
            written_before, written = written, marks != before
            if written or written_before or trio.current_time() >= due:
                await self.look()
                due = trio.current_time() + WATCH_S

    async def look(self) -> None:
        """Look once. A store that cannot be read is logged when it begins and when it ends."""
        try:
            freeze, announced = self._daemon.freezes.held, self._daemon.announced
            clock = await self._daemon.in_thread(self._daemon.store.clock)
            if freeze is not None:
                await self._daemon.freezes.check(freeze, clock)
            async with self._checking_users:  # who comes second may count on what the first does
                await self._check_users(clock.token)
            self._daemon.set_back(announced, clock.token)
            self._daemon.announce(clock.token)
        except SyncError as error:
            if self._readable:
                log.error("store_unreadable", reason=error)
            self._readable = False
            return
        except Exception as error:  # whatever it is, the watch goes on; the log has its trace, once
            if type(error) is not self._unforeseen:
                log.exception("store_unreadable")
            self._unforeseen = type(error)
            self._readable = False
            return
        if not self._readable:
            log.info("store_readable")
        self._readable, self._unforeseen = True, None

    async def _check_users(self, token: Token) -> None:
        """Bring the roles of sessions up to date, if users may have changed since they logged
        in."""
        store = self._daemon.store
        moved = False
        if token != self._seen:
            fingerprint = await self._daemon.in_thread(_users_fingerprint, store)
            moved = fingerprint != self._users
            self._users, self._seen = fingerprint, token
        due = [
            (session, session.user, session.logins)
            for session in self._daemon.sessions.values()
            if session.user is not None and (moved or not session.role_checked)
        ]
        if not due:
            return
        names = sorted({name for _, name, _ in due})
        roles = await self._daemon.in_thread(_roles, store, names)
        for session, name, logins in due:
            if session.user == name and session.logins == logins:
                session.role_checked = True
                await self._take_role(session, roles.get(name))

    async def _take_role(self, session: Session, role: Role | None) -> None:
        if role is session.role:
            return
        log.info(
            "role_changed",
            session=session.number,
            peer=session.peer,
            user=session.user,
            role="none: the user is gone" if role is None else role.label,
        )
        if session.holds_freeze and (role is None or role < Role.REPLICA):
            await self._daemon.freezes.release_at_end(session)
        if role is None:
            session.log_out()
        else:
            session.role = role


def _users_fingerprint(store: Store) -> int:
    with store.snapshot() as view:
        return view.totals(["users"]).fingerprint


def _roles(store: Store, names: list[str]) -> dict[str, Role]:
    with store.snapshot() as view:
        found = view.find("users", names)
    return {name: Role.parse(version.attribute("role")) for name, version in found.items()}
