"""One connection: reads commands, runs their verbs, sends what they answer.

Between commands the session may send notices (902); never inside an answer. Every refusal becomes
one 5xx line that says what to do; anything unforeseen is logged with its trace and becomes a 510.
A client that keeps the session waiting for too long is told so, and the session ends. The bytes are
the channel's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from syncd.errors import (
    HigherAccessRequired,
    NotLoggedIn,
    NotSupported,
    Refused,
    SyncError,
    file_failure,
)
from syncd.output import printable
from syncd.protocol.codes import Code
from syncd.protocol.events import BadLine, Body, BodyEnd, Closed, Command
from syncd.protocol.states import State
from syncd.server.channel import Channel, ConnectionLost
from syncd.server.journal import Journal
from syncd.server.notices import Notices
from syncd.server.patience import Bound, Farewell
from syncd.server.peers import Peer
from syncd.server.registry import VERBS
from syncd.server.tls import failure_text, vouched_names
from syncd.server.transport import StalledError, say_farewell
from syncd.types import Role

if TYPE_CHECKING:
    from syncd.server.daemon import Daemon
    from syncd.server.requests import SyncRequest

_NOT_FOR_STRANGERS = "the store cannot be used; the server's log says why"
FIRST_ROOM = "zones"
"""Where a Citadel client is before it goes anywhere else (verbs/rooms.py)."""
_SEND_BYTES = 64 * 1024
"""Lines of a listing are sent when this much is queued."""
_PART_LINES = 256
"""Lines of a listing that are read at once."""
_KEEP_FROZEN_S = 0.25
"""How often a freeze's holder puts off its end inside one long answer."""
_CLOSE_S = 1.0
"""How long a client may take to let the end of TLS be told."""


