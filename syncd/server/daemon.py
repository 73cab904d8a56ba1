"""The daemon: listeners, its sessions, what they share, and who is told of commits.

All work on the store runs in threads behind one limiter; the event loop only moves bytes. A session
that fails ends alone: nothing it does ends the daemon. `stop` drains: new connections are turned
away, and sessions finish the command in hand.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

import trio

from syncd.content.tokens import Token
from syncd.errors import ConnectionFailed
from syncd.logs import EventLog
from syncd.protocol.codes import Code
from syncd.server.accept_failures import log_accept_failures_rarely
from syncd.server.bootstraps import SharedBlocks
from syncd.server.channel import ConnectionLost
from syncd.server.clockwatch import ClockWatch
from syncd.server.config import LogSection
from syncd.server.freezes import Freezes
from syncd.server.limits import Limits
from syncd.server.patience import STOPPING, Farewell
from syncd.server.peers import Peer
from syncd.server.session import Session
from syncd.server.throttle import LoginThrottle
from syncd.server.tls import NO_TLS_HERE, ServerTls, TlsSettings, begins_with_tls
from syncd.server.transport import AddressCount, GuardedStream, say_farewell
from syncd.server.turns import Turns
from syncd.store import Store

_STORE_THREADS = 8
_WRITERS = 4
"""Of these, at most: whoever waits in one for a long write to end leaves the readers the rest."""
_DRAIN_WAIT_S = 0.02

T = TypeVar("T")

log = EventLog("syncd.daemon")


class Daemon:
    """Serves one store. `run` it in a nursery; it ends after `stop`, or when it is cancelled."""

    def __init__(
        self,
        store: Store,
        limits: Limits | None = None,
        *,
        tls: TlsSettings = TlsSettings(),  # noqa: B008 (it is frozen)
        hide_user_names: bool = False,
        slow_command_s: float = LogSection.slow_command_s,
    ) -> None:
        """`hide_user_names`: USER says nothing of which names there are. Raises ConfigError."""
        self.store = store
        self.started = store.now()
        self.limits = Limits() if limits is None else limits
        self.slow_command_s = slow_command_s
        self.sessions: dict[int, Session] = {}
        self.freezes = Freezes(self)
        self.turns = Turns()
        self.stopping = False
        self.watch = ClockWatch(self)
        self._addresses = AddressCount(self.limits)
        self._scope = trio.CancelScope()
        self.tls = ServerTls(tls)
        self.tls_port: int | None = None
        """Where TLS begins with the first byte, once it runs."""
        self.hide_user_names = hide_user_names
        self.throttle = LoginThrottle(
            trio.current_time,
            per_address=self.limits.failed_logins_per_address,
            per_user=self.limits.failed_logins_per_user,
        )
        self.shared_blocks = SharedBlocks()
        self._limiter = trio.CapacityLimiter(_STORE_THREADS)
        self.password_checks = trio.CapacityLimiter(self.limits.password_checks)
        """A guess is charged in its turn: of many who log in at once, none is taken for a thief."""
        self.writing = trio.CapacityLimiter(_WRITERS)
        self.reporting = trio.CapacityLimiter(1)
        """Reports wait here for each other, and for a long write to end: not with a thread each."""
        self._last_number = 0
        self.announced: Token | None = None

    async def run(
        self,
        host: str | None,
        port: int,
        *,
        sockets: Sequence[socket.socket] = (),
        ready: Callable[[list[trio.SocketListener]], None],
    ) -> None:
        """Serve on `sockets`, or listen on `host` (None: all addresses) and `port` if there are
        none; calls `ready` once connections are taken. Raises ConnectionFailed."""
        if sockets:
            listeners = [
                trio.SocketListener(trio.socket.from_stdlib_socket(one)) for one in sockets
            ]
        else:
            listeners = await _listen(host, port)
        tls_listeners = await self._listen_for_tls(listeners)
        self.announced = (await self.in_thread(self.store.clock)).token
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.watch.run)
                log_accept_failures_rarely()
                nursery.start_soon(trio.serve_listeners, self.serve, listeners)
                if tls_listeners:
                    nursery.start_soon(trio.serve_listeners, self.serve_tls, tls_listeners)
                ready(listeners)

    async def _listen_for_tls(self, others: list[trio.SocketListener]) -> list[trio.SocketListener]:
        """Listen where TLS begins with the first byte; close the others if that cannot be."""
        address = self.tls.settings.listen_address()
        if address is None:
            return []
        try:
            listeners = await _listen(*address)
        except ConnectionFailed:
            for listener in others:
                await listener.aclose()
            raise
        self.tls_port = listeners[0].socket.getsockname()[1]
        return listeners

    async def stop(self) -> None:
        """Drain: let each session finish the command in hand, for up to `drain_s`; then end."""
        self.stopping = True
        log.info("stopping", sessions=len(self.sessions), drain_s=self.limits.drain_s)
        for session in list(self.sessions.values()):
            session.look_again()
        with trio.move_on_after(self.limits.drain_s):
            while self.sessions:
                await trio.sleep(_DRAIN_WAIT_S)
        self._scope.cancel()

    def check_running(self) -> None:
        """Raise Farewell once the daemon is told to stop."""
        if self.stopping:
            raise Farewell("", Code.SHUTTING_DOWN, STOPPING)

    async def serve_tls(self, stream: trio.SocketStream) -> None:
        """Serve one connection on which TLS begins with the first byte."""
        await self.serve(stream, tls_first=True)

    async def serve(self, stream: trio.SocketStream, *, tls_first: bool = False) -> None:
        """Serve one connection to its end."""
        peer = Peer.of(stream)
        try:
            guarded = GuardedStream(stream, self.limits.stall_s)
            if refusal := self._refusal(peer):
                await self._turn_away(guarded, peer, refusal)
                return
            await self._serve_session(stream, guarded, peer, tls_first)
        except Exception:  # nothing that one connection brings about ends the daemon
            log.exception("session_failed", peer=peer)
        finally:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    async def _serve_session(
        self, tcp: trio.SocketStream, stream: GuardedStream, peer: Peer, tls_first: bool
    ) -> None:
        self._last_number += 1
        session = Session(self, stream, self._last_number, peer)
        self.sessions[session.number] = session
        self._addresses.add(peer.host)
        session.journal.opened()
        try:
            if tls_first and not await begins_with_tls(tcp, self.limits.handshake_s):
                session.journal.ends("no TLS where TLS begins with the first byte")
                await say_farewell(stream, NO_TLS_HERE.encode())
                return
            if tls_first:
                await session.start_tls()
            await session.run()
        except ConnectionLost:
            session.journal.left()
        except Exception:  # logged before the connection is closed, so that who sees that finds it
            log.exception("session_failed", peer=peer)
        finally:
            cut_off = trio.current_effective_deadline() == -math.inf
            stopping = self.stopping or cut_off
            if cut_off:
                session.journal.ends(STOPPING)
            with trio.CancelScope(shield=True):
                if session.holds_freeze and not stopping:
                    await self.freezes.release_at_end(session)
            self.sessions.pop(session.number)
            self._addresses.remove(peer.host)
            session.journal.closed()
            with trio.CancelScope(shield=True):
                await session.aclose()

    def _refusal(self, peer: Peer) -> tuple[Code, str, str] | None:
        """Return why a new connection gets no session (code, text, limit), or None."""
        limits = self.limits
        if self.stopping:
            return Code.SHUTTING_DOWN, STOPPING, "stopping"
        if len(self.sessions) >= limits.max_sessions:
            text = f"all {limits.max_sessions} sessions are taken"
            return Code.TOO_MANY_SESSIONS, text, "max_sessions"
        if self._addresses.is_full(peer.host):
            text = f"your address has its {limits.max_sessions_per_address} sessions"
            return Code.TOO_MANY_SESSIONS, text, "max_sessions_per_address"
        return None

    @staticmethod
    async def _turn_away(stream: GuardedStream, peer: Peer, refusal: tuple[Code, str, str]) -> None:
        """Always in clear text: for a client that speaks TLS it is one failed handshake."""
        code, text, limit = refusal
        log.warning("turned_away", peer=peer, limit=limit, text=text)
        await say_farewell(stream, f"{code} {text}\n".encode())

    # Work in threads

    async def in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        """Run blocking work on the store in a thread and return its result."""
        return await trio.to_thread.run_sync(partial(function, *arguments), limiter=self._limiter)

    async def take(self, items: Iterator[T], count: int) -> list[T]:
        """Return the next `count` items, fewer at the end, of an iterator that blocks."""
        return await self.in_thread(lambda: list(islice(items, count)))

    # Commits

    def announce(self, token: Token) -> None:
        """Tell the sessions that watch of a commit; those not sent yet are replaced."""
        known = self.announced
        if known is not None and known.epoch == token.epoch and known.seq >= token.seq:
            return
        self.announced = token
        for session in self.sessions.values():
            if session.watched:
                session.notify(f"commit|{token}", replaces=("commit|",))

    def set_back(self, announced: Token | None, present: Token) -> None:
        """Announce commits anew if the store is now where it was before what was `announced`: a
        backup is in its place."""
        if announced is not None and present.seq < announced.seq and self.announced == announced:
            self.announced = None


async def _listen(host: str | None, port: int) -> list[trio.SocketListener]:
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except (OSError, UnicodeError) as error:
        where = f"{host or '*'}:{port}"
        reason = error.strerror if isinstance(error, OSError) else "no name of a host"
        raise ConnectionFailed(
            f"cannot listen on {where}: {reason}; give another host or port, or end what "
            "listens there"
        ) from None
    if port == 0 and len(listeners) > 1:  # one port for all addresses
        for listener in listeners[1:]:
            await listener.aclose()
    return listeners[:1] if port == 0 else listeners
