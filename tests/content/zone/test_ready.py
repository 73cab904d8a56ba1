"""Canonical lines taken many at a time: that they are, and that it makes no difference."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.content.zone import master_file, ready
from syncd.content.zone.reading_state import ReadingState
from tests.content.zone.bind_judge import outcome
from tests.content.zone.zone_texts import mutated, zone_texts

HEAD = "example. 300 IN SOA ns.other. h.other. 1 2 3 4 5\nexample. 300 IN NS ns.other.\n"

CANONICAL = {
    "A": ["192.0.2.1", "0.0.0.0", "255.255.255.255"],
    "AAAA": ["2001:db8::1", "::", "::ffff:192.0.2.1"],
    "NS": ["ns.other.", "1.x.", "NS.OTHER."],
    "PTR": ["host.example."],
    "CNAME": ["www.other.", "WWW.other."],
    "MX": ["0 a.", "9999 mail.example."],
    "TXT": ['"a  b;(" "c"', '""', '"' + "x" * 200 + '"'],
}
# What looks like one, but is another spelling, or too much, or wrong.
OTHERS = [
    "a.example. 300 IN A 192.0.2.256", "a.example. 300 IN A 192.0.2.01", "a.b. 300 IN A 1.2.3",
    "a.example. 300 IN AAAA 2001:DB8::1", "a.example. 300 IN AAAA 2001:db8::0:1",
    "a.example. 300 IN AAAA 1:2", "a.example. 300 IN NS 1.2.3.4.", "a.example. 300 IN NS ns",
    "a.example. 0300 IN A 192.0.2.1", "a.example. 4000000000 IN A 192.0.2.1",
    "a.example.  300 IN A 192.0.2.1", "a.example.\t300 IN A 192.0.2.1", "a 300 IN A 192.0.2.1",
    "a.example. 300 in A 192.0.2.1", "a.example. IN A 192.0.2.1", "* 300 IN NS ns.other.",
    "*.example. 300 IN NS ns.other.", "a.example. 300 IN MX 65536 a.", "a.b. 300 IN MX 01 a.",
    "a.example. 300 IN A 192.0.2.1 ", " 300 IN A 192.0.2.1", "a.example. 300 IN TXT a",
    'a.example. 300 IN TXT "a"  "b"', 'a.example. 300 IN TXT "\\""', "a..b. 300 IN A 192.0.2.1",
    "l" * 64 + ".example. 300 IN A 192.0.2.1", ".".join(["l" * 60] * 4) + ". 300 IN A 192.0.2.1",
    'a.example. 300 IN TXT "' + "x" * 256 + '"', ". 300 IN A 192.0.2.1", "\xe9. 300 IN A 192.0.2.1",
]  # fmt: skip

OWNERS = st.sampled_from(["a.example.", "A.example.", "b.a.Example.", "example.", "other.", "c.b."])
RECORDS = st.sampled_from([f"{kind} {rdata}" for kind in CANONICAL for rdata in CANONICAL[kind]])
TTLS = st.sampled_from([0, 10, 300, 999999999])
LINES = st.builds("{} {} IN {}".format, OWNERS, TTLS, RECORDS)


@pytest.fixture(autouse=True, scope="module")
def two_lines_are_many() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ready, "_LINES", ready.lines_pattern(2, 5))
        patch.setattr(master_file, "_SINGLE_LINES", 1)
        yield


def read(text: str, enough: int = 1000) -> tuple[int, ReadingState]:
    state = ReadingState("example.")
    return ready.read_ready(text, 0, state, enough), state


@pytest.mark.parametrize("kind", CANONICAL)
def test_canonical_lines_are_taken(kind: str) -> None:
    lines = [f"{name}.Example. 300 IN {kind} {rdata}\n"
             for rdata in CANONICAL[kind] for name in "ab"]  # fmt: skip
    position, state = read("".join(lines) + "a 300 IN A 192.0.2.1\n")
    left = 1 if len(lines) % 5 == 1 else 0  # of one line there are too few
    assert position == len("".join(lines[: len(lines) - left]))
    assert state.line == 1 + len(lines) - left
    assert state.owner == ("a.Example." if left else "b.Example.")
    assert len(state.records) == 2


@pytest.mark.parametrize("line", OTHERS)
def test_others_are_not(line: str) -> None:
    plain = "a.example. 300 IN A 192.0.2.1\n" * 2
    position, state = read(f"{line}\n{plain}")
    assert (position, state.records) == (0, {})
    assert read(plain + line + "\n")[0] in (0, len(plain))


def test_it_stops_when_it_has_enough() -> None:
    lines = [f"a{number}.example. 300 IN A 192.0.2.1\n" for number in range(20)]
    position, state = read("".join(lines), enough=7)
    assert position == len("".join(lines[:10]))
    assert len(state.records) == 10


@given(st.lists(LINES, max_size=30), st.sampled_from([1, 40, 1 << 20]), st.sampled_from([1, 3, 90]))
@settings(max_examples=300, deadline=None)
def test_canonical_lines_read_the_same_on_all_paths(
    lines: list[str], window: int, run: int
) -> None:
    octets = (HEAD + "\n".join(lines) + "\n").encode()
    slow = outcome(octets, fast=False)
    assert outcome(octets) == slow
    assert outcome(octets, window_bytes=window, run_rrsets=run) == slow


@given(st.lists(LINES | st.sampled_from(OTHERS), max_size=12), st.sampled_from([1, 90]))
@settings(max_examples=300, deadline=None)
def test_lines_that_only_look_canonical_read_the_same(lines: list[str], run: int) -> None:
    octets = (HEAD + "\n".join(lines) + "\n").encode("latin-1")
    assert outcome(octets, run_rrsets=run) == outcome(octets, fast=False)


FEW = st.sampled_from(["A 192.0.2.1", "A 192.0.2.2", 'TXT "x"'])
READY = st.builds("{}. {} IN {}".format, st.sampled_from(["a.example", "b.example"]), TTLS, FEW)
LOOSE = st.builds("{} {} {}".format, st.sampled_from(["a", "b", ""]), TTLS | st.just(""), FEW)


@given(st.lists(st.lists(READY, min_size=2, max_size=5) | st.lists(LOOSE, max_size=2), max_size=5))
@settings(max_examples=500, deadline=None)
def test_what_they_leave_to_the_lines_after_them_is_the_same(groups: list[list[str]]) -> None:
    octets = (HEAD + "".join(f"{line}\n" for lines in groups for line in lines)).encode()
    assert outcome(octets) == outcome(octets, fast=False)


@given(mutated(zone_texts(fast_only=True)))
@settings(max_examples=200, deadline=None)
def test_damaged_zones_read_the_same(octets: bytes) -> None:
    assert outcome(octets) == outcome(octets, fast=False)


def test_a_large_dump_is_read_the_same() -> None:
    body = "".join(
        f"h{number % 97}.example. 300 IN A 192.0.2.{number % 255}\nb{number}.H{number}.example. "
        f"{number} IN AAAA 2001:db8::{number:x}\n"
        for number in range(1, 3000)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ready, "_LINES", ready.lines_pattern(8, 2048))
        assert outcome((HEAD + body).encode()) == outcome((HEAD + body).encode(), fast=False)
