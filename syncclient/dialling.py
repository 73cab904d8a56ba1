"""From an address to a connection on which a password may be sent.

To another machine a connection begins with STLS, without asking whether the server offers it: what
is not asked cannot be answered wrongly by somebody in between. If it is refused, nothing more is
sent. Only `allow_clear_password` goes on without TLS, and then without trying.
"""

from errno import EMFILE, ENFILE
from os import strerror
from socket import gaierror

import trio

from syncclient.address import Address
from syncclient.connection import Connection
from syncclient.tls import ClientTls, encrypted
from syncd.errors import ConnectionFailed, Refused, SyncError, TlsRequired, file_failure
from syncd.keepalive import keep_alive
from syncd.protocol.addresses import is_loopback

CONNECT_S = 10.0
"""How long a server may take until the connection stands, TLS included."""


async def open_connection(where: Address, tls: ClientTls) -> Connection:
    """Dial; the connection is under TLS if it has to be.

    Raises ConnectionFailed, NotTrusted, TlsRequired, ConfigError, IllegalValue; FileFailed if this
    machine has no file descriptor left for it.
    """
    stream: trio.abc.Stream | None = None
    try:
        with trio.fail_after(CONNECT_S):
            stream = socket_stream = await trio.open_tcp_stream(where.host, where.port)
            if isinstance(socket_stream, trio.SocketStream):  # but in tests without a network
                keep_alive(socket_stream)
            if where.tls:
                stream = await encrypted(stream, where, tls)
                return Connection(stream, _name(where))
            connection = Connection(stream, _name(where))
            if _has_to_be_encrypted(socket_stream, where, tls):
                await _start_tls(connection, where, tls)
            return connection
    except BaseException as error:
        if stream is not None:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)
        if isinstance(error, trio.TooSlowError):
            raise ConnectionFailed(f"{where}: no answer") from None
        if isinstance(error, UnicodeError):  # of a label that is empty, or too long
            raise ConnectionFailed(f"{where}: no name of a host") from None
        if isinstance(error, OSError):
            raise _failure(where, error) from None
        raise


def _failure(where: Address, error: OSError) -> SyncError:
    """Return what the operating system answered, and what to look at."""
    if isinstance(error, gaierror):
        return ConnectionFailed(f"{where}: {error.strerror}; is the host's name right?")
    cause = error.__cause__ or error
    while isinstance(cause, BaseExceptionGroup):  # one for each of the host's addresses
        cause = cause.exceptions[0]
    number = cause.errno if isinstance(cause, OSError) else None
    said = strerror(number) if number else str(error)
    if number in (EMFILE, ENFILE):
        return file_failure(OSError(number, said, str(where)))
    return ConnectionFailed(f"{where}: {said}; does `syncd serve` run there, on that port?")


def _name(where: Address) -> str:
    return f"{where.host}:{where.port}"


def _has_to_be_encrypted(stream: trio.SocketStream, where: Address, tls: ClientTls) -> bool:
    if tls.demanded or where.pin is not None:
        return True
    named_so = where.host == "localhost" or is_loopback(where.host)
    stays_here = named_so and is_loopback(stream.socket.getpeername()[0])
    return not stays_here and not tls.allow_clear_password


async def _start_tls(connection: Connection, where: Address, tls: ClientTls) -> None:
    async def encrypt(stream: trio.abc.Stream) -> trio.abc.Stream:
        return await encrypted(stream, where, tls)

    try:
        await connection.start_tls(encrypt)
    except Refused as error:
        raise TlsRequired(
            f"{_name(where)} begins no TLS, or somebody on the way hides it ({error}); no password "
            "was sent. Give the server a certificate (syncd serve --tls-cert), or use a tunnel; "
            "--allow-clear-password goes on in clear text"
        ) from None
