"""Canonical records as PowerDNS has them in its table: one row each.

Names are in lower case and without the final dot, in content too, where they keep their case. The
first number of MX and SRV stands in a column of its own. A type that PowerDNS has no format for is
stored in the generic one (RFC 3597); a number that means something else to it is refused, so that
no zone can make a server run what it carries.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from syncd.content.zone.lexer import lex_record
from syncd.content.zone.rdata import rdata_wire
from syncd.content.zone.record_types import type_number

MAX_NAME_CHARACTERS = 255
"""Of the columns `name`."""
MAX_CONTENT_CHARACTERS = 64_000
"""Of the column `content`, where it is shortest: on MariaDB."""
MAX_TTL_S = 2**31 - 1


class Row(NamedTuple):
    """What of a row of the table `records` follows from a zone's content."""

    name: str
    type: str | None
    """None for a name that has no records, but names below it."""
    content: str | None
    ttl: int | None
    prio: int | None
    ordername: str | None
    auth: bool


class Unfit(Exception):
    """A record that the table, or PowerDNS, cannot hold: says which and why."""


_KNOWN = frozenset({
    "A", "AAAA", "AFSDB", "APL", "CAA", "CDNSKEY", "CDS", "CERT", "CNAME", "CSYNC", "DHCID", "DLV",
    "DNAME", "DNSKEY", "DS", "EUI48", "EUI64", "HINFO", "HTTPS", "IPSECKEY", "KEY", "KX", "L32",
    "L64", "LOC", "LP", "MB", "MG", "MINFO", "MR", "MX", "NAPTR", "NID", "NS", "NSEC", "NSEC3",
    "NSEC3PARAM", "OPENPGPKEY", "PTR", "RP", "RRSIG", "SMIMEA", "SOA", "SPF", "SRV", "SSHFP",
    "SVCB", "TLSA", "TXT", "URI", "ZONEMD",
})  # fmt: skip
"""Types whose text PowerDNS 4.7 reads; all others are stored as `TYPEn` with generic content."""
_PRIVATE_FROM, _PRIVATE_TO = 65400, 65406
"""Numbers that PowerDNS has given meanings of its own, such as LUA: a program that it runs."""
_NAMES_AT: dict[str, tuple[int, ...]] = {
    "NS": (0,), "CNAME": (0,), "PTR": (0,), "DNAME": (0,), "MB": (0,), "MG": (0,), "MR": (0,),
    "SOA": (0, 1), "MINFO": (0, 1), "RP": (0, 1), "MX": (1,), "AFSDB": (1,), "KX": (1,), "LP": (1,),
    "SVCB": (1,), "HTTPS": (1,), "SRV": (3,), "IPSECKEY": (3,), "RRSIG": (7,),
}  # fmt: skip
"""Which fields of rdata are names, of fields that hold no blanks before them."""
_ANSWERED = re.compile(r"(?:[A-Za-z0-9*./:@_-]|\\032|\\[.\\])+")
"""Names that PowerDNS answers for; of all others its server says SERVFAIL without looking."""
_PRIORITY_APART = frozenset({"MX", "SRV"})
_ESCAPE = re.compile(r"\\(?:([0-9]{3})|(.))", re.DOTALL)


@lru_cache(maxsize=4096)
def stored_name(name: str) -> str:
    """Return an absolute name as the table has it: of owners and zones."""
    return _undotted(name).lower()


@lru_cache(maxsize=4096)
def is_answered(stored: str) -> bool:
    """Say whether PowerDNS answers for a name at all."""
    return _ANSWERED.fullmatch(stored) is not None


def _undotted(name: str) -> str:
    """Return a name without its final dot, its escapes as PowerDNS prints them."""
    if name == ".":
        return name
    if "\\" in name:
        name = _ESCAPE.sub(_escape, name)
    return name[:-1]


def _escape(found: re.Match[str]) -> str:
    return found[0] if found[1] or found[2] in ".\\" else found[2]


