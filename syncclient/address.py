"""Addresses of servers: syncd://USER@HOST:PORT, or syncds:// where TLS begins with the first byte.

`?pin=sha256:HEX` behind either names the one certificate that the server may have.
"""

import re
from dataclasses import dataclass

from syncd.errors import ConfigError
from syncd.protocol.ports import DEFAULT_PORT, DEFAULT_TLS_PORT

_ADDRESS = re.compile(
    r"(?P<scheme>syncds?)://(?:(?P<user>[^@/:?]+)@)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^@/:?\[\]]+)"
    r"(?::(?P<port>[0-9]{1,5}))?/?(?:\?pin=(?P<pin>[^?&]+))?"
)
_WITH_PASSWORD = re.compile(r"(?:\w*://|(?!\w*://))[^@:]*:.*@.*", re.DOTALL)
_PRINTED_PIN = re.compile(r"sha256 fingerprint=", re.IGNORECASE)
_SHOWN_CHARACTERS = 100
_PIN = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Address:
    """Whom to dial, and as whom to log in (None: not at all)."""

    host: str
    port: int
    user: str | None
    tls: bool = False
    """Whether TLS begins with the first byte."""
    pin: str | None = None
    """`sha256:` and 64 hex digits: the server's certificate."""

    def __str__(self) -> str:
        scheme = "syncds" if self.tls else "syncd"
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        pin = "" if self.pin is None else f"?pin={self.pin}"
        return f"{scheme}://{user}{host}:{self.port}{pin}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Return the address that `text` writes. Raises ConfigError."""
        if _WITH_PASSWORD.fullmatch(text):
            raise ConfigError(
                "a password does not belong into an address, where others see it: write "
                "syncd://USER@HOST:PORT"
            )
        found = _ADDRESS.fullmatch(text)
        if found is None or int(found["port"] or DEFAULT_PORT) > 65535:
            shown = text if "?pin=" in text else text.partition("?")[0]  # a password may be there
            raise ConfigError(
                f"{shown!r} is no address: write syncd://USER@HOST:PORT or syncds://USER@HOST:PORT"
            )
        tls = found["scheme"] == "syncds"
        port = int(found["port"] or (DEFAULT_TLS_PORT if tls else DEFAULT_PORT))
        pin = None if found["pin"] is None else parse_pin(found["pin"])
        return cls(found["host"].strip("[]"), port, found["user"], tls, pin)


def parse_pin(text: str) -> str:
    """Return the fingerprint of a certificate in its one form. Raises ConfigError.

    What `openssl x509 -fingerprint -sha256` prints is taken as well: `sha256 Fingerprint=` in place
    of `sha256:`, and colons between the hex digits.
    """
    kind, _, digits = _PRINTED_PIN.sub("sha256:", text).partition(":")
    pin = f"{kind}:{digits.replace(':', '')}".lower()
    if _PIN.fullmatch(pin) is None:
        shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
        raise ConfigError(f"{shown!r} is no pin: write sha256: and 64 hex digits")
    return pin
