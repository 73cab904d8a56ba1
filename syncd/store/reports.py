"""What agents report, in a table of its own: no commit, no history, nothing that watchers or
replicas see. A row for each server, written over by its next report; all daemons on the database
share them.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, or_, select, update

from syncd.content.fleet import KeptReport, Past, Source, earlier_commit, is_reachable
from syncd.content.reports import Outcome, ServerReport
from syncd.content.tokens import Token
from syncd.content.versions import DIGEST_BYTES, add_marks, mark_number, object_mark
from syncd.errors import HigherAccessRequired, NoSuchObject, TooBig
from syncd.store.clock import Clock, lock_clock, read_clock
from syncd.store.engine import WRITE, WRITE_UNSEEN
from syncd.store.schema import commit, server, tally, version

MAX_SERVERS = 10_000
"""In a store: a listing of them is some megabytes."""
MAX_SERVERS_OF_USER = 1_000
"""So that one user's mistake leaves room for the others."""

_SERVED = "zones"
"""The type that a name server answers."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """All reports, and what is needed to judge them: read at one moment."""

    kept: list[KeptReport]
    source: Source
    zones: int
    """How many the source has."""


def keep_report(
    engine: Engine, report: ServerReport, user: str, *, may_take_over: bool, now: float
) -> bool:
    """Write a report over the last one of its server; True if the server is new.

    The name is that of the user who reported it first: raises HigherAccessRequired for another one,
    unless that `may_take_over`; the name stays whose it is. Raises TooBig over MAX_SERVERS. It is
    not flushed to disk: the next report comes soon.
    """
    values = _values(report, now)
    known = update(server).where(server.c.name == report.name).values(values)
    if not may_take_over:
        known = known.where(server.c.user == user)
    with engine.execution_options(**WRITE_UNSEEN).begin() as connection:
        if connection.execute(known).rowcount:
            return False
        _refuse_anothers(connection, report.name)
        lock_clock(connection)  # one at a time: so names are given once, and counted right
        if connection.execute(known).rowcount:
            return False
        _refuse_anothers(connection, report.name)
        _refuse_too_many(connection, user)
        connection.execute(insert(server).values(name=report.name, user=user, **values))
        return True


def _refuse_anothers(connection: Connection, name: str) -> None:
    owner = connection.execute(select(server.c.user).where(server.c.name == name)).scalar()
    if owner is not None:
        raise HigherAccessRequired(
            f"the server {name} is reported by {owner}; report another name, or have an operator "
            f"forget it: SYNC servers|forget|{name}"
        )


def _refuse_too_many(connection: Connection, user: str) -> None:
    count = select(func.count()).select_from(server)
    for limit, found, whose in (
        (MAX_SERVERS, connection.execute(count).scalar_one(), "there are"),
        (
            MAX_SERVERS_OF_USER,
            connection.execute(count.where(server.c.user == user)).scalar_one(),
            f"{user} has",
        ),
    ):
        if found >= limit:
            raise TooBig(
                f"{whose} {limit} servers already; have an operator forget those that are gone: "
                "SYNC servers|forget|NAME"
            )


def forget_server(engine: Engine, name: str) -> None:
    """Remove a server's report, and so free its name. Raises NoSuchObject."""
    with engine.execution_options(**WRITE).begin() as connection:
        if not connection.execute(delete(server).where(server.c.name == name)).rowcount:
            raise NoSuchObject(f"no server {name} has reported; SYNC servers|list names them")


def read_fleet(engine: Engine, now: float) -> Fleet:
    """Return all reports and where the source stands, in one transaction."""
    with engine.connect() as connection:
        clock = read_clock(connection)
        kept = [_kept(row) for row in connection.execute(select(server))]
        totals = connection.execute(
            select(tally.c.count, tally.c.fingerprint).where(tally.c.type == _SERVED)
        ).first()
        zones, fingerprint = (0, 0) if totals is None else (totals[0], mark_number(totals[1]))
        asked = {
            seq
            for one in kept
            if is_reachable(one, now) and (seq := earlier_commit(one, clock.token)) is not None
        }
        past = _past(connection, clock, fingerprint, asked)
        return Fleet(kept, Source(clock.token, fingerprint, past), zones)


def _past(
    connection: Connection, clock: Clock, fingerprint: int, asked: Iterable[int]
) -> dict[int, Past]:
    """Return what is known of earlier commits, by going back from the head over what changed since
    the oldest of them."""
    wanted = sorted(asked, reverse=True)
    if not wanted:
        return {}
    oldest = wanted[-1]
    after = select(commit.c.seq, commit.c.at).where(commit.c.seq > oldest).order_by(commit.c.seq)
    commits = connection.execute(after).all()
    changes = sorted(_changes(connection, max(oldest, clock.floor)).items())
    found: dict[int, Past] = {}
    for seq in wanted:
        while changes and changes[-1][0] > seq:
            fingerprint = add_marks(fingerprint, lost=changes.pop()[1])
        following = bisect_right(commits, seq, key=lambda made: made.seq)
        overtaken = commits[following].at if following < len(commits) else None
        found[seq] = Past(fingerprint if seq >= clock.floor else None, overtaken)
    return found


def _changes(connection: Connection, since: int) -> dict[int, int]:
    """Return by how much each commit after `since` changed the sum of the marks."""
    rows = connection.execute(
        select(
            version.c.seq, version.c.until, version.c.name, version.c.digest, version.c.attributes
        ).where(version.c.type == _SERVED, or_(version.c.seq > since, version.c.until > since))
    )
    changes: dict[int, int] = {}
    for seq, until, name, digest, attributes in rows:
        mark = mark_number(object_mark(_SERVED, name, digest, attributes))
        changes[seq] = changes.get(seq, 0) + mark
        if until is not None:
            changes[until] = changes.get(until, 0) - mark
    return changes


def _values(report: ServerReport, now: float) -> dict[str, Any]:
    fingerprint = report.fingerprint
    return {
        "seen": now,
        "backend": report.backend,
        "release": report.version,
        "every": report.every_s,
        "outcome": report.outcome.value,
        "reason": report.reason,
        "token": None if report.token is None else str(report.token),
        "fingerprint": None if fingerprint is None else fingerprint.to_bytes(DIGEST_BYTES, "big"),
        "took": report.took_ms,
        "changed": report.changed_s,
        "zones": report.zones,
        "refused": report.refused,
    }


def _kept(row: Any) -> KeptReport:
    report = ServerReport(
        name=row.name,
        backend=row.backend,
        every_s=row.every,
        outcome=Outcome(row.outcome),
        version=row.release,
        token=None if row.token is None else Token.parse(row.token),
        fingerprint=None if row.fingerprint is None else mark_number(row.fingerprint),
        reason=row.reason,
        took_ms=row.took,
        changed_s=row.changed,
        zones=row.zones,
        refused=row.refused,
    )
    return KeptReport(report, row.user, row.seen)
