"""Messages built and read by hand, beside dnspython's."""

import struct

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncclient.dns.comparable import comparable_rdata
from syncclient.dns.messages import (
    MessageError,
    query,
    question,
    read_answer,
    read_name,
    read_records,
    soa_serial,
)
from syncd.content.zone.lexer import lex_record
from syncd.content.zone.names import MAX_NAME_POINTERS
from syncd.content.zone.rdata import rdata_wire
from syncd.content.zone.record_types import TYPE_CODES

LABELS = st.binary(min_size=1, max_size=63)


def joined(labels: list[bytes]) -> dns.name.Name:
    fits = sum(map(len, labels)) + len(labels) < 255
    return dns.name.Name([*labels, b""]) if fits else dns.name.root


NAMES = st.lists(LABELS, max_size=6).map(joined)
RECORDS = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "NS": "NS1.Example.com.",
    "SOA": "ns1.Example.com. Hostmaster.example.com. 4294967295 7200 3600 1209600 300",
    "PTR": "host.EXAMPLE.com.",
    "CNAME": "www.example.com.",
    "DNAME": "other.example.com.",
    "MX": "65 Mail.example.com.",
    "RP": "who.example.com. txt.example.com.",
    "SRV": "0 5 5060 sip.Example.com.",
    "NAPTR": '100 10 "U" "E2U+sip" "!^.*$!sip:a@example.com!" Replaced.example.com.',
    "KX": "10 kx.example.com.",
    "AFSDB": "1 afs.example.com.",
    "PX": "10 map822.example.com. mapx400.example.com.",
    "RRSIG": "A 13 2 3600 20301231000000 20260101000000 4711 Example.com. c2lnbmF0dXJl",
    "NSEC": "Next.example.com. A RRSIG NSEC",
    "TXT": '"Case Matters" "\\000\\255"',
    "HTTPS": "1 svc.Example.com. alpn=h2",
    "DS": "4711 13 2 " + "AB" * 32,
    "CAA": '0 issue "Ca.example.net"',
    "TYPE65280": "\\# 4 0A000001",
}


def wire_name(name: dns.name.Name) -> bytes:
    return name.to_wire()


@given(NAMES, st.sampled_from(["A", "SOA", "TXT"]), st.integers(0, 65535))
def test_a_query_is_what_dnspython_reads(name: dns.name.Name, kind: str, number: int) -> None:
    asked = question(wire_name(name), TYPE_CODES[kind])
    read = dns.message.from_wire(query(number, asked))
    assert (read.id, read.flags, read.edns) == (number, 0, -1)
    assert (read.question[0].name, read.question[0].rdtype) == (name, dns.rdatatype.from_text(kind))
    read = dns.message.from_wire(query(number, asked, 1232, dnssec=True))
    assert (read.edns, read.payload, bool(read.ednsflags & dns.flags.DO)) == (0, 1232, True)
    read = dns.message.from_wire(query(number, asked, 4096))
    assert (read.payload, read.ednsflags) == (4096, 0)


def response(name: dns.name.Name, kind: str, records: list[str]) -> bytes:
    reply = dns.message.make_response(dns.message.make_query(name, kind))
    reply.flags |= dns.flags.AA
    reply.answer.append(dns.rrset.from_text_list(name, 300, "IN", kind, records))
    reply.authority.append(dns.rrset.from_text(name, 5, "IN", "NS", "ns1.example.com."))
    return reply.to_wire()


@given(NAMES, st.sampled_from(sorted(RECORDS)))
def test_what_a_message_holds_compares_as_what_a_zone_holds(name: dns.name.Name, kind: str) -> None:
    """dnspython compresses; the zone's own text goes another way. Both come to one form."""
    asked = question(wire_name(name), int(dns.rdatatype.from_text(kind)))
    answer = read_answer(response(name, kind, [RECORDS[kind]]), asked)
    assert answer is not None
    assert answer.authoritative
    (record,), (authority,), _ = answer.sections()
    assert record.owner == wire_name(name).lower()
    assert (record.type, record.ttl, authority.ttl) == (dns.rdatatype.from_text(kind), 300, 5)
    fields = lex_record(RECORDS[kind] + "\n", 0, final=True).fields
    wire = rdata_wire(1, record.type, fields)
    assert comparable_rdata(answer.message, record.start, record.length, record.type) == (
        comparable_rdata(wire, 0, len(wire), record.type)
    )


