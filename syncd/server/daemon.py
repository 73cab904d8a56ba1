"""The daemon: listeners, its sessions, what they share, and who has to be told of what.

All work on the store runs in threads behind one limiter; the event loop only moves bytes. Commits made by
other processes on the same database are noticed by looking at the clock while somebody watches.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from itertools import islice
from typing import TypeVar

import trio

from syncd.content.tokens import Token
from syncd.errors import Busy, ConnectionFailed
from syncd.protocol.codes import Code
from syncd.server.session import Session
from syncd.store import Store

DEFAULT_PORT = 5040
MAX_SESSIONS = 1000
"""Sessions at once; each costs a socket and some 30 KiB."""
_STORE_THREADS = 8
_PART_ROWS = 256
_WATCH_S = 0.25
"""How often the clock is looked at while a session watches: what a commit of another process waits."""
_FREEZE_WAIT_S = 0.05

T = TypeVar("T")

log = logging.getLogger("syncd.daemon")


class Daemon:
    """Serves one store. `run` it in a nursery; it ends when it is cancelled."""

    def __init__(self, store: Store, *, max_sessions: int = MAX_SESSIONS) -> None:
        self.store = store
        self.started = time.time()
        self.sessions: dict[int, Session] = {}
        self.freezing_by: Session | None = None
        self._max_sessions = max_sessions
        self._limiter = trio.CapacityLimiter(_STORE_THREADS)
        self._last_number = 0
        self._announced: Token | None = None
        self._stopping = False

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
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_clock)
                nursery.start_soon(trio.serve_listeners, self.serve, listeners)
                ready(listeners)
        finally:
            self._stopping = True

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection to its end."""
        self._last_number += 1
        session = Session(self, stream, self._last_number, _peer_name(stream))
        try:
            if len(self.sessions) >= self._max_sessions:
                await stream.send_all(
                    f"{Code.TOO_MANY_SESSIONS} all {self._max_sessions} sessions are taken\n".encode()
                )
                return
            self.sessions[session.number] = session
            await session.run()
        except OSError as error:
            if error.errno not in (errno.EBADF, errno.ENOTCONN):
                log.info("session %d: %s", session.number, error)
        finally:
            self.sessions.pop(session.number, None)
            if self.freezing_by is session:
                self.freezing_by = None
            with trio.CancelScope(shield=True):
                if session.holds_freeze and not self._stopping:
                    await self.release(session)
                await trio.aclose_forcefully(stream)

    # Work in threads

    async def in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run blocking work on the store in a thread and return its result."""
        return await trio.to_thread.run_sync(
            partial(function, *arguments), limiter=self._limiter
        )

    async def in_parts(self, items: Iterator[T]) -> AsyncIterator[list[T]]:
        """Read a blocking iterator in threads, some items at a time."""
        while part := await self.in_thread(lambda: list(islice(items, _PART_ROWS))):
            yield part

    async def one_by_one(self, items: Iterator[T]) -> AsyncIterator[T]:
        """Read a blocking iterator in threads, one (large) item at a time."""
        while part := await self.in_thread(lambda: list(islice(items, 1))):
            yield part[0]

    # Freezes and notices

    async def freeze(self, session: Session, wait_s: float, expire_s: float) -> tuple[Token, int]:
        """Freeze the store for a session; return the token that stands still, and who is still here.

        New logins and writes are refused at once. Waits up to `wait_s` for writers and other sessions to
        end, telling them. Raises Busy if a writer is still at it then, Frozen if the store is frozen.
        """
        if self.freezing_by is not None and self.freezing_by is not session:
            raise Busy(f"{self.freezing_by.holder} is freezing the source; try again later")
        self.freezing_by = session
        try:
            others = [other for other in self.sessions.values() if other is not session]
            for other in others:
                other.notify(f"freeze|{session.holder}|{wait_s:.0f}", replaces="freeze|")
            with trio.move_on_after(wait_s):
                while self._others(session):
                    await trio.sleep(_FREEZE_WAIT_S)
            writers = [other.holder for other in self._others(session) if other.writing]
            if writers:
                raise Busy(f"still writing: {', '.join(writers)}; nothing is frozen")
            clock = await self.in_thread(self.store.freeze, session.holder, expire_s)
        finally:
            self.freezing_by = None
        session.holds_freeze = True
        return clock.token, len(self._others(session))

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
            for other in self.sessions.values():
                if other is not session:
                    other.notify(f"release|{session.holder}", replaces="freeze|")
        return released

    def announce(self, token: Token) -> None:
        """Tell the sessions that watch of a commit; those not sent yet are replaced."""
        if token == self._announced:
            return
        self._announced = token
        for session in self.sessions.values():
            if session.watched:
                session.notify(f"commit|{token}", replaces="commit|")

    async def _watch_clock(self) -> None:
        while True:
            await trio.sleep(_WATCH_S)
            if any(session.watched for session in self.sessions.values()):
                self.announce((await self.in_thread(self.store.clock)).token)


def _peer_name(stream: trio.SocketStream) -> str:
    try:
        host, port = stream.socket.getpeername()[:2]
    except OSError:
        return "gone"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
