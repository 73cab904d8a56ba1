"""fsck: everything is hashed again, and whatever the store says twice is compared."""

from collections.abc import Iterator
from dataclasses import dataclass
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
from syncd.store.batch import QUERY_DIGESTS
from syncd.store.clock import read_clock
from syncd.store.schema import chunk, commit, staged, tally, version
from syncd.types.base import data_type

_PAGE_ROWS = 500


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is wrong: where, and what."""

    where: str
    what: str


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
    rows = connection.execute(
        select(chunk.c.digest, chunk.c.size, chunk.c.body).execution_options(yield_per=_PAGE_ROWS)
    )
    for digest, size, body in rows:
        where = f"chunk {digest.hex()}"
        sizes[digest] = size
        try:
            content = decompress(body, MAX_CHUNK_BYTES)
        except VerificationFailed as error:
            yield Damage(where, str(error))
            continue
        if chunk_digest(content) != digest:
            yield Damage(where, "its content has another SHA-256")
        elif len(content) != size:
            yield Damage(where, f"has {len(content)} bytes, not {size}")


def _check_versions(connection: Connection, sizes: dict[bytes, int]) -> Iterator[Damage]:
    clock = read_clock(connection)
    previous: tuple[str, str, int | None] = ("", "", 0)
    rows = connection.execute(
        select(version)
        .order_by(version.c.type, version.c.name, version.c.seq)
        .execution_options(yield_per=_PAGE_ROWS)
    ).mappings()
    for row in rows:
        where = f"{row['type']} {row['name']} of commit {row['seq']}"
        digests = split_digests(row["chunks"])
        missing = [digest for digest in digests if digest not in sizes]
        for digest in missing:
            yield Damage(where, f"chunk {digest.hex()} is missing")
        if object_digest(row["chunks"]) != row["digest"]:
            yield Damage(where, "its digest is not that of its chunks")
        if not missing:
            if sum(sizes[digest] for digest in digests) != row["size"]:
                yield Damage(where, "its size is not that of its chunks")
            else:
                yield from _check_content(connection, where, row)
        kind, name, until = previous
        if (kind, name) == (row["type"], row["name"]) and (until is None or until > row["seq"]):
            yield Damage(where, "begins before the version before it ends")
        if row["seq"] > clock.seq or (row["until"] is not None and row["until"] > clock.seq):
            yield Damage(where, f"is of a commit after {clock.seq}, the last")
        if row["until"] is not None and row["until"] <= row["seq"]:
            yield Damage(where, f"ends at commit {row['until']}, before it begins")
        previous = (row["type"], row["name"], row["until"])
    for name, chunks in connection.execute(
        select(staged.c.name, staged.c.chunks).where(staged.c.chunks.is_not(None))
    ):
        for digest in split_digests(chunks):
            if digest not in sizes:
                yield Damage(f"staged {name}", f"chunk {digest.hex()} is missing")


def _check_content(connection: Connection, where: str, row: RowMapping) -> Iterator[Damage]:
    """Compare CRC-32 and lines with the content; what is damaged in it is reported already."""
    has_lines = data_type(row["type"]).has_lines
    checksum = lines = 0
    digests = split_digests(row["chunks"])
    for at in range(0, len(digests), QUERY_DIGESTS):
        part = digests[at : at + QUERY_DIGESTS]
        found = connection.execute(
            select(chunk.c.digest, chunk.c.body).where(chunk.c.digest.in_(part))
        )
        bodies = {chunk_row.digest: chunk_row.body for chunk_row in found}
        for digest in part:
            try:
                content = decompress(bodies[digest], MAX_CHUNK_BYTES)
            except VerificationFailed:
                return
            checksum = crc32(content, checksum)
            lines += content.count(b"\n") if has_lines else 0
    if checksum != row["crc32"]:
        yield Damage(where, "its CRC-32 is not that of its content")
    elif lines != row["lines"]:
        yield Damage(where, "its lines are not those of its content")


def _check_tally(connection: Connection) -> Iterator[Damage]:
    counted: dict[str, tuple[int, int]] = {}
    for kind, name, digest, attributes in connection.execute(
        select(version.c.type, version.c.name, version.c.digest, version.c.attributes).where(
            version.c.until.is_(None)
        )
    ):
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
