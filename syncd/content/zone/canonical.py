"""From records in the order of a file to the canonical lines of a zone.

One line a record, `owner ttl class type rdata` with single blanks; owners in canonical order (RFC 4034
section 6.1), SOA first, then types by number and rdata by its text. Case is kept as written, and plays
no part in what is equal. Duplicates are dropped, an RRset has the TTL and the owner of its first record.
"""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby

from syncd.content.compression import compress, decompress
from syncd.content.zone.names import key_owner, owner_key, type_order, zone_range
from syncd.errors import InvalidContent
from syncd.protocol.packing import pack, unpack

Warn = Callable[[str], None]
Rrset = tuple[str, list[str]]

_FRAME_RRSETS = 2048
"""RRsets packed as one: what merging holds in memory of each run."""
_FRAME_LIMIT_BYTES = 256 * 1024 * 1024
_CASELESS_TYPES = frozenset(
    "NS CNAME SOA PTR MX SRV DNAME NSEC MB MD MF MG MR MINFO RP AFSDB RT KX PX LP TALINK".split()
)
"""Types whose rdata is names and numbers: it is equal when it differs in case only."""
_SINGLE_TYPES = frozenset({"CNAME", "DNAME", "SOA"})
_BESIDE_ALIAS = frozenset({"CNAME", "RRSIG", "SIG", "NSEC", "NXT", "KEY"})
"""What may stand beside a CNAME (RFC 2181 section 10.1, RFC 4035 section 2.5)."""


@dataclass(frozen=True, slots=True)
class Run:
    """Some RRsets in canonical order, packed away; `first` and `last` are their outer keys."""

    first: str
    last: str
    frames: tuple[bytes, ...]

    @classmethod
    def pack(cls, rrsets: list[Rrset]) -> "Run":
        """Return the run of these sorted RRsets."""
        frames = tuple(
            compress(pack([[key, *lines] for key, lines in rrsets[at : at + _FRAME_RRSETS]]))
            for at in range(0, len(rrsets), _FRAME_RRSETS)
        )
        return cls(rrsets[0][0], rrsets[-1][0], frames)

    def rrsets(self) -> Iterator[Rrset]:
        """Yield the RRsets again."""
        for frame in self.frames:
            for key, *lines in unpack(decompress(frame, _FRAME_LIMIT_BYTES)):
                yield key, lines


def sort_records(records: dict[str, str | list[str]]) -> list[Rrset]:
    """Return the RRsets of `records` in canonical order."""
    return [
        (key, [lines] if isinstance(lines, str) else lines)
        for key, lines in sorted(records.items(), key=lambda item: item[0])
    ]


def canonical_lines(
    runs: list[Run], rest: list[Rrset], zone: str, aliases: set[str], warn: Warn
) -> Iterator[bytes]:
    """Yield the canonical lines, each with its LF, of all RRsets of the zone in `runs` and `rest`.

    Raises InvalidContent for a CNAME beside other data, or several of a type that stands alone.
    """
    low, high = zone_range(zone)
    in_zone = rest[bisect_left(rest, (low,)) : bisect_left(rest, (high,))]
    if len(in_zone) < len(rest):
        outside = next(lines[0] for key, lines in rest if not low <= key < high)
        warn(f"{len(rest) - len(in_zone)} RRsets outside {zone} are left out: {outside}")
    rrsets: Iterable[Rrset] = in_zone
    if runs:
        rrsets = _merge(runs, in_zone, low, high, zone, warn)
    if aliases:
        rrsets = _check_aliases(rrsets, aliases)
    for _, lines in rrsets:
        if len(lines) > 1:
            lines = settle_rrset(lines, warn)
        for line in lines:
            yield line.encode("ascii") + b"\n"


def _merge(
    runs: list[Run], rest: list[Rrset], low: str, high: str, zone: str, warn: Warn
) -> Iterator[Rrset]:
    """Yield the RRsets of all runs in order, those with one key as one, in the order of the runs."""
    sources: list[Iterator[Rrset]] = [run.rrsets() for run in runs] + [iter(rest)]
    bounds = [(run.first, run.last) for run in runs]
    if rest:
        bounds.append((rest[0][0], rest[-1][0]))
    in_order = all(bounds[i][1] < bounds[i + 1][0] for i in range(len(bounds) - 1))
    everything: Iterator[Rrset] = (
        chain.from_iterable(sources)
        if in_order
        else _join_equal(heapq.merge(*sources, key=lambda rrset: rrset[0]))
    )
    outside = 0
    for rrset in everything:
        if low <= rrset[0] < high:
            yield rrset
        else:
            outside += 1
    if outside:
        warn(f"{outside} RRsets outside {zone} are left out")


def _join_equal(rrsets: Iterator[Rrset]) -> Iterator[Rrset]:
    for key, group in groupby(rrsets, key=lambda rrset: rrset[0]):
        yield key, [line for _, lines in group for line in lines]


def _check_aliases(rrsets: Iterable[Rrset], aliases: set[str]) -> Iterator[Rrset]:
    for owner, group in groupby(rrsets, key=lambda rrset: key_owner(rrset[0])):
        members = list(group)
        if owner in aliases:
            check_alias([lines for _, lines in members])
        yield from members


def check_alias(rrsets: list[list[str]]) -> None:
    """Raise InvalidContent if one of an owner's RRsets is a CNAME that may not stand beside another."""
    types = {lines[0].split(" ", 4)[3] for lines in rrsets}
    if "CNAME" in types and (others := types - _BESIDE_ALIAS):
        name = rrsets[0][0].split(" ", 1)[0]
        raise InvalidContent(
            f"{name}: a CNAME cannot stand beside other data ({', '.join(sorted(others))})"
        )


def settle_rrset(lines: list[str], warn: Warn) -> list[str]:
    """Return an RRset's lines without duplicates, with one TTL and one owner, sorted by rdata."""
    owner, ttl, class_text, type_text, _ = lines[0].split(" ", 4)
    caseless = type_text in _CASELESS_TYPES
    kept: dict[str, str] = {}
    for line in lines:
        _, other_ttl, _, _, rdata = line.split(" ", 4)
        if other_ttl != ttl:
            warn(f"{owner} {type_text}: TTL {other_ttl} set to {ttl}, that of the first record")
        identity = rdata.lower() if caseless else rdata
        if identity in kept:
            warn(f"{owner} {type_text}: a duplicate is dropped: {rdata:.60}")
        kept.setdefault(identity, rdata)
    if len(kept) > 1 and type_text in _SINGLE_TYPES:
        raise InvalidContent(f"{owner}: {len(kept)} different {type_text} records, one can be")
    return [f"{owner} {ttl} {class_text} {type_text} {rdata}" for rdata in sorted(kept.values())]


def line_key(line: str) -> str:
    """Return the key of a canonical line."""
    from syncd.content.zone.rdata import parse_type

    owner, _, _, type_text, rdata = line.split(" ", 4)
    covered = parse_type(rdata.split(" ", 1)[0]) if type_text == "RRSIG" else 0
    return owner_key(owner) + type_order(parse_type(type_text), covered)
