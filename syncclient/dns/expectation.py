"""What a name server has to answer, from a zone's canonical lines: RRsets, and where each stands.

A record at or below a delegation is not the zone's to answer, one below a DNAME nobody's. Whoever
reads a whole zone in its canonical order knows where these begin, as parents precede children; of
single records only the answer tells.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from enum import Enum
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from syncclient.dns.comparable import comparable_rdata
from syncclient.dns.messages import CNAME, DNAME, DS, IN, NS, RRSIG
from syncd.content.zone.lexer import lex_record
from syncd.content.zone.names import name_wire
from syncd.content.zone.rdata import rdata_wire
from syncd.content.zone.record_types import TYPE_CODES, type_number
from syncd.errors import InvalidContent

_A, _AAAA, _PTR, _MX, _NSEC3 = (TYPE_CODES[name] for name in ("A", "AAAA", "PTR", "MX", "NSEC3"))
_ONE_NAME = frozenset({NS, CNAME, DNAME, _PTR})


class Place(Enum):
    """Where an RRset stands in its zone."""

    INSIDE = "inside"
    AT_CUT = "at a delegation"
    BELOW_CUT = "below a delegation"
    UNKNOWN = "unknown"


class Unseen(Enum):
    """Why a record cannot be proven by asking."""

    NSEC3 = "NSEC3, not answered by name"
    GLUE = "glue, in no referral"
    HIDDEN = "hidden by a delegation or DNAME"
    OTHER_ZONE = "answered from a zone below"
    OTHER_CLASS = "of another class than IN"


class Rrset(NamedTuple):
    """The records of one owner and type that a server has to answer."""

    zone: str
    owner: str
    name: bytes
    """The owner in wire format."""
    type: int
    ttl: int
    rdatas: frozenset[bytes]
    """Each as `comparable_rdata` returns it."""
    place: Place = Place.UNKNOWN
    signatures: frozenset[bytes] = frozenset()
    """The data of the RRSIGs that cover it."""
    signature_ttl: int = 0
    covered: int = 0
    """Of type RRSIG: only records that cover this type are meant."""
    gone: bool = False
    """None of the data may be answered any more."""
    partial: bool = False
    """These are some of the records only: what else is answered is no difference."""
    asked: bytes = b""
    """The name to ask for, if it is not the owner: one right behind it, for its NSEC record."""
    beside: bool = False
    """Gone, and `name` is one beside it that never was: the same data there is a wildcard's."""

    @property
    def records(self) -> int:
        """How many records it stands for, signatures among them."""
        return len(self.rdatas) + len(self.signatures)


class ZoneRrsets:
    """Turns the canonical lines of a whole zone, in their order, into RRsets, bit by bit.

    `zones_below` are the zones that the server has below this one: it answers from those.
    """

    def __init__(self, zone: str, zones_below: Collection[str] = ()) -> None:
        self._zone = zone
        self._apex = _name(zone).lower()
        self._below = frozenset(_name(name).lower() for name in zones_below)
        self._held: list[str] = []
        self._cut: tuple[bytes, Place] | None = None
        self.unseen: Counter[Unseen] = Counter()
        """Records that there is no use in asking for."""

    def take(self, lines: Iterable[str]) -> list[Rrset]:
        """Take the next lines; return the RRsets of the owners that are complete.

        Raises InvalidContent for what is no canonical line.
        """
        rrsets: list[Rrset] = []
        held = self._held
        present = held[0].partition(" ")[0] if held else ""
        for line in lines:
            owner = line.partition(" ")[0]
            # An owner's records stand together; one that only changes its case stays the same.
            if owner != present and owner.lower() != present.lower():
                if held:
                    rrsets += self._owner_rrsets(held)
                held = []
                present = owner
            held.append(line)
        self._held = held
        return rrsets

    def finish(self) -> list[Rrset]:
        """Return the RRsets of the last owner."""
        held, self._held = self._held, []
        return self._owner_rrsets(held) if held else []

    def hides(self, rrset: Rrset) -> bool:
        """Say, and count, whether a zone below answers for an RRset: at its apex all but DS."""
        if not self._below:
            return False
        name = rrset.name.lower()
        other = ancestor_in(name, self._below)
        if other is None or (other == name and rrset.type == DS):
            return False
        self.unseen[Unseen.OTHER_ZONE] += rrset.records
        return True

    def _owner_rrsets(self, lines: list[str]) -> list[Rrset]:
        rrsets = _rrsets_of_owner(self._zone, lines, self.unseen, Place.INSIDE)
        if not rrsets:
            return rrsets
        name = rrsets[0].name.lower()
        if self._below and ancestor_in(name, self._below) is not None:
            return [rrset for rrset in rrsets if not self.hides(rrset)]
        if self._cut is not None and not is_below(name, self._cut[0]):
            self._cut = None
        if self._cut is not None:
            place = self._cut[1]
            if place is Place.UNKNOWN:  # below a DNAME
                self.unseen[Unseen.HIDDEN] += sum(rrset.records for rrset in rrsets)
                return []
            return [rrset._replace(place=place) for rrset in rrsets]
        types = [rrset.type for rrset in rrsets]
        if NS in types and name != self._apex:
            self._cut = (name, Place.BELOW_CUT)
            return [rrset._replace(place=Place.AT_CUT) for rrset in rrsets]
        if DNAME in types:
            self._cut = (name, Place.UNKNOWN)
        return rrsets


