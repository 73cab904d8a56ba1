"""Names of zones as they stand in the configuration of name servers."""

import re

from syncd.content.zone.names import name_wire

_PLAIN = re.compile(r"[a-z0-9_*-]{1,63}(?:\.[a-z0-9_*-]{1,63})*\.")
_PLAIN_OCTETS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_*-")


def is_plain(zone: str) -> bool:
    """Say whether every server writes a zone's name as we do."""
    return _PLAIN.fullmatch(zone) is not None


def domain_text(zone: str) -> str:
    """Return a zone's name as BIND and Knot take it between quotes in their configuration, where
    nothing but the name itself is escaped: as `\\DDD` whatever is not of a host name."""
    if is_plain(zone):
        return zone
    wire = name_wire(zone, b"")
    labels, at = [], 0
    while length := wire[at]:
        octets = wire[at + 1 : at + 1 + length]
        labels.append("".join(chr(o) if o in _PLAIN_OCTETS else f"\\{o:03d}" for o in octets))
        at += 1 + length
    return ".".join(labels) + "."
