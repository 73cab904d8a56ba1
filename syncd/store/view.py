"""Reading: the view at one commit, exactly as it was, while writers go on.

Every read is a short transaction. Whether the view is still held is asked at its end: gc raises
the floor in the transaction that removes, so rows read before a floor above the view was seen are
whole. Several reads that follow each other are cheaper in one transaction, a `snapshot`: there it
is asked once, at the beginning.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    bindparam,
    or_,
    select,
)

from syncd.content.compression import decompress
from syncd.content.tokens import Token
from syncd.content.versions import Version, add_marks, mark_number, object_mark
from syncd.errors import ContentLost, NoSuchObject, VerificationFailed, ViewGone
from syncd.protocol.limits import MAX_CHUNK_BYTES
from syncd.store.chunkcache import CACHED_CHUNKS, ChunkCache
from syncd.store.clock import Clock, read_clock
from syncd.store.lists import IN_LIST_VALUES, LISTED, select_listed
from syncd.store.schema import chunk, tally, version
from syncd.types.base import Present

PAGE_ROWS = 500
"""Objects read at once: some 200 KiB of rows, and the IN list of one chunk query."""

PAGE_MARKS = 4096
"""Marks read at once; they are small."""

GROUP_OBJECTS, FEW_CHUNKS = 200, 16
"""Objects whose chunks are read together, and up to how many chunks one may have for that."""

VERSION_COLUMNS = (
    version.c.type, version.c.name, version.c.seq, version.c.mtime, version.c.size, version.c.lines,
    version.c.crc32, version.c.digest, version.c.attributes, version.c.chunks,
)  # fmt: skip
NOTHING_READ: Mapping[bytes, bytes] = MappingProxyType({})
_NOTHING_MORE: Mapping[str, str | None] = MappingProxyType({})
_WILDCARDS = re.compile(r"[*?\[]")


def live_at(seq: int | BindParameter[int], table: Any = version) -> ColumnElement[bool]:
    """Say which versions make up the view at a commit."""
    return and_(table.c.seq <= seq, or_(table.c.until.is_(None), table.c.until > seq))


# Made once: making a statement costs as much as running it.
OF_PAGE = (
    version.c.type == bindparam("kind"),
    live_at(bindparam("seq")),
    version.c.name > bindparam("behind"),
)
ROWS: BindParameter[int] = bindparam("rows")
_VERSIONS = select(*VERSION_COLUMNS).where(*OF_PAGE).order_by(version.c.name).limit(ROWS)
_ONE_VERSION = _VERSIONS.where(version.c.name == bindparam("name"))
_MARKS = (
    select(version.c.type, version.c.name, version.c.digest, version.c.attributes)
    .where(*OF_PAGE)
    .order_by(version.c.name)
    .limit(ROWS)
)
_FIND = select(*VERSION_COLUMNS).where(
    version.c.type == bindparam("kind"),
    live_at(bindparam("seq")),
    version.c.name.in_(LISTED),
)
BODIES = select(chunk.c.digest, chunk.c.body).where(chunk.c.digest.in_(LISTED))
_TOTALS = select(tally.c.count, tally.c.fingerprint).where(tally.c.type.in_(LISTED))


@dataclass(frozen=True, slots=True)
class Totals:
    """Count and fingerprint of the live objects of some types."""

    count: int
    fingerprint: int


class Marked(NamedTuple):
    """An object's name, and what it adds to the fingerprint."""

    type: str
    name: str
    mark: bytes


class _Snapshot:
    """The transaction in which views that belong together read, while there is one, and the clock
    as it is there."""

    __slots__ = ("begun",)

    def __init__(self) -> None:
        self.begun: tuple[Connection, Clock] | None = None


