"""Who is at the other end of a connection, as far as its socket tells."""

from dataclasses import dataclass

import trio

from syncd.protocol.addresses import is_loopback, network_of


@dataclass(frozen=True, slots=True)
class Peer:
    """A client's address and port; written as `host:port`, IPv6 in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether it is a program of this machine."""
        return is_loopback(self.host)

    @property
    def network(self) -> str:
        """What failed logins are counted for."""
        return network_of(self.host)

    @classmethod
    def of(cls, stream: trio.SocketStream) -> "Peer":
        """Return a connection's peer; `gone:0` if it left already."""
        try:
            host, port = stream.socket.getpeername()[:2]
        except OSError:
            return cls("gone", 0)
        return cls(host, port)
