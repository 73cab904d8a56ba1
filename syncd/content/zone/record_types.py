"""The numbers and mnemonics of record types and classes, as BIND 9.18 reads and prints them."""

import re
from functools import lru_cache

from syncd.content.zone.lexer import RecordError

CLASS_CODES = {
    "RESERVED0": 0, "IN": 1, "CH": 3, "CHAOS": 3, "HS": 4, "HESIOD": 4, "NONE": 254, "ANY": 255,
}  # fmt: skip

_NUMBERED_FROM_1 = (
    "A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP "
    "NSAP-PTR SIG KEY PX GPOS AAAA LOC NXT EID NIMLOC SRV ATMA NAPTR KX CERT A6 DNAME SINK OPT "
    "APL DS SSHFP IPSECKEY RRSIG NSEC DNSKEY DHCID NSEC3 NSEC3PARAM TLSA SMIMEA"
)
_NUMBERED_APART = {
    55: "HIP NINFO RKEY TALINK CDS CDNSKEY OPENPGPKEY CSYNC ZONEMD SVCB HTTPS DSYNC HHIT BRID",
    99: "SPF UINFO UID GID UNSPEC NID L32 L64 LP EUI48 EUI64",
    249: "TKEY TSIG IXFR AXFR MAILB MAILA ANY URI CAA AVC DOA AMTRELAY RESINFO WALLET",
    32768: "TA DLV",
}
TYPE_NAMES = dict(enumerate(_NUMBERED_FROM_1.split(), 1))
for _first, _names in _NUMBERED_APART.items():
    TYPE_NAMES |= dict(enumerate(_names.split(), _first))
# BIND reads the mnemonic KEYDATA but never prints it.
TYPE_CODES = {name: code for code, name in TYPE_NAMES.items()} | {"KEYDATA": 65533}
# MD and MF are obsolete; 0, OPT and 128 to 255 are pseudo types of questions and messages.
NOT_IN_ZONES = frozenset({0, TYPE_CODES["MD"], TYPE_CODES["MF"], TYPE_CODES["OPT"]}) | frozenset(
    range(128, 256)
)

_GENERIC_TYPE = re.compile(r"TYPE([0-9]{1,5})")
_GENERIC_CLASS = re.compile(r"CLASS([0-9]{1,5})")


@lru_cache(maxsize=4096)
def type_code(text: str) -> int | None:
    """The number behind a mnemonic or TYPEnnn, in either case."""
    upper = text.upper() if text.isascii() else ""
    match = _GENERIC_TYPE.fullmatch(upper)
    if match is None:
        return TYPE_CODES.get(upper)
    return int(match[1]) if int(match[1]) <= 65535 else None


def type_name(code: int) -> str:
    """The name that BIND prints for a type: its mnemonic or TYPEnnn."""
    return TYPE_NAMES.get(code) or f"TYPE{code}"


def type_number(text: str) -> int:
    """Return the number behind a mnemonic or TYPEnnn. Raises RecordError if there is none."""
    code = type_code(text)
    if code is None:
        raise RecordError(f'"{text}" is not a record type')
    return code


def covered_type(rdata: str) -> int:
    """Return the number of the type that the canonical rdata of a SIG or RRSIG covers."""
    covered = rdata.partition(" ")[0]
    return int(covered) if covered.isdigit() else type_number(covered)


@lru_cache(maxsize=1024)
def class_code(text: str) -> int | None:
    """The number behind a class's mnemonic or CLASSnnn, in either case; None if there is none."""
    upper = text.upper() if text.isascii() else ""
    found = _GENERIC_CLASS.fullmatch(upper)
    if found is None:
        return CLASS_CODES.get(upper)
    return int(found[1]) if int(found[1]) <= 65535 else None
