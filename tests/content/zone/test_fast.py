"""The fast path: that it is taken, and that it makes no difference."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.content.zone.fast import read_fast
from syncd.content.zone.reading_state import ReadingState
from tests.content.zone.bind_judge import outcome
from tests.content.zone.zone_texts import FAST_RDATA, mutated, record_lines, zone_texts

TIMES = "20300131000000 20200430235959"

PLAIN: Mapping[str, str] = {
    "A": "192.0.2.1", "NS": "ns", "CNAME": "www.other.", "PTR": "host", "MX": "10 mail",
    "SOA": "ns hostmaster 1 2 3 4 5", "TXT": '"a b" "c;("', "AAAA": "2001:db8::1",
    "SRV": "0 5 5060 sip", "DNAME": "other.", "DS": f"1 8 2 {'0a' * 32}",
    "RRSIG": f"A 8 2 300 {TIMES} 12345 example. AA==", "NSEC": "b A RRSIG NSEC",
    "DNSKEY": "256 3 8 AwEAAQ==", "NSEC3": f"1 0 0 - {'2t7b' * 8} A RRSIG",
}  # fmt: skip

# Lines that only the slow path can read, or refuse.
NOT_PLAIN = [
    "a 300 IN A 192.0.2.1 ; comment", "a 300 IN A ( 192.0.2.1 )", r"\097 300 IN A 192.0.2.1",
    "a IN 300 A 192.0.2.1", "a 1h IN A 192.0.2.1", "a 300 IN a 192.0.2.1", "a 300 CH A 192.0.2.1",
    "a 2147483648 IN A 192.0.2.1", "a 300 IN A 192.0.2.256", "a 300 IN AAAA 1.2.3.4",
    "a 300 IN CNAME a..b", "a 300 IN CNAME " + "l" * 64, "a 300 IN TXT plain", r'a 300 TXT "\""',
    'a 300 IN TXT "' + "x" * 256 + '"', "a 300 IN MX 65536 b", "a 300 IN MX 010 b",
    "a 300 IN SRV 1 1 65536 b", "a 300 IN SOA ns h 1 2 3 4 1h", "* 300 IN NS ns", "*.b 300 NS ns",
    f"* 300 IN NSEC3 1 0 0 - {'2t7b' * 8} A", "a 300 IN NS 10.0.0.1", "a 300 IN NS 1.2.3.4.",
    "a 300 IN DS 1 8 2 00", "a 300 IN DS 1 8 9 00", "a 300 IN DNSKEY 256 3 8 AwEAAR==",
    "a 300 IN DNSKEY 256 3 8 AwEA AQ==", "a 300 IN NSEC b", "a 300 IN NSEC b TYPE1 FOO",
    f"a 300 IN RRSIG A 8 1 300 {TIMES} 1 a.example. AA==",
    "a 300 IN RRSIG A 8 2 300 20300230000000 20200101000000 1 example. AA==",
    "a 300 IN RRSIG A 8 2 300 20990101000000 20200101000000 1 example. AA==",
    f"a 300 IN NSEC3 1 0 0 - {'2t7b' * 7} A", f"a 300 IN NSEC3 2 0 0 - {'2t7b' * 8} A",
    "a 300 IN TYPE1 192.0.2.1", "a 300 IN CAA 0 issue x", "a 300 IN MD b", "$TTL 300", "", ";",
    "a 300 IN A", "a 300 IN", "a 300", "a", "\xe9 300 IN A 192.0.2.1", '"a" 300 IN A 192.0.2.1',
    "l" * 64 + " 300 IN A 192.0.2.1", ".".join(["l" * 62] * 4) + " 300 IN A 192.0.2.1",
    "a..b 300 IN A 192.0.2.1", "a\f 300 IN A 192.0.2.1",
]  # fmt: skip


def read(text: str, enough: int = 1000) -> tuple[int, ReadingState]:
    state = ReadingState("example.")
    return read_fast(text, 0, state, enough, most_lines=100), state


@pytest.mark.parametrize("type_text", PLAIN)
@pytest.mark.parametrize(
    "form", ["a 300 IN {}\n", "a.example.\t300\t{}\t\n", "@ 300 in  {} \r\n", "a 1 {}\n 300 {}\n"]
)
def test_a_plain_record_takes_the_fast_path(type_text: str, form: str) -> None:
    text = form.replace("{}", f"{type_text} {PLAIN[type_text]}")
    position, state = read(text)
    assert position == len(text)
    assert state.line == 1 + text.count("\n")
    assert len(state.records) == 1


def test_all_types_of_the_property_tests_have_plain_values() -> None:
    for type_text, rdatas in FAST_RDATA.items():
        assert any(read(f"a 300 IN {type_text} {rdata}\n")[0] for rdata in rdatas)


@pytest.mark.parametrize("line", NOT_PLAIN)
def test_other_lines_are_left_to_the_slow_path(line: str) -> None:
    assert read(line + "\n")[0] == 0


@pytest.mark.parametrize("line", ["a 300 IN A 192.0.2.1", "a 300 IN A 192.0.2.1\r"])
def test_a_line_is_taken_when_its_end_has_been_seen(line: str) -> None:
    assert read(line)[0] == 0
    assert read(line + "\n")[0] == len(line) + 1


def test_without_a_ttl_or_an_owner_to_take_over_it_stops() -> None:
    assert read("a A 192.0.2.1\n")[0] == 0
    assert read(" 300 A 192.0.2.1\n")[0] == 0
    assert read("a 300 A 192.0.2.1\n A 192.0.2.2\n")[1].last_ttl == 300


def test_it_stops_at_an_owner_when_it_has_enough() -> None:
    lines = ["a 300 A 192.0.2.1\n", ' 300 TXT "x"\n', " 300 MX 1 a\n", "b 300 A 192.0.2.1\n"]
    position, state = read("".join(lines), enough=2)
    assert position == len("".join(lines[:3]))
    assert len(state.records) == 3


WINDOWS = st.sampled_from([1, 2, 3, 5, 17, 64, 1 << 20])
RUNS = st.sampled_from([1, 2, 3, 40_000])


@given(zone_texts(fast_only=True), WINDOWS, RUNS)
@settings(max_examples=200, deadline=None)
def test_plain_zones_read_the_same_on_both_paths(text: str, window: int, run: int) -> None:
    octets = text.encode("latin-1")
    slow = outcome(octets, fast=False)
    assert outcome(octets) == slow
    assert outcome(octets, window_bytes=window, run_rrsets=run) == slow


@given(zone_texts(), WINDOWS, RUNS)
@settings(max_examples=200, deadline=None)
def test_all_zones_read_the_same_on_both_paths(text: str, window: int, run: int) -> None:
    octets = text.encode("latin-1")
    slow = outcome(octets, fast=False)
    assert outcome(octets) == slow
    assert outcome(octets, window_bytes=window, run_rrsets=run) == slow


@given(mutated(zone_texts()), WINDOWS, RUNS)
@settings(max_examples=300, deadline=None)
@example(b"$TTL 1\n@ SOA a b 1 2 3 4 5\n@ NS a.\n@ NS a.\r", 1, 1)
def test_damaged_zones_read_the_same_on_both_paths(octets: bytes, window: int, run: int) -> None:
    slow = outcome(octets, fast=False)
    assert outcome(octets) == slow
    assert outcome(octets, window_bytes=window, run_rrsets=run) == slow


@given(st.lists(record_lines(fast_only=True), max_size=4), st.sampled_from(NOT_PLAIN))
@settings(max_examples=200, deadline=None)
def test_lines_around_one_that_is_not_plain_read_the_same(lines: list[str], line: str) -> None:
    head = "@ 300 SOA ns.other. h 1 2 3 4 5\n@ NS ns.other.\n"
    octets = (head + "".join(lines) + line + "\n" + "".join(lines)).encode("latin-1")
    assert outcome(octets) == outcome(octets, fast=False)
