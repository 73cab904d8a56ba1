"""A zone as lines of dnsmasq's configuration; what has no such line is said, never left out unsaid.

Host names, aliases and the plain forms of PTR, MX, SRV and TXT are written by dnsmasq's own words,
everything else as `dns-rr` with the record's octets in hex, the SOA among them: so dnsmasq answers
the serial. Whatever comes from a zone is matched against what is safe in such a line before it is
written there: a record can never become another option.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from syncclient.dns.messages import IN
from syncd.content.zone.lexer import lex_record
from syncd.content.zone.rdata import rdata_wire
from syncd.content.zone.record_types import type_number

_MAX_LINE_CHARACTERS = 1000
"""dnsmasq cuts lines of its configuration at 1,025."""
_NAME = re.compile(r"[A-Za-z0-9_/-]{1,63}(?:\.[A-Za-z0-9_/-]{1,63})*\.")
_ZONE = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.")
_TEXTS = re.compile(r'"[A-Za-z0-9 =.:/_+~@?&-]*"(?: "[A-Za-z0-9 =.:/_+~@?&-]*")*')
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]+")
_NUMBERS = re.compile(r"[0-9]+(?: [0-9]+)*")
_SIGNED = frozenset(
    {
        "CDNSKEY", "CDS", "DLV", "DNSKEY", "DS", "KEY", "NSEC", "NSEC3", "NSEC3PARAM", "NXT",
        "RRSIG", "SIG",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A record, as its canonical line, that dnsmasq cannot be told, and why."""

    line: str
    why: str


@dataclass
class Rendered:
    """A zone for dnsmasq."""

    lines: list[str] = field(default_factory=list)
    unsupported: list[Unsupported] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)
    """Names that are delegated: who asks for these, or below, is answered from elsewhere."""


def is_expressible(zone: str) -> bool:
    """Say whether dnsmasq can be told that a zone is its own."""
    return _ZONE.fullmatch(zone) is not None


def render(zone: str, records: Iterable[str]) -> Rendered:
    """Return the lines for a zone, one that `is_expressible`, from its canonical lines."""
    lines = list(records)
    rendered = Rendered([f"local=/{zone[:-1]}/"])
    delegations = _delegations(zone, lines)
    rendered.cuts.extend(delegations)
    for line in lines:
        owner, ttl, class_text, kind, rdata = line.split(" ", 4)
        if delegations and (cut := cut_above(owner, delegations)):
            if cut == owner.lower() and kind != "NS":
                rendered.unsupported.append(Unsupported(line, "stands at a delegation"))
            continue
        try:
            rendered.lines.append(_line(owner, ttl, class_text, kind, rdata))
        except _InexpressibleError as error:
            rendered.unsupported.append(Unsupported(line, str(error)))
    if delegations:
        _delegate(rendered, delegations, lines)
    return rendered


def cut_above(owner: str, cuts: Collection[str]) -> str | None:
    """Return the delegation that a name is at or below, if there is one."""
    name = owner.lower()
    while name:
        if name in cuts:
            return name
        name = name.partition(".")[2]
    return None


def _delegations(zone: str, lines: list[str]) -> dict[str, list[str]]:
    """Return the NS lines of each name below the zone's own."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if " IN NS " in line:
            owner, _, _, kind, _ = line.split(" ", 4)
            if kind == "NS" and owner.lower() != zone:
                found.setdefault(owner.lower(), []).append(line)
    return found


def _delegate(rendered: Rendered, delegations: dict[str, list[str]], lines: list[str]) -> None:
    """Have questions for delegated names forwarded to the servers whose addresses the zone has."""
    wanted = {line.rpartition(" ")[2].lower() for held in delegations.values() for line in held}
    addresses: dict[str, list[str]] = {}
    for line in lines:
        owner, _, _, kind, rdata = line.split(" ", 4)
        if kind in ("A", "AAAA") and owner.lower() in wanted:
            addresses.setdefault(owner.lower(), []).append(rdata)
    for cut, held in delegations.items():
        servers = [
            address
            for line in held
            for address in addresses.get(line.rpartition(" ")[2].lower(), ())
            if _ADDRESS.fullmatch(address)
        ]
        if not _ZONE.fullmatch(cut):
            why = "its name has characters that dnsmasq cannot be told"
        elif not servers:
            why = "the zone has no address of the servers that it is delegated to"
        else:
            rendered.lines += [f"server=/{cut[:-1]}/{server}" for server in servers]
            continue
        rendered.unsupported += [Unsupported(line, why) for line in held]


class _InexpressibleError(Exception):
    """A record that dnsmasq cannot be told; `str()` says why."""


def _line(owner: str, ttl: str, class_text: str, kind: str, rdata: str) -> str:
    if class_text != "IN":
        raise _InexpressibleError("is not of class IN")
    if kind == "DNAME" or kind in _SIGNED:
        raise _InexpressibleError(f"dnsmasq has no {kind}")
    if owner.startswith("*."):
        raise _InexpressibleError("dnsmasq has no wildcards")
    if not _NAME.fullmatch(owner):
        raise _InexpressibleError("its name has characters that dnsmasq cannot be told")
    name = owner[:-1]
    line = _plain(name, ttl, kind, rdata)
    if line is None:
        if kind in ("A", "AAAA", "CNAME"):
            raise _InexpressibleError("its data has characters that dnsmasq cannot be told")
        line = f"dns-rr={name},{type_number(kind)},{_hex(kind, rdata)}"
    if len(line) > _MAX_LINE_CHARACTERS:
        raise _InexpressibleError("it is too long for a line of dnsmasq's configuration")
    return line


def _plain(name: str, ttl: str, kind: str, rdata: str) -> str | None:
    """Return the line in dnsmasq's own word for a type; None if there is none that is safe."""
    if kind in ("A", "AAAA"):
        return f"host-record={name},{rdata},{ttl}" if _ADDRESS.fullmatch(rdata) else None
    if kind == "TXT":
        if not _TEXTS.fullmatch(rdata):
            return None
        strings = rdata.replace('" "', '","')
        return f"txt-record={name},{strings}"
    if kind not in ("CNAME", "PTR", "MX", "SRV"):
        return None
    numbers, _, target = rdata.rpartition(" ")
    if not _NAME.fullmatch(target) or (numbers and not _NUMBERS.fullmatch(numbers)):
        return None
    target = target[:-1]
    if kind == "CNAME":
        return f"cname={name},{target},{ttl}"
    if kind == "PTR":
        return f"ptr-record={name},{target}"
    if kind == "MX":
        return f"mx-host={name},{target},{numbers}"
    priority, weight, port = numbers.split(" ")
    return f"srv-host={name},{target},{port},{priority},{weight}"


def _hex(kind: str, rdata: str) -> str:
    fields = lex_record(rdata + "\n", 0, final=True).fields
    return rdata_wire(IN, type_number(kind), fields).hex()
