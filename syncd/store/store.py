"""The store as everything above it sees it: one object per database, blocking, safe to use from
threads."""

import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Engine, func, select, union, update

from syncd.content.reports import ServerReport
from syncd.content.tokens import Token
from syncd.errors import (
    AlreadyExists,
    BrokenOff,
    IllegalValue,
    MovedOn,
    NoSuchObject,
    StoreError,
    SyncError,
    ViewGone,
)
from syncd.store import freeze, reports, retention
from syncd.store.batch import Batch
from syncd.store.bulk import insert_rows
from syncd.store.chunkcache import ChunkCache
from syncd.store.clock import Clock, lock_clock, read_clock
from syncd.store.delta import Change, changes
from syncd.store.engine import WRITE, open_engine
from syncd.store.fsck import Damage, Damaged, check, find_damaged
from syncd.store.lock import sole_synchronisation
from syncd.store.replica import ReplicaBatch, forget_copy
from syncd.store.schema import clock, commit, tally, version
from syncd.store.servers import ahead_of_server_s
from syncd.store.sqlite_file import FileMarks, marks_of
from syncd.store.url import shown_url
from syncd.store.view import View
from syncd.types.base import Prepared, Present, data_type

T = TypeVar("T")

_MOST = (1 << 62) - 1
"""What every database takes as a number of rows."""

_ATTEMPTS = 20
"""How often a write that somebody else overtook is made, when it states no condition."""
_AT_ONCE, _MAX_WAIT_S = 3, 0.3
"""How often at once, and how long it waits before the last time, at most."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit, as `syncd log` shows it."""

    seq: int
    at: int
    author: str
    comment: str
    objects: int
    """Objects put in it or taken out, as far as those versions are still held."""


def _check_floor(present: Clock) -> None:
    """Raise StoreError if not even the last commit can be held: whoever asks again for a newer one
    would do so for ever."""
    if present.floor > present.seq:
        raise StoreError(
            f"the store is damaged: its floor {present.floor} is above its last commit "
            f"{present.seq}; `syncd fsck` says what else is wrong; then put a backup in its "
            "place, or bootstrap a replica anew"
        )


