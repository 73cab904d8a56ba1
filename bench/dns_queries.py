"""The two questions that a secondary asks, put by hand and counted: SOA over UDP, AXFR over TCP.

Messages are built and read here rather than by dnspython, because with 100,000 zones the client
would otherwise be what is measured. Bytes are those of the DNS messages (with TCP: and their
two-byte lengths), without the headers of IP, UDP and TCP.
"""

import select
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from bench.measure import BenchmarkError, Stopwatch

_SOA, _AXFR, _IN = 6, 252, 1
_WINDOW = 200  # queries on their way at once: their answers fit into a default receive buffer
_LOST_S = 0.5
_TIMERS_BYTES = 20  # serial, refresh, retry, expire, minimum: how an SOA record's data ends
_HEADER_BYTES = 12


@dataclass(frozen=True)
class Exchange:
    seconds: float
    bytes_sent: int
    bytes_received: int
    answered: int  # zones with a positive answer


def query(number: int, zone: str, kind: int = _SOA) -> bytes:
    """Return the message that asks for one zone's SOA, or with `kind` something else of it."""
    labels = (label.encode() for label in zone.rstrip(".").split(".") if label)
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    header = struct.pack("!HHHHHH", number, 0, 1, 0, 0, 0)
    return header + name + struct.pack("!HH", kind, _IN)


def is_positive(message: bytes) -> bool:
    """Tell whether a reply is authoritative, without error, and holds an answer."""
    flags, _, answers = struct.unpack_from("!HHH", message, 2)
    return bool(flags & 0x0400) and flags & 0x000F == 0 and answers > 0


def soa_serial(message: bytes) -> int:
    """Return the serial in a positive reply to an SOA query."""
    at = _skip_name(message, _HEADER_BYTES) + 4  # the question
    at = _skip_name(message, at) + 10  # the answer's owner, type, class, TTL, length
    at = _skip_name(message, _skip_name(message, at))
    return int(struct.unpack_from("!I", message, at)[0])


def _skip_name(message: bytes, at: int) -> int:
    while length := message[at]:
        if length >= 0xC0:
            return at + 2
        at += length + 1
    return at + 1


def ask_serial(port: int, zone: str, timeout_s: float = 1.0) -> int | None:
    """Return the serial with which a server answers for a zone, or None if it does not."""
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", port))
        udp.settimeout(timeout_s)
        try:
            udp.send(query(1, zone))
            reply = udp.recv(4096)
        except OSError:
            return None
    return soa_serial(reply) if is_positive(reply) else None


def ask_every_soa(port: int, zones: Sequence[str], timeout_s: float = 300.0) -> Exchange:
    """Ask for each zone's SOA over UDP, many at once; what is lost is asked again and counted."""
    sent = received = answered = first = 0
    waiting: dict[int, int] = {}  # message number: index of the zone
    watch = Stopwatch()
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", port))
        udp.setblocking(False)
        while first < len(zones) or waiting:
            while first < len(zones) and len(waiting) < _WINDOW:
                # A window is far smaller than 65,536, so a number is free again when it returns.
                message = query(first & 0xFFFF, zones[first])
                sent += udp.send(message)
                waiting[first & 0xFFFF] = first
                first += 1
            if not select.select([udp], [], [], _LOST_S)[0]:
                if watch.seconds > timeout_s:
                    raise BenchmarkError(f"{len(waiting)} SOA queries without an answer")
                for number, index in waiting.items():
                    sent += udp.send(query(number, zones[index]))
                continue
            while waiting:
                try:
                    reply = udp.recv(4096)
                except BlockingIOError:
                    break
                received += len(reply)
                if waiting.pop(int.from_bytes(reply[:2], "big"), None) is not None:
                    answered += is_positive(reply)
    return Exchange(watch.seconds, sent, received, answered)


def transfer_every_zone(port: int, zones: Sequence[str], timeout_s: float = 300.0) -> Exchange:
    """Transfer each zone by AXFR, one after another over one connection."""
    sent = received = 0
    watch = Stopwatch()
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = tcp.makefile("rb", buffering=1 << 18)
        for number, zone in enumerate(zones):
            message = query(number & 0xFFFF, zone, _AXFR)
            tcp.sendall(struct.pack("!H", len(message)) + message)
            sent += len(message) + 2
            timers = None
            while True:
                length = int.from_bytes(stream.read(2), "big")
                reply = stream.read(length)
                # Not every server sets the AA bit in a transfer.
                if not length or reply[3] & 0x0F or reply[6:8] == b"\0\0":
                    raise BenchmarkError(f"zone {zone} is not transferred by port {port}")
                received += length + 2
                records = int.from_bytes(reply[6:8], "big")
                # The transfer ends in the SOA with which it began; no other record's data ends
                # in the same 20 bytes. Its beginning may be a message of its own.
                opening = timers is None
                timers = timers or _first_timers(reply)
                if reply[-_TIMERS_BYTES:] == timers and not (opening and records == 1):
                    break
    return Exchange(watch.seconds, sent, received, len(zones))


def _first_timers(reply: bytes) -> bytes:
    at = _HEADER_BYTES
    if reply[4:6] != b"\0\0":
        at = _skip_name(reply, at) + 4
    at = _skip_name(reply, at) + 8
    length = int.from_bytes(reply[at : at + 2], "big")
    return reply[at + 2 : at + 2 + length][-_TIMERS_BYTES:]
