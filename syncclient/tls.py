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
from syncd.errors import ConfigError, ConnectionFailed, NotTrusted
from syncd.secretfiles import refuse_shared

_WRONG_NAME = {62, 64}
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_UNKNOWN_CA = {2, 18, 19, 20, 21}
"""Its X509_V_ERR_ numbers for a chain that ends in no CA that is trusted."""
_OUT_OF_TIME = {9, 10}
"""Its X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


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
        raise ConfigError(f"--ca {tls.ca_file}: no CA to be read: {_reason(error)}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if pin is not None and tls.ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert_file is None:
        if tls.key_file is not None:
            raise ConfigError("--key needs --cert, the certificate that it belongs to")
        return context
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, _no_passphrase)
        refuse_shared(tls.key_file or tls.cert_file, "key", group_may_read=True)
    except OSError as error:
        raise ConfigError(
            f"the certificate {tls.cert_file} cannot be used: {_reason(error)}"
        ) from None
    return context


def _no_passphrase() -> str:
    raise ConfigError("the key of the certificate has a passphrase; give one without")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{error.reason or error}; is it PEM, and do certificate and key belong together?"
    return error.strerror or str(error)


def _check_pin(where: Address, pin: str, certificate: bytes | None) -> None:
    seen = f"sha256:{sha256(certificate or b'').hexdigest()}"
    if not compare_digest(seen, pin):
        raise NotTrusted(
            f"{where.host}:{where.port} has the certificate {seen}, not the pinned one; if it was "
            "renewed, learn its fingerprint from the server itself and pin that"
        )


def _failure(where: Address, cause: BaseException | None) -> NotTrusted | ConnectionFailed:
    server = f"{where.host}:{where.port}"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotTrusted(f"{server}: {cause.verify_message.rstrip('.')}; {_advice(where, cause)}")
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


def alert_text(cause: BaseException | None) -> str:
    """Return what TLS says about the end of a connection."""
    if isinstance(cause, ssl.SSLError) and cause.reason and "EOF" not in cause.reason:
        return cause.reason.lower().replace("_", " ")
    return "the connection ended"
