"""SYNC actions that read. What they send is made in threads, a page or block at a time."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from syncd.content.buckets import (
    MAX_BITS,
    MIN_BITS,
    add_mark,
    bucket_of,
    pack_sums,
    parse_buckets,
    short_mark,
)
from syncd.content.compression import compress
from syncd.content.messages import BLOCK_BYTES, Element, Gone, Head, Opening, write_blocks
from syncd.content.tokens import Token
from syncd.content.versions import DIGEST_BYTES, Version, fingerprint_text
from syncd.errors import IllegalValue, StoreError
from syncd.protocol.codes import Code
from syncd.protocol.fields import join_fields
from syncd.protocol.packing import pack
from syncd.server.deltas import delta_elements, delta_lines
from syncd.server.registry import action
from syncd.server.requests import SyncRequest
from syncd.server.session import Session
from syncd.store import View

_PAGING = {
    "at": "the commit to look at, else the last",
    "after": "begin behind this name",
}
_LIST_ROWS = 2048
"""Rows of one block of a listing in msgpack."""
_MAX_INLINE_BYTES = 1024 * 1024
_FIRST_BLOCK_BYTES = 64 * 1024
"""A bootstrap's blocks begin small, so that the other side has something to do early."""


async def _view(session: Session, request: SyncRequest) -> View:
    return await session.daemon.in_thread(session.daemon.store.view, request.at)


async def _proof(session: Session, view: View, request: SyncRequest) -> str:
    """Return what ends or heads an answer: token, count, fingerprint."""
    totals = await session.daemon.in_thread(view.totals, request.type_names)
    return f"{view.token}|{totals.count}|{fingerprint_text(totals.fingerprint)}"


async def _send_blocks(session: Session, blocks: Iterator[bytes], final: str) -> None:
    async for block in session.daemon.one_by_one(blocks):
        await session.block(block)
    session.reply(Code.OK, final)


async def _send_rows(
    session: Session, request: SyncRequest, heading: str, rows: Iterator[tuple[str | int, ...]]
) -> None:
    if request.format == "msgpack":
        await _send_blocks(session, _packed_rows(rows), heading)
    else:
        lines = (join_fields([str(field) for field in row]) for row in rows)
        await session.listing(heading, lines)


def _packed_rows(rows: Iterator[tuple[str | int, ...]]) -> Iterator[bytes]:
    held: list[Any] = []
    for row in rows:
        held.append(row)
        if len(held) == _LIST_ROWS:
            yield pack(held)
            held = []
    if held:
        yield pack(held)


def _selected(view: View, request: SyncRequest) -> Iterator[Version]:
    if len(request.values) > 1:
        raise IllegalValue(f"give one name or pattern; syntax: {request.action.syntax}")
    pattern = request.values[0] if request.values else None
    if pattern and not any(wildcard in pattern for wildcard in "*?["):
        pattern = request.type.check_name(pattern)
    after = request.options.get("after")
    return view.versions(
        request.type_names,
        after=None if after is None else (request.type.name, after),
        pattern=pattern,
        limit=request.number("limit", 1 << 60, 0, 1 << 60),
    )


@action(
    "SYNC type|info[|name or pattern][|after=name][|limit=n][|at=seq][|format=text,msgpack]",
    summary="what there is, a line each",
    options=_PAGING | {"limit": "at most so many"},
    formats=("text", "msgpack"),
)
async def info(session: Session, request: SyncRequest) -> None:
    view = await _view(session, request)
    rows = (request.type.row(version) for version in _selected(view, request))
    await _send_rows(session, request, await _proof(session, view, request), rows)


@action(
    "SYNC type|list[|name or pattern][|after=name][|limit=n][|at=seq][|format=text,msgpack]",
    summary="names only",
    options=_PAGING | {"limit": "at most so many"},
    formats=("text", "msgpack"),
)
async def list_(session: Session, request: SyncRequest) -> None:
    view = await _view(session, request)
    rows = ((version.name,) for version in _selected(view, request))
    await _send_rows(session, request, await _proof(session, view, request), rows)


