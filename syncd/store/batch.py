"""Writing: objects are staged, perhaps over several transactions, and published in one.

A reader sees nothing of a batch before `publish`, and all of it after. Memory stays flat: chunks
and staged rows are flushed as they come. A batch that its process left behind is harmless and goes
with `gc`.
"""

import secrets
import time
from collections.abc import Callable
from operator import itemgetter
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, Engine, bindparam, delete, func, select, update

from syncd.content.compression import compress
from syncd.content.tokens import Token
from syncd.content.versions import (
    Version,
    chunk_digest,
    object_digest,
    pack_attributes,
    split_digests,
)
from syncd.errors import Busy
from syncd.store import heads
from syncd.store.bulk import Row, insert_rows
from syncd.store.clock import Clock, check_writable, lock_clock, read_clock
from syncd.store.engine import WRITE, WRITE_UNSEEN
from syncd.store.lists import LISTED, select_listed
from syncd.store.schema import (
    MAX_AUTHOR_CHARACTERS,
    MAX_COMMENT_CHARACTERS,
    batch,
    chunk,
    clock,
    commit,
    staged,
)
from syncd.store.servers import refresh_statistics
from syncd.types.base import Prepared, data_type

_FLUSH_BYTES = 4 * 1024 * 1024
"""Compressed content, and rows, held before they are written."""
ROW_BYTES = 400
_ABANDONED = "gc removed what was staged, as it lay for a day; make the batch anew"
"""A batch that nothing was added to for a day is taken for one that was left behind."""

# Made once: making a statement costs as much as running it.
_OWN_BATCH = batch.c.id == bindparam("own")
_OWN_STAGED = staged.c.batch == bindparam("own")
_KNOWN = select(batch.c.id).where(_OWN_BATCH)
_TOUCH = update(batch).where(_OWN_BATCH)
_STAGED_COUNT = select(func.count()).select_from(staged).where(_OWN_STAGED)
_FORGET = delete(staged).where(_OWN_STAGED), delete(batch).where(_OWN_BATCH)
_HELD = select(chunk.c.digest).where(chunk.c.digest.in_(LISTED))
SET_CLOCK = update(clock)

Clockwork = Callable[[], float]


