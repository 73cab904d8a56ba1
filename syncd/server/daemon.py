"""The daemon: listeners, its sessions, what they share, and who has to be told of what.

All work on the store runs in threads behind one limiter; the event loop only moves bytes. Commits
made by other processes on the same database are noticed by looking at the clock while somebody
watches. A session that fails ends alone: nothing it does ends the daemon.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import TypeVar

import trio

from syncd.content.tokens import Token
from syncd.errors import Busy, ConnectionFailed, Frozen
from syncd.protocol.codes import Code
from syncd.server.bootstraps import SharedBlocks
from syncd.server.session import Session
from syncd.store import Store
from syncd.store.clock import check_writable
from syncd.types.users import password_matches

DEFAULT_PORT = 5040
MAX_SESSIONS = 1000
"""Sessions at once; each costs a socket and some 30 KiB."""
MAX_BODY_BYTES = 1024 * 1024 * 1024
"""Largest zone or file that is taken over the wire."""
_STORE_THREADS = 8
_PASSWORD_THREADS = 2
"""Password checks at once: each takes 19 MiB, and a core while it lasts."""
_WATCH_S = 0.25
"""How often the clock is looked at while a session watches: what others' commits may wait."""
_FREEZE_WAIT_S = 0.05
_LINGER_S = 1.0
"""How long a client that finds no room may go on sending before it has read why."""
_FREEZE_NOTICES = ("freeze|", "release|")

T = TypeVar("T")

log = logging.getLogger("syncd.daemon")


