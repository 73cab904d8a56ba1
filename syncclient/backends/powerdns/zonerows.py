"""All rows of a zone: its records, and what PowerDNS has to know of each to answer from the table.

What `pdnsutil rectify-zone` would compute, and an incoming transfer does (RFC 1034 section 4.2.1,
RFC 4035, RFC 5155): `auth` is false at and below a cut, but for DS; names without
records that have names below them get a row of their own; a signed zone's names get the order in
which NSEC or NSEC3 records are made from them, as those themselves are not stored.
"""

import re
from base64 import b32hexencode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha1
from itertools import groupby

from syncclient.backends.powerdns.records import (
    Row,
    Unfit,
    is_answered,
    record_row,
    stored_name,
)
from syncd.content.zone.names import name_wire

Lines = Callable[[], Iterable[str]]
"""Gives the canonical lines of a zone, as often as it is called."""

PRESIGNED, NSEC3PARAM, NSEC3NARROW = "PRESIGNED", "NSEC3PARAM", "NSEC3NARROW"
"""Kinds of metadata."""
_NOT_STORED = frozenset({"NSEC", "NSEC3", "NSEC3PARAM"})
_PLAIN = re.compile(
    rb"(?:[A-Za-z0-9*./:@_-]+ [0-9]{1,9} IN (?:A|AAAA|CNAME|MX|NS|PTR|SOA|SRV|TXT) [^\\\n]+\n)*"
)
_NS = re.compile(rb"^([^ \n]+) [0-9]+ IN NS ", re.MULTILINE)
_AS_IT_IS, _ONE_NAME = frozenset({"A", "AAAA"}), frozenset({"CNAME", "NS", "PTR"})


@dataclass(frozen=True, slots=True)
class Hashing:
    """How an NSEC3 zone's names are hashed (RFC 5155 section 5)."""

    iterations: int
    salt: bytes
    opt_out: bool
    secured: frozenset[str]
    """Hashes of the cuts that have an NSEC3 record of their own."""

    def order(self, owner: str) -> str:
        """Return the hash of a canonical name, as `ordername` has it."""
        wire = name_wire(owner, b"").lower()
        digest = sha1(wire + self.salt, usedforsecurity=False).digest()
        for _ in range(self.iterations):
            digest = sha1(digest + self.salt, usedforsecurity=False).digest()
        return b32hexencode(digest).decode().lower()

    @property
    def metadata(self) -> str:
        """How PowerDNS has it in a domain's metadata."""
        return f"1 {int(self.opt_out)} {self.iterations} {self.salt.hex() or '-'}"


@dataclass(frozen=True, slots=True)
class Signing:
    """How a zone was signed before it came here: None for `hashing` is NSEC."""

    hashing: Hashing | None = None

    @property
    def metadata(self) -> list[tuple[str, str]]:
        """What the zone's domain needs: kinds and contents."""
        wanted = [(PRESIGNED, "1")]
        if self.hashing is not None:
            wanted.append((NSEC3PARAM, self.hashing.metadata))
        return wanted


def signing_of(zone: str, lines: Lines) -> Signing | None:
    """Return how a zone is signed, None if it is not. Reads its apex; all of it for NSEC3."""
    kinds: dict[str, str] = {}
    for line in lines():
        owner, _, _, kind, rdata = line.split(" ", 4)
        if owner.lower() != zone:
            break
        kinds.setdefault(kind, rdata)
    if not kinds.keys() & {"RRSIG", "NSEC"}:
        return None
    if "NSEC3PARAM" not in kinds:
        return Signing()
    _, _, iterations, salt = kinds["NSEC3PARAM"].split(" ")
    opt_out, secured = False, set()
    for line in lines():
        owner, _, _, kind, rdata = line.split(" ", 4)
        if kind == "NSEC3":
            fields = rdata.split(" ")
            opt_out = opt_out or bool(int(fields[1]) & 1)
            if "NS" in fields[5:] and "SOA" not in fields[5:]:
                secured.add(owner.partition(".")[0].lower())
    octets = b"" if salt == "-" else bytes.fromhex(salt)
    return Signing(Hashing(int(iterations), octets, opt_out, frozenset(secured)))


def zone_rows(
    zone: str, lines: Iterable[str], signing: Signing | None, *, odd_names: bool
) -> Iterator[Row]:
    """Yield the rows of a zone from its canonical lines.

    Raises Unfit for a record that cannot be stored; for one that PowerDNS would never answer too,
    unless `odd_names`.
    """
    seen = _Places(zone, signing)
    for owner, own in groupby(lines, key=_owner):
        rows = [record_row(line) for line in own]
        name = rows[0].name
        if not (odd_names or is_answered(name)):
            raise Unfit(
                f"{owner}: PowerDNS answers SERVFAIL for names with such characters; set "
                'odd_names = "take" in [powerdns] to have the zone served all the same'
            )
        yield from seen.placed(owner, rows)
    yield from seen.between()


def _owner(line: str) -> str:
    return line.partition(" ")[0].lower()


