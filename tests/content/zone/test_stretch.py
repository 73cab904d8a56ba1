"""Wherever a stretch of a file is read apart, the zone is what it is if nobody does."""

from dataclasses import dataclass
from io import BytesIO

from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncd.content.zone.reader import read_zone
from syncd.content.zone.stretch import Stretch, find_begin, read_stretch
from syncd.errors import InvalidContent

HEAD = "@ 3600 IN SOA ns.other. hm 1 2 3 4 5\n@ NS ns.other.\n"
RDATA = ("A 192.0.2.1", "A 192.0.2.2", "AAAA 2001:db8::1", 'TXT "x"', 'TXT "y"', "MX 5 mx.example.")
CANONICAL = [
    f"{owner} {ttl} IN {rdata}\n"
    for owner in ("a.example.", "A.example.", "b.a.example.", "z.example.", "out.side.")
    for ttl in (60, 300)
    for rdata in RDATA
]
OTHERS = [
    "a A 192.0.2.3\n", " A 192.0.2.4\n", "a 5 TXT x\n", "\n", "; nothing\n", "$ORIGIN a.example.\n",
    "$ORIGIN example.\n", "$TTL 77\n", "b.a.example. 60 IN TXT ( \"x\"\n", ")\n",
    '$GENERATE 1-2 a 30 TXT "$"\n', "z.example. 60 IN CNAME a.example.\n",
    "a.example. 60 IN TYPE65400 \\# 1 00\n", "a.example. 60 IN A 192.0.2.256\n",
    'a.example. 60 IN TXT "\n', '"\n',
]  # fmt: skip


@dataclass
class Known:
    """Somebody who reads a stretch of a text as soon as it is asked for."""

    octets: bytes
    begin: int
    taken: Stretch | None = None

    def take(self) -> Stretch | None:
        self.taken = read_stretch(BytesIO(self.octets), self.begin, run_rrsets=3)
        return self.taken


def read(octets: bytes, ahead: Known | None) -> tuple[object, ...]:
    try:
        zone = read_zone(
            BytesIO(octets), origin="example.", path="z", ahead=ahead, window_bytes=200,
            run_rrsets=3, reopen=lambda: BytesIO(octets),
        )  # fmt: skip
        lines = list(zone.lines())
    except InvalidContent as error:
        return error.path, error.line, error.reason
    return (*lines, *zone.warnings)


def begins(octets: bytes) -> list[int]:
    """Where each line but the first begins."""
    return [place + 1 for place in range(len(octets) - 1) if octets[place] == ord("\n")]


CANONICAL_LINES = st.lists(st.sampled_from(CANONICAL), min_size=8, max_size=40)
PARTS = st.lists(
    st.one_of(CANONICAL_LINES, CANONICAL_LINES, st.lists(st.sampled_from(OTHERS), max_size=3)),
    max_size=5,
)


@given(PARTS, st.data())
@settings(max_examples=400)
@example([CANONICAL[:20], CANONICAL[5:30], [" A 192.0.2.4\n"], CANONICAL[:10]], None)
@example([CANONICAL[:9], ['b.a.example. 60 IN TXT ( "x"\n'], CANONICAL[12:30], [")\n"]], None)
@example([CANONICAL[:9], CANONICAL[36:41], [' 300 TXT "w"\n']], None)
@example([["$TTL 77\n"], CANONICAL[12:30], ["z A 192.0.2.9\n"], CANONICAL[40:]], None)
def test_a_zone_is_the_same_whoever_reads_a_stretch_of_it(
    parts: list[list[str]], data: st.DataObject | None
) -> None:
    octets = (HEAD + "".join(line for part in parts for line in part)).encode()
    places = begins(octets)
    if data is not None:
        places = [data.draw(st.sampled_from(places))]
    alone = read(octets, None)
    for begin in places:
        assert read(octets, Known(octets, begin)) == alone


def test_a_stretch_is_taken_over_up_to_the_line_that_is_not_canonical() -> None:
    stretch = "".join(f"h{number}.example. 60 IN A 192.0.2.1\n" for number in range(1000))
    octets = f"{HEAD}{stretch}more A 192.0.2.7\n".encode()
    known = Known(octets, len(HEAD))
    assert len(read(octets, known)) == 1003
    assert known.taken is not None
    assert len(octets) - known.taken.end == len("more A 192.0.2.7\n")
    assert known.taken.owner == "h0.example."


def test_what_there_is_to_be_said_of_is_left_to_whoever_reads_the_file() -> None:
    many = "a.example. 60 IN A 192.0.2.1\n" * 34_000
    octets = (HEAD + many + "".join(CANONICAL[12:])).encode()
    known = Known(octets, len(HEAD))
    lines, alone = (
        [line for line in read(octets, ahead) if isinstance(line, bytes)] for ahead in (known, None)
    )
    assert lines == alone
    assert known.taken is None


def test_an_owner_that_goes_on_is_no_place_to_begin() -> None:
    lines = [f'{owner}.example. 60 IN TXT "{number}"\n' for owner in "abA" for number in range(9)]
    octets = "".join(lines).encode()
    places = {find_begin(BytesIO(octets), size) for size in range(2, 2 * len(octets))}
    heads = [len("".join(lines[:number])) for number in (9, 18)]
    assert places == {*heads, None}
