"""Zones by transfer (AXFR, RFC 5936) from name servers: all of them in one commit, or none.

What comes is written out as a master file while it comes, and read as any other, so the zone gets
the digest that importing its file gives. It is taken only if it is whole: the SOA record that it
began with ends it, and with a key every message is signed.
"""

import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.rcode
import dns.tsig

from syncd.content.zone.lexer import RecordError
from syncd.content.zone.reader import absolute_name
from syncd.content.zone.record_types import TYPE_CODES
from syncd.content.zone.wire import Message
from syncd.errors import ConfigError, ConnectionFailed, InvalidContent, TransferFailed
from syncd.ingest.staging import Imported, import_sources
from syncd.ingest.tsig import Signatures
from syncd.ingest.zonelines import ZoneLines
from syncd.store import Store
from syncd.types.base import Prepared

DEFAULT_PORT = 53
DEFAULT_TIMEOUT_S = 600.0
SILENCE_S = 30.0
"""How long connecting may take, and each message of the answer."""
_RECEIVED_BYTES = 256 * 1024
_SOA = TYPE_CODES["SOA"]
_ALLOW = "allow it there (BIND allow-transfer, Knot acl, NSD provide-xfr), or give its key"
_REFUSALS: dict[int, str] = {
    dns.rcode.REFUSED: f"refuses the transfer (REFUSED): {_ALLOW}",
    dns.rcode.NOTAUTH: f"is not authoritative for it, or wants a key (NOTAUTH): {_ALLOW}",
    dns.rcode.SERVFAIL: "has not loaded it (SERVFAIL): its log says why",
    dns.rcode.NXDOMAIN: "does not have it (NXDOMAIN)",
    dns.rcode.NOTIMP: "does not do transfers (NOTIMP)",
}


@dataclass(frozen=True, slots=True)
class Transfer:
    """A zone to be transferred, and where from."""

    zone: str
    """Absolute, in lower case."""
    host: str
    port: int = DEFAULT_PORT

    @classmethod
    def parse(cls, text: str) -> "Transfer":
        """Read ZONE@SERVER[:PORT]; an IPv6 address stands in brackets. Raises ConfigError."""
        zone_text, at, server = text.rpartition("@")
        if not at or not zone_text or not server:
            raise ConfigError(f"{text}: write ZONE@SERVER or ZONE@SERVER:PORT")
        host, colon, port_text = server.rpartition(":")
        if not colon or port_text.endswith("]"):
            host, port_text = server, str(DEFAULT_PORT)
        bracketed = host.startswith("[") and host.endswith("]")
        if ":" in host and not bracketed:
            raise ConfigError(f"{text}: write an IPv6 address in brackets: ZONE@[{server}]")
        is_number = port_text.isascii() and port_text.isdigit() and len(port_text) <= 5
        port = int(port_text) if is_number else 0
        if not 0 < port < 65536:
            raise ConfigError(f"{text:.80}: {port_text!r:.40} is not a port")
        try:
            zone = absolute_name(zone_text, ".").lower()
        except InvalidContent as error:
            raise ConfigError(f"{text}: {error}") from None
        return cls(zone, host[1:-1] if bracketed else host, port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.zone}@{host}:{self.port}"


def import_transfers(
    store: Store,
    transfers: Sequence[Transfer],
    *,
    key: dns.tsig.Key | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    author: str,
    comment: str = "",
    keep_going: bool = False,
) -> Imported:
    """Transfer zones, one after another, and make them the store's in one commit.

    Each may take `timeout_s`. Raises ConnectionFailed, TransferFailed, InvalidContent.
    """
    sources = [_TransferSource(transfer, key, timeout_s) for transfer in transfers]
    return import_sources(store, sources, author=author, comment=comment, keep_going=keep_going)


class _TransferSource:
    def __init__(self, transfer: Transfer, key: dns.tsig.Key | None, timeout_s: float) -> None:
        self._transfer, self._key, self._timeout_s = transfer, key, timeout_s
        self.where = str(transfer)
        self.size_bytes = 0

    def prepare(self) -> Prepared:
        """Transfer the zone. Raises ConnectionFailed, TransferFailed, InvalidContent."""
        transfer = self._transfer
        with _Connection(transfer, self._timeout_s) as connection:
            text = ZoneLines(_lines(transfer, connection, self._key))
            prepared = text.prepare(transfer.zone, self.where)
            self.size_bytes = text.size_bytes
        return prepared


