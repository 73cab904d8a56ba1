"""Whole zones: the same records as BIND's, or the same refusal; and no other error, whatever the
bytes.
"""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from syncd.content.zone.reader import absolute_name, read_records, read_zone
from syncd.errors import InvalidContent
from tests.content.zone.bind_judge import by_bind, by_us, our_lines, records
from tests.content.zone.zone_texts import mutated, zone_texts

HEAD = b"$TTL 300\n@ SOA ns.other. hm 1 2 3 4 5\n@ NS ns.other.\n"


START = "@ 3600 IN SOA ns.other. hm 1 2 3 4 5\n@ NS ns.other.\n"


@given(zone_texts())
@settings(max_examples=120, deadline=None)
@example(f'{START}A.Example. TXT x\n$GENERATE 1-2 a 30 TXT "$"\nA.Example. TXT y\n')
@example(f'{START}A.Example. TXT x\nA.Example. TXT y\n$GENERATE 1-2 a 30 TXT "$"\n')
@example(f'{START}A TXT x\nb TXT x\na 5 TXT y\n$GENERATE 1-2 a 30 TXT "$"\n')
@example(f'{START}A TXT 1\n$GENERATE 1-2 a 30 TXT "$"\nb TXT x\n$GENERATE 3-4 a 7 TXT "$"\n')
def test_a_zone_has_the_records_that_bind_reads(text: str) -> None:
    octets = text.encode("latin-1")
    assert by_us(octets) == by_bind(octets)


@given(mutated(zone_texts()))
@settings(max_examples=150, deadline=None)
def test_a_damaged_zone_is_read_or_refused_as_by_bind(octets: bytes) -> None:
    octets += b"\n"
    bound = by_bind(octets)
    assume(bound != "excused")
    assert by_us(octets) == bound


@given(zone_texts(start_with_ttl=True))
@settings(max_examples=50, deadline=None)
def test_bind_reads_our_lines_as_we_do(text: str) -> None:
    ours = by_us(text.encode("latin-1"))
    assume(ours is not None)
    assert ours is not None
    lines = our_lines(text.encode("latin-1"))
    assert by_bind("".join(f"{line}\n" for line in lines).encode()) == ours == records(lines)


def takes_or_refuses(octets: bytes, window_bytes: int) -> None:
    """Read any bytes: whatever is wrong with them is one error, which says in which file."""
    told: list[tuple[str | None, int | None, str]] = []
    for fast in (True, False):
        try:
            zone = read_zone(
                BytesIO(octets), origin="example.", path="z", fast=fast, window_bytes=window_bytes
            )
            lines = list(zone.lines())
        except InvalidContent as error:
            told.append((error.path, error.line, error.reason))
        else:
            assert lines[0].split(b" ")[3] == b"SOA"
            assert all(line.isascii() and line.endswith(b"\n") for line in lines)
            told.append(("z", None, str(lines)))
    assert told[0] == told[1]
    path, line, what = told[0]
    assert path == "z"
    assert line is None or 1 <= line <= octets.count(b"\n") + 1
    assert what


@given(st.binary(max_size=300), st.sampled_from([1, 7, 1 << 20]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_zone_or_invalid(octets: bytes, window_bytes: int) -> None:
    takes_or_refuses(octets, window_bytes)
    takes_or_refuses(HEAD + octets, window_bytes)


EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "zones").glob("*.zone"))
COLLECTED = sorted((Path(__file__).parent / "collected").glob("*.zone"))
"""Written in the ways in which signers, servers, exports and test data of others write zones."""


@given(mutated(st.sampled_from(COLLECTED).map(lambda path: path.read_bytes().decode("latin-1"))))
@settings(max_examples=250, deadline=None)
def test_damaged_files_are_zones_or_invalid(octets: bytes) -> None:
    takes_or_refuses(octets, 1 << 20)


@pytest.mark.parametrize("path", COLLECTED + EXAMPLES, ids=lambda path: path.name)
def test_files_of_many_hands_are_read_as_by_bind(path: Path) -> None:
    octets = path.read_bytes()
    zone = "example." if path in COLLECTED else f"{path.stem}."
    lines = our_lines(octets, zone=zone)
    assert records(lines) == by_bind(octets, zone=zone)
    assert our_lines(octets, zone=zone, fast=False) == lines
    assert our_lines(octets, zone=zone, window_bytes=7, run_rrsets=3) == lines
    printed = "".join(f"{line}\n" for line in lines).encode()
    assert our_lines(printed, zone=zone) == lines


# Names of zones


def name_of(text: str, origin: str) -> str:
    return read_zone(BytesIO(text.encode()), origin=origin).name


