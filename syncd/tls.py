"""What both ends do the same with TLS: reading certificates, and saying why it failed."""

import ssl
from contextlib import suppress
from pathlib import Path

import trio

from syncd.errors import ConfigError
from syncd.secretfiles import refuse_shared

_OTHER_KEY = "KEY_VALUES_MISMATCH"


def load_own_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Have a context show a certificate; its key stands in the same file, or in one of its own.

    Raises ConfigError, also for a key that others may read.
    """
    with_key = f" with the key {key}" if key is not None else ""
    try:
        context.load_cert_chain(certificate, key, _no_passphrase)
        refuse_shared(key or certificate, "key", group_may_read=True)
    except OSError as error:  # an ssl.SSLError as well
        reason = error.strerror or str(error)
        if isinstance(error, ssl.SSLError):
            reason = "there is no certificate and key in PEM in it"
            if error.reason == _OTHER_KEY:
                reason = "the key belongs to another certificate"
        raise ConfigError(
            f"the certificate {certificate}{with_key} cannot be used: {reason}"
        ) from None


def no_ca_reason(error: OSError) -> str:
    """Return why no CA could be read from a file."""
    if isinstance(error, ssl.SSLError):
        return "there is no certificate in PEM in it"
    return error.strerror or str(error)


def _no_passphrase() -> str:
    raise ConfigError("the key of the certificate has a passphrase; give one without")


def alert_text(cause: BaseException | None) -> str:
    """Return what TLS says about the end of a connection."""
    if isinstance(cause, ssl.SSLError) and cause.reason and "EOF" not in cause.reason:
        return cause.reason.lower().replace("_", " ")
    return "the connection ended"


async def send_alert(stream: trio.abc.Stream, secured: "trio.SSLStream[trio.abc.Stream]") -> None:
    """Tell the other side why a handshake failed: OpenSSL has written the alert, but trio leaves it
    unsent."""
    unsent: ssl.MemoryBIO | None = getattr(secured, "_outgoing", None)
    if unsent is not None and (alert := unsent.read()):
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.send_all(alert)