def record_row(line: str) -> Row:
    """Return the row of a canonical line, as of a record that stands in no special place.

    Raises Unfit.
    """
    owner, ttl, class_text, type_text, rdata = line.split(" ", 4)
    name = stored_name(owner)
    if type_text == "A" or type_text == "AAAA":  # most there are
        content, prio = rdata, 0
    else:
        type_text, content, prio = _converted(type_text, rdata)
    if class_text != "IN":
        raise Unfit(f"{owner} {type_text}: PowerDNS has records of class IN only")
    if len(name) > MAX_NAME_CHARACTERS or len(content) > MAX_CONTENT_CHARACTERS:
        raise Unfit(
            f"{owner:.80} {type_text}: too long for PowerDNS's table, which takes names of "
            f"{MAX_NAME_CHARACTERS} characters and contents of {MAX_CONTENT_CHARACTERS}"
        )
    ttl_s = int(ttl)
    if ttl_s > MAX_TTL_S:
        raise Unfit(f"{owner} {type_text}: a TTL of {ttl_s} s, PowerDNS takes up to {MAX_TTL_S}")
    return Row(name, type_text, content, ttl_s, prio, None, True)


def _converted(type_text: str, rdata: str) -> tuple[str, str, int]:
    """Return type, content and priority."""
    if type_text not in _KNOWN or rdata.startswith("\\#"):
        return _generic(type_text, rdata)
    at = _NAMES_AT.get(type_text)
    if at is not None:
        fields = rdata.split(" ")
        for number in at:
            if fields[number].endswith("."):
                fields[number] = _undotted(fields[number])
        if type_text in _PRIORITY_APART:
            return type_text, " ".join(fields[1:]), int(fields[0])
        rdata = " ".join(fields)
    special = _SPECIAL.get(type_text)
    return type_text, rdata if special is None else special(rdata), 0


def _generic(type_text: str, rdata: str) -> tuple[str, str, int]:
    number = type_number(type_text)
    if _PRIVATE_FROM <= number <= _PRIVATE_TO or number == 0:
        raise Unfit(
            f"TYPE{number}: PowerDNS has given this number a meaning of its own, so records of "
            "that type are not handed to it"
        )
    if type_text in _KNOWN:
        raise Unfit(f"{type_text}: this rdata has no text but the generic one: {rdata:.60}")
    if rdata.startswith("\\#"):
        return f"TYPE{number}", rdata, 0
    wire = rdata_wire(1, number, lex_record(rdata + "\n", 0, final=True).fields)
    return f"TYPE{number}", f"\\# {len(wire)} {wire.hex()}", 0


def _naptr(rdata: str) -> str:
    head, _, replacement = rdata.rpartition(" ")
    return f"{head} {_undotted(replacement)}"


def _ipseckey(rdata: str) -> str:
    """PowerDNS writes no gateway where there is none."""
    precedence, kind, algorithm, gateway, *key = rdata.split(" ")
    there = [] if kind == "0" else [gateway]
    return " ".join((precedence, kind, algorithm, *there, *key))


def _cert(rdata: str) -> str:
    """PowerDNS reads numbers only."""
    wire = rdata_wire(1, type_number("CERT"), lex_record(rdata + "\n", 0, final=True).fields)
    numbers = int.from_bytes(wire[:2], "big"), int.from_bytes(wire[2:4], "big"), wire[4]
    return " ".join((*map(str, numbers), b64encode(wire[5:]).decode()))


def _signature(rdata: str) -> str:
    covered, _, rest = rdata.partition(" ")
    return f"{_type_name(covered)} {rest}"


def _types_behind(fields: int) -> Callable[[str], str]:
    def convert(rdata: str) -> str:
        head = rdata.split(" ")
        return " ".join((*head[:fields], *map(_type_name, head[fields:])))

    return convert


def _type_name(text: str) -> str:
    return text if text in _KNOWN else f"TYPE{type_number(text)}"


_SPECIAL: dict[str, Callable[[str], str]] = {
    "NAPTR": _naptr,
    "IPSECKEY": _ipseckey,
    "CERT": _cert,
    "RRSIG": _signature,
    "CSYNC": _types_behind(2),
}
"""Of types that PowerDNS writes otherwise, or whose names cannot be told apart by blanks."""
