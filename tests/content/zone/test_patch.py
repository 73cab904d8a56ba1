"""Text diffs on zones: the result is that of reading the changed zone, cut as it would be."""

import time
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from syncd.content.chunks import cut_lines, recut
from syncd.content.textdiff import diff_lines, parse_diff
from syncd.content.zone.canonical import line_key
from syncd.content.zone.patch import ZonePatch
from syncd.errors import InvalidContent, MovedOn
from tests.content.zone.bind_judge import our_lines, outcome
from tests.content.zone.zone_texts import zone_texts

HEAD = "$TTL 300\n@ SOA ns.other. hm 1 2 3 4 5\n@ NS ns.other.\n"


class Content:
    """A zone's chunks; notes which are asked for."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = chunks
        self.asked: set[int] = set()

    def chunk(self, index: int) -> bytes:
        self.asked.add(index)
        return self._chunks[index]

    def chunks(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def __len__(self) -> int:
        return len(self._chunks)


def cut(lines: Sequence[str]) -> list[bytes]:
    return list(cut_lines([f"{line}\n".encode() for line in lines], head_lines=1))


def patched(lines: Sequence[str], diff: Sequence[str]) -> list[bytes]:
    """The chunks after the diff."""
    patch = ZonePatch("example.", parse_diff(diff), Content(cut(lines)))
    return list(recut(patch.parts(), head_lines=1))


def lines_of(chunks: Sequence[bytes]) -> list[str]:
    return b"".join(chunks).decode("ascii").splitlines()


@st.composite
def large_zones(draw: st.DrawFn) -> list[str]:
    """Zones of several chunks, in which RRsets stand across cuts."""
    serial, salt = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    sizes = draw(st.lists(st.integers(0, 60), min_size=1, max_size=12))
    body = [f"@ 300 SOA ns.other. hm {serial} 2 3 4 5\n@ 300 NS ns.other.\n"]
    for host, size in enumerate(sizes):
        ttl = draw(st.sampled_from([300, 300, 10]))
        skip = draw(st.integers(0, 70))
        body += [f"h{host} {ttl} A 10.{salt}.{host}.{n}\n" for n in range(size) if n != skip]
        body += [f'{n}.h{host} 300 TXT "{salt if n == skip else 0}"\n' for n in range(size)]
    return our_lines("".join(body).encode())


@given(large_zones(), large_zones())
@settings(max_examples=60, deadline=None)
def test_the_diff_of_two_zones_makes_the_second_of_the_first(
    old: list[str], new: list[str]
) -> None:
    diff = list(diff_lines(old, new))
    assume(diff)
    assert patched(old, diff) == cut(new)


@given(zone_texts(), zone_texts())
@settings(max_examples=150, deadline=None)
def test_so_it_does_for_zones_of_all_types(old_text: str, new_text: str) -> None:
    old, new = outcome(old_text.encode("latin-1")), outcome(new_text.encode("latin-1"))
    assume(isinstance(old, list) and isinstance(new, list) and old != new)
    assert not isinstance(old, str)
    assert not isinstance(new, str)
    assert patched(old, list(diff_lines(old, new))) == cut(new)
    backwards = list(reversed(list(diff_lines(old, new))))
    assert patched(old, backwards) == cut(new)


def zone(body: str) -> list[str]:
    return our_lines((HEAD + body).encode())


LARGE = zone("".join(f"h{n} A 10.0.{n >> 8}.{n & 255}\n" for n in range(5000)))


def test_only_the_chunks_around_a_change_are_read() -> None:
    content = Content(cut(LARGE))
    assert len(content) > 25
    patch = ZonePatch("example.", parse_diff(["-h100 A 10.0.0.100", "+h100 A 10.9.9.9"]), content)
    list(patch.parts())
    # The SOA, and one for each time that the place is halved.
    assert len(content.asked) <= 2 + 2 * len(content).bit_length()


def test_a_patch_of_every_record_takes_no_longer_for_each_than_one_of_a_few() -> None:
    def seconds_each(hosts: int) -> float:
        changed = [line.replace(" 10.", " 11.") for line in LARGE[-hosts:]]
        began = time.perf_counter()
        assert patched(LARGE, list(diff_lines(LARGE[-hosts:], changed)))
        return (time.perf_counter() - began) / hosts

    few = seconds_each(500)
    assert seconds_each(5000) < 4 * few


def test_what_is_not_touched_is_passed_on_as_it_is() -> None:
    before = cut(LARGE)
    after = patched(LARGE, ["-h100 A 10.0.0.100", "+h100 A 10.9.9.9"])
    assert len(set(after) - set(before)) <= 2
    changed = [line for line in LARGE if not line.startswith("h100.")]
    assert sorted(lines_of(after), key=line_key) == sorted(
        [*changed, "h100.example. 300 IN A 10.9.9.9"], key=line_key
    )


@pytest.mark.parametrize(
    ("body", "diff", "result"),
    [
        ("a 10 A 1.1.1.1\n", ["-a A 1.1.1.1"], ""),
        ("a 10 A 1.1.1.1\n", ["-A.Example. IN a 1.1.1.1"], ""),
        ("a 10 A 1.1.1.1\n", ["-a 10 A 1.1.1.1", "+b 20 A 1.1.1.1"], "b 20 A 1.1.1.1\n"),
        ("a 10 A 1.1.1.1\n", ["+a A 1.1.1.2"], "a 10 A 1.1.1.1\na 10 A 1.1.1.2\n"),
        ("a 10 A 1.1.1.1\n", ["-a A 1.1.1.1", "+a A 1.1.1.2"], "a 10 A 1.1.1.2\n"),
        ("a 10 A 1.1.1.1\n", ["+a TXT x"], 'a 10 A 1.1.1.1\na 300 TXT "x"\n'),
        ("a 10 A 1.1.1.1\n", ["-a 10 A 1.1.1.1", "+a 20 A 1.1.1.1"], "a 20 A 1.1.1.1\n"),
        ("a 10 A 1.1.1.1\n", ["+a 60 A 1.1.1.2"], "a 60 A 1.1.1.1\na 60 A 1.1.1.2\n"),
        ("a 10 A 1.1.1.1\na 10 A 1.1.1.2\n", ["-a A 1.1.1.1", "+a 60 A 1.1.1.1"],
         "a 60 A 1.1.1.1\na 60 A 1.1.1.2\n"),
        ("", ["+a TXT x", "+a 60 TXT y"], "a 60 TXT x\na 60 TXT y\n"),
        ("a TXT x\na TXT X\n", ["-a TXT x"], "a TXT X\n"),
        ("a TXT x\na TXT X\n", ["-a TXT X"], "a TXT x\n"),
        ("a MX 1 B\n", ["-a MX 1 b"], ""),
        ("a MX 1 B\n", ["-a MX 1 B", "+a MX 1 b"], "a MX 1 b\n"),
        ("a CNAME b\n", ["-a CNAME b", "+a A 1.1.1.1"], "a A 1.1.1.1\n"),
        ("", ["+a TXT \u00fc"], 'a TXT "\\195\\188"\n'),
        ("", ["+a ( TXT x ) ; comment"], "a TXT x\n"),
    ],
)  # fmt: skip
def test_a_diff_can_be_written_by_hand(body: str, diff: list[str], result: str) -> None:
    assert lines_of(patched(zone(body), diff)) == zone(result)


def test_the_soa_is_exchanged() -> None:
    diff = ["-@ SOA ns.other. hm 1 2 3 4 5", "+@ SOA ns.other. hm 2 2 3 4 5"]
    patch = ZonePatch("example.", parse_diff(diff), Content(cut(LARGE)))
    assert patch.soa == "example. -1 IN SOA ns.other. hm.example. 2 2 3 4 5"
    assert lines_of(patched(LARGE, diff)) == [
        "example. 300 IN SOA ns.other. hm.example. 2 2 3 4 5", *LARGE[1:],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("diff", "message"),
    [
        (["-b A 1.1.1.1"], "diff:1: the zone has no record 'b.example. IN A 1.1.1.1'"),
        (["-a A 1.1.1.2"], "diff:1: the zone has no record"),
        (["-a 11 A 1.1.1.1"], "diff:1: the zone has no record 'a.example. 11 IN A 1.1.1.1'"),
        (["-t TXT X"], "diff:1: the zone has no record"),
        (["+c CNAME x", "-a A 1.1.1.1", "-a A 1.1.1.1"], "diff:3: the zone has no record"),
        (["+a A 1.1.1.1"], "diff:1: the zone has the record 'a.example. 10 IN A 1.1.1.1' already"),
        (["+A 60 A 1.1.1.1"], "diff:1: the zone has the record 'a.example. 10 IN A 1.1.1.1'"),
        (["+b MX 1 x", "+b MX 1 X"], "diff:2: the zone has the record 'b.example. IN MX 1 x"),
    ],
)  # fmt: skip
def test_a_diff_that_does_not_fit_the_zone_is_refused(diff: list[str], message: str) -> None:
    with pytest.raises(MovedOn) as caught:
        patched(zone("a 10 A 1.1.1.1\nt TXT x\n"), diff)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("diff", "message"),
    [
        (["+a FOO x"], 'diff:1: "FOO" is not a record type'),
        (["+a A 1.1.1.1", "", "+a A 1"], 'diff:3: A address: "1" is not an IPv4 address'),
        (["+; comment"], "diff:1: '; comment' is not one record"),
        (["+$GENERATE 1-2 a$ A 1.1.1.1"], "diff:1: '$GENERATE 1-2 a$ A 1.1.1.1' is not one record"),
        (["+$INCLUDE zone"], "diff:1: $INCLUDE is taken only from files on this machine"),
        (["+b.other. A 1.1.1.1"], "diff:1: 'b.other. A 1.1.1.1' is not in example."),
        (["-@ SOA ns.other. hm 1 2 3 4 5"], "a zone has one SOA: remove the old and add the new"),
        (["+@ SOA ns.other. hm 2 2 3 4 5"], "a zone has one SOA: remove the old and add the new"),
        (["-@ NS ns.other."], "example. has no NS records of its own"),
        (["+@ DS 1 8 1 " + "00" * 20], "diff:1: example. has DS records"),
        (["+a 20 A 1.1.1.2", "+a A 1.1.1.3", "+a 30 A 1.1.1.4"],
         "diff:3: an RRset has one TTL, not 20 and 30"),
        (["+b TXT x", "+a CNAME b"], "diff:2: a.example.: a CNAME cannot stand beside other data"),
        (["+c A 1.1.1.1"], "diff:1: c.example.: a CNAME cannot stand beside other data"),
        (["+c CNAME y"], "diff:1: c.example.: 2 different CNAME records"),
        (["+sub SOA ns.other. hm 1 2 3 4 5"], "diff:1: a zone has one SOA, at example."),
        (["+*.a NS b"], "diff:1: *.a.example.: a wildcard cannot own NS"),
    ],
)  # fmt: skip
def test_a_diff_whose_result_is_no_zone_is_refused(diff: list[str], message: str) -> None:
    with pytest.raises(InvalidContent) as caught:
        patched(zone("a 10 A 1.1.1.1\nc CNAME x\n"), diff)
    assert str(caught.value).startswith(message)
