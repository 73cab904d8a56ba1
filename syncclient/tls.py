"""TLS as the client demands it.

Who the server is, is proven before a byte of a login is sent: by its certificate's CA and name, or
by the fingerprint that was pinned. Nothing that was heard before TLS is believed after it.
"""

import ssl
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

import trio

from syncclient.address import Address, parse_pin
from syncd.errors import ConfigError, ConnectionFailed, NotLoggedIn, NotTrusted, SyncError
from syncd.tls import alert_text, load_own_certificate, no_ca_reason, send_alert

_WRONG_NAME = {62, 64}
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_UNKNOWN_CA = {2, 18, 19, 20, 21}
"""Its X509_V_ERR_ numbers for a chain that ends in no CA that is trusted."""
_OUT_OF_TIME = {9, 10}
"""Its X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


_REFUSALS = {
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it has expired; renew it",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it is not valid yet, or not for a client",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it is not for a client",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it cannot be verified",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it is revoked",
    "TLSV1_ALERT_UNKNOWN_CA": "it is of none of the CAs that the server takes (--tls-client-ca)",
}
"""By the alert that OpenSSL names, what a server says of a client's certificate."""


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client demands of TLS, and shows of itself.

    Any of the first five makes a connection to `syncd://` begin with STLS, whatever the address.
    """

    ca_file: Path | None = None
    """CAs to trust, PEM; None: those of the system."""
    pin: str | None = None
    """`sha256:HEX` of the server's certificate, in place of CA and name (with `ca_file`: besides
    them)."""
    cert_file: Path | None = None
    """The client's own certificate, PEM."""
    key_file: Path | None = None
    """Its key; None: it stands in `cert_file` too."""
    starttls: bool = False
    """Whether STLS is demanded on a loopback address too."""
    allow_clear_password: bool = False
    """Whether `syncd://` goes on without TLS to other machines."""

    @property
    def demanded(self) -> bool:
        """Whether these settings make sense with TLS only."""
        return self.starttls or any((self.ca_file, self.pin, self.cert_file, self.key_file))


async def encrypted(
    stream: trio.abc.Stream, where: Address, tls: ClientTls
) -> "trio.SSLStream[trio.abc.Stream]":
    """Return the stream with TLS on it, the server known to be the one that was meant.

    Raises NotTrusted, ConnectionFailed, ConfigError.
    """
    pin = _pin(where, tls)
    context = _context(tls, pin)
    name = where.host.partition("%")[0]
    secured = trio.SSLStream(stream, context, server_hostname=name)
    try:
        await secured.do_handshake()
    except trio.BrokenResourceError as error:
        await send_alert(stream, secured)
        raise _failure(where, error.__cause__) from None
    if pin is not None:
        _check_pin(where, pin, secured.getpeercert(binary_form=True))
    return secured


def _pin(where: Address, tls: ClientTls) -> str | None:
    pins = {parse_pin(pin) for pin in (where.pin, tls.pin) if pin is not None}
    if len(pins) > 1:
        raise ConfigError("the address has another pin than --pin")
    return next(iter(pins), None)


def _context(tls: ClientTls, pin: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:
        raise ConfigError(f"--ca {tls.ca_file}: no CA to be read: {no_ca_reason(error)}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if pin is not None and tls.ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file is None:
        if tls.key_file is not None:
            raise ConfigError("--key needs --cert, the certificate that it belongs to")
        return context
    load_own_certificate(context, tls.cert_file, tls.key_file)
    return context


def _check_pin(where: Address, pin: str, certificate: bytes | None) -> None:
    seen = f"sha256:{sha256(certificate or b'').hexdigest()}"
    if not compare_digest(seen, pin):
        raise NotTrusted(
            f"{where.host}:{where.port} has the certificate {seen}, not the pinned one; if it was "
            "renewed, learn its fingerprint from the server itself and pin that"
        )


def refused_certificate(server: str, cause: BaseException | None) -> NotLoggedIn | None:
    """Return what it means that a server ended a connection, if that was for the client's
    certificate: of TLS 1.3, that comes only when the handshake is over."""
    if isinstance(cause, ssl.SSLError) and cause.reason in _REFUSALS:
        why = _REFUSALS[cause.reason]
        return NotLoggedIn(f"{server} does not take this client's certificate: {why}")
    return None


def _failure(where: Address, cause: BaseException | None) -> SyncError:
    server = f"{where.host}:{where.port}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotTrusted(f"{server}: {cause.verify_message.rstrip('.')}; {_advice(where, cause)}")
    if (refused := refused_certificate(server, cause)) is not None:
        return refused
    reason = alert_text(cause)
    if reason == "wrong version number":
        advice = (
            "use syncd:// (it begins TLS with STLS), or the port that has TLS from the first byte"
            if where.tls
            else "somebody on the way answers in its place"
        )
        return ConnectionFailed(f"{server} does not answer in TLS: {advice}")
    return ConnectionFailed(f"{server}: no TLS: {reason}")


def _advice(where: Address, cause: ssl.SSLCertVerificationError) -> str:
    if cause.verify_code in _WRONG_NAME:
        return f"dial it by a name in its certificate, or give it one for {where.host}"
    if cause.verify_code in _UNKNOWN_CA:
        return "give its CA with --ca, or the certificate's fingerprint with --pin"
    if cause.verify_code in _OUT_OF_TIME:
        return "renew it at the server, or set the clock of this machine right"
    return "nothing was sent"