@action(
    "SYNC type|get|name[|at=seq]",
    summary="one object's content, in counted blocks",
    options={"at": _PAGING["at"]},
)
async def get(session: Session, request: SyncRequest) -> None:
    name = request.type.check_name(request.one_value("name"))
    view = await _view(session, request)
    version = await session.daemon.in_thread(view.version, request.type.name, name)
    final = (
        f"{view.token}|{version.size}|{version.crc32:08x}|{version.digest.hex()}|{version.mtime}"
        f"|{version.seq}"
    )
    await _send_blocks(session, _joined(view.content(version)), final)


def _joined(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield content in blocks of up to 512 KiB."""
    held: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        if held and size_bytes + len(chunk) > BLOCK_BYTES:
            yield b"".join(held)
            held, size_bytes = [], 0
        held.append(chunk)
        size_bytes += len(chunk)
    if held:
        yield b"".join(held)


@action(
    "SYNC types|getall[|at=seq][|after=type/name][|skip=n]",
    summary="everything, for a bootstrap",
    several_types=True,
    options={
        "at": _PAGING["at"],
        "after": "begin behind this object, type/name",
        "skip": "chunks of the next object not to send",
    },
    formats=("msgpack",),
)
async def get_all(session: Session, request: SyncRequest) -> None:
    view = await _view(session, request)
    after = _position(request.options.get("after"))
    skip = request.number("skip", 0, 0, 1 << 40)
    totals = await session.daemon.in_thread(view.totals, request.type_names)
    final = f"{view.token}|{totals.count}|{fingerprint_text(totals.fingerprint)}"
    opening = Opening(str(view.token), totals.count)
    elements = chain([opening], _everything(view, request.type_names, after, skip))
    await _send_blocks(session, write_blocks(elements, growing_from=_FIRST_BLOCK_BYTES), final)


def _position(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    type_name, separator, name = text.partition("/")
    if not separator:
        raise IllegalValue(f"after={text!r:.60}: write type/name")
    return type_name, name


def _everything(
    view: View, types: list[str], after: tuple[str, str] | None, skip: int
) -> Iterator[Element]:
    for version, bodies in view.stored(view.versions(types, after=after)):
        missing = len(version.chunk_digests()) - skip
        yield head_of(version, bodies=missing)
        yield from islice(bodies, skip, None)
        skip = 0


def head_of(
    version: Version, *, bodies: int | None = None, chunks: bytes | None = None
) -> Head:
    """Return an object's head, followed by all of its chunks or by their digests."""
    return Head(
        version.type, version.name, version.seq, version.mtime, version.size, version.lines,
        version.crc32, version.digest, version.attributes, bodies=bodies, chunks=chunks,
    )  # fmt: skip


@action(
    "SYNC types|delta|token[|format=text,msgpack]",
    summary="what changed since a token",
    several_types=True,
    formats=("text", "msgpack"),
)
async def delta(session: Session, request: SyncRequest) -> None:
    since = Token.parse(request.one_value("token"))
    daemon = session.daemon
    view = await daemon.in_thread(daemon.store.view)
    final = await _proof(session, view, request)
    changes = daemon.store.changes(since, view, request.type_names)
    first = await daemon.in_thread(lambda: list(islice(changes, 1)))  # refuses a lost token
    all_changes = chain(first, changes)
    if request.format == "msgpack":
        elements = delta_elements(all_changes, since, view, daemon.store)
        await _send_blocks(session, write_blocks(elements), final)
    else:
        lines = delta_lines(all_changes, since, view, daemon.store)
        await session.listing(final, lines)


@action(
    "SYNC types|digest[|bits=n][|buckets=a,b-c][|at=seq][|format=text,msgpack]",
    summary="sums of the objects' marks by bucket; with buckets=, the objects in them",
    several_types=True,
    options={
        "bits": f"2^n buckets, {MIN_BITS} to {MAX_BITS}",
        "buckets": "list what is in these",
        "at": _PAGING["at"],
    },
    formats=("text", "msgpack"),
)
async def digest(session: Session, request: SyncRequest) -> None:
    bits = request.number("bits", 4, MIN_BITS, MAX_BITS)
    wanted = request.options.get("buckets")
    buckets = None if wanted is None else parse_buckets(wanted, bits)
    view = await _view(session, request)
    final = await _proof(session, view, request)
    if buckets is not None:
        await _send_bucket_lists(session, request, view, bits, buckets, final)
        return
    sums = await session.daemon.in_thread(bucket_sums, view, request.type_names, bits)
    if request.format == "msgpack":
        await _send_blocks(session, iter([pack(pack_sums(sums))]), final)
    else:
        await session.listing(final, (f"{at}|{total:016x}" for at, total in enumerate(sums)))


async def _send_bucket_lists(
    session: Session, request: SyncRequest, view: View, bits: int, buckets: set[int], final: str
) -> None:
    found = (
        version
        for version in view.versions(request.type_names)
        if bucket_of(version.type, version.name, bits) in buckets
    )
    if request.format == "msgpack":
        await _send_blocks(session, _packed_marks(found), final)
    else:
        await session.listing(
            final,
            (join_fields([v.type, v.name, short_mark(v.mark).hex()]) for v in found),
        )


def _packed_marks(versions: Iterator[Version]) -> Iterator[bytes]:
    """Yield blocks of [type, zstd of the names between line ends, marks one after another]."""
    held: dict[str, tuple[list[str], list[bytes]]] = {}
    count = 0
    for version in versions:
        names, marks = held.setdefault(version.type, ([], []))
        names.append(version.name)
        marks.append(short_mark(version.mark))
        count += 1
        if count == _LIST_ROWS * 4:
            yield _pack_held(held)
            held, count = {}, 0
    if held:
        yield _pack_held(held)


def _pack_held(held: dict[str, tuple[list[str], list[bytes]]]) -> bytes:
    return pack(
        [
            [kind, compress("\n".join(names).encode()), b"".join(marks)]
            for kind, (names, marks) in held.items()
        ]
    )


def bucket_sums(view: View, types: list[str], bits: int) -> list[int]:
    """Return the sums of a view's 2^bits buckets."""
    sums = [0] * (1 << bits)
    for version in view.versions(types):
        number = bucket_of(version.type, version.name, bits)
        sums[number] = add_mark(sums[number], version.mark)
    return sums


@action(
    "SYNC type|chunks|name...|[inline=bytes][|at=seq]  or  SYNC type|chunks|digest=hex,...",
    summary="objects with the digests of their chunks, or chunks by digest",
    options={
        "inline": "objects up to this size with their chunks instead",
        "digest": "chunks by digest, hex, separated by commas",
        "at": _PAGING["at"],
    },
    formats=("msgpack",),
)
async def chunks(session: Session, request: SyncRequest) -> None:
    view = await _view(session, request)
    wanted = request.options.get("digest")
    if wanted is not None:
        digests = [_digest(text) for text in wanted.split(",")]
        await _send_blocks(session, write_blocks(view.bodies_in_order(digests)), str(view.token))
        return
    inline_bytes = request.number("inline", 0, 0, _MAX_INLINE_BYTES)
    elements = _listed(view, request, inline_bytes)
    await _send_blocks(session, write_blocks(elements), str(view.token))


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise IllegalValue(f"digest={text!r:.80}: write 64 hex digits, commas between")
    return digest


def _listed(view: View, request: SyncRequest, inline_bytes: int) -> Iterator[Element]:
    found = view.find(request.type.name, request.values)
    for name in request.values:
        version = found.get(name)
        if version is None:
            yield Gone(request.type.name, name)
        elif version.size <= inline_bytes:
            digests = version.chunk_digests()
            yield head_of(version, bodies=len(digests))
            yield from view.bodies_in_order(digests)
        else:
            yield head_of(version, chunks=version.chunks)


@action(
    "SYNC types|verify[|at=seq]",
    summary="count the objects and add up their marks anew",
    several_types=True,
    options={"at": _PAGING["at"]},
)
async def verify(session: Session, request: SyncRequest) -> None:
    view = await _view(session, request)
    stated = await session.daemon.in_thread(view.totals, request.type_names)
    counted = await session.daemon.in_thread(view.recount, request.type_names)
    if stated != counted:
        raise StoreError("the store's tally is not that of its objects; run `syncd fsck`")
    session.reply(Code.OK, await _proof(session, view, request))


@action(
    "SYNC types|watch",
    summary="have a 902 line sent after each commit (ASYN 1 first)",
    several_types=True,
)
async def watch(session: Session, request: SyncRequest) -> None:
    if not session.wants_notices:
        raise IllegalValue("send ASYN 1 first, so that you are ready for 902 lines")
    session.watched = frozenset(request.type_names)
    clock = await session.daemon.in_thread(session.daemon.store.clock)
    session.reply(Code.OK, str(clock.token))
