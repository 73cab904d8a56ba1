"""Verbs that need no store: help, time, who is here. As Citadel's clients expect them."""

import socket
import time

import trio

from syncd import __version__
from syncd.errors import IllegalValue, NoSuchObject
from syncd.protocol.codes import Code
from syncd.protocol.fields import escape, join_fields, number_argument
from syncd.server.registry import ACTIONS, SUBJECTS, VERBS, verb
from syncd.server.session import Session
from syncd.types import Role, all_types

PROTOCOL_VERSION = 1
_REVISION = 100 * int(__version__.split(".")[0]) + int(__version__.split(".")[1])
_END_S, _LOOK_S = 5.0, 0.01
"""How long a session that is ended may take for it, and how often that is looked at."""
_SOFTWARE_CHARACTERS = 60
_MESSAGES = {
    "hello": "Log in with USER and PASS; SYNC ? and HELP list what there is.",
    "goodbye": "Goodbye.",
}


@verb("NOOP", role=None, summary="do nothing; puts off the end of a freeze that one holds")
async def noop(session: Session, argument: str) -> None:
    session.reply(Code.OK, "ok")


@verb("QNOP", role=None, summary="do nothing and answer nothing")
async def quiet_noop(session: Session, argument: str) -> None:
    session.reply_nothing()


@verb("ECHO [text]", role=None, summary="send the text back")
async def echo(session: Session, argument: str) -> None:
    session.reply(Code.OK, argument)


@verb("TIME", role=None, summary="the server's time, seconds since 1970, and when it started")
async def tell_time(session: Session, argument: str) -> None:
    now = session.daemon.store.now()
    local = time.localtime(now)
    daylight, started = int(local.tm_isdst > 0), int(session.daemon.started)
    session.reply(Code.OK, f"{int(now)}|{local.tm_gmtoff}|{daylight}|{started}")


@verb("IDEN devid|cliid|rev|name|host", role=None, summary="say what software the client is")
async def identify(session: Session, argument: str) -> None:
    name = "".join(argument.split("|")[3:4]).strip()
    session.software = "".join(filter(str.isprintable, name))[:_SOFTWARE_CHARACTERS]
    session.reply(Code.OK, "ok")


@verb("INFO", role=None, summary="what server this is: Citadel's 25 lines, then key=value")
async def info(session: Session, argument: str) -> None:
    node = socket.gethostname()
    lines = [
        str(session.number), node.split(".")[0], node, node, f"syncd {__version__}", str(_REVISION),
        "", "", "0", "", "0", "0", "0", "0", "0", "0", "0", "", "0", "0", "0", "0", "0", "0", "0",
        f"protocol={PROTOCOL_VERSION}",
        f"types={','.join(kind.name for kind in all_types())}",
        f"actions={','.join(ACTIONS)}",
        f"tls={'stls' if session.daemon.tls.offered else '-'}",
    ]  # fmt: skip
    for known in ACTIONS.values():
        options = ",".join(sorted(known.options)) or "-"
        lines.append(f"{known.name}={options};format={','.join(known.formats)}")
    for subject, actions in SUBJECTS.items():
        lines.append(f"{subject}={','.join(actions)}")
        for known in actions.values():
            options = ",".join(sorted(known.options)) or "-"
            lines.append(f"{subject}.{known.name}={options};format={','.join(known.formats)}")
    await session.listing("server information", lines)


@verb("HELP [verb]", role=None, summary="list the verbs, or say how one is written")
async def help_(session: Session, argument: str) -> None:
    name = argument.strip().upper()
    if not name:
        width = max(len(known.syntax) for known in VERBS.values())
        lines = [f"{known.syntax:<{width}}  {known.summary}" for known in VERBS.values()]
        await session.listing("verbs; HELP verb says more, SYNC ? lists what SYNC can do", lines)
        return
    if name not in VERBS:
        raise IllegalValue(f"{name!r:.40} is no verb; HELP alone lists them")
    known = VERBS[name]
    role = "none, it works before login" if known.role is None else known.role.label
    lines = [f"syntax: {known.syntax}", f"does:   {known.summary}", f"role:   {role}"]
    await session.listing(name, lines)


@verb(
    "RWHO",
    role=Role.READER,
    summary="who is connected: Citadel's 12 columns, then role and since",
)
async def who(session: Session, argument: str) -> None:
    rows = [
        join_fields(
            [
                str(other.number), other.user or "-", other.room, str(other.peer),
                other.software or "-", str(int(other.active)), other.last_verb or "-", ".", "", "",
                "", str(int(other.user is not None)), other.role.label if other.role else "-",
                str(int(other.since)),
            ]
        )
        for other in session.daemon.sessions.values()
    ]  # fmt: skip
    await session.listing("sessions", rows)


@verb("TERM number", role=Role.ADMIN, summary="end another session")
async def terminate(session: Session, argument: str) -> None:
    number = number_argument(argument.strip(), "session", 1, 1 << 60)
    other = session.daemon.sessions.get(number)
    if other is None or other is session:
        raise NoSuchObject(f"there is no other session {number}; RWHO lists them")
    other.end()
    with trio.move_on_after(_END_S):
        while number in session.daemon.sessions:
            await trio.sleep(_LOOK_S)
    session.reply(Code.OK, f"session {number} is ended")


@verb("ASYN 0|1", role=None, summary="have 9xx lines sent between answers, or not")
async def asynchronous(session: Session, argument: str) -> None:
    session.wants_notices = number_argument(argument.strip(), "ASYN", 0, 1) == 1
    if not session.wants_notices:
        session.drop_notices()
    session.reply(Code.OK, str(int(session.wants_notices)))


@verb("MSGP format|...", role=None, summary="which message formats a client likes (no effect here)")
async def message_preference(session: Session, argument: str) -> None:
    session.reply(Code.OK, "ok")


@verb("MESG name", role=None, summary="show a system message: hello, goodbye")
async def message(session: Session, argument: str) -> None:
    text = _MESSAGES.get(argument.strip().lower())
    if not argument.strip():
        raise NoSuchObject("say which system message: hello, goodbye")
    if text is None:
        raise NoSuchObject(f"no system message {escape(argument):.40}; there are hello, goodbye")
    await session.listing(argument.strip().lower(), [text])


@verb("QUIT", role=None, summary="say goodbye")
async def quit_(session: Session, argument: str) -> None:
    if session.holds_freeze:
        await session.daemon.freezes.release_at_end(session)
    session.quitting = True
    session.reply(Code.OK, "goodbye")
