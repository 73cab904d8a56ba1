"""Canonical form: order, TTLs, duplicates, what cannot stand together, and merging of runs."""

from collections.abc import Iterator
from typing import Unpack

import dns.name
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.content.zone import runs
from syncd.content.zone.canonical import canonical_text, line_key, settle_rrset
from syncd.content.zone.names import owner_key
from syncd.content.zone.record_types import type_number
from syncd.content.zone.runs import Lines, Rrsets, Run, merge, sort_records
from syncd.errors import InvalidContent
from tests.content.zone.bind_judge import Reading, by_bind, by_us, our_lines, outcome
from tests.content.zone.zone_texts import zone_texts

HEAD = "$TTL 300\n@ SOA ns.other. hm 1 2 3 4 5\n@ NS ns.other.\n"


def lines_of(body: str, **how: Unpack[Reading]) -> list[str]:
    """The lines of a zone with this body, without those of its head."""
    return our_lines((HEAD + body).encode(), **how)[2:]


@given(zone_texts(start_with_ttl=True))
@settings(max_examples=150, deadline=None)
def test_canonical_lines_read_again_stay_as_they_are(text: str) -> None:
    try:
        lines = our_lines(text.encode("latin-1"))
    except InvalidContent:
        return
    again = "".join(f"{line}\n" for line in lines).encode()
    assert our_lines(again) == lines
    assert our_lines(again, fast=False) == lines


@given(zone_texts())
@settings(max_examples=150, deadline=None)
def test_lines_are_in_canonical_order_without_duplicates(text: str) -> None:
    try:
        lines = our_lines(text.encode("latin-1"))
    except InvalidContent:
        return
    places = []
    for line in lines:
        owner, ttl, class_text, type_text, rdata = line.split(" ", 4)
        number = 0 if type_text == "SOA" else type_number(type_text)
        covered = type_number(rdata.split(" ")[0]) if type_text in ("RRSIG", "SIG") else 0
        places.append((dns.name.from_text(owner), number, covered, rdata))
        assert class_text == "IN"
        assert 0 <= int(ttl) < 1 << 31
    assert places == sorted(set(places))
    assert lines[0].split(" ")[3] == "SOA"
    ttls = {(line_key(line), line.split(" ")[0], line.split(" ")[1]) for line in lines}
    assert len(ttls) == len({key for key, _, _ in ttls}), "an RRset has one TTL and one spelling"


