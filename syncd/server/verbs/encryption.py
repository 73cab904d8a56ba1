"""TLS on a connection that began without it."""

from syncd.errors import IllegalValue, NotSupported
from syncd.protocol.codes import Code
from syncd.protocol.fields import join_fields
from syncd.server.registry import verb
from syncd.server.session import Session
from syncd.server.verbs.login import end_login


@verb("STLS", role=None, summary="begin TLS; the session is then as new, without a greeting")
async def start_tls(session: Session, argument: str) -> None:
    if not session.daemon.tls.offered:
        raise NotSupported("TLS is not offered: the server has no certificate (--tls-cert)")
    if session.encryption is not None:
        raise NotSupported("TLS is in use already; GTLS says which")
    if session.has_unread:
        session.quitting = True
        raise IllegalValue("nothing may follow STLS before TLS has begun; the connection is closed")
    await end_login(session)
    session.wants_notices = False
    session.reply(Code.OK, "begin TLS now")
    await session.flush()
    await session.start_tls()


@verb("GTLS", role=None, summary="which TLS is in use: protocol|cipher|bits")
async def get_tls(session: Session, argument: str) -> None:
    if session.encryption is None:
        raise NotSupported("no TLS is in use")
    session.reply(Code.OK, join_fields([str(field) for field in session.encryption]))
