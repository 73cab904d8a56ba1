"""From records in the order of a file to the canonical lines of a zone.

One line a record, `owner ttl class type rdata` with single blanks; owners in canonical order (RFC
4034 section 6.1), SOA first, then types by number and rdata by its text. Names keep the case they
are written in, which plays no part in what is equal; of equal records the first stays. In memory
an RRset is its line, or its lines in the order of the file, with an empty one wherever its owner
was left in between.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

from syncd.content.compression import compress, decompress
from syncd.content.zone.lexer import lex_record
from syncd.content.zone.names import key_owner, owner_key, type_order, zone_range
from syncd.content.zone.rdata import rdata_size
from syncd.content.zone.record_types import TYPE_CODES, covered_type, type_number
from syncd.errors import InvalidContent
from syncd.protocol.packing import pack, unpack_own

Warn = Callable[[str], None]
Lines = str | list[str]
"""Of an RRset; most have but one, and a list for each would cost more than the text."""
Rrset = tuple[str, Lines]

MAX_RRSET_BYTES = 65512
"""Of the records' rdata, each with the two octets of its length: BIND takes no larger RRset."""

_IN = 1
_KEY = itemgetter(0)
_FRAME_RRSETS = 512
"""RRsets packed as one: what merging holds in memory of each run."""
_FRAME_BYTES = 64 * 1024 * 1024
_FRAME_LIMIT_BYTES = 4 * _FRAME_BYTES
_WIRE_PER_CHARACTER = 16
"""No text of rdata stands for more octets than this for each of its characters, but that of WKS."""

_CASELESS_TYPES = frozenset({
    "NS", "CNAME", "SOA", "PTR", "MX", "SRV", "DNAME", "MB", "MG", "MR", "MINFO", "RP", "AFSDB",
    "RT", "KX", "PX", "NSAP-PTR", "A6", "NXT",
})  # fmt: skip
"""Types whose rdata is names and numbers: BIND takes it for equal when it differs in case only."""
_SINGLE_TYPES = frozenset({"CNAME", "DNAME", "SOA"})
_BESIDE_ALIAS = frozenset({"CNAME", "RRSIG", "SIG", "NSEC", "NSEC3", "KEY"})
"""What may stand beside a CNAME (RFC 4035 section 2.5, RFC 2535 section 2.3.5)."""
_SIGNATURE_TYPES = frozenset({"RRSIG", "SIG"})


@dataclass(frozen=True, slots=True)
class Run:
    """Some RRsets in canonical order, packed away; `first` and `last` are their outer keys."""

    first: str
    last: str
    frames: tuple[bytes, ...]
    frame_keys: tuple[str, ...]
    """The first key of each frame."""

    @classmethod
    def pack(cls, rrsets: list[Rrset]) -> "Run":
        """Return the run of these sorted RRsets."""
        frames = [
            frame
            for at in range(0, len(rrsets), _FRAME_RRSETS)
            for frame in _frames(rrsets[at : at + _FRAME_RRSETS])
        ]
        return cls(
            rrsets[0][0],
            rrsets[-1][0],
            tuple(frame for _, frame in frames),
            tuple(key for key, _ in frames),
        )

    def pages(self) -> Iterator[list[Rrset]]:
        """Yield the RRsets again, some at a time."""
        for frame in self.frames:
            yield _unpack_frame(frame)

    def find(self, key: str) -> list[str] | None:
        """Return the lines under a key, or None."""
        if not self.first <= key <= self.last:
            return None
        frame = self.frames[bisect_right(self.frame_keys, key) - 1]
        lines = dict(_unpack_frame(frame)).get(key)
        return None if lines is None else as_list(lines)


def as_list(lines: Lines) -> list[str]:
    """Return the lines of an RRset as a list."""
    return [lines] if isinstance(lines, str) else lines


def _frames(rrsets: list[Rrset]) -> list[tuple[str, bytes]]:
    packed = pack(list(chain.from_iterable(rrsets)))
    if len(packed) <= _FRAME_BYTES or len(rrsets) == 1:
        return [(rrsets[0][0], compress(packed))]
    middle = len(rrsets) // 2
    return _frames(rrsets[:middle]) + _frames(rrsets[middle:])


