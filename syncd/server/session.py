"""One connection: reads commands, runs their verbs, sends what they answer.

Between commands the session may send notices (902); never inside an answer. Every refusal becomes
one 5xx line that says what to do; anything unforeseen is logged with its trace and becomes a 510.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

import trio

from syncd.errors import (
    HigherAccessRequired,
    NotLoggedIn,
    NotSupported,
    Refused,
    SyncError,
    TooBig,
)
from syncd.protocol.codes import Code
from syncd.protocol.connection import ServerConnection
from syncd.protocol.events import BadLine, Body, BodyEnd, ClientSaid, Closed, Command
from syncd.protocol.states import State
from syncd.server.registry import VERBS
from syncd.store import Clock
from syncd.types import Role

if TYPE_CHECKING:
    from syncd.server.daemon import Daemon

FIRST_ROOM = "zones"
"""Where a Citadel client is before it goes anywhere else (verbs/rooms.py)."""
_RECEIVE_BYTES = 64 * 1024
_SEND_BYTES = 64 * 1024
"""Lines of a listing are sent when this much is queued."""
_PART_LINES = 256
"""Lines of a listing that are read at once."""
_SPOOL_BYTES = 1024 * 1024
"""A body is held in memory up to here, then in a temporary file."""
_READ_AHEAD_BYTES = 64 * 1024
"""What a client may send ahead while its SNGL waits, and its leaving is still noticed."""
_KEEP_FROZEN_S = 0.25
"""How often a freeze's holder puts off its end inside one long answer."""

log = logging.getLogger("syncd.session")


class ConnectionLost(Exception):
    """The client went away; nothing is to be answered."""


