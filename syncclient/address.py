"""Addresses of servers: syncd://USER@HOST:PORT."""

import re
from dataclasses import dataclass

from syncd.errors import IllegalValue

DEFAULT_PORT = 5040
_ADDRESS = re.compile(
    r"syncd://(?:(?P<user>[^@/:]+)@)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^@/:\[\]]+)(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Whom to dial, and as whom to log in (None: not at all)."""

    host: str
    port: int
    user: str | None

    def __str__(self) -> str:
        user = "" if self.user is None else f"{self.user}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"syncd://{user}{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Return the address that `text` writes. Raises IllegalValue."""
        found = _ADDRESS.fullmatch(text)
        if found is None or int(found["port"] or DEFAULT_PORT) > 65535:
            raise IllegalValue(f"{text!r} is no address: write syncd://USER@HOST:PORT")
        return cls(found["host"].strip("[]"), int(found["port"] or DEFAULT_PORT), found["user"])
