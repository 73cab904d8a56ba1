"""gc: what no view from the floor on can show is removed, in the transaction that raises the
floor."""

from dataclasses import dataclass
from itertools import pairwise

from sqlalchemy import Connection, Engine, delete, func, select, update

from syncd.content.versions import split_digests
from syncd.errors import IllegalValue
from syncd.store.bulk import delete_rows
from syncd.store.clock import lock_clock
from syncd.store.engine import WRITE
from syncd.store.schema import batch, chunk, clock, commit, staged, version

STALE_BATCH_S = 24 * 3600
"""A batch untouched for a day was left behind by its process."""

_SET_BACK_S = 24 * 3600
"""A commit later than this from now was not made before the clock was set back: it was wrong."""

_PASS_DIGESTS = 200_000
"""Digests held in memory at once: some 20 MiB."""

_AS_IT_COMES = {"stream_results": True, "yield_per": 5000}
"""Execution options of a query whose rows no driver is to hold all at once."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What gc removed, and the floor it left."""

    floor: int
    commits: int
    versions: int
    chunks: int
    chunk_bytes: int


def collect(engine: Engine, *, keep_seq: int | None, keep_since: int | None, now: float) -> Swept:
    """Raise the floor and remove what lies below it.

    The floor becomes `keep_seq`, or the last commit before the first that was made at `keep_since`
    (seconds since 1970) or later: so everything since then can be read, also where the clock was
    set back in between. It never goes down or beyond the head. Raises IllegalValue.
    """
    with engine.execution_options(**WRITE).begin() as connection:
        present = lock_clock(connection)
        floor = present.floor
        if keep_seq is not None:
            if not 0 <= keep_seq <= present.seq:
                raise IllegalValue(f"commit {keep_seq} does not exist; the last is {present.seq}")
            floor = max(floor, keep_seq)
        if keep_since is not None:
            since = select(func.min(commit.c.seq)).where(
                commit.c.at >= keep_since, commit.c.at <= now + _SET_BACK_S
            )
            first = connection.execute(since).scalar()
            before = select(func.max(commit.c.seq)).where(
                commit.c.seq < (present.seq + 1 if first is None else first)
            )
            floor = max(floor, connection.execute(before).scalar() or 0)
        versions = connection.execute(delete(version).where(version.c.until <= floor)).rowcount
        commits = connection.execute(delete(commit).where(commit.c.seq < floor)).rowcount
        stale = select(batch.c.id).where(batch.c.touched < int(now) - STALE_BATCH_S)
        connection.execute(delete(staged).where(staged.c.batch.in_(stale)))
        connection.execute(delete(batch).where(batch.c.touched < int(now) - STALE_BATCH_S))
        chunks, chunk_bytes = _sweep_chunks(connection)
        connection.execute(update(clock).values(floor=floor, swept=clock.c.swept + 1))
    return Swept(floor, commits, versions, chunks, chunk_bytes)


def _sweep_chunks(connection: Connection) -> tuple[int, int]:
    """Remove the chunks that nothing refers to, a part of the digests at a time."""
    total = connection.execute(select(func.count()).select_from(chunk)).scalar_one()
    passes = min(256, 1 + total // _PASS_DIGESTS)
    bounds = [256 * number // passes for number in range(1, passes)]
    removed = removed_bytes = 0
    for low, high in pairwise([None, *bounds, None]):
        of_pass = select(chunk.c.digest, func.length(chunk.c.body))
        if low is not None:
            of_pass = of_pass.where(chunk.c.digest >= bytes([low]))
        if high is not None:
            of_pass = of_pass.where(chunk.c.digest < bytes([high]))
        rows = connection.execute(of_pass, execution_options=_AS_IT_COMES)
        held = {digest: size for digest, size in rows}  # noqa: C416 (dict() takes no rows)
        for table in (version, staged):
            referring = select(table.c.chunks).where(table.c.chunks.is_not(None))
            for (chunks,) in connection.execute(referring, execution_options=_AS_IT_COMES):
                for digest in split_digests(chunks):
                    held.pop(digest, None)
        delete_rows(connection, chunk, ("digest",), [(digest,) for digest in held])
        removed += len(held)
        removed_bytes += sum(held.values())
    return removed, removed_bytes
