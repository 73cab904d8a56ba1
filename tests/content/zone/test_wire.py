"""What a message carries comes out as the reader prints it; what is no message is told so."""

import struct

import dns.exception
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.zone.lexer import RecordError, lex_record
from syncd.content.zone.names import MAX_NAME_POINTERS, name_wire, owner_key, qualify
from syncd.content.zone.rdata import canonical_rdata
from syncd.content.zone.record_types import type_number
from syncd.content.zone.wire import Message
from tests.content.zone.zone_texts import FAST_RDATA, OTHER_RDATA

ORIGIN = "example."
MORE_RDATA = {
    "CNAME": ["a.example.", r"a\.b.example."],
    "DNAME": ["a.example."],
    "SOA": ["ns.example. hm.example. 4294967295 2 3 4 5"],
    "MINFO": ["a.example. b.example."],
    "MB": ["a.example."],
    "RP": ["a.example. ."],
    "AFSDB": ["1 a.example."],
    "RT": ["1 a.example."],
    "KX": ["1 a.example."],
    "PX": ["1 a.example. b.example."],
    "NXT": ["a.example. A NS"],
    "SVCB": ["1 a.example. port=53"],
    "TYPE65535": [r"\# 3 00C000"],
}
RECORDS = [
    (kind, text)
    for table in (FAST_RDATA, OTHER_RDATA, MORE_RDATA)
    for kind, texts in table.items()
    for text in texts
]
OWNERS = ["example.", "a.example.", "b.a.example.", r"\000.A.example.", "*.example."]


def canonical(kind: str, text: str) -> str:
    tokens = lex_record(text + "\n", 0, final=True).fields
    return canonical_rdata(1, type_number(kind), tokens, ORIGIN)


def header(answers: int, *, others: int = 0, questions: int = 0) -> bytes:
    return struct.pack("!6H", 1, 0x8400, questions, answers, 0, others)


def record(owner: bytes, kind: int, rdata: bytes, rdclass: int = 1) -> bytes:
    return owner + struct.pack("!HHIH", kind, rdclass, 60, len(rdata)) + rdata


def lines_of(wire: bytes) -> list[str]:
    return [line for _, _, line in Message(wire).records()]


def writable() -> list[tuple[str, str]]:
    """The records that we take and dnspython can write."""
    found = []
    for kind, text in RECORDS:
        try:
            rdata = canonical(kind, text)
            dns.rrset.from_text(ORIGIN, 0, "IN", kind, rdata)
        except (RecordError, dns.exception.DNSException, ValueError):
            continue
        found.append((kind, rdata))
    return found


WRITABLE = writable()


def test_most_records_can_be_written() -> None:
    assert len(WRITABLE) > 0.8 * len(RECORDS)


@given(st.lists(st.tuples(st.sampled_from(OWNERS), st.sampled_from(WRITABLE)), max_size=20))
def test_records_that_dnspython_writes_are_read_as_from_a_master_file(
    drawn: list[tuple[str, tuple[str, str]]],
) -> None:
    message = dns.message.make_response(dns.message.make_query(ORIGIN, "AXFR"))
    expected = []
    for owner, (kind, rdata) in drawn:
        rrset = dns.rrset.from_text(owner, 60, "IN", kind, rdata)
        message.answer.append(rrset)
        expected.append(f"{qualify(owner, ORIGIN)} 60 IN {kind} {rdata}")
    # Compression takes the case of the name that was there first.
    assert [line.lower() for line in lines_of(message.to_wire())] == [
        line.lower() for line in expected
    ]


@pytest.mark.parametrize(
    ("kind", "before", "names"),
    [
        ("NS", b"", 1), ("CNAME", b"", 1), ("PTR", b"", 1), ("DNAME", b"", 1), ("MB", b"", 1),
        ("MINFO", b"", 2), ("RP", b"", 2), ("MX", b"\0\1", 1), ("AFSDB", b"\0\1", 1),
        ("RT", b"\0\1", 1), ("KX", b"\0\1", 1), ("PX", b"\0\1", 2), ("SRV", b"\0\1\0\2\0\3", 1),
        ("NAPTR", b"\0\1\0\2\1u\1s\0", 1),
    ],
)  # fmt: skip
def test_names_in_rdata_may_be_compressed(kind: str, before: bytes, names: int) -> None:
    owner = name_wire("a.example.", b"")
    pointer = b"\xc0\x0c"
    number = type_number(kind)
    compressed = header(1) + record(owner, number, before + pointer * names)
    written_out = header(1) + record(owner, number, before + owner * names)
    assert lines_of(compressed) == lines_of(written_out)
    assert lines_of(compressed)[0].count("a.example.") == 1 + names


