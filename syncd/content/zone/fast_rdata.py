"""Rdata of the common types in its common spelling, to canonical text, by regular expressions.

Each reader takes rdata without blanks around it, the origin, and what completes a relative name; it
returns exactly what `canonical_rdata` would, or None where it is not sure.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from syncd.content.zone.record_types import TYPE_CODES
from syncd.content.zone.times import MAX_TTL

_MAX_NAME_CHARACTERS = 254
"""Of a name without escapes and with its final dot, so that it has at most 255 octets."""

_LABEL = r"[A-Za-z0-9_/*-]{1,63}"
_NAME = re.compile(rf"(?:{_LABEL}\.){{0,126}}{_LABEL}\.?")
_NUMBER = r"(0|[1-9][0-9]{0,9})"
_NUMBERS = re.compile(r"[0-9.]+")
_NUMBER_AND_NAME = re.compile(r"(0|[1-9][0-9]{0,4})[ \t]+([^ \t]+)")
_SRV = re.compile(r"(0|[1-9][0-9]{0,4})[ \t]+" * 3 + r"([^ \t]+)")
_SOA = re.compile(r"([^ \t]+)[ \t]+([^ \t]+)" + rf"[ \t]+{_NUMBER}" * 5)
_TEXTS = re.compile(r'"[ !#-\[\]-~]{0,255}"(?:[ \t]+"[ !#-\[\]-~]{0,255}")*+')
_MAX_TEXTS_CHARACTERS = 60_000
"""So that the rdata stays under its 65,535 octets without counting."""
_DS = re.compile(r"(0|[1-9][0-9]{0,4})[ \t]+(0|[1-9][0-9]{0,2})[ \t]+(1|2|4)[ \t]+([0-9A-Fa-f]+)")
_DS_DIGITS = {"1": 40, "2": 64, "4": 96}
_DNSKEY = re.compile(
    r"(0|[1-9][0-9]{0,4})[ \t]+3[ \t]+([1-9][0-9]{0,2})[ \t]+([A-Za-z0-9+/]+={0,2})"
)
_MOMENT = (
    r"((?:19[7-9]|20[0-8])[0-9]"
    r"(?:(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])(?:29|30)|(?:0[13578]|1[02])31)"
    r"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9])[ \t]+"
)
"""Of years whose moments are the nearest to the present that their 32 bits stand for."""

_RRSIG = re.compile(
    r"([A-Z][A-Z0-9]*)[ \t]+([1-9][0-9]{0,2})[ \t]+(0|[1-9][0-9]?)[ \t]+"
    + _NUMBER
    + r"[ \t]+"
    + _MOMENT * 2
    + r"(0|[1-9][0-9]{0,4})[ \t]+([^ \t]+)[ \t]+([A-Za-z0-9+/]+={0,2})"
)
_NSEC = re.compile(r"([^ \t]+)[ \t]+([A-Z][A-Z0-9 \t]*)")
_NSEC3 = re.compile(
    r"(1)[ \t]+([01])[ \t]+(0|[1-9][0-9]{0,4})[ \t]+(-|(?:[0-9A-Fa-f]{2})++)[ \t]+"
    r"([0-9A-Va-v]{32})(?:[ \t]+([A-Z][A-Z0-9 \t]*))?"
)


_COVERED = (
    "A", "NS", "CNAME", "SOA", "PTR", "HINFO", "MX", "TXT", "AAAA", "LOC", "SRV", "NAPTR", "DNAME",
    "DS", "SSHFP", "RRSIG", "NSEC", "DNSKEY", "NSEC3", "NSEC3PARAM", "TLSA", "CDS", "CDNSKEY",
    "CSYNC", "ZONEMD", "SVCB", "HTTPS", "SPF", "CAA",
)  # fmt: skip
COVERED_NUMBERS = {mnemonic: TYPE_CODES[mnemonic] for mnemonic in _COVERED}
"""Types that signatures and bitmaps may name here."""


def _absolute(name: str, origin: str, suffix: str) -> str | None:
    """Return the name with its final dot, or None if it may be too long."""
    if name == "@":
        return origin
    absolute = name if name[-1] == "." else name + suffix
    return absolute if len(absolute) <= _MAX_NAME_CHARACTERS else None


def _name(text: str, origin: str, suffix: str) -> str | None:
    if _NAME.fullmatch(text) is None:
        return text if text == "." else origin if text == "@" else None
    return _absolute(text, origin, suffix)


def _server(text: str, origin: str, suffix: str) -> str | None:
    """A name that cannot be taken for an IPv4 address."""
    if text[0] in "0123456789" and _NUMBERS.fullmatch(text) is not None:
        return None
    return _name(text, origin, suffix)


def _address(text: str, origin: str, suffix: str) -> str | None:
    try:
        inet_pton(AF_INET, text)
    except (OSError, ValueError):
        return None
    return text


def _address6(text: str, origin: str, suffix: str) -> str | None:
    try:
        return inet_ntop(AF_INET6, inet_pton(AF_INET6, text))
    except (OSError, ValueError):
        return None


def _mail_exchange(text: str, origin: str, suffix: str) -> str | None:
    found = _NUMBER_AND_NAME.fullmatch(text)
    if found is None or int(found[1]) > 0xFFFF:
        return None
    name = _name(found[2], origin, suffix)
    return None if name is None else f"{found[1]} {name}"


def _service(text: str, origin: str, suffix: str) -> str | None:
    found = _SRV.fullmatch(text)
    if found is None or any(int(number) > 0xFFFF for number in found.groups()[:3]):
        return None
    name = _name(found[4], origin, suffix)
    return None if name is None else f"{found[1]} {found[2]} {found[3]} {name}"


def _start_of_authority(text: str, origin: str, suffix: str) -> str | None:
    found = _SOA.fullmatch(text)
    if found is None:
        return None
    server, person, serial, *times = found.groups()
    primary, mailbox = _name(server, origin, suffix), _name(person, origin, suffix)
    if primary is None or mailbox is None or int(serial) > 0xFFFFFFFF:
        return None
    if any(int(seconds) > MAX_TTL for seconds in times):
        return None
    return f"{primary} {mailbox} {serial} {' '.join(times)}"


def _texts(text: str, origin: str, suffix: str) -> str | None:
    if len(text) > _MAX_TEXTS_CHARACTERS or _TEXTS.fullmatch(text) is None:
        return None
    return " ".join(f'"{piece}"' for piece in text.split('"')[1::2])


def _delegation_signer(text: str, origin: str, suffix: str) -> str | None:
    found = _DS.fullmatch(text)
    if found is None or int(found[1]) > 0xFFFF or int(found[2]) > 0xFF:
        return None
    if len(found[4]) != _DS_DIGITS[found[3]]:
        return None
    return f"{found[1]} {found[2]} {found[3]} {found[4].upper()}"


def _key(text: str, origin: str, suffix: str) -> str | None:
    found = _DNSKEY.fullmatch(text)
    if found is None or int(found[1]) > 0xFFFF or int(found[2]) > 0xFF:
        return None
    return f"{found[1]} 3 {found[2]} {found[3]}" if _is_base64(found[3]) else None


def _signature(text: str, origin: str, suffix: str) -> str | None:
    found = _RRSIG.fullmatch(text)
    if found is None or found[1] not in COVERED_NUMBERS:
        return None
    covered, algorithm, labels, ttl, expires, begins, tag, signer, signature = found.groups()
    if int(algorithm) > 0xFF or int(ttl) > MAX_TTL or int(tag) > 0xFFFF:
        return None
    name = _name(signer, origin, suffix)
    if name is None or not _is_base64(signature):
        return None
    if name != "." and name.count(".") > int(labels):
        return None
    return f"{covered} {algorithm} {labels} {ttl} {expires} {begins} {tag} {name} {signature}"


def _next_secure(text: str, origin: str, suffix: str) -> str | None:
    found = _NSEC.fullmatch(text)
    if found is None:
        return None
    name, types = _name(found[1], origin, suffix), _bitmap(found[2])
    return None if name is None or types is None else f"{name} {types}"


def _next_secure3(text: str, origin: str, suffix: str) -> str | None:
    found = _NSEC3.fullmatch(text)
    if found is None or int(found[3]) > 0xFFFF or len(found[4]) > 510:
        return None
    head = f"{found[1]} {found[2]} {found[3]} {found[4].upper()} {found[5].upper()}"
    if found[6] is None:
        return head
    types = _bitmap(found[6])
    return None if types is None else f"{head} {types}"


@lru_cache(maxsize=4096)
def _bitmap(text: str) -> str | None:
    """Return the types of a bitmap in the order of their numbers; None if one is not known here."""
    numbers: dict[int, str] = {}
    for mnemonic in text.split():
        number = COVERED_NUMBERS.get(mnemonic)
        if number is None:
            return None
        numbers[number] = mnemonic
    return " ".join(mnemonic for _, mnemonic in sorted(numbers.items()))


def _is_base64(text: str) -> bool:
    """Say whether the text is what encoding its octets gives, so that it needs no other form."""
    try:
        return b2a_base64(a2b_base64(text), newline=False).decode() == text
    except Base64Error:
        return False


READERS: dict[str, Callable[[str, str, str], str | None]] = {
    "A": _address,
    "NS": _server,
    "CNAME": _name,
    "SOA": _start_of_authority,
    "PTR": _name,
    "MX": _mail_exchange,
    "TXT": _texts,
    "AAAA": _address6,
    "SRV": _service,
    "DNAME": _name,
    "DS": _delegation_signer,
    "RRSIG": _signature,
    "NSEC": _next_secure,
    "DNSKEY": _key,
    "NSEC3": _next_secure3,
}