def expected_rrsets(
    zone: str, lines: Iterable[str], *, gone: bool = False
) -> tuple[list[Rrset], Counter[Unseen]]:
    """Return the RRsets that canonical lines hold, in any order, and what cannot be asked for.

    The lines of an RRset have to be all there, unless they are `gone`. Raises InvalidContent.
    """
    by_owner: dict[str, list[str]] = {}
    for line in lines:
        by_owner.setdefault(line.partition(" ")[0].lower(), []).append(line.rstrip("\n"))
    unseen: Counter[Unseen] = Counter()
    rrsets = [
        rrset._replace(gone=gone)
        for held in by_owner.values()
        for rrset in _rrsets_of_owner(zone, held, unseen, Place.UNKNOWN)
    ]
    return rrsets, unseen


def _rrsets_of_owner(
    zone: str, lines: list[str], unseen: Counter[Unseen], place: Place
) -> list[Rrset]:
    rrsets: dict[int, Rrset] = {}
    signatures: dict[int, tuple[list[bytes], int]] = {}
    line = ""
    try:
        owner = lines[0].partition(" ")[0]
        name = name_wire(owner, b"")
        for line in lines:
            _, ttl, class_text, type_text, rdata = line.split(" ", 4)
            rdtype = _number_of(type_text)
            if class_text != "IN":
                unseen[Unseen.OTHER_CLASS] += 1
                continue
            data = _comparable(rdtype, rdata)
            if rdtype == RRSIG:
                covered = int.from_bytes(data[:2], "big")
                signatures.setdefault(covered, ([], int(ttl)))[0].append(data)
            elif rdtype == _NSEC3:
                unseen[Unseen.NSEC3] += 1
            elif rdtype in rrsets:
                before = rrsets[rdtype]
                rrsets[rdtype] = before._replace(rdatas=before.rdatas | {data})
            else:
                only = frozenset((data,))
                rrsets[rdtype] = Rrset(zone, owner, name, rdtype, int(ttl), only, place)
    except (ValueError, OSError, OverflowError) as error:
        raise InvalidContent(f"{zone}: no record in its one form: {line:.80}: {error}") from None
    for covered, (datas, ttl_s) in signatures.items():
        found = rrsets.get(covered)
        if covered == _NSEC3:
            unseen[Unseen.NSEC3] += len(datas)
        elif found is not None:
            rrsets[covered] = found._replace(signatures=frozenset(datas), signature_ttl=ttl_s)
        else:
            rrsets[-covered] = signature_rrset(zone, owner, name, covered, frozenset(datas), ttl_s)
    return list(rrsets.values())


def signature_rrset(
    zone: str, owner: str, name: bytes, covered: int, datas: frozenset[bytes], ttl: int
) -> Rrset:
    """Return the RRset of the signatures over one type, to be asked for by themselves."""
    return Rrset(zone, owner, name, RRSIG, ttl, datas, covered=covered)


@lru_cache(maxsize=512)
def _number_of(type_text: str) -> int:
    return type_number(type_text)


def _comparable(rdtype: int, rdata: str) -> bytes:
    """Return canonical rdata as it is compared. Raises ValueError, OSError, OverflowError."""
    if rdtype == _A:
        return inet_pton(AF_INET, rdata)
    if rdtype == _AAAA:
        return inet_pton(AF_INET6, rdata)
    if rdtype in _ONE_NAME and "\\" not in rdata:
        return name_wire(rdata, b"").lower()
    if rdtype == _MX:
        preference, _, host = rdata.partition(" ")
        return int(preference).to_bytes(2, "big") + name_wire(host, b"").lower()
    wire = rdata_wire(IN, rdtype, lex_record(rdata + "\n", 0, final=True).fields)
    return comparable_rdata(wire, 0, len(wire), rdtype)


def _name(zone: str) -> bytes:
    try:
        return name_wire(zone, b"")
    except ValueError as error:
        raise InvalidContent(f"the zone name {zone!r:.80} {error}") from None


def is_below(name: bytes, above: bytes) -> bool:
    return name.endswith(above) and ancestor_in(name, (above,)) is not None


def ancestor_in(name: bytes, zones: Collection[bytes]) -> bytes | None:
    """Return the name in `zones` that is this one or nearest above it, if one is."""
    at = 0
    while True:
        if name[at:] in zones:
            return name[at:]
        if not name[at]:
            return None
        at += 1 + name[at]