def _unpack_frame(frame: bytes) -> list[Rrset]:
    flat = unpack_own(decompress(frame, _FRAME_LIMIT_BYTES))
    return list(zip(flat[::2], flat[1::2], strict=True))


def sort_records(records: dict[str, Lines]) -> list[Rrset]:
    """Return the RRsets of `records` in canonical order."""
    return sorted(records.items(), key=_KEY)


def canonical_lines(
    runs: list[Run], rest: list[Rrset], zone: str, aliases: set[str], warn: Warn
) -> Iterator[bytes]:
    """Yield the canonical lines, each with its LF, of all RRsets of the zone in `runs` and `rest`.

    Raises InvalidContent for a CNAME beside other data, several of a type that stands alone, or an
    RRset that is too large.
    """
    low, high = zone_range(zone)
    alias_check = _AliasCheck(aliases)
    outside = 0
    example = ""
    for rrsets in _merge([*(run.pages() for run in runs), iter([rest] if rest else [])]):
        inside = rrsets[bisect_left(rrsets, (low,)) : bisect_left(rrsets, (high,))]
        if len(inside) < len(rrsets):
            outside += len(rrsets) - len(inside)
            strays = (own for key, own in rrsets if not low <= key < high)
            example = example or as_list(next(strays))[0]
        alias_check.check(inside)
        lines: list[str] = []
        for _, own in inside:
            if isinstance(own, str):
                lines.append(own)
            else:
                lines += settle_rrset(own, warn)
        yield from "".join(f"{line}\n" for line in lines).encode("ascii").splitlines(keepends=True)
    if outside:
        warn(f"{outside} RRsets outside {zone} are left out: {example}")


def _merge(sources: list[Iterator[list[Rrset]]]) -> Iterator[list[Rrset]]:
    """Yield the RRsets of all sources in order, many at a time, those with one key as one.

    Each source gives lists in order. Of the lists at hand, all up to the first of their last keys
    are sorted together: that runs in C, and is as good as done where sources do not overlap.
    """
    lists = [next(source, []) for source in sources]
    while filled := [rrsets for rrsets in lists if rrsets]:
        limit = min(rrsets[-1][0] for rrsets in filled)
        taken: list[Rrset] = []
        for number, rrsets in enumerate(lists):
            end = bisect_right(rrsets, limit, key=_KEY)
            taken += rrsets[:end]
            lists[number] = rrsets[end:] or next(sources[number], [])
        taken.sort(key=_KEY)
        yield _join_equal(taken)


def _join_equal(rrsets: list[Rrset]) -> list[Rrset]:
    """Join what several runs hold of one RRset, whose owner was left where each of them ends."""
    if len(set(map(_KEY, rrsets))) == len(rrsets):
        return rrsets
    joined: list[Rrset] = []
    for key, lines in rrsets:
        if joined and joined[-1][0] == key:
            joined[-1] = (key, [*as_list(joined[-1][1]), "", *as_list(lines)])
        else:
            joined.append((key, lines))
    return joined


class _AliasCheck:
    """Checks the owners of CNAMEs, whose RRsets may come in two lists."""

    def __init__(self, aliases: set[str]) -> None:
        self._owners = sorted(aliases)
        self._open: tuple[str, list[list[str]]] = ("", [])

    def check(self, rrsets: list[Rrset]) -> None:
        """Raise InvalidContent if a CNAME stands beside what it may not."""
        if not self._owners or not rrsets:
            return
        keys = list(map(_KEY, rrsets))
        first = bisect_left(self._owners, key_owner(keys[0]))
        last = bisect_right(self._owners, key_owner(keys[-1]))
        for owner in self._owners[first:last]:
            begin, end = bisect_left(keys, owner + "\0\0"), bisect_left(keys, owner + "\0\1")
            own = [as_list(lines) for _, lines in rrsets[begin:end]]
            if self._open[0] == owner:
                own = self._open[1] + own
            self._open = (owner, own)
            if len(own) > 1:
                check_alias(own)


def check_alias(rrsets: list[list[str]]) -> None:
    """Raise InvalidContent if a CNAME among an owner's RRsets may not stand beside the others."""
    types = [lines[0].split(" ", 4)[3] for lines in rrsets]
    other = next((kind for kind in types if kind not in _BESIDE_ALIAS), None)
    if "CNAME" in types and other is not None:
        name = rrsets[0][0].split(" ", 1)[0]
        raise InvalidContent(f"{name}: a CNAME cannot stand beside other data, such as {other}")


