"""Logging in and out."""

from syncd.errors import (
    AlreadyLoggedIn,
    Frozen,
    IllegalValue,
    NoSuchUser,
    PasswordRequired,
    ViewGone,
)
from syncd.protocol.codes import Code
from syncd.server.registry import verb
from syncd.server.session import Session, is_holder
from syncd.store import Store
from syncd.store.clock import freeze_text
from syncd.types import Role
from syncd.types.users import USERS, password_matches


@verb("USER name", role=None, summary="say who one is; PASS follows")
async def user(session: Session, argument: str) -> None:
    if session.user is not None:
        raise AlreadyLoggedIn(f"logged in as {session.user}; LOUT first")
    try:
        name = USERS.check_name(argument.strip())
    except IllegalValue:
        raise NoSuchUser(f"no such user: {argument.strip()!r:.80}") from None
    await _refuse_while_frozen(session, name)
    if await session.daemon.in_thread(_find_user, session.daemon.store, name) is None:
        raise NoSuchUser(f"no such user: {name}")
    session.claimed_user = name
    session.reply(Code.MORE_DATA, name)


@verb("PASS password", role=None, summary="prove it; answers user|role")
async def password(session: Session, argument: str) -> None:
    if session.user is not None:
        raise AlreadyLoggedIn(f"logged in as {session.user}; LOUT first")
    name, session.claimed_user = session.claimed_user, None
    if name is None:
        raise PasswordRequired("USER first")
    await _refuse_while_frozen(session, name)
    found = await session.daemon.in_thread(_find_user, session.daemon.store, name)
    if found is None or not await session.daemon.in_thread(password_matches, found[0], argument):
        raise PasswordRequired("wrong password")
    session.user, session.role = name, found[1]
    session.reply(Code.OK, f"{name}|{found[1].label}")


@verb("LOUT", role=None, summary="log out, stay connected")
async def log_out(session: Session, argument: str) -> None:
    if session.holds_freeze:
        await session.daemon.release(session)
    session.user = session.role = session.claimed_user = None
    session.watched = frozenset()
    session.drop_notices()
    session.reply(Code.OK, "logged out")


def _find_user(store: Store, name: str) -> tuple[str, Role] | None:
    """Return a user's hash and role."""
    while True:
        try:
            present = store.view().present("users", name)
            if present is None:
                return None
            role = Role.parse(present.version.attribute("role"))
            return present.content.chunk(0).decode("ascii").strip(), role
        except ViewGone:
            continue  # a commit came between, and gc behind it: look at the new one


async def _refuse_while_frozen(session: Session, name: str) -> None:
    """Let nobody in while the source stands still, but the one who holds it."""
    session.daemon.refuse_while_freezing()
    store = session.daemon.store
    clock = await session.daemon.in_thread(store.clock)
    now = store.now()
    if clock.freeze_left_s(now) > 0 and not is_holder(clock, name):
        raise Frozen(freeze_text(clock, now))
