"""SYNC actions that read. What they send is made in threads, a page or block at a time."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

from syncd.content.messages import Opening, write_blocks
from syncd.content.tokens import Token
from syncd.content.versions import Version, fingerprint_text
from syncd.errors import IllegalValue, NotSupported
from syncd.protocol.codes import Code
from syncd.protocol.connection import framed_block
from syncd.protocol.fields import join_fields
from syncd.protocol.limits import BLOCK_BYTES
from syncd.protocol.packing import pack
from syncd.server.bootstraps import (
    FIRST_BLOCK_BYTES,
    Position,
    make_block,
)
from syncd.server.deltas import delta_elements, delta_lines
from syncd.server.registry import action
from syncd.server.requests import SyncRequest
from syncd.server.session import Session
from syncd.store import Change, Store, Totals, View
from syncd.types.base import EVERY_TYPE, MAX_NAME_CHARACTERS, data_type

T = TypeVar("T")

AT = "the commit to look at, else the last"
_PAGING = {
    "at": AT,
    "after": "begin behind this name",
}
_LIST_ROWS = 2048
"""Rows of one block of a listing in msgpack."""


async def view_of(session: Session, request: SyncRequest) -> View:
    """Return the view that a request looks at. Raises ViewGone."""
    return await session.daemon.in_thread(session.daemon.store.view, request.at)


async def copied_view_of(session: Session, request: SyncRequest) -> View:
    """Return the view that a request looks at which compares or copies. Raises ViewGone, and
    NotSupported at a replica for types that it does not copy: it would be believed to have none of
    their objects."""
    await session.daemon.in_thread(_check_copied, session.daemon.store, request.type_names)
    return await view_of(session, request)


def _check_copied(store: Store, types: list[str]) -> None:
    clock = store.clock()
    copied = clock.types or EVERY_TYPE
    missing = set(types).difference(copied.split(","))
    if clock.source is not None and copied != EVERY_TYPE and missing:
        raise NotSupported(
            f"this replica copies {copied} only: ask another source for "
            f"{', '.join(sorted(missing))}, or for these types only"
        )


async def proof_of(session: Session, view: View, request: SyncRequest) -> str:
    """Return what ends or heads an answer."""
    return await session.daemon.in_thread(proof_text, view, request.type_names)


def proof_text(view: View, types: list[str]) -> str:
    """Return token, count and fingerprint."""
    return proof_line(view, view.totals(types))


def proof_line(view: View, totals: Totals) -> str:
    """Return token, count and fingerprint, where the last two are known."""
    return f"{view.token}|{totals.count}|{fingerprint_text(totals.fingerprint)}"


async def send_blocks(session: Session, blocks: Iterator[bytes], final: str) -> None:
    """Send a long answer: blocks as they are made, and the line that ends it."""

    def make() -> list[bytes]:
        return [framed_block(block) for block in islice(blocks, 1)]

    while part := await session.daemon.in_thread(make):
        await session.block(part.pop())
    session.reply(Code.OK, final)


async def _send_rows(
    session: Session, request: SyncRequest, heading: str, rows: Iterator[tuple[str | int, ...]]
) -> None:
    if request.format == "msgpack":
        await send_blocks(session, packed_rows(rows), heading)
    else:
        lines = (join_fields([str(field) for field in row]) for row in rows)
        await session.listing(heading, lines)


def packed_rows(rows: Iterator[tuple[str | int | None, ...]]) -> Iterator[bytes]:
    """Yield rows as blocks of a listing in msgpack."""
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
    elif (
        pattern and len(pattern) > MAX_NAME_CHARACTERS
    ):  # making one takes the square of its length
        raise IllegalValue(f"a pattern has at most {MAX_NAME_CHARACTERS} characters")
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
    view = await view_of(session, request)
    rows = (request.type.row(version) for version in _selected(view, request))
    await _send_rows(session, request, await proof_of(session, view, request), rows)


@action(
    "SYNC type|list[|name or pattern][|after=name][|limit=n][|at=seq][|format=text,msgpack]",
    summary="names only",
    options=_PAGING | {"limit": "at most so many"},
    formats=("text", "msgpack"),
)
async def list_(session: Session, request: SyncRequest) -> None:
    view = await view_of(session, request)
    rows = ((version.name,) for version in _selected(view, request))
    await _send_rows(session, request, await proof_of(session, view, request), rows)


@action(
    "SYNC type|get|name[|at=seq]",
    summary="one object's content, in counted blocks",
    options={"at": AT},
)
async def get(session: Session, request: SyncRequest) -> None:
    name = request.type.check_name(request.one_value("name"))
    view = await view_of(session, request)
    version = await session.daemon.in_thread(view.version, request.type.name, name)
    final = (
        f"{view.token}|{version.size}|{version.crc32:08x}|{version.digest.hex()}|{version.mtime}"
        f"|{version.seq}"
    )
    await send_blocks(session, _joined(view.content(version)), final)


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
        "at": AT,
        "after": "begin behind this object, type/name",
        "skip": "chunks of the next object not to send",
    },
    formats=("msgpack",),
)
async def get_all(session: Session, request: SyncRequest) -> None:
    request.no_value()
    view = await copied_view_of(session, request)
    after = _position(request.options.get("after"))
    skip = request.number("skip", 0, 0, 1 << 40)
    totals = await session.daemon.in_thread(view.totals, request.type_names)
    final = proof_line(view, totals)
    opening = Opening(str(view.token), totals.count)
    with session.daemon.shared_blocks.reader():
        await _send_everything(session, view, request.type_names, Position(after, skip), opening)
    session.reply(Code.OK, final)


async def _send_everything(
    session: Session, view: View, types: list[str], begin: Position, opening: Opening
) -> None:
    daemon = session.daemon
    position: Position | None = begin
    first: Opening | None = opening
    limit_bytes = FIRST_BLOCK_BYTES
    while position is not None:
        make = partial(daemon.in_thread, make_block, view, types, position, limit_bytes, first)
        key = (view.token, tuple(types), position, first)
        made = await daemon.shared_blocks.get(key, make)
        if made.framed is not None:
            await session.block(made.framed)
        position, first, limit_bytes = (
            made.following,
            None,
            daemon.shared_blocks.next_limit(limit_bytes),
        )


def _position(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    type_name, separator, name = text.partition("/")
    if not separator:
        raise IllegalValue(f"after={text!r:.60}: write type/name")
    return data_type(type_name).name, name


@action(
    "SYNC types|delta|token[|format=text,msgpack]",
    summary="what changed since a token",
    several_types=True,
    formats=("text", "msgpack"),
)
async def delta(session: Session, request: SyncRequest) -> None:
    since = Token.parse(request.one_value("token"))
    begin = partial(_begin_delta, session.daemon.store, since, request.type_names)
    if request.format == "msgpack":
        final, blocks = await session.daemon.in_thread(begin, _delta_blocks)
        await send_blocks(session, blocks, final)
    else:
        final, lines = await session.daemon.in_thread(begin, delta_lines)
        await session.listing(final, lines)


def _begin_delta(
    store: Store,
    since: Token,
    types: list[str],
    make: Callable[[Iterator[Change], Token, View], Iterator[T]],
) -> tuple[str, Iterator[T]]:
    """Return what ends a delta, and its parts; the first is made now: a lost token is refused."""
    _check_copied(store, types)
    with store.snapshot() as view:
        parts = make(store.changes(since, view, types), since, view)
        return proof_text(view, types), chain(list(islice(parts, 1)), parts)


def _delta_blocks(changes: Iterator[Change], since: Token, view: View) -> Iterator[bytes]:
    return _in_snapshots(view, write_blocks(delta_elements(changes, since, view)))


def _in_snapshots(view: View, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Have all that one block needs read in a snapshot of `view`."""
    while True:
        with view.snapshot():
            part = list(islice(blocks, 1))
        if not part:
            return
        yield part.pop()


@action(
    "SYNC types|watch",
    summary="have a 902 line sent after each commit (ASYN 1 first)",
    several_types=True,
)
async def watch(session: Session, request: SyncRequest) -> None:
    request.no_value()
    if not session.wants_notices:
        raise IllegalValue("send ASYN 1 first, so that you are ready for 902 lines")
    session.watched = frozenset(request.type_names)
    clock = await session.daemon.in_thread(session.daemon.store.clock)
    session.reply(Code.OK, str(clock.token))
