"""From records in the order of a file to the canonical lines of a zone.

One line a record, `owner ttl class type rdata` with single blanks; owners in canonical order (RFC
4034 section 6.1), SOA first, then types by number and rdata by its text. Names keep the case they
are written in, which plays no part in what is equal; of equal records the first stays. In memory
an RRset is its line, or its lines in the order of the file, with an empty one wherever its owner
was left in between.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator

from syncd.content.zone.lexer import lex_record
from syncd.content.zone.names import key_owner, owner_key, owner_range, type_order, zone_range
from syncd.content.zone.rdata import rdata_size
from syncd.content.zone.record_types import TYPE_CODES, covered_type, type_number
from syncd.content.zone.runs import Lines, Rrsets, Run, as_list, merge
from syncd.errors import InvalidContent

Warn = Callable[[str], None]

MAX_RRSET_BYTES = 65512
"""Of the records' rdata, each with the two octets of its length: BIND takes no larger RRset."""

_IN = 1
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


class Conflict(InvalidContent):
    """Records that cannot stand in one zone as they do; `keys` are what they stand under."""

    def __init__(self, reason: str, *keys: str) -> None:
        super().__init__(reason)
        self.keys = keys


def canonical_text(
    runs: list[Run], rest: Rrsets, zone: str, aliases: set[str], warn: Warn
) -> Iterator[bytes]:
    """Yield the canonical text of all RRsets of the zone in `runs` and `rest`: whole lines, many at
    a time.

    Raises Conflict for a CNAME beside other data, several of a type that stands alone, or an RRset
    that is too large.
    """
    low, high = zone_range(zone)
    alias_check = _AliasCheck(aliases)
    outside = 0
    example = ""
    for rrsets in merge([*(run.pages() for run in runs), iter([rest] if rest.keys else [])]):
        begin, end = rrsets.range(low, high)
        inside = rrsets.part(begin, end)
        if len(inside.keys) < len(rrsets.keys):
            outside += len(rrsets.keys) - len(inside.keys)
            example = example or as_list(rrsets.lines[0 if begin else end])[0]
        alias_check.check(inside)
        if inside.keys:
            yield _settled(inside.lines, warn)
    if outside:
        warn(f"RRsets outside {zone} are left out, {outside} in all: {example}")


def _settled(rrsets: list[Lines], warn: Warn) -> bytes:
    lines: list[str] = []
    for own in rrsets:
        if isinstance(own, str):
            lines.append(own)
        else:
            lines += settle_rrset(own, warn)
    lines.append("")
    return "\n".join(lines).encode("ascii")


class _AliasCheck:
    """Checks the owners of CNAMEs, whose RRsets may come in two lists."""

    def __init__(self, aliases: set[str]) -> None:
        self._owners = sorted(aliases)
        self._open: tuple[str, list[list[str]]] = ("", [])

    def check(self, rrsets: Rrsets) -> None:
        """Raise Conflict if a CNAME stands beside what it may not."""
        if not self._owners or not rrsets.keys:
            return
        first = bisect_left(self._owners, key_owner(rrsets.keys[0]))
        last = bisect_right(self._owners, key_owner(rrsets.keys[-1]))
        for owner in self._owners[first:last]:
            begin, end = rrsets.range(*owner_range(owner))
            own = [as_list(lines) for lines in rrsets.lines[begin:end]]
            if self._open[0] == owner:
                own = self._open[1] + own
            self._open = (owner, own)
            if len(own) > 1:
                check_alias(own)


def check_alias(rrsets: list[list[str]]) -> None:
    """Raise Conflict if a CNAME among an owner's RRsets may not stand beside the others."""
    types = {lines[0].split(" ", 4)[3]: lines[0] for lines in rrsets}
    other = next((kind for kind in types if kind not in _BESIDE_ALIAS), None)
    if "CNAME" in types and other is not None:
        name = rrsets[0][0].split(" ", 1)[0]
        raise Conflict(
            f"{name}: a CNAME cannot stand beside other data, such as {other}",
            line_key(types["CNAME"]),
            line_key(types[other]),
        )


def check_apex(zone: str, find: Callable[[str], list[str] | None]) -> None:
    """Raise Conflict for an apex without NS, or with what cannot be there.

    `find` returns the lines under a key, or None.
    """
    name_servers, signers, parameters = (
        owner_key(zone) + type_order(TYPE_CODES[kind]) for kind in ("NS", "DS", "NSEC3PARAM")
    )
    if find(name_servers) is None:
        raise Conflict(f"{zone} has no NS records of its own")
    if find(signers) is not None:
        raise Conflict(f"{zone} has DS records: they belong to the zone above", signers)
    known = find(parameters)
    if known and not any(" NSEC3PARAM 1 " in line for line in known):
        raise Conflict(f"{zone}: none of its NSEC3PARAM records has hash algorithm 1", parameters)


def settle_rrset(lines: list[str], warn: Warn) -> list[str]:
    """Return an RRset's lines without duplicates, with one TTL and one owner, sorted by rdata.

    The owner is that of the first line, the TTL that of the first line after the last empty one.
    Raises Conflict for several records of a type that stands alone, or an RRset that is too large.
    """
    owner, _, class_text, type_text, first = lines[0].split(" ", 4)
    head = lines[0].removesuffix(first)
    plain = all(line.startswith(head) for line in lines) and type_text not in _SINGLE_TYPES
    if plain and len({line.lower() for line in lines}) == len(lines):
        _check_size(lines[0], [line.removeprefix(head) for line in lines])
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
        raise Conflict(
            f"{owner}: {len(kept)} different {type_text} records, one can be", line_key(lines[0])
        )
    _check_size(lines[0], list(kept.values()))
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


def _check_size(first: str, rdatas: list[str]) -> None:
    """Check an RRset, of which `first` is a line."""
    owner, _, _, type_text, _ = first.split(" ", 4)
    characters = sum(map(len, rdatas))
    if characters * _WIRE_PER_CHARACTER < MAX_RRSET_BYTES and type_text != "WKS":
        return
    number = type_number(type_text)
    size = sum(
        2 + rdata_size(_IN, number, lex_record(rdata + "\n", 0, final=True).fields)
        for rdata in rdatas
    )
    if size > MAX_RRSET_BYTES:
        raise Conflict(
            f"{owner} {type_text}: an RRset of {size} octets, the limit is {MAX_RRSET_BYTES}",
            line_key(first),
        )


def line_key(line: str) -> str:
    """Return the key of a canonical line."""
    owner, _, _, type_text, rdata = line.split(" ", 4)
    covered = covered_type(rdata) if type_text in _SIGNATURE_TYPES else 0
    return owner_key(owner) + type_order(type_number(type_text), covered)
