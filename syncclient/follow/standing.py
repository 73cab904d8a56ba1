"""How it is at this replica, in the words of a report to the source (protocol.md, "servers")."""

import math
import time

from syncclient.follow.active import Active
from syncclient.follow.applying import Applied
from syncd.content.reports import (
    MAX_VERSION_CHARACTERS,
    Outcome,
    ServerReport,
    plain_text,
)
from syncd.content.tokens import Token
from syncd.errors import SyncError
from syncd.output import counted

_LATE_SHARE = 1.1
"""A poll waits up to a tenth longer than it is told: not all agents at once."""


class Standing:
    """What the next report says."""

    def __init__(self, name: str, backend: str, poll_s: float) -> None:
        self._name = name.lower()
        self._backend = backend
        self._every_s = max(1, math.ceil(poll_s * _LATE_SHARE))
        self._active: Active | None = None
        self._error: SyncError | None = None
        self._changed_at = 0.0
        self._took_s: float | None = None
        self.version: str | None = None
        """Name and version of the name server; None as long as it has not said."""

    @property
    def has_failed(self) -> bool:
        """Whether the last attempt failed as a whole."""
        return self._error is not None

    @property
    def error(self) -> SyncError | None:
        """Why the last attempt failed as a whole, if it did."""
        return self._error

    def failed(self, error: SyncError) -> bool:
        """Take down that an attempt failed; return whether that is news."""
        before, self._error = self._error, error
        return str(before) != str(error)

    def applied(self, applied: Applied) -> None:
        """Take down what an attempt did."""
        self._error = None
        self._active = applied.active
        if applied.changed or applied.gone or applied.failed:
            self._changed_at, self._took_s = time.monotonic(), applied.took_s

    def report(self) -> ServerReport:
        """Return the report of this moment."""
        active, reason = self._active, plain_text(self._reason())
        ago_s = None if self._took_s is None else int(time.monotonic() - self._changed_at)
        return ServerReport(
            name=self._name,
            backend=self._backend,
            every_s=self._every_s,
            outcome=Outcome.FAILED if reason else Outcome.APPLIED,
            version=plain_text(self.version or "", MAX_VERSION_CHARACTERS),
            token=self._token,
            fingerprint=None if active is None else active.fingerprint,
            reason=reason,
            took_ms=None if self._took_s is None else round(self._took_s * 1000),
            changed_s=ago_s,
            zones=0 if active is None else active.zones,
            refused=0 if active is None else len(active.refused),
        )

    @property
    def _token(self) -> Token | None:
        return None if self._active is None else self._active.token

    def _reason(self) -> str:
        if self._error is not None:
            return str(self._error)
        if self._active is None or not self._active.refused:
            return ""
        refused = self._active.refused
        zone = min(refused)
        reason = f"{zone} refused at {refused[zone].stage}: {refused[zone].message}"
        others = counted(len(refused) - 1, "more zone")
        return f"{reason}; and {others}" if len(refused) > 1 else reason
