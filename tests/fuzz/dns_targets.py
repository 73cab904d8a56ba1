"""DNS messages from whoever answers: any bytes are read to their end, refused in words, or both
come to what dnspython reads; and what is judged to be the same holds the records that it should.
"""

import struct
import time
from collections.abc import Iterator
from functools import cache

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset

from syncclient.dns.expectation import Place, Rrset, Unseen, expected_rrsets, signature_rrset
from syncclient.dns.judgement import judge
from syncclient.dns.messages import (
    HEADER_BYTES,
    IN,
    SOA,
    Answer,
    MessageError,
    Record,
    question,
    read_answer,
    soa_serial,
)
from syncd.content.zone.lexer import RecordError, lex_record
from syncd.content.zone.names import MAX_NAME_BYTES, name_text
from syncd.content.zone.rdata import canonical_rdata, rdata_text
from syncd.content.zone.record_types import NOT_IN_ZONES, TYPE_CODES
from syncd.content.zone.wire import Message
from tests.fuzz.target import Target

_TIME_S, _TIME_S_PER_BYTE = 0.5, 0.00001
"""Ten times what it takes; names that are read again and again, pointer by pointer, get there."""
_TEXT_OF_AN_ERROR = 1100
_MAX_TTL = 0x7FFFFFFF
"""What is more is 0 to dnspython (RFC 2181 section 8)."""
_MAX_BYTES = 65535
_POINTER, _LAST_TARGET = 0xC000, 0x3FFF
_NULL, _AXFR = 10, 252
_ZONE = "example.com."
_ZONE_LINES = (
    "example.com. 300 IN SOA ns.example.com. Hm.example.com. 1 2 3 4 5",
    "example.com. 300 IN NS ns.example.com.",
    "example.com. 300 IN NS ns.example.net.",
    "example.com. 300 IN MX 10 Mail.example.com.",
    'example.com. 300 IN TXT "Case Matters" "\\000\\255"',
    "example.com. 300 IN RRSIG MX 13 2 300 20301231000000 20260101000000 4711 Example.com. c2ln",
    "example.com. 300 IN RP who.example.com. txt.example.com.",
    "*.example.com. 60 IN A 192.0.2.9",
    "a.example.com. 60 IN CNAME b.a.example.com.",
    "b.a.example.com. 60 IN A 192.0.2.1",
    "b.a.example.com. 60 IN A 192.0.2.2",
    "b.a.example.com. 60 IN AAAA 2001:db8::1",
    "d.example.com. 60 IN DNAME other.example.",
    'n.example.com. 300 IN NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:a@example.com!" r.example.com.',
    "n.example.com. 300 IN SRV 0 5 5060 sip.example.com.",
    "n.example.com. 300 IN HTTPS 1 svc.example.com. alpn=h2",
    "sub.example.com. 300 IN NS ns.sub.example.com.",
    "sub.example.com. 300 IN DS 4711 13 2 " + "AB" * 32,
    "sub.example.com. 300 IN NSEC example.com. NS DS RRSIG NSEC",
    "ns.sub.example.com. 300 IN A 192.0.2.3",
)
_BY_DNSPYTHON = frozenset(
    TYPE_CODES[name]
    for name in (
        "A", "AAAA", "NS", "CNAME", "PTR", "MX", "SOA", "SRV", "DNAME", "RP", "AFSDB", "RT", "PX",
        "NAPTR",
    )
)  # fmt: skip
"""Types whose names dnspython expands as well, and whose data it leaves as it is."""


def _rrsets() -> list[Rrset]:
    """Return what may be asked for: everything that the zone has, and other turns of some of it."""
    found, _ = expected_rrsets(_ZONE, _ZONE_LINES)
    turned = [rrset._replace(gone=True) for rrset in found]
    turned += [rrset._replace(partial=True) for rrset in found if len(rrset.rdatas) > 1]
    for rrset in found:
        if rrset.owner.endswith("sub.example.com."):
            place = Place.BELOW_CUT if rrset.owner.startswith("ns") else Place.AT_CUT
            turned.append(rrset._replace(place=place))
        else:
            turned.append(rrset._replace(place=Place.INSIDE))
        if rrset.signatures:
            turned.append(
                signature_rrset(
                    _ZONE, rrset.owner, rrset.name, rrset.type, rrset.signatures, rrset.ttl
                )
            )
        if rrset.type == TYPE_CODES["NSEC"]:
            turned.append(rrset._replace(asked=b"\4sub\0" + rrset.name[4:]))
        if rrset.type == TYPE_CODES["A"]:
            beside = b"\6beside" + rrset.name[1 + rrset.name[0] :]
            turned.append(rrset._replace(gone=True, beside=True, name=beside))
    return found + turned


_RRSETS = _rrsets()