@given(zone_texts(), st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_merging_many_runs_is_as_sorting_once(text: str, run_rrsets: int) -> None:
    octets = text.encode("latin-1")
    assert outcome(octets, run_rrsets=run_rrsets) == outcome(octets)


def test_rrsets_that_are_split_over_runs_are_joined() -> None:
    body = "".join(f"h{n % 7} A 192.0.2.{n}\nz{n} A 192.0.2.1\n" for n in range(100))
    lines = lines_of(body)
    assert len(lines) == 200
    assert lines_of(body, run_rrsets=3) == lines == lines_of(body, run_rrsets=3, window_bytes=10)


# TTLs

TTL_CASES = [
    ("a 10 A 1.1.1.1\na 20 A 1.1.1.2\n", {"10"}),
    ("a 10 A 1.1.1.1\n 20 TXT x\n 30 A 1.1.1.2\n", {"10", "20"}),
    ("a 10 A 1.1.1.1\nb 1 A 1.1.1.1\na 20 A 1.1.1.2\n", {"20", "1"}),
    ("a 10 A 1.1.1.1\nb 1 A 1.1.1.1\na 20 A 1.1.1.1\n", {"20", "1"}),
    ("a 10 A 1.1.1.1\nb 1 A 1.1.1.1\na 10 A 1.1.1.2\na 20 A 1.1.1.3\n", {"10", "1"}),
    ("a 10 A 1.1.1.1\nb 1 A 1.1.1.1\na 2 TXT x\n 30 A 1.1.1.2\n 40 A 1.1.1.3\n", {"30", "2", "1"}),
    ("a 10 A 1.1.1.1\nb 1 A 1.1.1.1\na 20 A 1.1.1.2\nb 1 TXT x\na 30 A 1.1.1.3\n", {"30", "1"}),
    ("a 10 A 1.1.1.1\nA 20 A 1.1.1.2\n", {"20"}),
    ("a 10 A 1.1.1.1\na.example. 20 A 1.1.1.2\n", {"10"}),
    ("a 10 A 1.1.1.1\n; comment\n\n$TTL 5\n$ORIGIN example.\na ( 20 A 1.1.1.2 )\n", {"10"}),
    ("a 10 A 1.1.1.1\n$GENERATE 1-2 a 20 A 2.2.2.$\n", {"10"}),
    ("a 10 TXT x\n$GENERATE 1-2 a 20 A 2.2.2.$\n 30 A 1.1.1.1\n 40 A 1.1.1.2\n", {"10", "30"}),
    ("a 10 A 1.1.1.1\n$GENERATE 1-2 b 20 A 2.2.2.$\n 30 A 1.1.1.2\n", {"10", "20"}),
    ("b 10 A 1.1.1.1\na 1 A 1.1.1.1\n$GENERATE 1-2 b 20 A 2.2.2.$\n", {"20", "1"}),
    ("@ 10 NS ns.other.\n", {"300"}),
    ("a 10 RRSIG A 8 2 300 20300101000000 20200101000000 1 @ AA==\n"
     "a 20 RRSIG TXT 8 2 300 20300101000000 20200101000000 1 @ AA==\n", {"10", "20"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "ttls"), TTL_CASES)
@pytest.mark.parametrize("run_rrsets", [1, 2, 40_000])
def test_an_rrset_has_the_ttl_that_bind_gives_it(
    body: str, ttls: set[str], run_rrsets: int
) -> None:
    lines = lines_of(body, run_rrsets=run_rrsets)
    assert {line.split(" ")[1] for line in lines} - {"300"} == ttls - {"300"}
    if run_rrsets == 1:
        bound = by_bind((HEAD + body).encode())
        assert bound is not None
        assert {record[1] for record in bound} - {"300"} == ttls - {"300"}


@pytest.mark.parametrize("more", ["", " 30 A 1.1.1.3\n", " TXT x\n 30 A 1.1.1.3\n"])
def test_a_record_without_a_ttl_takes_what_the_one_before_came_to_have(more: str) -> None:
    head = "@ 300 SOA ns.other. h 1 2 3 4 5\n@ NS a.\na 10 A 1.1.1.1\na 20 A 1.1.1.2\n"
    text = f"{head}{more}b A 1.1.1.3\n".encode()
    assert by_us(text) == by_bind(text)
    for fast in (True, False):
        assert our_lines(text, fast=fast)[-1] == "b.example. 10 IN A 1.1.1.3"


def test_different_ttls_and_duplicates_are_told() -> None:
    told: list[str] = []
    lines = ["a. 10 IN A 1.1.1.1", "a. 20 IN A 1.1.1.1", "", "a. 30 IN A 1.1.1.2"]
    assert settle_rrset(lines, told.append) == ["a. 30 IN A 1.1.1.1", "a. 30 IN A 1.1.1.2"]
    assert told == [
        "a. A: a duplicate is dropped: 1.1.1.1", "a. A: an RRset has one TTL: 30, not 10, 20",
    ]  # fmt: skip


# Duplicates and what cannot stand together


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("Www A 1.1.1.1\nb A 1.1.1.1\nwWW A 1.1.1.2\n", ["b", "Www", "Www"]),
        ("Www A 1.1.1.1\nwWW TXT x\n", ["Www", "wWW"]),
        ("a MX 1 X.\nb A 1.1.1.1\na MX 1 x.\n", ["X.", "1.1.1.1"]),
        ("a NAPTR 1 1 u s \"\" X.\nb A 1.1.1.1\na NAPTR 1 1 u s \"\" x.\n", ["X.", "1.1.1.1"]),
        ("a NAPTR 1 1 u s \"\" x.\na NAPTR 1 1 U s \"\" x.\n", ["x.", "x."]),
        ("a NSEC x. A\na NSEC X. A\n", ["A", "A"]),
        ("a TXT x\na TXT X\n", ['"X"', '"x"']),
        ("a CNAME X.\nb A 1.1.1.1\na CNAME x.\n", ["X.", "1.1.1.1"]),
    ],
)  # fmt: skip
def test_of_records_equal_but_for_case_the_first_stays(body: str, kept: list[str]) -> None:
    lines = lines_of(body)
    shown = [line.split(" ")[0].removesuffix(".example.") for line in lines]
    assert kept in (shown, [line.split(" ")[-1] for line in lines])
    assert by_us((HEAD + body).encode()) == by_bind((HEAD + body).encode())


