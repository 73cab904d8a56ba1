"""Keep zones of fewer than 128 lines as one chunk each, as they are cut from now on.

Before, the SOA record was a chunk of its own in every zone. Where a zone is cut anew its digest is
another; so the store begins another history, and replicas compare digests at their next resync. The
chunks as they were go with the next `gc`.
"""

import secrets
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa
from alembic import op

from syncd.content.compression import compress, decompress
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
from syncd.store.paging import pages

revision = "0004"
down_revision = "0003"

_LINES, _BYTES = 128, 131_072
_PAGE_ROWS = 500

_CLOCK = sa.table("clock", sa.column("epoch", sa.String))
_TALLY = sa.table("tally", sa.column("type", sa.String), sa.column("fingerprint", sa.LargeBinary))
_CHUNK = sa.table(
    "chunk",
    sa.column("digest", sa.LargeBinary),
    sa.column("size", sa.Integer),
    sa.column("body", sa.LargeBinary),
)
_VERSION = sa.table(
    "version",
    sa.column("type", sa.String),
    sa.column("name", sa.String),
    sa.column("seq", sa.BigInteger),
    sa.column("until", sa.BigInteger),
    sa.column("size", sa.BigInteger),
    sa.column("lines", sa.BigInteger),
    sa.column("digest", sa.LargeBinary),
    sa.column("attributes", sa.LargeBinary),
    sa.column("chunks", sa.LargeBinary),
)
_KEY = [_VERSION.c.name, _VERSION.c.seq]
_OF_ZONES = _VERSION.c.type == "zones"


def upgrade() -> None:
    connection = op.get_bind()
    short = sa.select(*_KEY, _VERSION.c.chunks).where(
        _OF_ZONES, _VERSION.c.lines < _LINES, _VERSION.c.size < _BYTES
    )
    rows = pages(connection, short, _KEY, _PAGE_ROWS)
    changed = False
    while page := list(islice(rows, _PAGE_ROWS)):
        several = [row for row in page if len(split_digests(row.chunks)) > 1]
        if several and _join_chunks(connection, several):
            changed = True
    if changed:
        connection.execute(_CLOCK.update().values(epoch=secrets.token_hex(8)))
        _recount(connection)


def _join_chunks(connection: sa.Connection, rows: Sequence[sa.Row[*tuple[Any, ...]]]) -> bool:
    """Make one chunk of those of each version; False if nothing was changed. What is damaged stays
    as it is, for fsck to name."""
    digests = {digest for row in rows for digest in split_digests(row.chunks)}
    bodies = {row.digest: row.body for row in _chunks(connection, digests)}
    joined = [
        (chunk_digest(content), content, row)
        for row in rows
        if (content := _content(split_digests(row.chunks), bodies))
    ]
    if not joined:
        return False
    known = {row.digest for row in _chunks(connection, {digest for digest, _, _ in joined})}
    fresh = {digest: content for digest, content, _ in joined if digest not in known}
    if fresh:
        connection.execute(
            _CHUNK.insert(),
            [
                {"digest": digest, "size": len(content), "body": compress(content)}
                for digest, content in fresh.items()
            ],
        )
    connection.execute(
        _VERSION.update()
        .where(
            _OF_ZONES,
            _VERSION.c.name == sa.bindparam("own_name"),
            _VERSION.c.seq == sa.bindparam("own_seq"),
        )
        .values(digest=sa.bindparam("own_digest"), chunks=sa.bindparam("own_chunk")),
        [
            {
                "own_name": row.name,
                "own_seq": row.seq,
                "own_digest": object_digest(digest),
                "own_chunk": digest,
            }
            for digest, _, row in joined
        ],
    )
    return True


def _chunks(connection: sa.Connection, digests: set[bytes]) -> Sequence[sa.Row[*tuple[Any, ...]]]:
    listed = _CHUNK.c.digest.in_(list(digests))
    return connection.execute(sa.select(_CHUNK.c.digest, _CHUNK.c.body).where(listed)).all()


def _content(digests: Sequence[bytes], bodies: Mapping[bytes, bytes]) -> bytes | None:
    """Return the content of some chunks; None if one is missing or damaged."""
    pieces: list[bytes] = []
    for digest in digests:
        try:
            piece = decompress(bodies[digest], MAX_CHUNK_BYTES)
        except (KeyError, VerificationFailed):
            return None
        if chunk_digest(piece) != digest:
            return None
        pieces.append(piece)
    return b"".join(pieces)


def _recount(connection: sa.Connection) -> None:
    """Make the fingerprint of the zones anew."""
    heads = sa.select(_VERSION.c.name, _VERSION.c.digest, _VERSION.c.attributes).where(
        _OF_ZONES, _VERSION.c.until.is_(None)
    )
    fingerprint = 0
    for name, digest, attributes in pages(connection, heads, [_VERSION.c.name], _PAGE_ROWS):
        mark = object_mark("zones", name, digest, attributes)
        fingerprint = add_marks(fingerprint, gained=mark_number(mark))
    connection.execute(
        _TALLY.update()
        .where(_TALLY.c.type == "zones")
        .values(fingerprint=fingerprint.to_bytes(32, "big"))
    )