def test_a_compressed_name_of_a_signature_is_written_out() -> None:
    owner = name_wire("a.example.", b"")
    before = struct.pack("!HBBIIIH", 1, 8, 2, 60, 2_000_000_000, 1_900_000_000, 5)
    rdata = before + b"\xc0\x0c" + b"\1"
    assert lines_of(header(1) + record(owner, type_number("SIG"), rdata)) == [
        "a.example. 60 IN SIG A 8 2 60 20330518033320 20300317174640 5 a.example. AQ=="
    ]


def test_a_pointer_into_the_middle_of_a_name_is_followed() -> None:
    first = name_wire("a.b.example.", b"")
    wire = header(2) + record(first, 1, b"\1\2\3\4") + record(b"\xc0\x0e", 1, b"\1\2\3\4")
    assert lines_of(wire)[1] == "b.example. 60 IN A 1.2.3.4"


def test_questions_and_a_signature_behind_the_records_are_seen() -> None:
    owner = name_wire("example.", b"")
    question = owner + b"\0\xfc\0\1"
    records = record(b"\xc0\x0c", 1, b"\1\2\3\4")
    signature = record(name_wire("key.", b""), 250, b"octets", 255)
    wire = (
        header(1, questions=1, others=2) + question + records + record(b"\0", 41, b"") + signature
    )
    message = Message(wire)
    for _ in range(2):  # asked for before the records, and after them
        found = message.signature()
        assert found is not None
        assert (found.owner, found.start) == ("key.", len(wire) - len(signature))
        assert wire[found.rdata_start :][: found.rdata_bytes] == b"octets"
        assert len(list(message.records())) == 1
    assert Message(header(0)).signature() is None
    assert Message(header(0, others=1) + record(b"\0", 41, b"")).signature() is None


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"\0" * 11, "a header alone has 12"),
        (header(1), "ends before its records do"),
        (header(1) + b"\1", "ends before"),
        (header(1) + b"\xc0", "ends before"),
        (header(1) + b"\0\0\1", "ends before"),
        (header(1) + record(b"\0", 1, b"\1\2\3\4")[:-1], "ends before"),
        (header(1) + record(b"\xc0\x0c", 1, b"\1\2\3\4"), "does not lead backwards"),
        (header(1) + record(b"\xc0\x0e\xc0\x0c", 1, b""), "does not lead backwards"),
        (header(1) + record(b"\x40\0", 1, b""), "of an unknown kind"),
        (header(1) + record(b"\x3f" + b"x" * 63 + b"\xc0\x0c", 1, b""), "does not lead backwards"),
        (header(1) + record((b"\x3f" + b"x" * 63) * 4 + b"\0", 1, b""), "longer than 255"),
        (header(1) + record(b"\0", 1, b"\1\2\3\4", rdclass=3), "class 3"),
        (header(1) + record(b"\0", 1, b"\1\2\3"), "ends too early"),
        (header(1) + record(b"\0", 2, b"\0\0"), "does not end where it does"),
        (header(1) + record(b"\0", 15, b"\0"), "ends before"),
        (header(1) + record(b"\0", 6, b"\0\0" + bytes(19)), "five numbers"),
        (header(1) + record(b"\0", 35, b"\0\0\0\0"), "ends before"),
        (header(1) + record(b"\0", 17, b"\0\0\0"), "bytes are left"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_told(wire: bytes, reason: str) -> None:
    with pytest.raises(RecordError, match=reason):
        list(Message(wire).records())


@given(st.binary(max_size=200))
def test_any_octets_are_records_or_an_error(tail: bytes) -> None:
    try:
        message = Message(header(3, others=1) + tail)
        records = list(message.records())
        message.signature()
    except RecordError:
        return
    for _, owner, line in records:
        assert owner_key(owner) is not None
        line.encode("ascii")


@pytest.mark.parametrize("count", [MAX_NAME_POINTERS, MAX_NAME_POINTERS + 1])
def test_a_chain_of_pointers_is_followed_as_far_as_a_name_has_use_for_it(count: int) -> None:
    """Each leads to the one before, and the first to the root."""
    start = len(header(1)) + 11
    chain = b"\0\0" + b"".join(
        (0xC000 | start + 2 * number).to_bytes(2, "big") for number in range(count - 1)
    )
    last = (0xC000 | start + 2 * (count - 1)).to_bytes(2, "big")
    wire = header(101) + record(b"\0", 10, chain) + record(last, 1, b"\1\2\3\4") * 100
    if count > MAX_NAME_POINTERS:
        with pytest.raises(RecordError, match="more than 127 pointers"):
            lines_of(wire)
    else:
        assert lines_of(wire)[1:] == [". 60 IN A 1.2.3.4"] * 100
