"""SYNC actions that write: each is one commit, or none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from syncd.content.tokens import Token
from syncd.errors import Frozen, IllegalValue, NoSuchObject
from syncd.protocol.codes import Code
from syncd.server.registry import action
from syncd.server.requests import SyncRequest
from syncd.server.session import MAX_BODY_BYTES, Session
from syncd.store.clock import check_writable
from syncd.types import Prepared, Present

Make = Callable[[Present | None], Prepared | None]

_CONDITIONS = {
    "digest": "refuse unless the object is at this digest (8 hex digits or more)",
    "serial": "refuse unless the zone is at this serial",
    "comment": "a word for the log",
}
_SIZE = {"size": "bytes that follow; without it, lines up to 000"}
_MIN_DIGEST_DIGITS = 8


@contextmanager
def _writing(session: Session) -> Iterator[None]:
    """Mark a session as a writer: SNGL waits for it, or keeps it from beginning."""
    freezing = session.daemon.freezing_by
    if freezing is not None:
        raise Frozen(f"{freezing.holder} is freezing the source (SNGL); try again later")
    session.writing = True
    try:
        yield
    finally:
        session.writing = False


async def _check_writable(session: Session) -> None:
    """Refuse early what the commit would refuse, before a body is sent."""
    clock = await session.daemon.in_thread(session.daemon.store.clock)
    check_writable(clock, session.daemon.store.now())


def _size(request: SyncRequest) -> int | None:
    if "size" not in request.options and request.type.has_lines:
        return None
    return request.number("size", None, 0, MAX_BODY_BYTES)


def _conditions(request: SyncRequest) -> dict[str, str | None]:
    digest = request.options.get("digest")
    if digest is not None and len(digest) < _MIN_DIGEST_DIGITS:
        raise IllegalValue(f"digest={digest}: give {_MIN_DIGEST_DIGITS} hex digits or more")
    return {"digest": digest, "serial": request.options.get("serial")}


def _answer(session: Session, token: Token | None, warnings: list[str]) -> None:
    if token is None:
        session.reply(Code.OK, "unchanged")
        return
    session.daemon.announce(token)
    session.reply(Code.OK, "|".join([str(token), *warnings[:3]]))


@action(
    "SYNC type|put|name[|size=n][|digest=hex][|serial=n][|comment=text]",
    summary="put an object's whole content",
    writes=True,
    options=_SIZE | _CONDITIONS,
)
async def put(session: Session, request: SyncRequest) -> None:
    kind = request.type
    name = kind.check_name(request.one_value("name"))
    conditions, size = _conditions(request), _size(request)
    with _writing(session):
        await _check_writable(session)
        options = {key: text for key, text in request.options.items() if key in kind.options}
        async with session.body(size) as body:

            def make(present: Present | None) -> Prepared | None:
                body.seek(0)
                return kind.settle(kind.prepare(name, body, options), present)

            _answer(session, *await _commit(session, request, name, make, conditions))


@action(
    "SYNC type|patch|name|digest=hex or serial=n[|size=n][|comment=text]",
    summary="apply -line and +line to an object that is at a stated digest or serial",
    writes=True,
    options=_SIZE | _CONDITIONS,
)
async def patch(session: Session, request: SyncRequest) -> None:
    kind = request.type
    name = kind.check_name(request.one_value("name"))
    conditions, size = _conditions(request), _size(request)
    if not any(conditions.values()):
        raise IllegalValue("state digest= or serial=: what the diff was made against")
    with _writing(session):
        await _check_writable(session)
        async with session.body(size) as body:
            make = _patcher(request, name, body)
            _answer(session, *await _commit(session, request, name, make, conditions))


def _patcher(request: SyncRequest, name: str, body: IO[bytes]) -> Make:
    def make(present: Present | None) -> Prepared | None:
        if present is None:
            raise NoSuchObject(f"{request.type.name} has no {name}")
        body.seek(0)
        return request.type.settle(request.type.patch(present, body), present)

    return make


async def _commit(
    session: Session,
    request: SyncRequest,
    name: str,
    make: Make,
    conditions: dict[str, str | None],
) -> tuple[Token | None, list[str]]:
    def write() -> tuple[Token | None, list[str]]:
        return session.daemon.store.write(
            request.type.name,
            name,
            make,
            author=session.user or "",
            comment=request.options.get("comment", ""),
            **conditions,
        )

    return await session.daemon.in_thread(write)


@action(
    "SYNC type|delete|name[|digest=hex][|serial=n][|comment=text]",
    summary="take an object out",
    writes=True,
    options=_CONDITIONS,
)
async def delete(session: Session, request: SyncRequest) -> None:
    name = request.type.check_name(request.one_value("name"))
    conditions = _conditions(request)
    with _writing(session):

        def remove() -> Token | None:
            return session.daemon.store.remove(
                request.type.name,
                name,
                author=session.user or "",
                comment=request.options.get("comment", ""),
                **conditions,
            )

        _answer(session, await session.daemon.in_thread(remove), [])