def _check_answer(data: bytes) -> None:
    """The first octet says what was asked for, the rest is the answer."""
    rrset = _RRSETS[(data[0] if data else 0) % len(_RRSETS)]
    message = data[1:]
    began = time.thread_time()
    answer = _read_answer(message, rrset)
    if answer is None:
        return
    found = judge(rrset, answer, compare_ttl=bool(message[0] & 1))
    taken_s = time.thread_time() - began
    assert taken_s < _TIME_S + _TIME_S_PER_BYTE * len(data), f"{taken_s:.1f} s"
    assert found is None or isinstance(found, str | Unseen | Rrset)
    if isinstance(found, str):
        assert found
        assert found.isprintable()
        assert len(found) < 8 * _TEXT_OF_AN_ERROR
    if isinstance(found, Rrset):
        assert len(found.name) <= MAX_NAME_BYTES
        assert len(found.asked) <= MAX_NAME_BYTES
        name_text(found.asked or found.name)
    sections = _read_sections(answer)
    theirs = _by_dnspython(message)
    if theirs is None:
        return
    assert sections is not None, "dnspython reads it"
    for ours, section in zip(sections, (theirs.answer, theirs.authority), strict=False):
        assert [_known(record) for record in ours] == [_known_to_dnspython(one) for one in section]
    if found is None and answer.authoritative and not (rrset.gone or rrset.asked or rrset.partial):
        _check_the_same(rrset, theirs)


def _read_answer(message: bytes, rrset: Rrset) -> Answer | None:
    try:
        return read_answer(message, question(rrset.asked or rrset.name, rrset.type))
    except MessageError as error:
        _check_words(error)
        return None


def _read_sections(answer: Answer) -> tuple[list[Record], ...] | None:
    """Return all records after a look at each, or None if there is an end inside of one."""
    try:
        sections = answer.sections()
        assert answer.answers() == sections[0]
    except MessageError as error:
        _check_words(error)
        return None
    assert tuple(map(len, sections)) == answer.counts
    at = answer.start
    for record in (record for section in sections for record in section):
        assert at < record.start <= record.start + record.length <= len(answer.message)
        at = record.start + record.length
        assert record.owner == record.owner.lower()
        assert len(record.owner) <= MAX_NAME_BYTES
        assert dns.name.from_wire(record.owner, 0)[1] == len(record.owner)
        if record.type == SOA:
            try:
                assert 0 <= soa_serial(answer.message, record) < 1 << 32
            except MessageError as error:
                _check_words(error)
    return sections


def _check_words(error: Exception) -> None:
    text = str(error)
    assert text
    assert text.isprintable()
    assert len(text) < _TEXT_OF_AN_ERROR


def _by_dnspython(message: bytes) -> dns.message.Message | None:
    """Return what dnspython reads, None if that is nothing that can be compared."""
    try:
        read = dns.message.from_wire(message, one_rr_per_rrset=True, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError, struct.error):
        return None
    return read if read.opcode() == dns.opcode.QUERY else None


def _known(record: Record) -> tuple[bytes, int, int, int]:
    ttl = record.ttl if record.ttl <= _MAX_TTL else 0
    return record.owner, record.type, record.rdclass, ttl


def _known_to_dnspython(rrset: dns.rrset.RRset) -> tuple[bytes, int, int, int]:
    return rrset.name.to_wire().lower(), int(rrset.rdtype), int(rrset.rdclass), rrset.ttl


def _check_the_same(rrset: Rrset, theirs: dns.message.Message) -> None:
    """What was judged to be the same is the same to dnspython, but for the case of letters."""
    found = {
        one[0].to_wire().lower()
        for one in theirs.answer
        if (one.name.to_wire().lower(), one.rdtype, one.rdclass)
        == (rrset.name.lower(), rrset.type, IN)
    }
    if rrset.covered:
        found = {data for data in found if int.from_bytes(data[:2], "big") == rrset.covered}
    assert found == {data.lower() for data in rrset.rdatas}
    assert theirs.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


def _answer_seeds() -> Iterator[bytes]:
    for number, rrset in enumerate(_RRSETS):
        head = bytes((number,))
        right = _reply(rrset)
        right.answer = _records(rrset)
        yield head + right.to_wire()
        yield head + _referral(rrset).to_wire()
    yield b"\0" + _reply(_RRSETS[0], dns.rcode.REFUSED).to_wire()
    yield b"\0" + _reply(_RRSETS[0]).to_wire()[:HEADER_BYTES]
    yield b"\0" + _pointer_chain(question(_RRSETS[0].name, _RRSETS[0].type))


