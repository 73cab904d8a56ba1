"""What the log says of a session: one line for each thing that somebody may have to explain later.

Nothing that a client sent is logged but names that the store knows: no arguments, no lines that
were not understood, no names of users who do not exist (passwords end up there).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from syncd.logs import EventLog
from syncd.protocol import codes
from syncd.protocol.codes import Code
from syncd.server.patience import Farewell

if TYPE_CHECKING:
    from syncd.server.session import Session

_LOGIN_VERBS = ("USER", "PASS")

log = EventLog("syncd.session")


class Journal:
    """Logs the life of one session."""

    def __init__(self, session: Session, slow_command_s: float) -> None:
        self._session = session
        self._slow_command_s = slow_command_s
        self._began = time.monotonic()
        self._reason: str | None = None
        self._answer_cut_off = False

    def opened(self) -> None:
        """A connection has become a session."""
        log.info("session_opened", session=self._session.number, peer=self._session.peer)

    def closed(self) -> None:
        """It has ended, for the last reason that was given."""
        session = self._session
        log.info(
            "session_closed",
            **self._who(),
            reason=self._reason or "the client left",
            seconds=round(time.monotonic() - self._began, 3),
            received=session.bytes_received,
            sent=session.bytes_sent,
        )

    def ends(self, reason: str) -> None:
        """Say why it will end."""
        self._reason = reason

    def ends_by_default(self, reason: str) -> None:
        """Say why it will end, unless there is a reason already."""
        self._reason = self._reason or reason

    def cut_off(self, reason: str) -> None:
        """A listing that is half sent cannot be refused any more, so the connection ends."""
        self.ends("an answer was broken off")
        self._answer_cut_off = True
        log.warning("answer_cut_off", **self._who(), verb=self._session.last_verb, reason=reason)

    def farewell(self, farewell: Farewell) -> None:
        """The server ends it."""
        self.ends(farewell.text)
        if farewell.code is not Code.SHUTTING_DOWN:
            self.limit_hit(farewell.limit, farewell.text)

    def limit_hit(self, limit: str, text: str) -> None:
        """A limit of the configuration was reached."""
        log.warning("limit_hit", **self._who(), limit=limit, text=text)

    def failed(self, verb: str, reason: str) -> None:
        """A command failed for a reason that is the server's, and that has a name."""
        log.error("command_failed", **self._who(), verb=verb, reason=reason)

    def failed_unforeseen(self, verb: str) -> None:
        """A command failed, and nobody foresaw it; logs the exception that is being handled."""
        log.exception("command_failed", **self._who(), verb=verb)

    def no_tls(self, reason: str) -> None:
        """A handshake failed."""
        self.ends("no TLS")
        log.info("tls_failed", **self._who(), reason=reason)

    def left(self) -> None:
        """The connection broke."""
        log.debug("connection_lost", **self._who())

    @contextmanager
    def command(self, verb: str) -> Iterator[None]:
        """Around a command and its answer: log what came of it."""
        session = self._session
        user, claimed, sent = session.user, session.claimed_user, session.bytes_sent
        session.last_request = None
        began = time.monotonic()
        yield
        took_ms = round((time.monotonic() - began) * 1000)
        if session.user != user:
            self._user_changed(user)
        elif verb in _LOGIN_VERBS and session.last_code // 100 == codes.REFUSED:
            known = session.claimed_known and session.last_code == Code.PASSWORD_REQUIRED
            name = claimed if known else None
            log.warning(
                "login_refused",
                session=session.number,
                peer=session.peer,
                user=name,
                code=int(session.last_code),
            )
        refused = self._answer_cut_off or session.last_code // 100 == codes.REFUSED
        if session.last_request is not None and not refused:
            log.info(
                "sync_served",
                **self._who(),
                action=session.last_request.action.name,
                types=session.last_request.about,
                bytes=session.bytes_sent - sent,
                ms=took_ms,
            )
        if took_ms >= self._slow_command_s * 1000:
            log.warning("command_slow", **self._who(), verb=session.last_verb, ms=took_ms)

    def _user_changed(self, before: str | None) -> None:
        session = self._session
        if session.user is None:
            log.info("logout", session=session.number, peer=session.peer, user=before)
        elif session.role is not None:
            log.info("login", **self._who(), role=session.role.label)

    def _who(self) -> dict[str, object]:
        session = self._session
        return {"session": session.number, "peer": session.peer, "user": session.user}