class Session(Channel):
    """One client. `number` is unique in the daemon's life."""

    def __init__(self, daemon: Daemon, stream: trio.abc.Stream, number: int, peer: Peer) -> None:
        super().__init__(stream, daemon.limits)
        self.daemon = daemon
        self.number = number
        self.peer = peer
        self.since = daemon.store.now()
        self.active = self.since
        self.last_verb = ""
        self.last_request: SyncRequest | None = None
        self.software = ""
        self.room = FIRST_ROOM
        self.claimed_user: str | None = None
        self.claimed_known = False
        """Whether there is such a user: of a name that is not known nothing is logged."""
        self.user: str | None = None
        self.role: Role | None = None
        self.logins = 0
        self.role_checked = False
        """Whether the role was looked up again since the login."""
        self.encryption: tuple[str, str, int] | None = None
        """Protocol, cipher and its bits; None: no TLS is in use."""
        self.vouched_names: frozenset[str] = frozenset()
        """Users whom the client's certificate logs in."""
        self.wants_notices = False
        self.watched: frozenset[str] = frozenset()
        self.writing = False
        self.quitting = False
        self._kept_frozen_at = 0.0
        self._scope = trio.CancelScope()
        self._notices = Notices()
        self.journal = Journal(self, daemon.slow_command_s)

    @property
    def holds_freeze(self) -> bool:
        """Whether it froze the source, and as far as this daemon knows still does."""
        held = self.daemon.freezes.held
        return held is not None and held.session is self

    @property
    def holder(self) -> str:
        """This session's name as the holder of a freeze."""
        return f"{self.user} from {self.peer}"

    @property
    def has_unread(self) -> bool:
        """Whether the client sent more than the command that is being run."""
        return self._connection.has_unread

    @property
    def password_is_safe(self) -> bool:
        """Whether nobody on the way can read what the client sends, or that does not matter."""
        allowed = self.daemon.tls.settings.allow_clear_passwords
        return self.encryption is not None or self.peer.loopback or allowed

    # Life

    async def run(self) -> None:
        """Serve until the client leaves."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._send_notices)
                    try:
                        await self._serve()
                    except Farewell as farewell:
                        self.journal.farewell(farewell)
                        await self._say_farewell(farewell)
                    nursery.cancel_scope.cancel()
        except* StalledError:
            self.journal.ends("the client does not read")
            self.journal.limit_hit("stall_s", "the client does not read")
        except* (ConnectionLost, trio.BrokenResourceError, trio.ClosedResourceError):
            self.journal.left()

    async def start_tls(self) -> None:
        """Go on under TLS, as a new session. Raises ConnectionLost if the handshake fails."""
        handshake_s = self.daemon.limits.handshake_s
        try:
            stream = await self.daemon.tls.encrypted(self._stream, handshake_s)
        except (trio.BrokenResourceError, trio.TooSlowError) as error:
            self.journal.no_tls(failure_text(error, handshake_s))
            raise ConnectionLost from None
        self._stream = stream
        cipher, _, bits = stream.cipher()
        self.encryption = stream.version(), cipher, bits
        self.vouched_names = vouched_names(stream.getpeercert() or {}, time.time())

    async def aclose(self) -> None:
        """Close the connection; under TLS its end is told, unless that takes long.

        Who was said goodbye is let read it: closing on what a client still sends may lose it.
        """
        if self.quitting and self.encryption is None:
            await say_farewell(self._stream, b"")
        with trio.move_on_after(_CLOSE_S):
            await self._stream.aclose()

    async def _serve(self) -> None:
        self.reply(Code.OK, "syncd ready")
        await self.flush()
        while not self.quitting:
            self._check_waiting()
            match await self._next_event():
                case Closed():
                    return
                case BadLine(code, reason):
                    self.reply(code, reason)
                    await self.flush()
                case Command(verb, argument):
                    with self.journal.command(verb):
                        await self._run_verb(verb, argument)
                        await self.flush()
                case Body() | BodyEnd():
                    raise AssertionError("the core gives bodies only where one was asked for")
            self._patience.command_ended()
        self.journal.ends_by_default("the session said goodbye")

    def _command_bound(self) -> Bound:
        return self._patience.for_command(
            in_line=self._connection.in_line,
            logged_in=self.user is not None,
            may_be_quiet=self.wants_notices or self.holds_freeze,
        )

    def _check_waiting(self) -> None:
        self.daemon.check_running()

    async def _run_verb(self, name: str, argument: str) -> None:
        try:
            verb = VERBS.get(name)
            if verb is None:
                raise NotSupported(f"{name!r:.40} is no verb here; HELP lists them")
            self.last_verb, self.active = name, self.daemon.store.now()
            if verb.role is not None:
                self.check_role(verb.role, name)
            await self._keep_frozen()
            await verb.run(self, argument)
        except Refused as error:
            await self._refuse(error.code, str(error))
        except SyncError as error:
            self.journal.failed(name, str(error))
            text = str(error) if self.user is not None else _NOT_FOR_STRANGERS
            await self._refuse(Code.INTERNAL_ERROR, text)
        except OSError as error:  # a body that found no room in the folder for temporary files
            failure = file_failure(error)
            self.journal.failed(name, str(failure))
            await self._refuse(failure.code, str(failure))
        except (ConnectionLost, Farewell, trio.BrokenResourceError, trio.ClosedResourceError):
            raise
        except Exception:  # noqa: BLE001 (a fault of ours: logged with its trace, the session goes on)
            self.journal.failed_unforeseen(name)
            await self._refuse(Code.INTERNAL_ERROR, f"{name} failed; the server's log says why")

    def check_role(self, least: Role, what: str) -> None:
        """Raise NotLoggedIn or HigherAccessRequired if the user may not do `what` (any more)."""
        if self.role is None:
            raise NotLoggedIn(f"{what} needs a login: USER name, PASS password")
        if self.role < least:
            raise HigherAccessRequired(
                f"{what} needs the role {least.label}, yours is {self.role.label}"
            )

    def log_in(self, user: str, role: Role) -> None:
        """Take a user's name and role."""
        self.user, self.role = user, role
        self.logins += 1
        self.role_checked = False

    def log_out(self) -> None:
        """Forget who it is, and what was asked for in that name."""
        self.user = self.role = self.claimed_user = None
        self.watched = frozenset()
        self.room = FIRST_ROOM
        self._notices.drop()
        self._patience.logged_out()
        self.look_again()

    async def _refuse(self, code: int, text: str) -> None:
        """Answer 5xx; inside a listing, where that is impossible, end the connection instead.

        So a listing that breaks off never looks whole. A refusal may show what the client sent, or
        a name: nothing in it steers a terminal.
        """
        if self._connection.state in (State.LISTING_UP, State.BLOCK_UP):
            with suppress(Refused):  # the first refusal is the one to tell
                await self._read_body(lambda data: None)
        if self._connection.state is State.REPLY:
            self.reply(code, printable(text))
            return
        await self.flush()
        self.journal.cut_off(text)
        self.quitting = True

    def end(self) -> None:
        """End the session from outside (TERM)."""
        self.journal.ends("ended by TERM")
        self._scope.cancel()

    # Answers

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

    # Notices and freezes

    def notify(self, text: str, *, replaces: tuple[str, ...]) -> None:
        """Queue a notice, in place of those still queued that begin with `replaces`."""
        if self.wants_notices:
            self._notices.add(text, replaces=replaces)

    def drop_notices(self) -> None:
        """Forget what is queued: the client does not want it any more."""
        self._notices.drop()

    async def _send_notices(self) -> None:
        while True:
            await self._notices.wait()
            await self._may_notify.wait()
            if self._connection.state is State.CLOSED:
                return
            if self._connection.state is not State.COMMAND:
                continue
            for text in self._notices.take():
                self._connection.send_notice(Code.ASYNC_CHANGE, text)
            await self.flush()

    async def _keep_frozen(self) -> None:
        if self.holds_freeze:
            self._kept_frozen_at = trio.current_time()
            store = self.daemon.store
            await self.daemon.in_thread(store.keep_frozen, self.holder)

    async def _keep_frozen_at_times(self) -> None:
        if trio.current_time() - self._kept_frozen_at >= _KEEP_FROZEN_S:
            await self._keep_frozen()