class _Connection:
    """Messages over TCP, each with its length before it (RFC 1035 section 4.2.2)."""

    def __init__(self, transfer: Transfer, timeout_s: float) -> None:
        self._where = str(transfer)
        self._timeout_s = timeout_s
        self._end = time.monotonic() + timeout_s
        try:
            self._socket = socket.create_connection(
                (transfer.host, transfer.port), min(SILENCE_S, timeout_s)
            )
        except UnicodeError:  # of a label that is empty, or too long
            raise ConnectionFailed(f"{self._where}: no name of a host") from None
        except OSError as error:
            raise ConnectionFailed(f"{self._where}: {error.strerror or error}") from None
        self._held = bytearray()

    def __enter__(self) -> "_Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, message: bytes) -> None:
        try:
            self._socket.sendall(len(message).to_bytes(2, "big") + message)
        except OSError as error:
            raise ConnectionFailed(f"{self._where}: {error.strerror or error}") from None

    def receive(self) -> bytes:
        """Return the next message. Raises ConnectionFailed if the server ends or is silent."""
        silent_at = time.monotonic() + SILENCE_S
        length = int.from_bytes(self._take(2, silent_at), "big")
        return self._take(length, silent_at)

    def _take(self, count: int, silent_at: float) -> bytes:
        held = self._held
        while len(held) < count:
            now = time.monotonic()
            if now >= self._end:
                raise ConnectionFailed(
                    f"{self._where}: not done after {self._timeout_s:g} s; --timeout allows more"
                )
            if now >= silent_at:
                raise ConnectionFailed(
                    f"{self._where}: no whole message of the answer came for {SILENCE_S:.0f} s"
                )
            self._socket.settimeout(min(silent_at, self._end) - now)
            try:
                more = self._socket.recv(_RECEIVED_BYTES)
            except TimeoutError:
                continue
            except OSError as error:
                raise ConnectionFailed(f"{self._where}: {error.strerror or error}") from None
            if not more:
                raise ConnectionFailed(
                    f"{self._where}: the server ended the connection before the zone was whole"
                )
            held += more
        taken = bytes(held[:count])
        del held[:count]
        return taken


def _lines(
    transfer: Transfer, connection: _Connection, key: dns.tsig.Key | None
) -> Iterator[list[str]]:
    """Yield the lines of each message's records; ends only with a whole zone."""
    query = dns.message.make_query(transfer.zone, "AXFR")
    if key is not None:
        query.use_tsig(key)
    connection.send(query.to_wire())
    signatures = None if key is None else Signatures(key, query.mac or b"", str(transfer))
    end = _End(transfer)
    try:
        while not end.reached:
            message = Message(connection.receive())
            if message.id != query.id or not message.is_response:
                raise TransferFailed(f"{transfer}: a message that does not answer the query")
            if message.rcode != dns.rcode.NOERROR:
                if signatures is not None:
                    signatures.check_refusal(message)
                raise _refused(transfer, message.rcode)
            lines = end.take(message)
            if signatures is not None:
                signatures.check(message)
            yield lines
    except RecordError as error:
        raise TransferFailed(f"{transfer}: record {end.records + 1}: {error}") from None
    if signatures is not None:
        signatures.check_end()


class _End:
    """Looks for the SOA record that begins and ends a transfer."""

    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer
        self._first = ""
        self.records = 0
        self.reached = False

    def take(self, message: Message) -> list[str]:
        """Return a message's lines, but for the last record. Raises TransferFailed."""
        lines: list[str] = []
        for rdtype, owner, line in message.records():
            if self.reached:
                raise TransferFailed(f"{self._transfer}: records follow the SOA that ends the zone")
            if not self.records:
                if rdtype != _SOA:
                    raise TransferFailed(f"{self._transfer}: the answer begins with {line:.80}")
                if owner.lower() != self._transfer.zone:
                    raise TransferFailed(f"{self._transfer}: the answer is the zone {owner}")
                self._first = line
            elif rdtype == _SOA and owner.lower() == self._transfer.zone:
                if line.lower() != self._first.lower():
                    raise TransferFailed(
                        f"{self._transfer}: it ends with another SOA than it began with: the zone "
                        "changed meanwhile; try again"
                    )
                self.reached = True
                continue
            self.records += 1
            lines.append(line)
        if not self.records:
            raise TransferFailed(f"{self._transfer}: the answer holds no records")
        return lines


def _refused(transfer: Transfer, rcode: int) -> TransferFailed:
    said = _REFUSALS.get(rcode, f"answers {dns.rcode.to_text(dns.rcode.Rcode(rcode))}")
    return TransferFailed(f"{transfer}: the server {said}")
