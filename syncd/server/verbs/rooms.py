"""Rooms, for Citadel's clients: each type that one may read is a room, its objects are the room's
directory.

There are no messages in rooms and nothing is remembered of a user, so what asks for those is
answered with none. Replies have the fields that Citadel's have, in their places.
"""

import socket
from collections.abc import Iterator

from syncd.content.versions import Version, fingerprint_text
from syncd.errors import IllegalValue, NoSuchObject
from syncd.output import counted
from syncd.protocol.codes import Code
from syncd.protocol.fields import escape, join_fields
from syncd.server.registry import verb
from syncd.server.session import FIRST_ROOM, Session
from syncd.types import DataType, Role, all_types

_BASE_ROOM = "_baseroom_"
"""What Citadel's clients call the room that one is in after logging in."""

_IN_USE, _DIRECTORY, _VISIBLE_DIRECTORY, _READ_ONLY = 2, 32, 256, 8192
_ROOM_FLAGS = _IN_USE | _DIRECTORY | _VISIBLE_DIRECTORY | _READ_ONLY
_KNOWN, _MAY_ENTER = 2, 4
_ROOM_ACCESS = _KNOWN | _MAY_ENTER
_FLOOR, _FLOOR_NAME = 0, "syncd"
_SCREEN = "80|24|0"
"""Width, height and flags: those of a client that set nothing."""


def _rooms(session: Session) -> list[DataType]:
    role = session.role or Role.READER
    return [kind for kind in all_types() if kind.read_role <= role]


def _room(session: Session, name: str) -> DataType:
    """Return the room of a name. Raises NoSuchObject."""
    wanted = name.strip().lower()
    if wanted == _BASE_ROOM:
        wanted = FIRST_ROOM
    for kind in _rooms(session):
        if kind.name == wanted:
            return kind
    known = ", ".join(kind.name for kind in _rooms(session))
    raise NoSuchObject(f"no room {escape(name):.40}; there are {known}")


def _room_lines(session: Session, floor: str) -> list[str]:
    """Return a line for each room of a floor; -1, or none given, stands for all floors."""
    _check_floor(floor)
    return [
        f"{kind.name}|{_ROOM_FLAGS}|0|{_FLOOR}|0|{_ROOM_ACCESS}|0|0|0" for kind in _rooms(session)
    ]


def _check_floor(floor: str) -> None:
    """Raise IllegalValue unless there is this floor."""
    if floor.strip() not in ("", "-1", str(_FLOOR)):
        raise IllegalValue(f"there is no floor {escape(floor):.40}; LFLR lists them")


@verb("LFLR", role=Role.READER, summary="list floors (there is one)")
async def floors(session: Session, argument: str) -> None:
    await session.listing("floors", [f"{_FLOOR}|{_FLOOR_NAME}|{len(_rooms(session))}"])


@verb("LKRA [floor]", role=Role.READER, summary="list rooms: one for each type")
async def all_rooms(session: Session, argument: str) -> None:
    await session.listing("rooms", _room_lines(session, argument))


@verb("LKRO [floor]", role=Role.READER, summary="list rooms without new messages (all of them)")
async def old_rooms(session: Session, argument: str) -> None:
    await session.listing("rooms without new messages", _room_lines(session, argument))


@verb("LKRN [floor]", role=Role.READER, summary="list rooms with new messages (none)")
async def new_rooms(session: Session, argument: str) -> None:
    _check_floor(argument)
    await session.listing("rooms with new messages", [])


@verb("LZRM [floor]", role=Role.READER, summary="list rooms that the user has hidden (none)")
async def hidden_rooms(session: Session, argument: str) -> None:
    _check_floor(argument)
    await session.listing("hidden rooms", [])


@verb("GOTO room", role=Role.READER, summary="go to a room, the name of a type")
async def go_to(session: Session, argument: str) -> None:
    kind = _room(session, argument.split("|")[0])
    session.room = kind.name
    administers = int(session.role is Role.ADMIN)
    session.reply(
        Code.OK, f"{kind.name}|0|0|0|{_ROOM_FLAGS}|0|0|0|{administers}|0|{_FLOOR}|0|0|0|0|0"
    )


@verb("RINF", role=Role.READER, summary="what the room holds, and where it stands")
async def room_information(session: Session, argument: str) -> None:
    kind = _room(session, session.room)
    daemon = session.daemon
    view = await daemon.in_thread(daemon.store.view)
    totals = await daemon.in_thread(view.totals, [kind.name])
    objects = counted(totals.count, "object")
    lines = [
        f"{kind.name}: {kind.summary}.",
        f"{objects} at {view.token}; RDIR lists them, SYNC reads and changes them.",
        f"Fingerprint {fingerprint_text(totals.fingerprint)}",
    ]
    await session.listing("information about the room", lines)


@verb("RDIR", role=Role.READER, summary="the room's objects: name, size, type, description")
async def directory(session: Session, argument: str) -> None:
    kind = _room(session, session.room)
    view = await session.daemon.in_thread(session.daemon.store.view)
    node = socket.gethostname().split(".")[0]
    lines = _directory_lines(kind, view.versions([kind.name]))
    await session.listing(join_fields([node, f"{kind.name} at {view.token}"]), lines)


def _directory_lines(kind: DataType, versions: Iterator[Version]) -> Iterator[str]:
    content_type = "text/plain" if kind.has_lines else "application/octet-stream"
    for version in versions:
        described = f"commit {version.seq}, digest {version.digest.hex()[:12]}"
        yield join_fields([version.name, str(version.size), content_type, described])


@verb("MSGS [which]", role=Role.READER, summary="list the room's messages (there are none)")
async def messages(session: Session, argument: str) -> None:
    await session.listing("messages", [])


@verb("SLRP number", role=Role.READER, summary="mark messages as read (there are none)")
async def set_last_read(session: Session, argument: str) -> None:
    session.reply(Code.OK, "0")


@verb("CHEK", role=Role.READER, summary="is there mail, a registration or an approval due (no)")
async def check(session: Session, argument: str) -> None:
    session.reply(Code.OK, "0|0|0|")


@verb("GETU", role=Role.READER, summary="the user's screen: width, height, flags (none is kept)")
async def get_screen(session: Session, argument: str) -> None:
    session.reply(Code.OK, _SCREEN)
