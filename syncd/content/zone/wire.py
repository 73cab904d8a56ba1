"""Records of a DNS message (RFC 1035 section 4) to canonical lines, as `reader` would print them.

A zone of some 100,000 records comes in a few thousand messages, so the common types are read here
without a detour; names are looked up by where they stand, as compression repeats them. Whatever a
message says, reading it ends, and soon: pointers lead backwards only, a name has few of them, and
nothing is read beyond the message's end.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from socket import AF_INET6, inet_ntoa, inet_ntop

from syncd.content.zone.lexer import RecordError
from syncd.content.zone.names import (
    MAX_LABEL_BYTES,
    MAX_NAME_BYTES,
    MAX_NAME_POINTERS,
    name_text,
)
from syncd.content.zone.rdata import rdata_text
from syncd.content.zone.record_types import TYPE_CODES, type_name

_IN = 1
_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHIH")
_SOA_NUMBERS = struct.Struct("!5I")
_POINTER = 0xC0
_A, _AAAA = TYPE_CODES["A"], TYPE_CODES["AAAA"]
_SOA, _MX, _SRV, _TXT = (TYPE_CODES[name] for name in ("SOA", "MX", "SRV", "TXT"))
_ONE_NAME = frozenset(TYPE_CODES[name] for name in ("NS", "CNAME", "PTR"))

_NAMES_WITHIN = {
    TYPE_CODES[mnemonic]: shape
    for mnemonic, shape in {
        "MB": (0, 0, 1), "MG": (0, 0, 1), "MR": (0, 0, 1), "MINFO": (0, 0, 2), "DNAME": (0, 0, 1),
        "RP": (0, 0, 2), "AFSDB": (2, 0, 1), "RT": (2, 0, 1), "KX": (2, 0, 1), "PX": (2, 0, 2),
        "NXT": (0, 0, 1), "SIG": (18, 0, 1), "NAPTR": (4, 3, 1),
    }.items()
}  # fmt: skip
"""Further types whose names may be compressed (RFC 3597 section 4): octets and strings before the
names, and how many names there are."""


class BadMessageError(RecordError):
    """Octets that are no DNS message: says why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Where a message's TSIG record stands: it, and its rdata."""

    start: int
    owner: str
    rdata_start: int
    rdata_bytes: int


