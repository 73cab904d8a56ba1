"""Where a name server listens: a host, by name or address, and a port."""

import re
from dataclasses import dataclass

from syncd.errors import IllegalValue

DNS_PORT = 53
_SERVER = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:\[\]/@]+))(?::(?P<port>[0-9]{1,5}))?"
)
_BARE_V6 = re.compile(r"[0-9A-Fa-f:.]+(?:%\w+)?")


@dataclass(frozen=True, slots=True)
class DnsServer:
    """A name server to ask, over UDP and TCP."""

    host: str
    port: int = DNS_PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> "DnsServer":
        """Return the server that HOST, HOST:PORT, [IPV6]:PORT or IPV6 writes.

        Raises IllegalValue.
        """
        if text.count(":") > 1 and _BARE_V6.fullmatch(text):
            return cls(text)
        found = _SERVER.fullmatch(text)
        port = DNS_PORT if found is None else int(found["port"] or DNS_PORT)
        if found is None or not 0 < port <= 65535:
            raise IllegalValue(f"{text!r:.80} is no name server: write HOST:PORT or [IPV6]:PORT")
        return cls(found["v6"] or found["host"], port)