class View:
    """All objects as they were at `token`. Methods raise ViewGone once gc has passed it."""

    def __init__(
        self,
        engine: Engine,
        token: Token,
        cache: ChunkCache,
        snapshot: _Snapshot | None = None,
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._snapshot = _Snapshot() if snapshot is None else snapshot
        self.token = token

    def at(self, token: Token) -> "View":
        """Return the view at another commit, which shares the snapshots of this one."""
        return View(self._engine, token, self._cache, self._snapshot)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Have everything that is read meanwhile, of this view and those made by its `at`, read in
        one transaction. They must not be used in another thread then.

        Not for as long as somebody else may take: while it lasts, a database can clear nothing
        away.
        """
        if self._snapshot.begun is not None:
            yield
            return
        with self._engine.connect() as connection:
            with self.begun(connection, read_clock(connection)):
                yield

    @contextmanager
    def begun(self, connection: Connection, present: Clock) -> Iterator[None]:
        """Have a transaction that began with reading the clock be the snapshot, meanwhile."""
        self._check_held(present)
        self._snapshot.begun = connection, present
        try:
            yield
        finally:
            self._snapshot.begun = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection for reading what the view stands on. Raises ViewGone, at the end, if
        gc has passed it."""
        if self._snapshot.begun is not None:
            connection, present = self._snapshot.begun
            self._check_held(present)
            yield connection
            return
        with self._engine.connect() as connection:
            yield connection
            self._check_held(read_clock(connection))

    def _check_held(self, present: Clock) -> None:
        if present.epoch != self.token.epoch:
            raise ViewGone(f"a new history has begun since {self.token}: look again")
        if self.token.seq < present.floor:
            raise ViewGone(
                f"commit {self.token.seq} is no longer held, the oldest is {present.floor}"
            )

    def versions(
        self,
        types: Sequence[str],
        *,
        after: tuple[str, str] | None = None,
        pattern: str | None = None,
        limit: int | None = None,
        page_rows: int = PAGE_ROWS,
    ) -> Iterator[Version]:
        """Yield objects in the order of type and name, those behind `after` (type, name).

        `pattern` is a name, or one with `*`, `?` and `[...]`. `page_rows` are read at once.
        """
        exact = pattern is not None and _WILDCARDS.search(pattern) is None
        statement, wanted = (
            (_ONE_VERSION, {"name": pattern}) if exact else (_VERSIONS, _NOTHING_MORE)
        )
        found = (
            as_version(row)
            for page in self.pages(statement, types, lambda: page_rows, after=after, wanted=wanted)
            for row in page
        )
        if pattern is not None and not exact:
            matches = re.compile(fnmatch.translate(pattern)).match
            found = (present for present in found if matches(present.name))
        yield from islice(found, limit)

    def version(self, type_name: str, name: str) -> Version:
        """Return one object. Raises NoSuchObject."""
        found = self.find(type_name, [name])
        if not found:
            raise NoSuchObject(f"{type_name} has no {name} at commit {self.token.seq}")
        return found[name]

    def find(self, type_name: str, names: Sequence[str]) -> dict[str, Version]:
        """Return those of the named objects that there are."""
        found: dict[str, Version] = {}
        if not names:
            return found
        with self.reading() as connection:
            rows = select_listed(connection, _FIND, names, kind=type_name, seq=self.token.seq)
            found |= {row.name: as_version(row) for row in rows}
        return found

    def present(self, type_name: str, name: str) -> Present | None:
        """Return an object with access to its content, or None."""
        found = self.find(type_name, [name])
        return Present(found[name], Content(self, found[name])) if found else None

    def bodies(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return chunks' compressed bodies by digest. Raises ContentLost if one is missing."""
        found: dict[bytes, bytes] = {}
        with self.reading() as connection:
            rows = select_listed(connection, BODIES, digests)
            found.update((digest, body) for digest, body in rows)
        for digest in digests:
            if digest not in found:
                raise ContentLost(f"chunk {digest.hex()} is missing; run `syncd fsck`")
        return found

    def stored(
        self,
        versions: Iterable[Version],
        *,
        group_objects: int = GROUP_OBJECTS,
        chunks_at_once: int | None = None,
    ) -> Iterator[tuple[Version, Iterator[bytes]]]:
        """Yield each version with its chunks' bodies as they are stored.

        The chunks of small objects, `group_objects` of them, are read together, those of large
        ones `chunks_at_once` at a time.
        """
        remaining = iter(versions)
        while group := list(islice(remaining, group_objects)):
            digests = [present.chunk_digests() for present in group]
            small = self.bodies([d for own in digests if len(own) <= FEW_CHUNKS for d in own])
            for present, own in zip(group, digests, strict=True):
                if len(own) <= FEW_CHUNKS:
                    yield present, map(small.__getitem__, own)
                else:
                    yield present, self.bodies_in_order(own, at_once=chunks_at_once)

    def bodies_in_order(
        self, digests: Sequence[bytes], *, at_once: int | None = None
    ) -> Iterator[bytes]:
        """Yield chunks' compressed bodies in the order asked for, `at_once` of them in memory."""
        at_once = IN_LIST_VALUES if at_once is None else at_once
        for at in range(0, len(digests), at_once):
            part = digests[at : at + at_once]
            yield from map(self.bodies(part).__getitem__, part)

    def contents(self, versions: Iterable[Version]) -> Iterator[tuple[Version, Iterator[bytes]]]:
        """Yield each version with its chunks' content."""
        for present, bodies in self.stored(versions):
            own = present.chunk_digests()
            if len(own) <= FEW_CHUNKS:
                yield present, map(stored_content, own, bodies)
            else:
                yield present, self.chunk_contents(own)

    def content(self, present: Version) -> Iterator[bytes]:
        """Yield the chunks of an object's content, in order."""
        return self.chunk_contents(present.chunk_digests())

    def chunk_contents(self, digests: Sequence[bytes]) -> Iterator[bytes]:
        """Yield the content of chunks of one object, in order; those of an object that has not
        many are kept for the next time.

        Raises ContentLost if one is missing or damaged.
        """
        if len(digests) > CACHED_CHUNKS:
            yield from map(stored_content, digests, self.bodies_in_order(digests))
            return
        cache = self._cache
        kept = {d: content for d in digests if (content := cache.get(d)) is not None}
        missing = [digest for digest in digests if digest not in kept]
        bodies = self.bodies(missing) if missing else {}
        for digest in digests:
            content = kept.get(digest)
            if content is None:
                content = stored_content(digest, bodies[digest])
                cache.keep(digest, content)
            yield content

    def totals(self, types: Sequence[str]) -> Totals:
        """Return count and fingerprint; costs nothing at the head, else all objects are read."""
        with self.reading() as connection:
            if read_clock(connection).seq == self.token.seq:
                count = fingerprint = 0
                for objects, marks in select_listed(connection, _TOTALS, types):
                    count += objects
                    fingerprint = add_marks(fingerprint, gained=mark_number(marks))
                return Totals(count, fingerprint)
        return self.recount(types)

    def recount(self, types: Sequence[str]) -> Totals:
        """Return count and fingerprint from the objects themselves."""
        count = fingerprint = 0
        for marked in self.marks(types):
            count += 1
            fingerprint += mark_number(marked.mark)
        return Totals(count, add_marks(0, gained=fingerprint))

    def marks(self, types: Sequence[str]) -> Iterator[Marked]:
        """Yield name and mark of each object, in the order of type and name, and nothing else of
        it."""
        for page in self.pages(_MARKS, types, lambda: PAGE_MARKS):
            for kind, name, digest, attributes in page:
                yield Marked(kind, name, object_mark(kind, name, digest, attributes))

    def pages(
        self,
        statement: Select[Any],
        types: Sequence[str],
        page_rows: Callable[[], int],
        *,
        after: tuple[str, str] | None = None,
        wanted: Mapping[str, str | None] = _NOTHING_MORE,
    ) -> Iterator[Sequence[Any]]:
        """Yield rows in the order of type and name, as many at a time as `page_rows` says then.

        `statement` is about OF_PAGE and ROWS, and selects a name.
        Type by type: a condition on both at once makes SQLite begin each page at the first name.
        """
        for kind in sorted(types):
            if after is not None and kind < after[0]:
                continue
            behind = after[1] if after is not None and kind == after[0] else ""
            of_kind = {"kind": kind, "seq": self.token.seq, **wanted}
            while True:
                rows = page_rows()
                with self.reading() as connection:
                    page = connection.execute(
                        statement, {**of_kind, "behind": behind, "rows": rows}
                    ).all()
                if page:
                    yield page
                if len(page) < rows:
                    break
                behind = page[-1].name


class Content:
    """The content of one version, read as it is asked for (a ContentReader)."""

    def __init__(
        self, view: View, present: Version, bodies: Mapping[bytes, bytes] = NOTHING_READ
    ) -> None:
        """`bodies` are chunks, as they are stored, that were read already."""
        self._view = view
        self._version = present
        self._bodies = bodies
        self._digests = present.chunk_digests()

    def __len__(self) -> int:
        return len(self._digests)

    def chunk(self, index: int) -> bytes:
        """Return the bytes of one chunk."""
        digest = self._digests[index]
        body = self._bodies.get(digest) or self._view.bodies([digest])[digest]
        return stored_content(digest, body)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of all chunks, in order."""
        return self._view.content(self._version)


def stored_content(digest: bytes, body: bytes) -> bytes:
    """Return what a chunk's stored body holds. Raises ContentLost if it is damaged."""
    try:
        return decompress(body, MAX_CHUNK_BYTES)
    except VerificationFailed as error:
        raise ContentLost(f"chunk {digest.hex()}: {error}; run `syncd fsck`") from None


def as_version(row: Any) -> Version:
    """Return the version of a row of VERSION_COLUMNS."""
    return Version(*row)