class Message:
    """One message; what follows its header is read when it is asked for."""

    def __init__(self, wire: bytes) -> None:
        """Raises BadMessageError if there is not even a header."""
        if len(wire) < _HEADER.size:
            raise BadMessageError(f"a message of {len(wire)} octets, a header alone has 12")
        self.wire = wire
        self.id, flags, self._questions, self.answers, authority, additional = _HEADER.unpack_from(
            wire
        )
        self.is_response = bool(flags & 0x8000)
        self.rcode = flags & 0x000F
        self._others = authority + additional
        self._names: dict[int, tuple[str, int]] = {}
        self._at = _HEADER.size
        self._answered = False

    def records(self) -> Iterator[tuple[int, str, str]]:
        """Yield type, owner and canonical line of each record of the answer section.

        Raises BadMessageError, or RdataError for rdata that is not well formed.
        """
        at = self._skip_questions()
        for _ in range(self.answers):
            owner, rdtype, rdclass, ttl, at, length = self._head(at)
            end = at + length
            if rdclass != _IN:
                raise BadMessageError(f"{owner}: a record of class {rdclass}; a zone's is IN")
            rdata = self._rdata(rdtype, at, end)
            yield rdtype, owner, f"{owner} {ttl} IN {type_name(rdtype)} {rdata}"
            at = end
        self._at, self._answered = at, True

    def signature(self) -> Signature | None:
        """Return where the TSIG record stands, or None; it can only be the last of all.

        Raises BadMessageError.
        """
        at = self._at
        if not self._answered:
            at = self._skip(self._skip_questions(), self.answers)
        if not self._others:
            return None
        at = self._skip(at, self._others - 1)
        owner, rdtype, _, _, rdata_at, length = self._head(at)
        if rdtype != TYPE_CODES["TSIG"]:
            return None
        return Signature(at, owner, rdata_at, length)

    def _skip_questions(self) -> int:
        at = _HEADER.size
        for _ in range(self._questions):
            at = self._name(at)[1] + 4
        return at

    def _skip(self, at: int, count: int) -> int:
        for _ in range(count):
            _, _, _, _, rdata_at, length = self._head(at)
            at = rdata_at + length
        return at

    def _head(self, at: int) -> tuple[str, int, int, int, int, int]:
        """Return owner, type, class, TTL, and where the rdata stands with how many octets."""
        owner, at = self._name(at)
        if at + _RECORD.size > len(self.wire):
            raise _ends_early()
        rdtype, rdclass, ttl, length = _RECORD.unpack_from(self.wire, at)
        at += _RECORD.size
        if at + length > len(self.wire):
            raise _ends_early()
        return owner, rdtype, rdclass, ttl, at, length

    def _rdata(self, rdtype: int, at: int, end: int) -> str:
        wire = self.wire
        if rdtype == _A and end - at == 4:
            return inet_ntoa(wire[at:end])
        if rdtype == _AAAA and end - at == 16:
            return inet_ntop(AF_INET6, wire[at:end])
        if rdtype in _ONE_NAME:
            return self._last_name(at, end)
        if rdtype == _MX:
            return f"{self._number(at, end)} {self._last_name(at + 2, end)}"
        if rdtype == _SRV:
            numbers = [str(self._number(at + offset, end)) for offset in (0, 2, 4)]
            return f"{' '.join(numbers)} {self._last_name(at + 6, end)}"
        if rdtype == _SOA:
            primary, at = self._name(at)
            contact, at = self._name(at)
            if end - at != _SOA_NUMBERS.size:
                raise BadMessageError("an SOA record that does not end with its five numbers")
            numbers = [str(number) for number in _SOA_NUMBERS.unpack_from(wire, at)]
            return f"{primary} {contact} {' '.join(numbers)}"
        shape = _NAMES_WITHIN.get(rdtype)
        data = wire[at:end] if shape is None else self._expanded(at, end, *shape)
        return rdata_text(_IN, rdtype, data)

    def _number(self, at: int, end: int) -> int:
        if at + 2 > end:
            raise _ends_early()
        return int.from_bytes(self.wire[at : at + 2], "big")

    def _last_name(self, at: int, end: int) -> str:
        text, after = self._name(at)
        if after != end:
            raise BadMessageError(f"rdata whose name, {text}, does not end where it does")
        return text

    def _expanded(self, at: int, end: int, octets: int, strings: int, names: int) -> bytes:
        """Return rdata with its names written out."""
        start = at
        at += octets
        for _ in range(strings):
            if at >= end:
                raise _ends_early()
            at += 1 + self.wire[at]
        parts = [self.wire[start:at]]
        for _ in range(names):
            name, at = self._name_wire(at)
            parts.append(name)
        if at > end:
            raise _ends_early()
        return b"".join([*parts, self.wire[at:end]])

    def _name(self, at: int) -> tuple[str, int]:
        """Return the name at a place, and where what follows it begins."""
        known = self._names.get(at)
        if known is not None:
            return known
        wire = self.wire
        if at + 2 <= len(wire) and wire[at] >= _POINTER:  # most names are a pointer, and no more
            target = (wire[at] & 0x3F) << 8 | wire[at + 1]
            if target in self._names:
                return self._names[target][0], at + 2
        octets, end = self._name_wire(at)
        found = self._names[at] = name_text(octets), end
        return found

    def _name_wire(self, at: int) -> tuple[bytes, int]:
        """Return a name's octets written out, and where what follows it begins."""
        wire, size = self.wire, len(self.wire)
        labels: list[bytes] = []
        total, pointers, lowest, end = 1, 0, at, None
        while True:
            if at >= size:
                raise _ends_early()
            length = wire[at]
            if length == 0:
                labels.append(b"\0")
                return b"".join(labels), at + 1 if end is None else end
            if length >= _POINTER:
                if at + 2 > size:
                    raise _ends_early()
                end = at + 2 if end is None else end
                at = (length & 0x3F) << 8 | wire[at + 1]
                if at >= lowest:
                    raise BadMessageError("a compressed name that does not lead backwards")
                lowest = at
                pointers += 1
                if pointers > MAX_NAME_POINTERS:
                    raise BadMessageError(f"a name of more than {MAX_NAME_POINTERS} pointers")
                continue
            if length > MAX_LABEL_BYTES:
                raise BadMessageError("a name with a label of an unknown kind")
            total += 1 + length
            if total > MAX_NAME_BYTES:
                raise BadMessageError(f"a name longer than {MAX_NAME_BYTES} octets")
            labels.append(wire[at : at + 1 + length])
            at += 1 + length


def _ends_early() -> BadMessageError:
    return BadMessageError("the message ends before its records do")
