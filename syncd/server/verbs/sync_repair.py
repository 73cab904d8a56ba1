"""SYNC actions that compare and repair: sums of buckets, what is in them, chunks, counting anew."""

from collections.abc import Iterator

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
from syncd.content.messages import Element, Gone, write_blocks
from syncd.content.versions import DIGEST_BYTES
from syncd.errors import ContentLost, IllegalValue, StoreError, ViewGone
from syncd.protocol.codes import Code
from syncd.protocol.fields import join_fields
from syncd.protocol.packing import pack
from syncd.server.bootstraps import head_of
from syncd.server.registry import action
from syncd.server.requests import SyncRequest
from syncd.server.session import Session
from syncd.server.verbs.sync_read import (
    AT,
    copied_view_of,
    proof_line,
    proof_of,
    send_blocks,
    view_of,
)
from syncd.store import Marked, View

_LIST_OBJECTS = 8192
"""Objects of one block of a bucket list."""
MAX_INLINE_BYTES = 1024 * 1024


@action(
    "SYNC types|digest[|bits=n][|buckets=a,b-c][|at=seq][|format=text,msgpack]",
    summary="sums of the objects' marks by bucket; with buckets=, the objects in them",
    several_types=True,
    options={
        "bits": f"2^n buckets, {MIN_BITS} to {MAX_BITS}",
        "buckets": "list what is in these",
        "at": AT,
    },
    formats=("text", "msgpack"),
)
async def digest(session: Session, request: SyncRequest) -> None:
    request.no_value()
    bits = request.number("bits", 4, MIN_BITS, MAX_BITS)
    wanted = request.options.get("buckets")
    buckets = None if wanted is None else parse_buckets(wanted, bits)
    view = await copied_view_of(session, request)
    final = await proof_of(session, view, request)
    if buckets is not None:
        await _send_bucket_lists(session, request, view, bits, buckets, final)
        return
    sums = await session.daemon.in_thread(bucket_sums, view, request.type_names, bits)
    if request.format == "msgpack":
        await send_blocks(session, iter([pack(pack_sums(sums))]), final)
    else:
        await session.listing(final, (f"{at}|{total:016x}" for at, total in enumerate(sums)))


async def _send_bucket_lists(
    session: Session, request: SyncRequest, view: View, bits: int, buckets: set[int], final: str
) -> None:
    found = (
        marked
        for marked in view.marks(request.type_names)
        if bucket_of(marked.type, marked.name, bits) in buckets
    )
    if request.format == "msgpack":
        await send_blocks(session, _packed_marks(found), final)
    else:
        await session.listing(
            final,
            (join_fields([v.type, v.name, short_mark(v.mark).hex()]) for v in found),
        )


def _packed_marks(found: Iterator[Marked]) -> Iterator[bytes]:
    """Yield blocks of [type, zstd of the names between line ends, marks one after another]."""
    held: dict[str, tuple[list[str], list[bytes]]] = {}
    count = 0
    for kind, name, mark in found:
        names, marks = held.setdefault(kind, ([], []))
        names.append(name)
        marks.append(short_mark(mark))
        count += 1
        if count == _LIST_OBJECTS:
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
    for kind, name, mark in view.marks(types):
        number = bucket_of(kind, name, bits)
        sums[number] = add_mark(sums[number], mark)
    return sums


@action(
    "SYNC type|chunks|name...|[inline=bytes][|at=seq]  or  SYNC type|chunks|digest=hex,...",
    summary="objects with the digests of their chunks, or chunks by digest",
    options={
        "inline": "objects up to this size with their chunks instead",
        "digest": "chunks by digest, hex, separated by commas",
        "at": AT,
    },
    formats=("msgpack",),
)
async def chunks(session: Session, request: SyncRequest) -> None:
    view = await view_of(session, request)
    wanted = request.options.get("digest")
    if wanted is not None:
        if request.values:
            raise IllegalValue(f"give names or digest=, not both; syntax: {request.action.syntax}")
        if "inline" in request.options:
            raise IllegalValue(f"inline= goes with names; syntax: {request.action.syntax}")
        digests = [_digest(text) for text in wanted.split(",")]
        await send_blocks(session, write_blocks(_asked(view, digests)), str(view.token))
        return
    if not request.values:
        raise IllegalValue(f"give names, or digest=; syntax: {request.action.syntax}")
    inline_bytes = request.number("inline", 0, 0, MAX_INLINE_BYTES)
    elements = _listed(view, request, inline_bytes)
    await send_blocks(session, write_blocks(elements), str(view.token))


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != DIGEST_BYTES:
        raise IllegalValue(f"digest={text!r:.80}: write 64 hex digits, commas between")
    return digest


def _asked(view: View, digests: list[bytes]) -> Iterator[bytes]:
    try:
        yield from view.bodies_in_order(digests)
    except ContentLost:  # asked for by digest, a chunk may well be gone, or never have been
        raise ViewGone("not all of these chunks are held (any more); compare again") from None


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
    options={"at": AT},
)
async def verify(session: Session, request: SyncRequest) -> None:
    request.no_value()
    view = await view_of(session, request)
    counted = await session.daemon.in_thread(view.recount, request.type_names)
    at_head = request.at is None  # what was is stated nowhere
    if at_head and counted != await session.daemon.in_thread(view.totals, request.type_names):
        raise StoreError("the store's tally is not that of its objects; run `syncd fsck`")
    session.reply(Code.OK, proof_line(view, counted))
