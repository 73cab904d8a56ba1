"""Logging in and out."""

import logging

from syncd.errors import (
    AlreadyLoggedIn,
    Frozen,
    IllegalValue,
    NoSuchUser,
    PasswordRequired,
    TlsRequired,
)
from syncd.protocol.codes import Code
from syncd.server.freezes import is_holder
from syncd.server.registry import verb
from syncd.server.session import Session
from syncd.store import Store
from syncd.store.clock import freeze_text
from syncd.types import Role
from syncd.types.users import NOBODYS_HASH, USERS, password_matches

log = logging.getLogger("syncd.login")


@verb("USER name", role=None, summary="say who one is; PASS follows, unless a certificate says so")
async def user(session: Session, argument: str) -> None:
    _refuse_second_login(session)
    _refuse_clear_password(session)
    session.claimed_user = None
    daemon = session.daemon
    try:
        name = USERS.check_name(argument.strip())
    except IllegalValue:
        await _refuse_while_frozen(session, None)
        daemon.throttle.check("", session.peer.network)
        daemon.throttle.charge_address(session.peer.network)
        raise NoSuchUser(f"no such user: {argument.strip()!r:.80}") from None
    await _refuse_while_frozen(session, name)
    found = await daemon.in_thread(_find_user, daemon.store, name)
    if found is not None and name in session.vouched_names:
        _log_in(session, name, found[1])
        return
    if not daemon.hide_user_names:  # who may guess here, and who may not, would tell names
        daemon.throttle.check(name, session.peer.network)
        if found is None:
            daemon.throttle.charge_address(session.peer.network)
            raise NoSuchUser(f"no such user: {name}")
    session.claimed_user, session.claimed_known = name, found is not None
    session.reply(Code.MORE_DATA, name)


@verb("PASS password", role=None, summary="prove it; answers user|role")
async def password(session: Session, argument: str) -> None:
    _refuse_second_login(session)
    _refuse_clear_password(session)
    name, session.claimed_user = session.claimed_user, None
    if name is None:
        raise PasswordRequired("USER first")
    await _refuse_while_frozen(session, name)
    daemon = session.daemon
    daemon.throttle.check(name, session.peer.network)  # who may not even guess waits for nothing
    async with daemon.password_checks:
        with daemon.throttle.attempt(name, session.peer.network):
            found = await daemon.in_thread(_find_user, daemon.store, name)
            stored = NOBODYS_HASH if found is None else found[0]
            matches = await daemon.in_thread(password_matches, stored, argument)
            if found is None or not matches:
                raise PasswordRequired("wrong password")
    _log_in(session, name, found[1])


@verb("LOUT", role=None, summary="log out, stay connected")
async def log_out(session: Session, argument: str) -> None:
    await end_login(session)
    session.reply(Code.OK, "logged out")


async def end_login(session: Session) -> None:
    """Take from a session all that its user had: freeze, role, watching."""
    if session.holds_freeze:
        await session.daemon.freezes.release(session)
    session.log_out()


def _log_in(session: Session, name: str, role: Role) -> None:
    session.log_in(name, role)
    session.reply(Code.OK, f"{name}|{role.label}")


def _refuse_second_login(session: Session) -> None:
    if session.user is not None:
        raise AlreadyLoggedIn(f"logged in as {session.user}; LOUT first")


def _refuse_clear_password(session: Session) -> None:
    """Say so at USER already: a client that waits for the answer never sends its password."""
    if session.password_is_safe:
        return
    if session.daemon.tls.offered:
        advice = "send STLS first, or use syncds://"
    else:
        advice = "give the server a certificate (syncd serve --tls-cert), or use a tunnel"
    raise TlsRequired(f"no password is taken in clear text from another machine: {advice}")


def _find_user(store: Store, name: str) -> tuple[str, Role] | None:
    """Return a user's hash and role."""
    with store.snapshot() as view:
        present = view.present("users", name)
        if present is None:
            return None
        role = Role.parse(present.version.attribute("role"))
        return present.content.chunk(0).decode("ascii").strip(), role


async def _refuse_while_frozen(session: Session, name: str | None) -> None:
    """Let nobody in while the source stands still, but the one who holds it."""
    session.daemon.freezes.refuse_while_asked()
    store = session.daemon.store
    clock = await session.daemon.in_thread(store.clock)
    now = store.now()
    if clock.freeze_left_s(now) > 0 and not is_holder(clock, name):
        raise Frozen(freeze_text(clock, now))