@pytest.mark.parametrize(
    ("kind", "one", "other", "equal"),
    [
        ("NS", "a.example.", "A.EXAMPLE.", True),
        ("MX", "65 mail.example.", "65 MAIL.example.", True),
        ("MX", "65 mail.example.", "97 mail.example.", False),
        ("TXT", '"a"', '"A"', False),
        ("CAA", '0 issue "a"', '0 issue "A"', False),
        ("SRV", "65 0 1 a.example.", "97 0 1 a.example.", False),
        ("SOA", "a. b. 65 1 1 1 65", "A. B. 65 1 1 1 65", True),
        ("SOA", "a. b. 65 1 1 1 65", "a. b. 97 1 1 1 65", False),
        ("NAPTR", '1 1 "A" "" "" a.', '1 1 "a" "" "" a.', False),
        ("NAPTR", '1 1 "A" "" "" a.', '1 1 "A" "" "" A.', True),
    ],
)
def test_only_the_case_of_names_makes_no_difference(
    kind: str, one: str, other: str, equal: bool
) -> None:
    forms = []
    for text in (one, other):
        wire = rdata_wire(1, TYPE_CODES[kind], lex_record(text + "\n", 0, final=True).fields)
        forms.append(comparable_rdata(wire, 0, len(wire), TYPE_CODES[kind]))
    assert (forms[0] == forms[1]) is equal


@given(NAMES, st.integers(0, 2**32 - 1))
def test_the_serial_is_read_from_a_compressed_answer(name: dns.name.Name, serial: int) -> None:
    asked = question(wire_name(name), TYPE_CODES["SOA"])
    text = f"ns1.example.com. hostmaster.ns1.example.com. {serial} 1 2 3 4"
    answer = read_answer(response(name, "SOA", [text]), asked)
    assert answer is not None
    assert soa_serial(answer.message, answer.answers()[0]) == serial


@given(NAMES, NAMES, st.binary(max_size=20))
def test_a_compressed_name_is_read_as_it_was(
    name: dns.name.Name, other: dns.name.Name, before: bytes
) -> None:
    message = before + wire_name(name)
    pointing = message + b"\xc0" + bytes((len(before),)) + b"rest"
    assert read_name(pointing, len(message)) == (wire_name(name).lower(), len(message) + 2)
    assert read_name(message + wire_name(other), len(message))[0] == wire_name(other).lower()


@given(st.binary(max_size=600), st.integers(0, 600))
def test_no_bytes_make_reading_fail_otherwise_than_in_words_or_for_ever(
    message: bytes, at: int
) -> None:
    try:
        name, end = read_name(message, at)
    except MessageError:
        return
    assert len(name) <= 255
    assert at < end <= len(message)


@given(st.binary(max_size=120), NAMES, st.sampled_from([*sorted(RECORDS)]))
def test_no_answer_makes_reading_fail_otherwise_than_in_words(
    behind: bytes, name: dns.name.Name, kind: str
) -> None:
    asked = question(wire_name(name), TYPE_CODES.get(kind, 65280))
    message = b"\0\0\x84\0\0\1\0\1\0\1\0\1" + asked + behind
    answer = read_answer(message, asked)
    assert answer is not None
    try:
        for records in answer.sections():
            for record in records:
                comparable_rdata(message, record.start, record.length, record.type)
                soa_serial(message, record)
    except MessageError:
        return


@pytest.mark.parametrize(("kind", "length"), [("NS", 3), ("MX", 2), ("SOA", 8), ("RRSIG", 18)])
def test_rdata_that_is_shorter_than_its_names_is_refused(kind: str, length: int) -> None:
    with pytest.raises(MessageError, match="too short"):
        comparable_rdata(b"\3abc\0" * 9, 0, length, TYPE_CODES[kind])


def test_records_end_where_the_message_ends() -> None:
    with pytest.raises(MessageError, match="ends inside a record"):
        read_records(b"\0" * 10, 0, 1, b"\0")


@pytest.mark.parametrize(
    ("message", "at"),
    [(b"\xc0\0", 0), (b"\xc0\2\xc0\0", 2), (b"\1a\xc0\0", 0), (b"\xc0\4ab\xc0\0", 0)],
    ids=["itself", "each other", "the name it ends", "forward"],
)
def test_a_pointer_that_leads_nowhere_new_is_refused(message: bytes, at: int) -> None:
    with pytest.raises(MessageError, match="points forward"):
        read_name(message, at)


def test_a_name_may_lead_from_pointer_to_pointer_but_not_all_through_a_message() -> None:
    chain = b"\0\0" + b"".join(
        (0xC000 | 2 * number).to_bytes(2, "big") for number in range(MAX_NAME_POINTERS + 1)
    )
    farthest = 2 * MAX_NAME_POINTERS
    assert read_name(chain, farthest) == (b"\0", farthest + 2)
    with pytest.raises(MessageError, match="too many pointers"):
        read_name(chain, farthest + 2)


def test_an_answer_that_does_not_repeat_the_question_has_no_name_of_it_to_point_at() -> None:
    asked = question(b"\3www\0", TYPE_CODES["A"])
    header = struct.pack("!6H", 1, 0x8403, 0, 0, 2, 0)
    root = b"\0" + struct.pack("!HHIH", TYPE_CODES["TXT"], 1, 60, 0)
    answer = read_answer(header + root + b"\xc0\x0c" + root[1:], asked)
    assert answer is not None
    assert [record.owner for record in answer.sections()[1]] == [b"\0", b"\0"]