class Session:
    """One client. `number` is unique in the daemon's life."""

    def __init__(self, daemon: Daemon, stream: trio.abc.Stream, number: int, peer: str) -> None:
        self.daemon = daemon
        self.number = number
        self.peer = peer
        self.since = daemon.store.now()
        self.active = self.since
        self.last_verb = ""
        self.software = ""
        self.room = FIRST_ROOM
        self.claimed_user: str | None = None
        self.user: str | None = None
        self.role: Role | None = None
        self.wants_notices = False
        self.watched: frozenset[str] = frozenset()
        self.holds_freeze = False
        self.writing = False
        self.quitting = False
        self._kept_frozen_at = 0.0
        self._scope = trio.CancelScope()
        self._stream = stream
        self._connection = ServerConnection()
        self._notices: list[str] = []
        self._notice_queued = trio.Event()
        self._may_notify = trio.Event()
        self._sending = trio.Lock()

    @property
    def holder(self) -> str:
        """This session's name as the holder of a freeze."""
        return f"{self.user} from {self.peer}"

    # Life

    async def run(self) -> None:
        """Serve until the client leaves."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._send_notices)
                    await self._serve()
                    nursery.cancel_scope.cancel()
        except* (ConnectionLost, trio.BrokenResourceError, trio.ClosedResourceError):
            log.debug("session %d: the client is gone", self.number)

    async def _serve(self) -> None:
        self.reply(Code.OK, "syncd ready")
        await self.flush()
        while not self.quitting:
            match await self._next_event():
                case Closed():
                    return
                case BadLine(code, reason):
                    self.reply(code, reason)
                case Command(verb, argument):
                    await self._run_verb(verb, argument)
                case Body() | BodyEnd():
                    raise AssertionError("the core gives bodies only where one was asked for")
            await self.flush()

    async def _run_verb(self, name: str, argument: str) -> None:
        try:
            verb = VERBS.get(name)
            if verb is None:
                raise NotSupported(f"{name!r:.40} is no verb here; HELP lists them")
            self.last_verb, self.active = name, self.daemon.store.now()
            if verb.role is not None:
                if self.role is None:
                    raise NotLoggedIn(f"{name} needs a login: USER name, PASS password")
                if self.role < verb.role:
                    raise HigherAccessRequired(
                        f"{name} needs the role {verb.role.label}, yours is {self.role.label}"
                    )
            await self._keep_frozen()
            await verb.run(self, argument)
        except Refused as error:
            await self._refuse(error.code, str(error))
        except SyncError as error:
            log.error("session %d: %s: %s", self.number, name, error)  # noqa: TRY400 (a trace says no more)
            await self._refuse(Code.INTERNAL_ERROR, str(error))
        except ConnectionLost:
            raise
        except Exception as error:
            if isinstance(error, (trio.BrokenResourceError, trio.ClosedResourceError)):
                raise
            log.exception("session %d: %s failed", self.number, name)
            await self._refuse(Code.INTERNAL_ERROR, f"{name} failed; the server's log says why")

    async def _refuse(self, code: int, text: str) -> None:
        """Answer 5xx; inside a listing, where that is impossible, end the connection instead.

        So a listing that breaks off never looks whole.
        """
        if self._connection.state in (State.LISTING_UP, State.BLOCK_UP):
            with suppress(Refused):  # the first refusal is the one to tell
                await self._read_body(lambda data: None)
        if self._connection.state is State.REPLY:
            self.reply(code, text)
            return
        await self.flush()
        self.quitting = True

    def end(self) -> None:
        """End the session from outside (TERM)."""
        self._scope.cancel()

    # Answers

    def reply(self, code: int, text: str = "") -> None:
        """Queue a reply line."""
        self._connection.send_reply(code, text)

    def reply_nothing(self) -> None:
        """Answer nothing (QNOP)."""
        self._connection.send_silence()

    async def listing(self, heading: str, lines: Iterable[str]) -> None:
        """Send a listing; `lines` are read in a thread, some at a time."""
        self.reply(Code.LISTING_FOLLOWS, heading)
        queued = 0
        remaining = iter(lines)
        while part := await self.daemon.take(remaining, _PART_LINES):
            self._connection.send_lines(part)
            queued += sum(len(line) for line in part)
            if queued > _SEND_BYTES:
                await self._keep_frozen_at_times()
                await self.flush()
                queued = 0
        self._connection.send_listing_end()

    async def block(self, framed: bytes) -> None:
        """Send one block of a long answer, with its line; the final 200 is the verb's to send."""
        self._connection.send_block(framed)
        await self._keep_frozen_at_times()
        await self.flush()

    async def flush(self) -> None:
        """Send what is queued, in one write."""
        async with self._sending:
            data = self._connection.data_to_send()
            if data:
                await self._stream.send_all(data)

    # Bodies

    @asynccontextmanager
    async def body(self, size_bytes: int | None) -> AsyncIterator[IO[bytes]]:
        """Ask for a body: a counted block, or a listing if `size_bytes` is None; give it as a file.

        Raises TooBig. The body is read to its end before the block of the context begins, also when
        it is refused.
        """
        if size_bytes is not None and size_bytes > self.daemon.max_body_bytes:
            raise TooBig(f"size={size_bytes}: at most {self.daemon.max_body_bytes} bytes are taken")
        if size_bytes is None:
            self.reply(Code.SEND_LISTING, "send lines, end with 000")
        else:
            self._connection.ask_block(size_bytes)
        await self.flush()
        with SpooledTemporaryFile(_SPOOL_BYTES) as spool:
            received = 0

            def take(data: bytes) -> None:
                nonlocal received
                received += len(data)
                if received <= self.daemon.max_body_bytes:
                    spool.write(data)

            await self._read_body(take)
            if received > self.daemon.max_body_bytes:
                raise TooBig(f"at most {self.daemon.max_body_bytes} bytes are taken")
            spool.seek(0)
            yield spool

    async def _read_body(self, take: Callable[[bytes], object]) -> None:
        """Read the body that is under way to its end; then raise Refused if it was not readable."""
        while True:
            match await self._next_event():
                case Body(data):
                    take(data)
                case BodyEnd(None):
                    return
                case BodyEnd(BadLine(reason=reason)):
                    raise TooBig(reason)
                case _:
                    raise ConnectionLost

    async def _next_event(self) -> ClientSaid:
        while True:
            event = self._connection.next_event()
            if event is not None:
                return event
            if self._connection.state is State.COMMAND:
                self._may_notify.set()
            data = await self._stream.receive_some(_RECEIVE_BYTES)
            if self._connection.state is State.COMMAND:
                self._may_notify = trio.Event()
            if data:
                self._connection.receive_data(bytes(data))
            else:
                self._connection.receive_eof()

    async def left(self) -> None:
        """Return once the client has ended the connection, or its side of it.

        What it sends meanwhile waits its turn; it may be so much that the end is not seen any more.
        """
        ahead_bytes = 0
        while ahead_bytes < _READ_AHEAD_BYTES:
            try:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
            except trio.BrokenResourceError:
                data = b""
            if not data:
                self._connection.receive_eof()
                return
            ahead_bytes += len(data)
            self._connection.receive_data(bytes(data))
        await trio.sleep_forever()

    # Notices and freezes

    def notify(self, text: str, *, replaces: tuple[str, ...]) -> None:
        """Queue a notice, in place of those still queued that begin with `replaces`."""
        if not self.wants_notices:
            return
        self._notices = [queued for queued in self._notices if not queued.startswith(replaces)]
        self._notices.append(text)
        self._notice_queued.set()

    def drop_notices(self) -> None:
        """Forget what is queued: the client does not want it any more."""
        self._notices.clear()

    async def _send_notices(self) -> None:
        while True:
            await self._notice_queued.wait()
            await self._may_notify.wait()
            if self._connection.state is not State.COMMAND:
                continue
            queued, self._notices = self._notices, []
            self._notice_queued = trio.Event()
            for text in queued:
                self._connection.send_notice(Code.ASYNC_CHANGE, text)
            await self.flush()

    async def _keep_frozen(self) -> None:
        if self.holds_freeze:
            self._kept_frozen_at = trio.current_time()
            store = self.daemon.store
            self.holds_freeze = await self.daemon.in_thread(store.keep_frozen, self.holder)

    async def _keep_frozen_at_times(self) -> None:
        if trio.current_time() - self._kept_frozen_at >= _KEEP_FROZEN_S:
            await self._keep_frozen()


def is_holder(clock: Clock, user: str | None) -> bool:
    """Say whether a user's session, this or another one, froze the store."""
    return (clock.frozen_by or "").startswith(f"{user} ")  # a user's name has no blanks
