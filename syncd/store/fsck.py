"""fsck: everything is hashed again, and whatever the store says twice is compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from zlib import crc32

from sqlalchemy import Connection, Engine, RowMapping, func, select

from syncd.content.compression import decompress
from syncd.content.versions import (
    add_marks,
    chunk_digest,
    mark_number,
    object_digest,
    object_mark,
    split_digests,
)
from syncd.errors import VerificationFailed
from syncd.protocol.limits import MAX_CHUNK_BYTES
from syncd.store.clock import read_clock
from syncd.store.lists import IN_LIST_VALUES, select_listed
from syncd.store.paging import pages
from syncd.store.replica import REPLICA_BATCH
from syncd.store.schema import batch, chunk, commit, staged, tally, version
from syncd.store.view import BODIES
from syncd.types.base import data_type

_PAGE_ROWS = 500


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong: where, and what."""

    where: str
    what: str
    chunk: bytes | None = None
    """Digest of the chunk that is rotten or missing."""
    object: tuple[str, str] | None = None
    """Type and name of the object whose version is wrong."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """What has to be fetched again to make a damaged replica good."""

    chunks: frozenset[bytes]
    """Digests of those that are rotten or missing."""
    objects: frozenset[tuple[str, str]]
    """Those that are wrong themselves, or are made of such chunks."""


def find_damaged(engine: Engine) -> Damaged | None:
    """Check a store; return what is damaged, None if it is sound."""
    damages = list(check(engine))
    if not damages:
        return None
    chunks = frozenset(damage.chunk for damage in damages if damage.chunk is not None)
    objects = {damage.object for damage in damages if damage.object is not None}
    with engine.connect() as connection:
        for kind, name, own in connection.execute(
            select(version.c.type, version.c.name, version.c.chunks)
            .where(version.c.until.is_(None))
            .execution_options(yield_per=_PAGE_ROWS)
        ):
            if not chunks.isdisjoint(split_digests(own)):
                objects.add((kind, name))
    return Damaged(chunks, frozenset(objects))


def check(engine: Engine) -> Iterator[Damage]:
    """Yield everything that is wrong with a store; nothing for a sound one.

    Reads one snapshot, so it may run beside writers.
    """
    with engine.connect() as connection:
        sizes: dict[bytes, int] = {}
        yield from _check_chunks(connection, sizes)
        yield from _check_versions(connection, sizes)
        yield from _check_tally(connection)
        yield from _check_clock(connection)


def _check_chunks(connection: Connection, sizes: dict[bytes, int]) -> Iterator[Damage]:
    statement = select(chunk.c.digest, chunk.c.size, chunk.c.body)
    for digest, size, body in pages(connection, statement, [chunk.c.digest], _PAGE_ROWS):
        where = f"chunk {digest.hex()}"
        sizes[digest] = size
        try:
            content = decompress(body, MAX_CHUNK_BYTES)
        except VerificationFailed as error:
            yield Damage(where, str(error), chunk=digest)
            continue
        if chunk_digest(content) != digest:
            yield Damage(where, "its content has another SHA-256", chunk=digest)
        elif len(content) != size:
            yield Damage(where, f"has {len(content)} bytes, not {size}", chunk=digest)


def _check_versions(connection: Connection, sizes: dict[bytes, int]) -> Iterator[Damage]:
    clock = read_clock(connection)
    previous: tuple[str, str, int | None] = ("", "", 0)
    key = [version.c.type, version.c.name, version.c.seq]
    for found in pages(connection, select(version), key, _PAGE_ROWS):
        row = found._mapping
        where = f"{row['type']} {row['name']} of commit {row['seq']}"
        wrong = partial(Damage, where, object=(row["type"], row["name"]))
        digests = split_digests(row["chunks"])
        missing = [digest for digest in digests if digest not in sizes]
        for digest in missing:
            yield wrong(f"chunk {digest.hex()} is missing", chunk=digest)
        if object_digest(row["chunks"]) != row["digest"]:
            yield wrong("its digest is not that of its chunks")
        if not missing:
            if sum(sizes[digest] for digest in digests) != row["size"]:
                yield wrong("its size is not that of its chunks")
            else:
                yield from _check_content(connection, wrong, row)
        kind, name, until = previous
        if (kind, name) == (row["type"], row["name"]) and (until is None or until > row["seq"]):
            yield wrong("begins before the version before it ends")
        if row["seq"] > clock.seq or (row["until"] is not None and row["until"] > clock.seq):
            yield wrong(f"is of a commit after {clock.seq}, the last")
        if row["until"] is not None and row["until"] <= row["seq"]:
            yield wrong(f"ends at commit {row['until']}, before it begins")
        previous = (row["type"], row["name"], row["until"])
    key = [staged.c.batch, staged.c.type, staged.c.name]
    # What an interrupted repair left waits for chunks, and is thrown away by the next one.
    repair = select(batch.c.id).where(batch.c.id == REPLICA_BATCH, batch.c.token.is_(None))
    statement = select(*key, staged.c.chunks).where(
        staged.c.chunks.is_not(None), staged.c.batch.not_in(repair)
    )
    for _, _, name, chunks in pages(connection, statement, key, _PAGE_ROWS):
        for digest in split_digests(chunks):
            if digest not in sizes:
                yield Damage(f"staged {name}", f"chunk {digest.hex()} is missing")


def _check_content(
    connection: Connection, wrong: Callable[[str], Damage], row: RowMapping
) -> Iterator[Damage]:
    """Compare CRC-32 and lines with the content; what is damaged in it is reported already."""
    has_lines = data_type(row["type"]).has_lines
    checksum = lines = 0
    digests = split_digests(row["chunks"])
    for at in range(0, len(digests), IN_LIST_VALUES):
        part = digests[at : at + IN_LIST_VALUES]
        bodies = {row.digest: row.body for row in select_listed(connection, BODIES, part)}
        for digest in part:
            try:
                content = decompress(bodies[digest], MAX_CHUNK_BYTES)
            except VerificationFailed:
                return
            checksum = crc32(content, checksum)
            lines += content.count(b"\n") if has_lines else 0
    if checksum != row["crc32"]:
        yield wrong("its CRC-32 is not that of its content")
    elif lines != row["lines"]:
        yield wrong("its lines are not those of its content")


def _check_tally(connection: Connection) -> Iterator[Damage]:
    counted: dict[str, tuple[int, int]] = {}
    key = [version.c.type, version.c.name, version.c.seq]
    statement = select(*key, version.c.digest, version.c.attributes).where(
        version.c.until.is_(None)
    )
    for kind, name, _, digest, attributes in pages(connection, statement, key, _PAGE_ROWS):
        count, fingerprint = counted.get(kind, (0, 0))
        mark = mark_number(object_mark(kind, name, digest, attributes))
        counted[kind] = (count + 1, add_marks(fingerprint, gained=mark))
    stated = {
        row.type: (row.count, mark_number(row.fingerprint))
        for row in connection.execute(select(tally))
    }
    for kind in sorted(counted.keys() | stated.keys()):
        if counted.get(kind, (0, 0)) != stated.get(kind, (0, 0)):
            yield Damage(f"tally of {kind}", "its count or fingerprint is not that of its objects")


def _check_clock(connection: Connection) -> Iterator[Damage]:
    present = read_clock(connection)
    last = connection.execute(select(func.max(commit.c.seq))).scalar()
    if last != present.seq:
        yield Damage("clock", f"stands at commit {present.seq}, the last there is is {last}")
    if present.floor > present.seq:
        yield Damage("clock", f"its floor {present.floor} is above its commit {present.seq}")
