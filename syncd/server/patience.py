"""By when a client has to say something, and what it hears if it does not.

Who never logs in, sends a byte a minute or says nothing at all must not keep a session for ever.
Times are of trio's clock.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import trio

from syncd.protocol.codes import Code
from syncd.server.limits import STEP_BYTES, Limits

STOPPING = "the server is stopping; try again later"


@dataclass(frozen=True)
class Bound:
    """By when the client's next bytes have to come; `limit` is the key in [limits] that says so."""

    at: float
    limit: str
    code: Code
    text: str


class Farewell(Exception):
    """The session ends at the server's will; the client is told `code` and `text` as last words."""

    def __init__(self, limit: str, code: Code, text: str) -> None:
        super().__init__(text)
        self.limit, self.code, self.text = limit, code, text


class Patience:
    """Looks after one session's times."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._quiet_since = self._logged_out_since = trio.current_time()
        self._line_since: float | None = None
        self._step_since = 0.0
        self._step_bytes = 0

    def logged_out(self) -> None:
        """Begin to wait for a login."""
        self._logged_out_since = trio.current_time()

    def command_ended(self) -> None:
        """Begin to wait for a command."""
        self._quiet_since = trio.current_time()
        self._line_since = None

    def body_began(self) -> None:
        """Begin to wait for a body."""
        self._step_since, self._step_bytes = trio.current_time(), 0

    def received(self, count: int) -> None:
        """Take note of bytes that came."""
        self._step_bytes += count
        if self._step_bytes >= STEP_BYTES:
            self.body_began()

    def for_body(self) -> Bound:
        """Return the bound for more of a body."""
        limit_s = self._limits.body_step_s
        text = (
            f"less than {STEP_BYTES} bytes of the body came within {limit_s:g} s; nothing was done"
        )
        return Bound(self._step_since + limit_s, "body_step_s", Code.ERROR, text)

    def for_command(self, *, in_line: bool, logged_in: bool, may_be_quiet: bool) -> Bound:
        """Return the bound for the rest of a command line, or for the next one."""
        if not in_line:
            self._line_since = None
        elif self._line_since is None:
            self._line_since = trio.current_time()
        return min(self._for_command(logged_in, may_be_quiet), key=lambda bound: bound.at)

    def _for_command(self, logged_in: bool, may_be_quiet: bool) -> Iterator[Bound]:
        limits = self._limits
        if self._line_since is not None:
            text = f"the line did not end within {limits.command_s:g} s; nothing was done"
            yield Bound(self._line_since + limits.command_s, "command_s", Code.ERROR, text)
        if not logged_in:
            text = f"nobody logged in within {limits.login_s:g} s"
            at = self._logged_out_since + limits.login_s
            yield Bound(at, "login_s", Code.NOT_LOGGED_IN, text)
            return
        quiet_since = trio.current_time() if may_be_quiet else self._quiet_since
        text = f"no command for {limits.idle_s:g} s"
        yield Bound(quiet_since + limits.idle_s, "idle_s", Code.ERROR, text)