def is_simple(zone: str, chunks: Iterable[bytes]) -> bool:
    """Say whether `simple_rows` can be used: only plain records of common types, and no cut."""
    for chunk in chunks:
        if _PLAIN.fullmatch(chunk) is None:
            return False
        if any(match[1].decode("ascii").lower() != zone for match in _NS.finditer(chunk)):
            return False
    return True


def simple_rows(zone: str, chunks: Iterable[bytes]) -> Iterator[Row]:
    """Yield the rows of a zone for which `is_simple` holds, as `zone_rows` would. Raises Unfit."""
    apex = stored_name(zone)
    base = -1 if zone == "." else apex.count(".")
    latest: dict[int, str] = {}  # by the number of dots: names come in canonical order
    empty: dict[str, None] = {}
    owner_before = name = ""
    for chunk in chunks:
        for line in chunk.decode("ascii").splitlines():
            owner, ttl, _, kind, rdata = line.split(" ", 4)
            if owner != owner_before:
                owner_before, name = owner, owner[:-1].lower() or "."
                dots = name.count(".")
                latest[dots] = name
                above = name
                for number in range(dots - 1, base, -1):
                    above = above.partition(".")[2]
                    if latest.get(number) != above:
                        empty[above] = None
            if kind in _AS_IT_IS:
                yield Row(name, kind, rdata, int(ttl), 0, None, True)
            elif kind in _ONE_NAME:
                yield Row(name, kind, rdata[:-1] or ".", int(ttl), 0, None, True)
            else:
                yield record_row(line)
    for name in empty:
        yield Row(name, None, None, None, None, None, True)


@dataclass
class _Places:
    """What is known of the names that came before; they come in canonical order."""

    zone: str
    signing: Signing | None
    _cut: str | None = None
    """The last cut; names below it follow it at once."""
    _above: list[str] = field(default_factory=list)
    """The owners that the last one is below of, and itself."""
    _empty: dict[str, bool] = field(default_factory=dict)
    """Names between that have no records, and whether any name below is ours to answer for."""

    def placed(self, owner: str, rows: list[Row]) -> Iterator[Row]:
        """Yield an owner's rows as they are to be stored."""
        if self._cut is not None and not is_under(owner, self._cut):
            self._cut = None
        below = self._cut is not None
        cut = not below and owner != self.zone and any(row.type == "NS" for row in rows)
        if cut:
            self._cut = owner
        stored = [row for row in rows if row.type not in _NOT_STORED]
        order = None if self.signing is None else self._order(owner)
        secured = cut and self._is_secured(order)
        self._note_between(owner, secured if cut else not below)
        for row in stored:
            auth = not below and (not cut or row.type == "DS")
            shows = row.type != "RRSIG" and (auth or (secured and row.type == "NS"))
            if auth and order is None:
                yield row
            else:
                yield row._replace(auth=auth, ordername=order if shows else None)

    def between(self) -> Iterator[Row]:
        """Yield a row for each name that has no records but names below it."""
        hashing = None if self.signing is None else self.signing.hashing
        for name, auth in self._empty.items():
            order = hashing.order(name) if hashing is not None and auth else None
            yield Row(stored_name(name), None, None, None, None, order, auth)

    def _is_secured(self, order: str | None) -> bool:
        hashing = None if self.signing is None else self.signing.hashing
        return hashing is None or not hashing.opt_out or order in hashing.secured

    def _order(self, owner: str) -> str:
        assert self.signing is not None
        if self.signing.hashing is not None:
            return self.signing.hashing.order(owner)
        relative = labels_below(owner, self.zone)
        return " ".join(stored_name(label + ".") for label in reversed(relative))

    def _note_between(self, owner: str, auth: bool) -> None:
        while self._above and not is_under(owner, self._above[-1]):
            self._above.pop()
        for name in names_between(owner, self.zone):
            if name not in self._above:
                self._empty[name] = self._empty.get(name, False) or auth
        self._above.append(owner)


def is_under(owner: str, above: str) -> bool:
    """Say whether a canonical name is below another; both in lower case."""
    if not owner.endswith("." + above) or above == ".":
        return above == "." and owner != "."
    before = owner[: -len(above) - 1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0  # else that dot is one of a label


def labels_below(owner: str, zone: str) -> list[str]:
    """Return the labels that a canonical name has more than the zone's, from left to right."""
    if owner == zone:
        return []
    rest = owner[:-1] if zone == "." else owner[: -len(zone) - 1]
    if "\\" not in rest:
        return rest.split(".")
    labels: list[str] = []
    begin = at = 0
    while at < len(rest):
        if rest[at] == "\\":
            at += 2
        elif rest[at] == ".":
            labels.append(rest[begin:at])
            at += 1
            begin = at
        else:
            at += 1
    return [*labels, rest[begin:]]


def names_between(owner: str, zone: str) -> list[str]:
    """Return the names between a canonical name and its zone, longest first."""
    if owner.count(".") <= zone.count(".") + (0 if zone == "." else 1):
        return []
    labels = labels_below(owner, zone)
    tail = "" if zone == "." else zone
    return [".".join((*labels[number:], tail)) for number in range(1, len(labels))]
