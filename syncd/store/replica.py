"""A replica's writes: a copy of the source's view becomes visible in one transaction, or not at
all.

The fingerprint is compared inside that transaction: what does not add up to the source's is rolled
back, and the replica stands where it stood.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, select, update

from syncd.content.tokens import Proof, Token
from syncd.content.versions import (
    Version,
    add_marks,
    fingerprint_text,
    mark_number,
    split_digests,
)
from syncd.errors import VerificationFailed
from syncd.store import heads
from syncd.store.batch import (
    ROW_BYTES,
    SET_CLOCK,
    Batch,
    Clockwork,
    add_commit,
    forget_batch,
    is_batch,
    missing_chunks,
    touch_batch,
)
from syncd.store.bulk import delete_rows, insert_rows
from syncd.store.clock import Clock, lock_clock
from syncd.store.schema import (
    MAX_SOURCE_CHARACTERS,
    batch,
    chunk,
    commit,
    staged,
    tally,
    version,
)
from syncd.store.servers import refresh_statistics
from syncd.store.view import VERSION_COLUMNS, as_version

REPLICA_BATCH = "replica"
"""The one batch that outlives its process: an interrupted bootstrap goes on from it."""
_PARTIAL = "partial"
"""Under this batch stands the first part of the object that was under way."""

# Made once: making a statement costs as much as running it.
_TALLIES = select(tally.c.count, tally.c.fingerprint)
_BEYOND = (
    select(staged.c.name)
    .where(staged.c.batch == REPLICA_BATCH, staged.c.seq > bindparam("view_seq"))
    .limit(1)
)
_CHUNKS = select(staged.c.name, staged.c.chunks).where(
    staged.c.batch == REPLICA_BATCH, staged.c.chunks.is_not(None)
)
_FORGET_COMMIT = delete(commit).where(commit.c.seq == bindparam("view_seq"))


class ReplicaBatch(Batch):
    """Objects copied from a source; kept when the process ends, to be resumed."""

    def __init__(self, engine: Engine, *, now: Clockwork = time.time) -> None:
        super().__init__(engine, now=now)
        self.id = REPLICA_BATCH
        self.copies: Token | None = None
        """The view that is being copied."""
        self.rotten: frozenset[bytes] = frozenset()
        """Digests of chunks that the store holds damaged: what comes takes their place."""
        self._partial: Callable[[], Version | None] = lambda: None

    def __exit__(self, *exception: object) -> None:
        """Leave what is staged."""

    def add_version(self, present: Version) -> None:
        """Stage a version as another store has it, its number included."""
        self._stage(
            present.type, present.name, None, present.seq, present.mtime, present.size,
            present.lines, present.crc32, present.digest, present.attributes, present.chunks,
        )  # fmt: skip

    def add_versions(
        self,
        type_name: str,
        columns: Sequence[Sequence[Any]],
        chunks: Collection[tuple[bytes, int, bytes]],
    ) -> None:
        """Stage versions as another store has them, with all their chunks, as for `add_chunk`.

        `columns` are those of a Version behind its type, in their order, each of all versions.
        """
        names, *others = columns
        own, type_names, based_on = repeat(self.id), repeat(type_name), repeat(None)
        rows = list(zip(own, type_names, names, based_on, *others, strict=False))
        known = len(self._chunks)
        self._chunks |= {row[0]: row for row in chunks}
        self._staged += rows
        self.changes += len(rows)
        held_bytes = ROW_BYTES * (len(self._chunks) - known + len(rows))
        held_bytes += sum(len(body) for _, _, body in chunks) + sum(map(len, others[-1]))
        self._held(held_bytes)

    def add_gone(self, type_name: str, name: str) -> None:
        """Stage that an object is gone at the other store."""
        self._stage(type_name, name, *(None,) * 9)

    def resume(self) -> Token | None:
        """Return the view that an earlier process had begun to copy, and go on with it."""
        with self._read_engine.connect() as connection:
            text = connection.execute(
                select(batch.c.token).where(batch.c.id == self.id)
            ).scalar_one_or_none()
        self.copies = None if text is None else Token.parse(text)
        return self.copies

    def keep_partial(self, partial: Callable[[], Version | None]) -> None:
        """Keep, with every flush, what `partial` returns: the object under way as far as it has
        come.

        So no chunk is ever written that nothing refers to, and gc beside a bootstrap takes none.
        """
        self._partial = partial

    def partial(self) -> Version | None:
        """Return the first part of the object in which an earlier process was interrupted."""
        with self._read_engine.connect() as connection:
            row = connection.execute(
                select(*(staged.c[column.name] for column in VERSION_COLUMNS)).where(
                    staged.c.batch == _PARTIAL
                )
            ).one_or_none()
        return None if row is None else as_version(row)

    def _write(self, connection: Connection, present: Clock) -> None:
        super()._write(connection, present)
        self._remove_partial(connection)
        part = self._partial()
        if part is not None:
            insert_rows(connection, batch, [(_PARTIAL, int(self._now()), None)], ignore_known=True)
            row = (
                _PARTIAL, part.type, part.name, None, part.seq, part.mtime, part.size, part.lines,
                part.crc32, part.digest, part.attributes, part.chunks,
            )  # fmt: skip
            insert_rows(connection, staged, [row])

    def _touch(self, connection: Connection) -> None:
        touch_batch(connection, self.id, int(self._now()), self.copies)
        replaced = [(digest,) for digest in self._chunks if digest in self.rotten]
        delete_rows(connection, chunk, ("digest",), replaced)
        self.rotten -= self._chunks.keys()

    def _check_swept(self, connection: Connection, present: Clock) -> None:
        """What a repair stages may wait for its chunks until it is published."""

    def _remove_staged(self, connection: Connection) -> None:
        super()._remove_staged(connection)
        self._remove_partial(connection)

    @staticmethod
    def _remove_partial(connection: Connection) -> None:
        forget_batch(connection, _PARTIAL)

    def missing(self, contents: Iterable[bytes]) -> Iterator[list[bytes]]:
        """Yield, of each content's chunk digests put one after another, those of chunks that the
        store does not hold, or holds damaged."""
        with self._read_engine.connect() as connection:
            for chunks in contents:
                rotten = self.rotten.intersection(split_digests(chunks))
                yield [*missing_chunks(connection, chunks), *rotten]

    def last_staged(self) -> tuple[str, str] | None:
        """Return type and name of the last object that is staged, in the order of a bootstrap."""
        with self._read_engine.connect() as connection:
            row = connection.execute(
                select(staged.c.type, staged.c.name)
                .where(staged.c.batch == self.id)
                .order_by(staged.c.type.desc(), staged.c.name.desc())
                .limit(1)
            ).one_or_none()
        return None if row is None else (row.type, row.name)

    def discard(self) -> None:
        """Forget what is staged, here or by an earlier process; its chunks stay, to be used
        again."""
        self._staged.clear()
        self.changes = 0
        self.copies = None
        with self._read_engine.connect() as connection:
            if not is_batch(connection, self.id):
                return
        with self._engine.begin() as connection:
            lock_clock(connection)
            self._remove_staged(connection)

    def publish_copy(self, proof: Proof, *, source: str, types: str, advance: bool) -> None:
        """Make the view visible. `advance` keeps history (a delta); else it begins anew here.

        Raises VerificationFailed if what the store would hold is not what `proof` says.
        """
        seq, now = proof.token.seq, int(self._now())
        with self._engine.begin() as connection:
            present = lock_clock(connection)
            self._write(connection, present)
            self._check_staged(connection, present, seq)
            if advance:
                heads.end(connection, heads.account(connection, self.id), seq)
            else:
                gone = heads.keys_replaced(connection, self.id)
                delete_rows(connection, version, heads.HEAD_KEY, gone)
                connection.execute(delete(version).where(version.c.until.is_not(None)))
                connection.execute(update(version).where(version.c.seq > seq).values(seq=seq))
                connection.execute(delete(commit))
            heads.move_staged(connection, self.id, seq, now)
            if not advance:
                heads.recount(connection)
            totals = connection.execute(_TALLIES).all()
            _compare(proof, [(count, fingerprint) for count, fingerprint in totals])
            standing = {
                "epoch": proof.token.epoch,
                "seq": seq,
                "floor": present.floor if advance else seq,
                "source": source[:MAX_SOURCE_CHARACTERS],
                "types": types,
            }
            connection.execute(SET_CLOCK, standing)
            connection.execute(_FORGET_COMMIT, {"view_seq": seq})
            add_commit(connection, seq, now, source, "copied")
            self._remove_staged(connection)
            left = [(digest,) for digest in self.rotten]  # only history was made of these
            delete_rows(connection, chunk, ("digest",), left)
            refresh_statistics(connection, self.changes)
        self.changes = 0

    def _check_staged(self, connection: Connection, present: Clock, seq: int) -> None:
        if present.swept != self._swept:
            for name, chunks in connection.execute(_CHUNKS).all():
                if missing_chunks(connection, chunks):
                    raise VerificationFailed(f"{name}: content that it shares was removed by gc")
        if (name := connection.execute(_BEYOND, {"view_seq": seq}).scalar()) is not None:
            raise VerificationFailed(f"{name} is said to be of a commit after {seq}, the view's")


def forget_copy(connection: Connection) -> None:
    """Remove what an interrupted copy of a source has staged."""
    for batch_id in (REPLICA_BATCH, _PARTIAL):
        forget_batch(connection, batch_id)


def _compare(proof: Proof, totals: Iterable[tuple[int, bytes]]) -> None:
    count = fingerprint = 0
    for objects, sum_of_marks in totals:
        count += objects
        fingerprint = add_marks(fingerprint, gained=mark_number(sum_of_marks))
    if (count, fingerprint) != (proof.count, proof.fingerprint):
        raise VerificationFailed(
            f"at {proof.token} the source has {proof.count} objects with fingerprint "
            f"{fingerprint_text(proof.fingerprint)[:12]}, here would be {count} with "
            f"{fingerprint_text(fingerprint)[:12]}; nothing was applied"
        )