SAME_BUT_FOR_CASE = [
    "NS A.", "CNAME A.", "PTR A.", "DNAME A.", "MB A.", "MG A.", "MR A.", "MX 1 A.", "AFSDB 1 A.",
    "RT 1 A.", "KX 1 A.", "SRV 1 1 1 A.", 'NAPTR 1 1 "u" "s" "" A.', "RP A. B.", "MINFO A. B.",
    "PX 1 A. B.", "NSAP-PTR A.", "A6 64 ::1 A.", "NXT A. MX",
    "RRSIG A 8 2 1 20300101000000 20200101000000 1 Example. AA==",
    "SIG A 8 2 1 20300101000000 20200101000000 1 Example. AA==",
]  # fmt: skip
DIFFERENT = [
    "NSEC A. MX", "HIP 1 00 AA== A.", "IPSECKEY 1 3 1 A. AA==", "LP 1 A.", "AMTRELAY 1 0 3 A.",
    "SVCB 1 A.", "HTTPS 1 A.", 'CAA 0 issue "A"', "DSYNC CDS NOTIFY 1 A.", "TALINK A. B.",
    'TXT "A"', 'HINFO "A" "B"', 'NAPTR 1 1 "U" "s" "" a.',
    "RRSIG A 8 2 1 20300101000000 20200101000000 1 example. AAAA",
]  # fmt: skip


def with_other_case(record: str) -> str:
    """The record with its names, strings or last field in lower case."""
    type_text, rdata = record.split(" ", 1)
    if type_text in ("RRSIG", "SIG"):
        return record.replace("Example.", "example.").replace("AAAA", "aaaa")
    if type_text in ("NSEC", "NXT", "HIP", "IPSECKEY", "DSYNC"):
        return record.replace(" A.", " a.")
    return f"{type_text} {rdata.lower()}"


@pytest.mark.parametrize("record", SAME_BUT_FOR_CASE + DIFFERENT)
def test_what_is_equal_is_what_bind_takes_for_equal(record: str) -> None:
    other = with_other_case(record)
    assert other != record
    body = f"a {record}\nb A 1.1.1.1\na {other}\n"
    lines = lines_of(body)
    assert len(lines) == (2 if record in SAME_BUT_FOR_CASE else 3)
    assert by_us((HEAD + body).encode()) == by_bind((HEAD + body).encode())


RRSIG = "RRSIG A 8 2 300 20300101000000 20200101000000 1 example. AA=="
BESIDE_ALIAS = {
    RRSIG: True, RRSIG.replace("RRSIG", "SIG", 1): True, "NSEC a A": True, "KEY 0 3 8 AA==": True,
    f"NSEC3 1 0 0 - {'2t7b' * 8} A": True, "CNAME X": True, "NXT a A": False, "A 1.1.1.1": False,
    "NS ns.other.": False, "DNAME x.": False, "DNSKEY 256 3 8 AA==": False, "TXT x": False,
    "TYPE65400 \\# 0": False, "NSEC3PARAM 1 0 0 -": False, "CNAME y": False,
}  # fmt: skip


@pytest.mark.parametrize("record", BESIDE_ALIAS)
@pytest.mark.parametrize("form", ["c CNAME x\nC {}\n", "c {}\nb A 1.1.1.1\nc CNAME x\n"])
def test_only_some_types_stand_beside_a_cname(record: str, form: str) -> None:
    text = (HEAD + form.replace("{}", record)).encode()
    assert (by_bind(text) is not None) == BESIDE_ALIAS[record]
    for run_rrsets in (1, 40_000):
        if BESIDE_ALIAS[record]:
            assert our_lines(text, run_rrsets=run_rrsets)
        else:
            with pytest.raises(InvalidContent, match=r"^zone: [cC]\.example\.: .*CNAME"):
                our_lines(text, run_rrsets=run_rrsets)


def test_a_cname_outside_of_the_zone_is_beside_nothing() -> None:
    assert len(lines_of("other. CNAME x\nother. A 1.1.1.1\na A 1.1.1.1\n")) == 1


# The largest RRset


def many(make: str, count: int) -> bytes:
    return (HEAD + "".join(f"a {make.format(n)}\n" for n in range(count))).encode()