def _reply(rrset: Rrset, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    name = dns.name.from_wire(rrset.asked or rrset.name, 0)[0]
    reply = dns.message.make_response(
        dns.message.make_query(name, dns.rdatatype.RdataType.make(rrset.type), use_edns=0)
    )
    reply.flags |= dns.flags.AA
    reply.set_rcode(rcode)
    return reply


@cache
def _zone_rrsets() -> list[dns.rrset.RRset]:
    return [
        dns.rrset.from_text(owner, int(ttl), "IN", kind, rdata)
        for owner, ttl, _, kind, rdata in (line.split(" ", 4) for line in _ZONE_LINES)
    ]


def _records(rrset: Rrset) -> list[dns.rrset.RRset]:
    owner = dns.name.from_text(rrset.owner)
    return [
        one
        for one in _zone_rrsets()
        if one.name == owner and one.rdtype in (rrset.type, TYPE_CODES["RRSIG"])
    ]


def _referral(rrset: Rrset) -> dns.message.Message:
    reply = _reply(rrset)
    reply.flags &= ~dns.flags.AA
    sub = dns.name.from_text("sub.example.com.")
    reply.authority = [one for one in _zone_rrsets() if one.name == sub]
    reply.additional = [
        one for one in _zone_rrsets() if one.name != sub and one.name.is_subdomain(sub)
    ]
    return reply


def _check_transfer(data: bytes) -> None:
    began = time.thread_time()
    read = _read_transfer(data)
    taken_s = time.thread_time() - began
    assert taken_s < _TIME_S + _TIME_S_PER_BYTE * len(data), f"{taken_s:.1f} s"
    if read is None:
        return
    for rdtype, owner, line in read:
        assert line.isprintable()
        head, ttl, class_text, _, rdata = line.split(" ", 4)
        assert (head, class_text) == (owner, "IN")
        assert 0 <= int(ttl) < 1 << 32
        fields = lex_record(rdata + "\n", 0, final=True).fields
        if rdtype not in NOT_IN_ZONES:  # what the reader refuses as it stands
            assert canonical_rdata(IN, rdtype, fields, ".") == rdata
    theirs = _by_dnspython(data)
    if theirs is None:
        return
    assert [owner for _, owner, _ in read] == [
        name_text(one.name.to_wire()) for one in theirs.answer
    ]
    for (rdtype, _, line), one in zip(read, theirs.answer, strict=True):
        if rdtype in _BY_DNSPYTHON:
            assert line.split(" ", 4)[4] == rdata_text(IN, rdtype, one[0].to_wire())


def _read_transfer(data: bytes) -> list[tuple[int, str, str]] | None:
    """Return the records; a signature is looked for before they are read, and after."""
    read: list[tuple[int, str, str]] | None = None
    places: list[object] = []
    try:
        message = Message(data)
        places.append(_place(message))
        read = list(message.records())
        places.append(_place(message))
    except RecordError as error:
        _check_words(error)
        return None
    assert places[0] == places[1]
    assert len(read) == message.answers
    return read


def _place(message: Message) -> object:
    """Return where the signature stands, or why that cannot be said."""
    try:
        found = message.signature()
    except RecordError as error:
        _check_words(error)
        return type(error)
    if found is not None:
        assert found.start < found.rdata_start
        assert found.rdata_start + found.rdata_bytes <= len(message.wire)
    return found


def _transfer_seeds() -> Iterator[bytes]:
    rrsets = _zone_rrsets()
    for first in range(0, len(rrsets), 5):
        reply = dns.message.make_response(dns.message.make_query(_ZONE, "AXFR"))
        reply.answer = rrsets[first : first + 5]
        yield reply.to_wire()
    whole = dns.message.make_response(dns.message.make_query(_ZONE, "AXFR"))
    whole.answer = [*rrsets, rrsets[0]]
    yield whole.to_wire()
    mixed = dns.message.make_response(dns.message.make_query(_ZONE, "AXFR"))
    mixed.answer = [
        dns.rrset.from_text(_ZONE, 1, "IN", *text.split(" ", 1))
        for text in (
            "AFSDB 1 a.",
            "RT 1 a.",
            "KX 1 a.",
            "PX 1 a. b.",
            "LOC 1 N 1 E 0m",
            "HINFO x y",
        )
    ]
    yield mixed.to_wire()
    yield _pointer_chain(question(b"\0", _AXFR))


def _pointer_chain(asked: bytes) -> bytes:
    """Return a message each of whose names goes through all the pointers that fit into one."""
    root = HEADER_BYTES + len(asked) + 11
    pointers = b"".join(struct.pack("!H", _POINTER | at) for at in range(root, _LAST_TARGET, 2))
    first = b"\0" + struct.pack("!HHIH", _NULL, IN, 0, 2 + len(pointers)) + b"\0\0" + pointers
    record = pointers[-2:] + struct.pack("!HHIH", _NULL, IN, 0, 0)
    count = (_MAX_BYTES - root - len(first)) // len(record)
    header = struct.pack("!6H", 0, 0x8400, 1, 1 + count, 0, 0)
    return header + asked + first + record * count


TARGETS = [
    Target("answer", _check_answer, _answer_seeds),
    Target("transfer", _check_transfer, _transfer_seeds),
]
