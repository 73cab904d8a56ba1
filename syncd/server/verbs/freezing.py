"""SNGL and ESNG: the source stands still for one session. protocol.md, "Freezing"."""

from syncd.errors import HigherAccessRequired, IllegalValue
from syncd.protocol.codes import Code
from syncd.protocol.fields import number_argument, split_fields
from syncd.server.freezes import is_holder
from syncd.server.registry import verb
from syncd.server.session import Session
from syncd.types import Role

DEFAULT_EXPIRE_S = 60
MAX_WAIT_S, MAX_EXPIRE_S = 3600, 86400


@verb(
    "SNGL wait|expire",
    role=Role.REPLICA,
    summary="freeze: wait up to `wait` s for the others, end after `expire` s without a command",
)
async def single(session: Session, argument: str) -> None:
    fields = split_fields(argument.strip())
    if len(fields) > 2:
        raise IllegalValue("syntax: SNGL wait|expire, both in seconds")
    wait_s = number_argument(fields[0] or "0", "wait", 0, MAX_WAIT_S)
    expire = fields[1] if len(fields) == 2 else ""
    expire_s = number_argument(expire or str(DEFAULT_EXPIRE_S), "expire", 1, MAX_EXPIRE_S)
    token, others = await session.daemon.freezes.freeze(session, wait_s, expire_s)
    session.reply(Code.OK, f"{token}|{expire_s}|{others}")


@verb("ESNG", role=Role.REPLICA, summary="end the freeze; an admin may end anybody's")
async def end_single(session: Session, argument: str) -> None:
    store = session.daemon.store
    clock = await session.daemon.in_thread(store.clock)
    if clock.freeze_left_s(store.now()) == 0:
        raise IllegalValue("the source is not frozen")
    if not is_holder(clock, session.user) and session.role is not Role.ADMIN:
        raise HigherAccessRequired(f"{clock.frozen_by} holds it; only an admin may end it")
    await session.daemon.freezes.release(session, clock.frozen_by)
    session.reply(Code.OK, "released")