@pytest.mark.parametrize(
    ("make", "most"),
    [
        ("TYPE65400 \\# 4 {:08x}", 10918), ("AAAA ::{:x}", 3639), ("TXT {:099d}", 642),
        ("NS x{:05d}.", 6551), ("APL 1:1.0.0.0/8 !1:{}.1.1.1/32", 4367),
    ],
)  # fmt: skip
def test_an_rrset_is_no_larger_than_in_bind(make: str, most: int) -> None:
    most = min(most, 256) if "APL" in make else most
    assert by_bind(many(make, most)) is not None
    assert len(our_lines(many(make, most))) == most + 2
    if "APL" not in make:
        assert by_bind(many(make, most + 1)) is None
        with pytest.raises(InvalidContent, match="octets, the limit is 65512"):
            our_lines(many(make, most + 1))


def test_services_of_few_characters_can_be_large() -> None:
    body = "".join(f"a WKS 1.1.1.1 {n} 65535\n" for n in range(8))
    assert by_bind((HEAD + body).encode()) is None
    with pytest.raises(InvalidContent, match="octets, the limit"):
        lines_of(body)


def test_duplicates_do_not_count() -> None:
    body = "a A 1.1.1.1\n" * 140_000
    assert lines_of(body + "b A 1.1.1.1\n", run_rrsets=1) == [
        "a.example. 300 IN A 1.1.1.1", "b.example. 300 IN A 1.1.1.1",
    ]  # fmt: skip


# Runs

RRSETS = st.dictionaries(
    st.text(st.characters(max_codepoint=127), min_size=1, max_size=3),
    st.lists(st.text(max_size=3), min_size=1, max_size=3),
    min_size=1,
    max_size=20,
)


@given(RRSETS, st.integers(1, 4), st.integers(1, 60))
def test_a_run_gives_back_what_was_packed(
    records: dict[str, list[str]], rrsets: int, size: int
) -> None:
    packed = sort_records(
        {key: lines[0] if len(lines) == 1 else lines for key, lines in records.items()}
    )
    before = runs._FRAME_RRSETS, runs._FRAME_BYTES
    runs._FRAME_RRSETS, runs._FRAME_BYTES = rrsets, size
    try:
        run = Run.pack(packed)
    finally:
        runs._FRAME_RRSETS, runs._FRAME_BYTES = before
    pages = list(run.pages())
    assert [key for page in pages for key in page.keys] == packed.keys
    assert [lines for page in pages for lines in page.lines] == packed.lines
    for held in (run, packed):
        assert all(held.find(key) == lines for key, lines in records.items())
        assert held.find("\x7f\x7f\x7f\x7f") is None
        assert held.find("") is None
        assert all(held.find(key + "\0") == records.get(key + "\0") for key in records)


SOURCES = st.lists(st.dictionaries(st.text("abc", max_size=3), st.text("xy", max_size=2)))


@given(SOURCES, st.integers(1, 4))
def test_merging_gives_every_key_once_in_order_with_the_lines_of_all_sources(
    sources: list[dict[str, str]], size: int
) -> None:
    def pages(records: dict[str, str]) -> Iterator[Rrsets]:
        rrsets = sort_records(dict(records))
        return (rrsets.part(at, at + size) for at in range(0, len(records), size))

    merged = {
        key: lines
        for page in merge([pages(records) for records in sources])
        for key, lines in zip(page.keys, page.lines, strict=True)
    }
    expected: dict[str, Lines] = {}
    for key in sorted({key for records in sources for key in records}):
        held = [records[key] for records in sources if key in records]
        apart = [line for own in held for line in ("", own)][1:]
        expected[key] = held[0] if len(held) == 1 else apart
    assert list(merged.items()) == list(expected.items())


def test_what_is_outside_of_the_zone_is_left_out_and_told() -> None:
    rrsets = sort_records({
        owner_key(owner) + "\0\0\0\1": f"{owner} 1 IN A 1.1.1.1"
        for owner in ("a.", "example.", "a.example.", "examples.")
    })  # fmt: skip
    told: list[str] = []
    for packed, rest in (([], rrsets), ([Run.pack(rrsets.part(0, 2))], rrsets.part(2))):
        parts = canonical_text(packed, rest, "example.", set(), told.append)
        lines = b"".join(parts).splitlines(keepends=True)
        assert lines == [b"example. 1 IN A 1.1.1.1\n", b"a.example. 1 IN A 1.1.1.1\n"]
    assert told[0] == "RRsets outside example. are left out, 2 in all: a. 1 IN A 1.1.1.1"
    assert all("outside example. are left out" in text for text in told)