class Store:
    """A store; see the module's top. Close it, or use it as a context manager."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self.engine = engine
        self.now = now
        self._cache = ChunkCache()

    @classmethod
    def create(cls, url: str, *, exist_ok: bool = False) -> "Store":
        """Make the database at `url` an empty store with a history of its own, and open it.

        Raises AlreadyExists if it is a store and `exist_ok` is False, StoreError.
        """
        store = cls(open_engine(url, create=True))
        try:
            with store.engine.execution_options(**WRITE).begin() as connection:
                if connection.execute(select(clock.c.id)).first() is None:
                    epoch = secrets.token_hex(8)
                    connection.execute(
                        clock.insert().values(id=1, epoch=epoch, seq=0, floor=0, swept=0)
                    )
                    insert_rows(connection, commit, [(0, int(store.now()), "syncd", "empty store")])
                elif not exist_ok:
                    raise AlreadyExists(f"{shown_url(url)} is a store already")
        except SyncError:
            store.close()
            raise
        return store

    @classmethod
    def open(cls, url: str) -> "Store":
        """Open the store at `url`. Raises StoreError if there is none."""
        store = cls(open_engine(url, create=False))
        try:
            store.clock()
        except SyncError:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # Reading

    def clock(self) -> Clock:
        """Return where the store stands."""
        with self.engine.connect() as connection:
            present = read_clock(connection)
        if present.freeze_is_put_off(self.now()):
            return self._with_end_anew(present)
        return present

    def _with_end_anew(self, present: Clock) -> Clock:
        """Set the end of a freeze anew; who may only read does without."""
        try:
            return freeze.set_end_anew(self.engine, self.now())
        except StoreError:
            return present

    def clock_is_ahead_s(self) -> float:
        """Return by how many seconds this machine's clock is ahead of the database's: freezes and
        reports go by the clocks of all machines that share a store."""
        return ahead_of_server_s(self.engine, self.now())

    def file_marks(self) -> FileMarks | None:
        """Return what is another after every commit, without a look into the database; None where
        the database is no file."""
        file = self.engine.url.database
        return marks_of(file) if file and self.engine.dialect.name == "sqlite" else None

    def view(self, seq: int | None = None) -> View:
        """Return the view at a commit, the last if None. Raises ViewGone if it is not held."""
        present = self.clock()
        _check_floor(present)
        if seq is None:
            seq = present.seq
        if not present.floor <= seq <= present.seq:
            raise ViewGone(f"commit {seq} is not held: there are {present.floor} to {present.seq}")
        if seq < present.seq:
            with self.engine.connect() as connection:
                if not connection.execute(select(commit.c.seq).where(commit.c.seq == seq)).first():
                    raise ViewGone(f"this replica never stood at commit {seq}")
        return View(self.engine, Token(present.epoch, seq), self._cache)

    @contextmanager
    def snapshot(self) -> Iterator[View]:
        """Give the view at the last commit, in a snapshot of it: see View.snapshot."""
        with self.engine.connect() as connection:
            present = read_clock(connection)
            _check_floor(present)
            if present.freeze_is_put_off(self.now()):
                self._with_end_anew(present)
            view = View(self.engine, present.token, self._cache)
            with view.begun(connection, present):
                yield view

    def changes(self, since: Token, view: View, types: Sequence[str]) -> Iterator[Change]:
        """Yield what differs between a token and a view; raises TokenLost."""
        return changes(since, view, types)

    def held_types(self) -> list[str]:
        """Return the types that the store has, or ever had, objects of."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(tally.c.type).order_by(tally.c.type)).scalars())

    def log(self, limit: int | None = None) -> list[Commit]:
        """Return the commits, newest first."""
        with self.engine.connect() as connection:
            newest = select(commit).order_by(commit.c.seq.desc())
            rows = connection.execute(newest if limit is None else newest.limit(min(limit, _MOST)))
            commits = rows.all()
            since = commits[-1].seq if commits else 0
            touched = union(
                select(version.c.seq, version.c.type, version.c.name).where(version.c.seq >= since),
                select(version.c.until, version.c.type, version.c.name).where(
                    version.c.until >= since
                ),
            ).subquery()
            counted = select(touched.c.seq, func.count().label("objects")).group_by(touched.c.seq)
            counts = {row.seq: row.objects for row in connection.execute(counted)}
        return [
            Commit(row.seq, row.at, row.author, row.comment, counts.get(row.seq, 0))
            for row in commits
        ]

    # Writing

    def batch(self) -> Batch:
        """Return a new batch of changes."""
        return Batch(self.engine, now=self.now)

    def write(
        self,
        type_name: str,
        name: str,
        make: Callable[[Present | None], Prepared | None],
        *,
        author: str,
        comment: str = "",
        digest: str | None = None,
        serial: str | None = None,
    ) -> tuple[Token | None, list[str]]:
        """Change one object in a commit of its own; return its token and warnings.

        `make` gets what is there and returns what is to be, or None for nothing to do; then the
        token is None. With `digest` (hex, 8 digits or more) or `serial`, raises MovedOn if the
        object is not at it.
        """

        def write() -> tuple[Token | None, list[str]]:
            with self.batch() as batch:
                with self.snapshot() as view:
                    present = view.present(type_name, name)
                    self._check_condition(type_name, name, present, digest, serial)
                    prepared = make(present)
                    if prepared is None:
                        return None, []
                    batch.put(type_name, prepared, None if present is None else present.version)
                return batch.publish(author, comment), batch.warnings

        return self._until_not_overtaken(
            write, conditional=digest is not None or serial is not None
        )

    def remove(
        self,
        type_name: str,
        name: str,
        *,
        author: str,
        comment: str = "",
        digest: str | None = None,
        serial: str | None = None,
    ) -> Token | None:
        """Take one object out in a commit of its own. Raises NoSuchObject, MovedOn."""

        def take_out() -> Token | None:
            with self.snapshot() as view:
                present = view.present(type_name, name)
            if present is None:
                raise NoSuchObject(f"{type_name} has no {name}")
            self._check_condition(type_name, name, present, digest, serial)
            with self.batch() as batch:
                batch.delete(present.version)
                return batch.publish(author, comment)

        conditional = digest is not None or serial is not None
        return self._until_not_overtaken(take_out, conditional=conditional)

    @staticmethod
    def _until_not_overtaken(write: Callable[[], T], *, conditional: bool) -> T:
        """Write, and again where somebody else was faster: without a condition the last writer
        wins. Raises MovedOn if there is one."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return write()
            except (MovedOn, ViewGone, BrokenOff) as error:
                stated = conditional and not isinstance(error, BrokenOff)
                if stated or attempt == _ATTEMPTS:
                    raise
                if attempt >= _AT_ONCE:  # others go on at other daemons: let one of them be last
                    time.sleep(random.uniform(0, _MAX_WAIT_S * attempt / _ATTEMPTS))

    @staticmethod
    def _check_condition(
        type_name: str, name: str, present: Present | None, digest: str | None, serial: str | None
    ) -> None:
        if digest is None and serial is None:
            return
        if present is None:
            raise MovedOn(f"{name} is not there (any more)")
        if digest is not None and not present.version.digest.hex().startswith(digest.lower()):
            raise MovedOn(f"{name} is at digest {present.version.digest.hex()[:12]}, not {digest}")
        if serial is not None and not data_type(type_name).is_at(present.version, serial):
            now = present.version.attribute("serial")
            raise MovedOn(f"{name} is at serial {now}, not {serial}")

    def replica_batch(self) -> ReplicaBatch:
        """Return the batch of a replica, with what an interrupted process left in it."""
        return ReplicaBatch(self.engine, now=self.now)

    def synchronising(self) -> AbstractContextManager[None]:
        """See lock.sole_synchronisation."""
        return sole_synchronisation(self.engine)

    def renew_epoch(self) -> Token:
        """Begin a new history at the present commit, and return its token.

        Every token given so far is lost: whoever has one compares everything once. The history
        before stays readable here. A freeze ends: its token is lost as well, and a backup may bring
        one back whose holder is long gone.
        """
        with self.engine.execution_options(**WRITE).begin() as connection:
            token = Token(secrets.token_hex(8), lock_clock(connection).seq)
            connection.execute(update(clock).values(epoch=token.epoch, **freeze.NONE))
            return token

    def promote(self) -> Token:
        """Make a source of a replica, with a new history from the present commit on; return its
        token. Raises IllegalValue if it is none.

        What an interrupted copy has staged is forgotten.
        """
        with self.engine.execution_options(**WRITE).begin() as connection:
            present = lock_clock(connection)
            if present.source is None:
                raise IllegalValue("this store is no replica")
            token = Token(secrets.token_hex(8), present.seq)
            connection.execute(
                update(clock).values(epoch=token.epoch, source=None, types=None, **freeze.NONE)
            )
            forget_copy(connection)
            return token

    # Freeze, reports, retention, checking

    def freeze(self, holder: str, for_s: float) -> Clock:
        """See freeze.freeze."""
        return freeze.freeze(self.engine, holder, for_s, self.now())

    def keep_frozen(self, holder: str) -> bool:
        """See freeze.keep_frozen."""
        return freeze.keep_frozen(self.engine, holder, self.now())

    def clear_expired_freeze(self) -> None:
        """See freeze.clear_expired."""
        freeze.clear_expired(self.engine, self.now())

    def release(self, holder: str | None) -> bool:
        """See freeze.release."""
        return freeze.release(self.engine, holder)

    def keep_report(self, report: ServerReport, user: str, *, may_take_over: bool = False) -> bool:
        """See reports.keep_report."""
        return reports.keep_report(
            self.engine, report, user, may_take_over=may_take_over, now=self.now()
        )

    def fleet(self) -> reports.Fleet:
        """See reports.read_fleet."""
        return reports.read_fleet(self.engine, self.now())

    def forget_server(self, name: str) -> None:
        """See reports.forget_server."""
        reports.forget_server(self.engine, name)

    def collect(
        self, *, keep_seq: int | None = None, keep_since: int | None = None
    ) -> retention.Swept:
        """See retention.collect."""
        return retention.collect(
            self.engine, keep_seq=keep_seq, keep_since=keep_since, now=self.now()
        )

    def fsck(self) -> Iterator[Damage]:
        """See fsck.check."""
        return check(self.engine)

    def find_damaged(self) -> Damaged | None:
        """See fsck.find_damaged."""
        return find_damaged(self.engine)