@pytest.mark.parametrize(
    ("owner", "origin", "name"),
    [
        ("@", "Example.", "example."), ("@", "example", "example."),
        ("Sub", "example.", "sub.example."),
        ("other.", "example.", "other."), ("example.", ".", "example."), ("@", ".", "."),
        ("@", "a\\.b.", "a\\.b."), ("@", "b\u00fccher.", "xn--bcher-kva."),
    ],
)  # fmt: skip
def test_a_zone_is_named_by_its_soa_record(owner: str, origin: str, name: str) -> None:
    text = f"{owner} 300 SOA ns.other. hm 1 2 3 4 5\n{owner} 300 NS ns.other.\n"
    assert name_of(text, origin) == name
    stray = "stray.org. 300 SOA ns.other. hm 1 2 3 4 5\n"
    if owner != "other." and origin != ".":
        assert name_of(stray + text, origin) == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no SOA record"), ("@ 1 NS a.\n", "there is no SOA record"),
        ("@ 1 SOA a. b 1 2 3 4 5\n", "example. has no NS records of its own"),
        ("@ 1 SOA a. b 1 2 3 4 5\nsub NS a.\n", "has no NS records of its own"),
        ("@ 1 SOA a. b 1 2 3 4 5\n@ NS a.\nsub SOA a. b 1 2 3 4 5\n", "several names"),
        ("a. 1 SOA a. b 1 2 3 4 5\nb. SOA a. b 1 2 3 4 5\n", "several names: a., b."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("run_rrsets", [1, 40_000])
def test_a_zone_has_one_apex(text: str, reason: str, run_rrsets: int) -> None:
    with pytest.raises(InvalidContent, match=reason) as caught:
        read_zone(BytesIO(text.encode()), origin="example.", path="z", run_rrsets=run_rrsets)
    assert caught.value.path == "z"


def test_what_is_outside_of_the_zone_is_left_out_with_a_warning() -> None:
    body = b"x.other. A 1.1.1.1\n CNAME a\na A 1.1.1.1\nz.other. A 1.1.1.1\n"
    for run_rrsets in (1, 40_000):
        zone = read_zone(BytesIO(HEAD + body), origin="example.", run_rrsets=run_rrsets)
        assert len(list(zone.lines())) == 3
        assert any("outside example. are left out" in text for text in zone.warnings)


def test_the_apex_is_found_in_whichever_run_it_is() -> None:
    soa, _, _ = HEAD.rpartition(b"@ NS")
    hosts = b"".join(b"h%d A 1.1.1.1\nz%d.other. A 1.1.1.1\n" % (n, n) for n in range(50))
    for text in (
        HEAD + hosts,
        b"$TTL 1\n" + hosts + HEAD,
        soa + hosts + b"@ NS ns.other.\n",
    ):
        assert len(our_lines(text, run_rrsets=3)) == len(our_lines(text)) == 52


# Names and records that stand alone


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a", "a.Example."),
        ("@", "Example."),
        ("A.b.", "A.b."),
        ("\u00fc.x.", "xn--tda.x."),
        (".", "."),
    ],
)
def test_a_typed_name_becomes_absolute(text: str, name: str) -> None:
    assert absolute_name(text, "Example.") == name


@pytest.mark.parametrize("text", ["a..b", "", "l" * 64, "\udc80.", "\u00fc..", "\\256"])
def test_a_typed_text_that_is_no_name_is_invalid(text: str) -> None:
    with pytest.raises(InvalidContent, match="name"):
        absolute_name(text, "example.")


def test_records_can_stand_alone() -> None:
    def read(text: str) -> list[str]:
        return read_records(text, origin="example.", default_ttl=-1)

    assert read("a A 1.1.1.1") == ["a.example. -1 IN A 1.1.1.1"]
    assert read("a 10 A 1.1.1.1\na 20 A 1.1.1.2") == [
        "a.example. 10 IN A 1.1.1.1", "a.example. 20 IN A 1.1.1.2",
    ]  # fmt: skip
    assert read("\u00fc TXT \u00fc") == [r'\195\188.example. -1 IN TXT "\195\188"']
    assert read("") == []
    for text in ("$INCLUDE x", "a FOO x", " A 1.1.1.1", "a A 1.1.1.1 ("):
        with pytest.raises(InvalidContent):
            read(text)


@pytest.mark.parametrize("generated", ["", "$GENERATE 1-3 g$ A 192.0.2.$\n"])
@pytest.mark.parametrize("soa", ["@ 44 SOA ns. h. 1 2 3 4 5", "@ SOA ns. h. 1 2 3 4 5"])
def test_the_line_of_what_cannot_stand_together_is_said_whatever_states_the_ttl(
    generated: str, soa: str
) -> None:
    text = f"{soa}\n@ NS ns.\n{generated}a A 192.0.2.1\na CNAME b\n".encode()
    with pytest.raises(InvalidContent) as caught:
        zone = read_zone(BytesIO(text), origin="z.", path="z", reopen=lambda: BytesIO(text))
        list(zone.lines())
    assert caught.value.line == text.count(b"\n")
