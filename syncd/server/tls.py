"""TLS as the server speaks it: its settings, its certificate, and the names that a client's
certificate vouches for.

TLS 1.2 or later only. A connection that asked for TLS never goes on without it.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import MSG_PEEK
from typing import Any

import trio

from syncd.errors import ConfigError
from syncd.protocol.ports import DEFAULT_TLS_PORT
from syncd.settings import setting
from syncd.tls import alert_text, load_own_certificate, no_ca_reason, send_alert

NO_TLS_HERE = "530 this port speaks TLS from the first byte: use syncds://, or another port\n"
_HANDSHAKE_RECORD = b"\x16"
"""First byte of every TLS connection (RFC 8446, section 5.1)."""


@dataclass(frozen=True)
class TlsSettings:
    """Section [tls]. Without `cert_file`, TLS is not offered."""

    cert_file: str = setting(
        "",
        "The server's certificate and those between it and its CA, PEM; STLS is offered then. Read "
        "again on SIGHUP.",
    )
    key_file: str = setting(
        "",
        "Its key, PEM; empty: it stands in cert_file too. The file with the key is for its owner, "
        "and its group to read (mode 640 or less).",
    )
    listen: str = setting(
        "",
        "HOST:PORT, or HOST for port 5041, where TLS begins with the first byte (syncds://); "
        "empty: nowhere.",
    )
    client_ca_file: str = setting(
        "", "CAs whose client certificates log their users in, PEM; empty: none do."
    )
    allow_clear_passwords: bool = setting(
        False, "Whether a password is taken in clear text from other machines."
    )

    def listen_address(self) -> tuple[str, int] | None:
        """Return host and port of `listen`. Raises ConfigError."""
        if not self.listen:
            return None
        host, colon, port = self.listen.rpartition(":")
        if not colon or self.listen.endswith("]"):
            host, port = self.listen, str(DEFAULT_TLS_PORT)
        if ":" in host and not (host.startswith("[") and host.endswith("]")):
            raise ConfigError(f"--tls-listen {self.listen}: write [ADDRESS]:PORT, or [ADDRESS]")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not (port.isascii() and port.isdigit() and int(port) < 65536):
            raise ConfigError(f"--tls-listen {self.listen}: write HOST:PORT, or HOST alone")
        return host, int(port)


class ServerTls:
    """The context that handshakes are made with. Raises ConfigError, as `reload` does."""

    def __init__(self, settings: TlsSettings) -> None:
        self.settings = settings
        self._context = _context(settings)

    @property
    def offered(self) -> bool:
        """Whether there is a certificate."""
        return self._context is not None

    def reload(self) -> None:
        """Read the files again, for connections from now on; what was there stays if that fails."""
        self._context = _context(self.settings)

    async def encrypted(
        self, stream: trio.abc.Stream, handshake_s: float
    ) -> "trio.SSLStream[trio.abc.Stream]":
        """Return the stream with TLS on it, its handshake done.

        Raises trio.TooSlowError, trio.BrokenResourceError.
        """
        assert self._context is not None
        secured = trio.SSLStream(stream, self._context, server_side=True)
        with trio.fail_after(handshake_s):
            try:
                await secured.do_handshake()
            except trio.BrokenResourceError:
                await send_alert(stream, secured)
                raise
        return secured


def _context(settings: TlsSettings) -> ssl.SSLContext | None:
    settings.listen_address()
    if not settings.cert_file:
        for value, option in (
            (settings.key_file, "--tls-key"),
            (settings.listen, "--tls-listen"),
            (settings.client_ca_file, "--tls-client-ca"),
        ):
            if value:
                raise ConfigError(f"{option} needs --tls-cert, the server's certificate")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_own_certificate(
        context, Path(settings.cert_file), Path(settings.key_file) if settings.key_file else None
    )
    if settings.client_ca_file:
        try:
            context.load_verify_locations(settings.client_ca_file)
        except OSError as error:
            raise ConfigError(
                f"the client CA {settings.client_ca_file} cannot be used: {no_ca_reason(error)}"
            ) from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


async def begins_with_tls(stream: trio.SocketStream, wait_s: float) -> bool:
    """Say whether a client's first byte is that of TLS; it is not taken from the stream.

    Waits `wait_s` at most: a client that says nothing speaks no TLS.
    """
    try:
        with trio.move_on_after(wait_s):
            return await stream.socket.recv(1, MSG_PEEK) in (_HANDSHAKE_RECORD, b"")
    except OSError:
        return True  # the handshake finds the connection gone
    return False


def failure_text(error: BaseException, handshake_s: float) -> str:
    """Return why a handshake failed, in one line that holds nothing the client wrote."""
    if isinstance(error, trio.TooSlowError):
        return f"not done after {handshake_s:g} s"
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the client's certificate: {cause.verify_message}"
    return alert_text(cause)


def vouched_names(certificate: Mapping[str, Any], now_s: float) -> frozenset[str]:
    """Return the user names in a verified certificate, in lower case; none if it is out of date.

    `certificate` is as SSLObject.getpeercert gives it: {} for none. They are the DNS names and mail
    addresses of its subjectAltName, and the common names of its subject. A session that TLS resumes
    was verified when it began; since then, its certificate may have run out.
    """
    if not certificate or now_s > ssl.cert_time_to_seconds(certificate["notAfter"]):
        return frozenset()
    names = {
        value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "email")
    }
    for relative_name in certificate.get("subject", ()):
        names |= {value for key, value in relative_name if key == "commonName"}
    return frozenset(name.lower() for name in names)