class Batch:
    """Objects on their way into the store. A context manager: left without `publish`, it is
    undone."""

    def __init__(self, engine: Engine, *, now: Clockwork = time.time) -> None:
        self._engine = engine.execution_options(**WRITE)
        self._read_engine = engine
        self._now = now
        self.id = secrets.token_hex(8)
        self._chunks: dict[bytes, Row] = {}
        self._staged: list[Row] = []
        self._held_bytes = 0
        self._flushed = False
        with engine.connect() as connection:
            self._swept = read_clock(connection).swept
        self.warnings: list[str] = []
        self.changes = 0
        """Objects put or taken out so far."""

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._flushed:
            with self._engine.begin() as connection:
                self._remove_staged(connection)

    def put(self, type_name: str, prepared: Prepared, present: Version | None) -> bool:
        """Stage an object's new content; False if it is what `present` is.

        Reads `prepared` to its end. Raises what its chunks raise (InvalidContent).
        """
        kind = data_type(type_name)
        known = set() if present is None else set(present.chunk_digests())
        digests: list[bytes] = []
        size = lines = checksum = 0
        for content in prepared.chunks:
            digest = chunk_digest(content)
            digests.append(digest)
            size += len(content)
            checksum = crc32(content, checksum)
            if kind.has_lines:
                lines += content.count(b"\n")
            if digest not in known:
                self.add_chunk(digest, len(content), compress(content))
        self.warnings += prepared.warnings
        chunks = b"".join(digests)
        attributes = pack_attributes(prepared.attributes)
        digest = object_digest(chunks)
        if present is not None and (digest, attributes) == (present.digest, present.attributes):
            return False
        self._stage(
            type_name, prepared.name, 0 if present is None else present.seq, None, prepared.mtime,
            size, lines, checksum, digest, attributes, chunks,
        )  # fmt: skip
        return True

    def delete(self, present: Version) -> None:
        """Stage that an object goes."""
        self._stage(present.type, present.name, present.seq, *(None,) * 8)

    def add_chunk(self, digest: bytes, size: int, body: bytes) -> None:
        """Take a chunk's compressed body; its digest was checked by the caller."""
        if digest not in self._chunks:
            self._chunks[digest] = (digest, size, body)
            self._held(len(body) + ROW_BYTES)

    def _stage(self, *row: Any) -> None:
        self._staged.append((self.id, *row))
        self.changes += 1
        self._held(ROW_BYTES + len(row[-1] or b""))

    def _held(self, more_bytes: int) -> None:
        self._held_bytes += more_bytes
        if self._held_bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held, still unseen."""
        with self._engine.execution_options(**WRITE_UNSEEN).begin() as connection:
            self._write(connection, lock_clock(connection))
        self._flushed = True

    def _write(self, connection: Connection, present: Clock) -> None:
        self._touch(connection)
        # In the order of their index, in which they then fall on neighbouring pages.
        chunks = sorted(self._chunks.values(), key=itemgetter(0))
        insert_rows(connection, chunk, chunks, ignore_known=True)
        insert_rows(connection, staged, self._staged)
        self._check_swept(connection, present)
        self._chunks.clear()
        self._staged.clear()
        self._held_bytes = 0

    def _touch(self, connection: Connection) -> None:
        """Note that the batch is in use. Raises Busy if gc took it for abandoned."""
        if self._flushed and not is_batch(connection, self.id):
            raise Busy(_ABANDONED)
        touch_batch(connection, self.id, int(self._now()))

    def publish(self, author: str, comment: str = "") -> Token | None:
        """Make everything staged visible as one commit; return its token, None if nothing is
        staged.

        Raises Frozen, ReadOnly, MovedOn (an object was changed by somebody else meanwhile), Busy
        (gc ran meanwhile; make the batch anew).
        """
        if self.changes == 0:
            return None
        with self._engine.begin() as connection:
            present = lock_clock(connection)
            check_writable(present, self._now())
            self._write(connection, present)
            self._check_whole(connection)
            seq, now = present.seq + 1, int(self._now())
            heads.end(connection, heads.account(connection, self.id), seq)
            heads.move_staged(connection, self.id, seq, now)
            connection.execute(SET_CLOCK, {"seq": seq})
            add_commit(connection, seq, now, author, comment)
            self._remove_staged(connection)
            refresh_statistics(connection, self.changes)
        self._flushed = False
        return Token(present.epoch, seq)

    def _check_whole(self, connection: Connection) -> None:
        """Raise Busy if gc took the batch for abandoned: the clock was set forward by days."""
        if connection.execute(_STAGED_COUNT, {"own": self.id}).scalar_one() != self.changes:
            raise Busy(_ABANDONED)

    def _check_swept(self, connection: Connection, present: Clock) -> None:
        """Raise Busy if gc, since the batch began, took a chunk that what is being staged was taken
        to share. What is staged keeps its chunks from then on, whatever becomes of the batch."""
        if present.swept == self._swept:
            return
        for _, _, name, *_, chunks in self._staged:
            if chunks is not None and missing_chunks(connection, chunks):
                raise Busy(f"{name}: content that it shares was removed by gc; try again")

    def _remove_staged(self, connection: Connection) -> None:
        forget_batch(connection, self.id)


def touch_batch(
    connection: Connection, batch_id: str, now: int, copied: Token | None = None
) -> None:
    """Note when a batch was written to last, and of which view it is a copy, if it is one."""
    insert_rows(connection, batch, [(batch_id, now, None)], ignore_known=True)
    token = None if copied is None else str(copied)
    connection.execute(_TOUCH, {"own": batch_id, "touched": now, "token": token})


def is_batch(connection: Connection, batch_id: str) -> bool:
    """Say whether a batch has written anything that is neither published nor removed."""
    return connection.execute(_KNOWN, {"own": batch_id}).first() is not None


def forget_batch(connection: Connection, batch_id: str) -> None:
    """Remove what a batch has staged."""
    for statement in _FORGET:
        connection.execute(statement, {"own": batch_id})


def add_commit(connection: Connection, seq: int, now: int, author: str, comment: str) -> None:
    """Note a commit, with as much of author and comment as is kept."""
    row = (seq, now, author[:MAX_AUTHOR_CHARACTERS], comment[:MAX_COMMENT_CHARACTERS])
    insert_rows(connection, commit, [row])


def missing_chunks(connection: Connection, chunks: bytes) -> list[bytes]:
    """Return which of these chunk digests the store does not hold."""
    wanted = split_digests(chunks)
    held = {digest for (digest,) in select_listed(connection, _HELD, wanted)}
    return [digest for digest in wanted if digest not in held]
