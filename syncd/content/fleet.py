"""How the servers of a fleet stand to their source: one state for each, worst first.

A pure function of what a server reported last, when, and where the source is. What counts is what
the name server answers: a server whose zones have the source's fingerprint is in sync, whatever
token it had them by; one whose zones are not those of the commit that it says it is at is not.
protocol.md, "servers".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from syncd.content.reports import Outcome, ServerReport, parse_fingerprint
from syncd.content.tokens import Token
from syncd.content.versions import fingerprint_text
from syncd.errors import IllegalValue
from syncd.protocol.fields import number_argument

MISSED_REPORTS = 3
"""After so many reports that did not come, a server counts as unreachable."""

Cell = str | int | None


class ServerState(StrEnum):
    """Where a server stands, worst first."""

    FAILED = "failed"
    OUT_OF_SYNC = "out-of-sync"
    UNREACHABLE = "unreachable"
    BEHIND = "behind"
    IN_SYNC = "in-sync"

    @property
    def severity(self) -> int:
        """0 for the worst."""
        return list(ServerState).index(self)

    @classmethod
    def parse(cls, text: str) -> "ServerState":
        """Return the state that `text` names. Raises IllegalValue."""
        try:
            return cls(text)
        except ValueError:
            known = ", ".join(state.value for state in cls)
            raise IllegalValue(f"no such state: {text!r:.40}; there are {known}") from None


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A server's last report, as the store keeps it."""

    report: ServerReport
    user: str
    """Who reported it first: the name is theirs."""
    seen: float
    """When it came, seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the source knows of a commit before its head."""

    fingerprint: int | None
    """Of its zones; None if the commit is not held any more."""
    overtaken: int | None
    """When the next commit was made, seconds since 1970; None if that is not known."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the source stands: its head, the fingerprint of its zones, and what it knows of the
    earlier commits (by number) that servers are at."""

    head: Token
    fingerprint: int
    past: Mapping[int, Past] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServerRow:
    """A line of `SYNC servers|list`. Times are seconds before the answer, by the source's clock."""

    name: str
    state: ServerState
    reason: str
    backend: str
    version: str
    token: Token | None
    fingerprint: int | None
    behind: int | None
    """Commits of the source that it has not got; None if its history is another."""
    behind_s: int | None
    """For how long it has been behind, as far as that is known."""
    seen_s: int
    changed_s: int | None
    took_ms: int | None
    zones: int
    refused: int
    every_s: int
    user: str

    def cells(self) -> tuple[Cell, ...]:
        """Return what a listing shows, in the order of COLUMNS."""
        return (
            self.name, self.state.value, self.reason, self.backend, self.version,
            None if self.token is None else str(self.token),
            None if self.fingerprint is None else fingerprint_text(self.fingerprint),
            self.behind, self.behind_s, self.seen_s, self.changed_s, self.took_ms, self.zones,
            self.refused, self.every_s, self.user,
        )  # fmt: skip

    def fields(self) -> list[str]:
        """Return the fields of a listing's line."""
        return [NONE if cell is None else str(cell) for cell in self.cells()]

    @classmethod
    def from_fields(cls, fields: Sequence[str]) -> "ServerRow":
        """Return the row of a listing's line; more fields are a later version's. Raises
        IllegalValue."""
        if len(fields) < len(COLUMNS):
            raise IllegalValue(f"a server has {len(COLUMNS)} fields, not {len(fields)}")
        name, state, reason, backend, version, token, fingerprint, *numbers = fields
        behind, behind_s, seen_s, changed_s, took_ms, zones, refused, every_s, user = numbers[:9]
        return cls(
            name, ServerState.parse(state), reason, backend, version,
            None if token == NONE else Token.parse(token),
            None if fingerprint == NONE else parse_fingerprint(fingerprint),
            _number_or_none(behind), _number_or_none(behind_s), _number(seen_s),
            _number_or_none(changed_s), _number_or_none(took_ms), _number(zones), _number(refused),
            _number(every_s), user,
        )  # fmt: skip


COLUMNS = (
    "server", "state", "reason", "backend", "version", "token", "fingerprint", "behind",
    "behind_s", "seen_s", "changed_s", "took_ms", "zones", "refused", "every_s", "user",
)  # fmt: skip