class Daemon:
    """Serves one store. `run` it in a nursery; it ends when it is cancelled."""

    def __init__(
        self,
        store: Store,
        *,
        max_sessions: int = MAX_SESSIONS,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self.store = store
        self.started = store.now()
        self.max_body_bytes = max_body_bytes
        self.sessions: dict[int, Session] = {}
        self.freezing_by: Session | None = None
        self.shared_blocks = SharedBlocks()
        self._max_sessions = max_sessions
        self._limiter = trio.CapacityLimiter(_STORE_THREADS)
        self._password_limiter = trio.CapacityLimiter(_PASSWORD_THREADS)
        self._last_number = 0
        self._announced: Token | None = None

    async def run(
        self,
        host: str | None,
        port: int,
        *,
        ready: Callable[[list[trio.SocketListener]], None],
    ) -> None:
        """Listen and serve; calls `ready` once connections are taken. Raises ConnectionFailed."""
        try:
            listeners = await trio.open_tcp_listeners(port, host=host)
        except OSError as error:
            where = f"{host or '*'}:{port}"
            raise ConnectionFailed(f"cannot listen on {where}: {error.strerror}") from None
        if port == 0 and len(listeners) > 1:  # one port for all addresses
            for listener in listeners[1:]:
                await listener.aclose()
            listeners = listeners[:1]
        self._announced = (await self.in_thread(self.store.clock)).token
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_clock)
            nursery.start_soon(trio.serve_listeners, self.serve, listeners)
            ready(listeners)

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection to its end."""
        self._last_number += 1
        session = Session(self, stream, self._last_number, _peer_name(stream))
        try:
            if len(self.sessions) >= self._max_sessions:
                await self._turn_away(stream)
                return
            self.sessions[session.number] = session
            await session.run()
        except Exception:
            log.exception("session %d failed", session.number)
        finally:
            stopping = trio.current_effective_deadline() == -math.inf
            with trio.CancelScope(shield=True):
                if session.holds_freeze and not stopping:
                    await self._release_abandoned(session)
                self.sessions.pop(session.number, None)
                await trio.aclose_forcefully(stream)

    async def _turn_away(self, stream: trio.SocketStream) -> None:
        """Say why there is no session, and let the client read it: closing at once may lose it."""
        text = f"{Code.TOO_MANY_SESSIONS} all {self._max_sessions} sessions are taken\n"
        try:
            with trio.move_on_after(_LINGER_S):
                await stream.send_all(text.encode())
                await stream.send_eof()
                while await stream.receive_some():
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            log.debug("a client that found no room is gone")

    async def _release_abandoned(self, session: Session) -> None:
        try:
            await self.release(session)
        except Exception:
            log.exception("the freeze of %s stays until it expires", session.holder)

    # Work in threads

    async def in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run blocking work on the store in a thread and return its result."""
        return await trio.to_thread.run_sync(partial(function, *arguments), limiter=self._limiter)

    async def password_matches(self, stored: str, password: str) -> bool:
        """Say whether a password is the one of a stored hash."""
        return await trio.to_thread.run_sync(
            password_matches, stored, password, limiter=self._password_limiter
        )

    async def take(self, items: Iterator[T], count: int) -> list[T]:
        """Return the next `count` items, fewer at the end, of an iterator that blocks."""
        return await self.in_thread(lambda: list(islice(items, count)))

    # Freezes and notices

    async def freeze(self, session: Session, wait_s: float, expire_s: float) -> tuple[Token, int]:
        """Freeze the store for a session; return the token that stands still, and how many stay.

        New logins and writes are refused at once. Waits up to `wait_s` for writers and others to
        log out, telling them. Raises Busy if a writer is still at it then, Frozen if somebody else
        froze the store, ReadOnly.
        """
        self.refuse_while_freezing()
        self.freezing_by = session
        notified = False
        try:
            clock = await self.in_thread(self.store.clock)
            if clock.frozen_by != session.holder:
                check_writable(clock, self.store.now())
            if others := self._others(session):
                notified = True
                self._tell(others, f"freeze|{session.holder}|{wait_s:.0f}")
                await self._wait_for_others(session, wait_s)
            writers = [other.holder for other in self._others(session) if other.writing]
            if writers:
                raise Busy(f"still writing: {', '.join(writers)}; nothing is frozen")
            clock = await self.in_thread(self.store.freeze, session.holder, expire_s)
            session.holds_freeze = True
        finally:
            self.freezing_by = None
            if notified and not session.holds_freeze:
                self._tell(self._others(session), f"release|{session.holder}")
        return clock.token, len(self._others(session))

    async def _wait_for_others(self, session: Session, wait_s: float) -> None:
        """Wait until nobody else is logged in, or the session's client left, or time is up."""

        async def stop_when_left() -> None:
            await session.left()
            waiting.cancel()

        with trio.move_on_after(wait_s) as waiting:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stop_when_left)
                while self._others(session):
                    await trio.sleep(_FREEZE_WAIT_S)
                waiting.cancel()

    def refuse_while_freezing(self) -> None:
        """Raise Frozen while a SNGL waits for the others to end."""
        if self.freezing_by is not None:
            raise Frozen(
                f"{self.freezing_by.holder} is freezing the source (SNGL); try again later"
            )

    def _others(self, session: Session) -> list[Session]:
        return [
            other
            for other in self.sessions.values()
            if other is not session and other.user is not None
        ]

    async def release(self, session: Session, *, anybodys: bool = False) -> bool:
        """End a session's freeze, or anybody's; False if there was none."""
        holder = None if anybodys else session.holder
        released = await self.in_thread(self.store.release, holder)
        session.holds_freeze = False
        if released:
            self._tell(self._others(session), f"release|{session.holder}")
        return released

    @staticmethod
    def _tell(sessions: list[Session], text: str) -> None:
        for other in sessions:
            other.notify(text, replaces=_FREEZE_NOTICES)

    def announce(self, token: Token) -> None:
        """Tell the sessions that watch of a commit; those not sent yet are replaced."""
        known = self._announced
        if known is not None and known.epoch == token.epoch and known.seq >= token.seq:
            return
        self._announced = token
        for session in self.sessions.values():
            if session.watched:
                session.notify(f"commit|{token}", replaces=("commit|",))

    async def _watch_clock(self) -> None:
        while True:
            await trio.sleep(_WATCH_S)
            if not any(session.watched for session in self.sessions.values()):
                continue
            try:
                self.announce((await self.in_thread(self.store.clock)).token)
            except Exception:
                log.exception("the clock cannot be read; watchers hear of no commits")


def _peer_name(stream: trio.SocketStream) -> str:
    try:
        host, port = stream.socket.getpeername()[:2]
    except OSError:
        return "gone"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