def check_apex(zone: str, find: Callable[[str], list[str] | None]) -> None:
    """Raise InvalidContent for an apex without NS, or with what cannot be there.

    `find` returns the lines under a key, or None.
    """
    apex = owner_key(zone)
    if find(apex + type_order(TYPE_CODES["NS"])) is None:
        raise InvalidContent(f"{zone} has no NS records of its own")
    if find(apex + type_order(TYPE_CODES["DS"])) is not None:
        raise InvalidContent(f"{zone} has DS records: they belong to the zone above")
    parameters = find(apex + type_order(TYPE_CODES["NSEC3PARAM"]))
    if parameters and not any(" NSEC3PARAM 1 " in line for line in parameters):
        raise InvalidContent(f"{zone}: none of its NSEC3PARAM records has hash algorithm 1")


def settle_rrset(lines: list[str], warn: Warn) -> list[str]:
    """Return an RRset's lines without duplicates, with one TTL and one owner, sorted by rdata.

    The owner is that of the first line, the TTL that of the first line after the last empty one.
    """
    owner, _, class_text, type_text, first = lines[0].split(" ", 4)
    head = lines[0].removesuffix(first)
    plain = all(line.startswith(head) for line in lines) and type_text not in _SINGLE_TYPES
    if plain and len({line.lower() for line in lines}) == len(lines):
        _check_size(owner, type_text, [line.removeprefix(head) for line in lines])
        return sorted(lines)
    begin = len(lines) - lines[::-1].index("") if "" in lines else 0
    ttl = lines[begin].split(" ", 2)[1]
    kept: dict[str, str] = {}
    other_ttls: set[str] = set()
    for line in lines:
        if not line:
            continue
        _, other_ttl, _, _, rdata = line.split(" ", 4)
        if other_ttl != ttl:
            other_ttls.add(other_ttl)
        identity = rdata_identity(type_text, rdata)
        if identity in kept:
            warn(f"{owner} {type_text}: a duplicate is dropped: {rdata:.60}")
        kept.setdefault(identity, rdata)
    if other_ttls:
        others = ", ".join(sorted(other_ttls, key=int))
        warn(f"{owner} {type_text}: an RRset has one TTL: {ttl}, not {others}")
    if len(kept) > 1 and type_text in _SINGLE_TYPES:
        raise InvalidContent(f"{owner}: {len(kept)} different {type_text} records, one can be")
    _check_size(owner, type_text, list(kept.values()))
    return [f"{owner} {ttl} {class_text} {type_text} {rdata}" for rdata in sorted(kept.values())]


def rdata_identity(type_text: str, rdata: str) -> str:
    """Return what two records of an RRset have in common exactly if BIND takes them for one."""
    if type_text in _CASELESS_TYPES:
        return rdata.lower()
    if type_text == "NAPTR":
        head, _, replacement = rdata.rpartition(" ")
        return f"{head} {replacement.lower()}"
    if type_text in _SIGNATURE_TYPES:
        *before, signer, signature = rdata.split(" ")
        return " ".join((*before, signer.lower(), signature))
    return rdata


def _check_size(owner: str, type_text: str, rdatas: list[str]) -> None:
    characters = sum(map(len, rdatas))
    if characters * _WIRE_PER_CHARACTER < MAX_RRSET_BYTES and type_text != "WKS":
        return
    number = type_number(type_text)
    size = sum(
        2 + rdata_size(_IN, number, lex_record(rdata + "\n", 0, final=True).fields)
        for rdata in rdatas
    )
    if size > MAX_RRSET_BYTES:
        raise InvalidContent(
            f"{owner} {type_text}: an RRset of {size} octets, the limit is {MAX_RRSET_BYTES}"
        )


def line_key(line: str) -> str:
    """Return the key of a canonical line."""
    owner, _, _, type_text, rdata = line.split(" ", 4)
    covered = covered_type(rdata) if type_text in _SIGNATURE_TYPES else 0
    return owner_key(owner) + type_order(type_number(type_text), covered)