NONE = "-"
"""In a field of a line: there is no such number, token or fingerprint."""


_MAX_NUMBER = (1 << 62) - 1


def _number(text: str) -> int:
    return number_argument(text, "a server's field", 0, _MAX_NUMBER)


def _number_or_none(text: str) -> int | None:
    return None if text == NONE else _number(text)


def silence_s(kept: KeptReport, now: float) -> float:
    """Return for how long a server has said nothing.

    A report from the future came before the clock was set back: how long ago is not known, at
    least as long as it lies ahead is assumed, so that a dead server is not believed for hours.
    """
    return abs(now - kept.seen)


def is_reachable(kept: KeptReport, now: float) -> bool:
    """Say whether a server reports as often as it promised."""
    return silence_s(kept, now) <= MISSED_REPORTS * kept.report.every_s


def earlier_commit(kept: KeptReport, head: Token) -> int | None:
    """Return the number of the commit that a server is at, if it is one before the head."""
    token = kept.report.token
    if token is None or token.epoch != head.epoch or token.seq >= head.seq:
        return None
    return token.seq


def judge(kept: KeptReport, source: Source, now: float) -> ServerRow:
    """Return how a server stands to its source, and why, in words."""
    report = kept.report
    state, reason = _state(kept, source, now)
    at = earlier_commit(kept, source.head)
    if at is None:
        behind, overtaken = (0 if report.token == source.head else None), None
    else:
        behind = source.head.seq - at
        overtaken = source.past[at].overtaken if at in source.past else None
    since_report_s = max(0, int(now - kept.seen))
    return ServerRow(
        name=report.name,
        state=state,
        reason=reason,
        backend=report.backend,
        version=report.version,
        token=report.token,
        fingerprint=report.fingerprint,
        behind=behind,
        behind_s=None if overtaken is None else max(0, int(now) - overtaken),
        seen_s=int(silence_s(kept, now)),
        changed_s=None if report.changed_s is None else report.changed_s + since_report_s,
        took_ms=report.took_ms,
        zones=report.zones,
        refused=report.refused,
        every_s=report.every_s,
        user=kept.user,
    )


def worst_first(row: ServerRow) -> tuple[int, str]:
    """Return what listings are sorted by; no two servers have the same."""
    return row.state.severity, row.name


def _state(kept: KeptReport, source: Source, now: float) -> tuple[ServerState, str]:
    report = kept.report
    failed = report.outcome is Outcome.FAILED
    if not is_reachable(kept, now):
        before = f"; before that it failed: {_failure(report)}" if failed else ""
        return ServerState.UNREACHABLE, f"promised a report every {report.every_s} s{before}"
    if failed:
        return ServerState.FAILED, _failure(report)
    if report.fingerprint == source.fingerprint:
        return ServerState.IN_SYNC, report.reason
    state, reason = _difference(report, source)
    return state, "; ".join(filter(None, (reason, report.reason)))


def _failure(report: ServerReport) -> str:
    return report.reason or "the agent gives no reason"


def _difference(report: ServerReport, source: Source) -> tuple[ServerState, str]:
    """Tell a server that is late from one that answers what its commit does not have."""
    token, head = report.token, source.head
    if token is None:
        return ServerState.BEHIND, "nothing was applied yet"
    if token.epoch != head.epoch:
        return ServerState.OUT_OF_SYNC, f"is at {token}, of another history"
    if token.seq > head.seq:
        return ServerState.OUT_OF_SYNC, f"is at commit {token.seq}, and the source at {head.seq}"
    expected: int | None = source.fingerprint
    if token.seq < head.seq:
        expected = source.past[token.seq].fingerprint if token.seq in source.past else None
        if expected is None or expected == report.fingerprint:
            return ServerState.BEHIND, ""
    if report.fingerprint is None:
        late = expected != source.fingerprint
        text = "does not say what its name server answers"
        return (ServerState.BEHIND if late else ServerState.OUT_OF_SYNC), text
    return ServerState.OUT_OF_SYNC, f"answers other zones than commit {token.seq} has"
