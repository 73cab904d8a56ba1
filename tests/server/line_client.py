"""What a person with telnet does, as an object: lines out, lines in, nothing checked on the way."""

import select
import socket
import ssl
import struct
from collections.abc import Iterable

from tests.running import PASSWORD

TIMEOUT_S = 10.0


class LineClient:
    """One connection. Methods fail with TimeoutError where the server says nothing."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), timeout=TIMEOUT_S)
        self.port = self.socket.getsockname()[1]
        self._received = bytearray()

    def start_tls(self, context: ssl.SSLContext, name: str = "localhost") -> None:
        """Do the handshake, after STLS or in the beginning."""
        assert not self._received, "nothing may be said before TLS"
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def hang_up_rudely(self) -> None:
        """Hang up with a reset, as a machine does that lost its power."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, *lines: str) -> None:
        """Send lines."""
        self.send_bytes("".join(f"{line}\n" for line in lines).encode())

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def line(self) -> str:
        """Return the next line; fails with EOFError where the connection ended."""
        while (end := self._received.find(b"\n")) < 0:
            self._receive()
        return self.read(end + 1)[:-1].decode("utf-8", "surrogateescape")

    def read(self, count: int) -> bytes:
        """Return so many bytes; fails with EOFError where the connection ended."""
        while len(self._received) < count:
            self._receive()
        data = bytes(self._received[:count])
        del self._received[:count]
        return data

    def _receive(self) -> None:
        data = self.socket.recv(1 << 20)
        if not data:
            raise EOFError(f"the connection ended after {bytes(self._received)!r:.200}")
        self._received += data

    def ask(self, command: str) -> str:
        """Send a command and return the next line."""
        self.send(command)
        return self.line()

    def lines(self) -> list[str]:
        """Return the lines of a listing, up to its end."""
        found: list[str] = []
        while (line := self.line()) != "000":
            found.append(line)
        return found

    def listing(self, command: str) -> list[str]:
        """Send a command that answers with a listing; return its lines."""
        heading = self.ask(command)
        assert heading.startswith("1"), heading
        return self.lines()

    def blocks(self) -> tuple[list[bytes], str]:
        """Return the blocks of a long answer and the line that ends it."""
        found: list[bytes] = []
        while (line := self.line()).startswith("6"):
            found.append(self.read(int(line.split(" ")[1])))
        return found, line

    def log_in(self, user: str, password: str = PASSWORD) -> str:
        """Log in and return the answer."""
        self.send(f"USER {user}", f"PASS {password}")
        reply = self.line()
        return self.line() if reply.startswith("3") else reply

    def put(self, request: str, body: Iterable[str]) -> str:
        """Send a request and, as a listing, its body; return the last reply."""
        reply = self.ask(request)
        if not reply.startswith("4"):
            return reply
        self.send(*body, "000")
        return self.line()

    def put_bytes(self, request: str, body: bytes) -> str:
        """Send a request and, as a counted block, its body; return the last reply."""
        reply = self.ask(f"{request}|size={len(body)}")
        if not reply.startswith("7"):
            return reply
        self.send_bytes(body)
        return self.line()

    def is_silent(self, for_s: float = 0.2) -> bool:
        """Say whether nothing comes for a while."""
        return not self._received and not select.select([self.socket], [], [], for_s)[0]

    def is_ended(self) -> bool:
        """Say whether the server closes the connection without a further word."""
        try:
            return self.socket.recv(1) == b"" and not self._received
        except ConnectionResetError:
            return True
