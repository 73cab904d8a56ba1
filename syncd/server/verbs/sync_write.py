"""SYNC actions that write: each is one commit, or none."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TypeVar

from syncd.content.tokens import Token
from syncd.errors import IllegalValue, NotSupported
from syncd.logs import EventLog
from syncd.protocol.codes import Code
from syncd.protocol.fields import join_fields
from syncd.server.registry import action
from syncd.server.requests import SyncRequest
from syncd.server.session import Session
from syncd.store.clock import check_writable
from syncd.types import Prepared, Present

Make = Callable[[Present | None], Prepared | None]
T = TypeVar("T")

_CONDITIONS = {
    "digest": "refuse unless the object is at this digest (8 hex digits or more)",
    "serial": "refuse unless the zone is at this serial",
    "comment": "a word for the log",
}
log = EventLog("syncd.session")

_SIZE = {"size": "bytes that follow; without it, lines up to 000"}
_DIGEST, _SERIAL = re.compile(r"[0-9A-Fa-f]{8,64}"), re.compile(r"[0-9]{1,10}")
_MAX_SIZE = 1 << 60
"""Sizes over this are no numbers; what is really taken is the daemon's to say."""


@contextmanager
def _writing(session: Session) -> Iterator[None]:
    """Mark a session as a writer: SNGL waits for it, or keeps it from beginning."""
    session.daemon.freezes.refuse_while_asked()
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
    return request.number("size", None, 0, _MAX_SIZE)


def _conditions(request: SyncRequest) -> dict[str, str | None]:
    digest = request.options.get("digest")
    if digest is not None and _DIGEST.fullmatch(digest) is None:
        raise IllegalValue(f"digest={digest!r:.80}: give 8 to 64 hex digits")
    if not request.options.get("comment", "").isprintable():
        raise IllegalValue("comment= has characters that cannot be shown")
    serial = request.options.get("serial")
    if serial is not None and _SERIAL.fullmatch(serial) is None:
        raise IllegalValue(f"serial={serial!r:.80}: give a zone's serial, a number")
    return {"digest": digest, "serial": serial}


async def _answer(
    session: Session, request: SyncRequest, name: str, token: Token | None, warnings: list[str]
) -> None:
    if token is None:
        session.reply(Code.OK, "unchanged")
        return
    kind = request.type.name
    log.info("commit", token=token, user=session.user, action=request.action.name, type=kind,
             name=name)  # fmt: skip
    if kind == "users":
        await session.daemon.watch.look()  # from the answer on, sessions have the new role
    session.daemon.announce(token)
    session.reply(Code.OK, join_fields([str(token), *warnings[:3]]))


@action(
    "SYNC type|put|name[|size=n][|digest=hex][|serial=n][|comment=text]",
    summary="put an object's whole content",
    writes=True,
    options=_SIZE | _CONDITIONS,
    type_options=True,
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

            written = await _commit(session, request, name, make, conditions)
            await _answer(session, request, name, *written)


@action(
    "SYNC type|patch|name|digest=hex or serial=n[|size=n][|comment=text]",
    summary="apply -line and +line to an object that is at a stated digest or serial",
    writes=True,
    options=_SIZE | _CONDITIONS,
)
async def patch(session: Session, request: SyncRequest) -> None:
    kind = request.type
    if not kind.can_be_patched:
        raise NotSupported(f"{kind.name} cannot be patched; put them whole")
    name = kind.check_name(request.one_value("name"))
    conditions, size = _conditions(request), _size(request)
    if not any(conditions.values()):
        raise IllegalValue("state digest= or serial=: what the diff was made against")
    with _writing(session):
        await _check_writable(session)
        async with session.body(size) as body:
            make = _patcher(request, name, body)
            written = await _commit(session, request, name, make, conditions)
            await _answer(session, request, name, *written)


def _patcher(request: SyncRequest, name: str, body: IO[bytes]) -> Make:
    def make(present: Present | None) -> Prepared | None:
        assert present is not None  # there is a condition, which nothing that is not there meets
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
    def write(author: str) -> tuple[Token | None, list[str]]:
        return session.daemon.store.write(
            request.type.name,
            name,
            make,
            author=author,
            comment=request.options.get("comment", ""),
            **conditions,
        )

    return await _in_turn(session, request, name, write)


async def _in_turn(
    session: Session, request: SyncRequest, name: str, write: Callable[[str], T]
) -> T:
    """Call `write` in a thread, with the author's name, when it is the session's turn at an object.

    Raises NotLoggedIn, HigherAccessRequired if the user may not write any more: body and turn took
    their time.
    """
    daemon = session.daemon
    async with daemon.turns.of(request.type.name, name), daemon.writing:
        session.check_role(request.type.write_role, request.action.name)
        return await daemon.in_thread(write, session.user)


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

        def remove(author: str) -> Token | None:
            return session.daemon.store.remove(
                request.type.name,
                name,
                author=author,
                comment=request.options.get("comment", ""),
                **conditions,
            )

        token = await _in_turn(session, request, name, remove)
        await _answer(session, request, name, token, [])
