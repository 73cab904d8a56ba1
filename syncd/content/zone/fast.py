"""The fast path: plain one-line records of the common types, by regular expressions.

It only takes what it can bring to exactly the form in which `rdata.canonical_rdata` would: whatever it is
not sure of (escapes, comments, parentheses, other classes, odd numbers) it leaves to the slow path by
returning the place where it stopped. A differential property test holds both to one result.
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from syncd.content.zone.names import owner_key, type_order

MAX_TTL = (1 << 31) - 1
_MAX_NAME_CHARACTERS = 253
"""Of a name without escapes, final dot not counted, so that it has at most 255 octets."""

_LABEL = r"[A-Za-z0-9_/*-]{1,63}"
_LINE = re.compile(
    rf"(|@|(?:{_LABEL}\.)*{_LABEL}\.?)[ \t]+"
    r"(?:([0-9]{1,10})[ \t]+)?(?:[Ii][Nn][ \t]+)?"
    r"([A-Z][A-Z0-9]+|A)[ \t]+([^ \t\r\n][^\r\n]*)\r?\n"
)
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}\.?")
_NUMBER = r"(0|[1-9][0-9]{0,9})"
_NUMBER_AND_NAME = re.compile(r"(0|[1-9][0-9]{0,4})[ \t]+([^ \t]+)")
_SRV = re.compile(r"(0|[1-9][0-9]{0,4})[ \t]+" * 3 + r"([^ \t]+)")
_SOA = re.compile(r"([^ \t]+)[ \t]+([^ \t]+)" + rf"[ \t]+{_NUMBER}" * 5)
_TEXTS = re.compile(r'"[ !#-\[\]-~]{0,255}"(?:[ \t]+"[ !#-\[\]-~]{0,255}")*')
_MAX_TEXTS_CHARACTERS = 60_000
"""So that the rdata stays under its 65,535 octets without counting."""
_DS = re.compile(r"(0|[1-9][0-9]{0,4})[ \t]+(0|[1-9][0-9]{0,2})[ \t]+(1|2|4)[ \t]+([0-9A-Fa-f]+)")
_DS_DIGITS = {"1": 40, "2": 64, "4": 96}
_DNSKEY = re.compile(r"(0|[1-9][0-9]{0,4})[ \t]+3[ \t]+([1-9][0-9]{0,2})[ \t]+([A-Za-z0-9+/]+={0,2})")
_RRSIG = re.compile(
    r"([A-Z][A-Z0-9]*)[ \t]+([1-9][0-9]{0,2})[ \t]+(0|[1-9][0-9]?)[ \t]+" + _NUMBER + r"[ \t]+"
    r"((?:19[7-9]|20[0-9])[0-9](?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9])"
    r"[ \t]+"
    r"((?:19[7-9]|20[0-9])[0-9](?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9])"
    r"[ \t]+(0|[1-9][0-9]{0,4})[ \t]+([^ \t]+)[ \t]+([A-Za-z0-9+/]+={0,2})"
)
_NSEC = re.compile(r"([^ \t]+)[ \t]+([A-Z][A-Z0-9 \t]*)")
_NSEC3 = re.compile(
    r"(1)[ \t]+([01])[ \t]+(0|[1-9][0-9]{0,4})[ \t]+(-|(?:[0-9A-Fa-f]{2})+)[ \t]+"
    r"([0-9A-Va-v]{32})(?:[ \t]+([A-Z][A-Z0-9 \t]*))?"
)

TYPE_NUMBERS: dict[str, int] = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
    "DNAME": 39, "DS": 43, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "NSEC3": 50,
}  # fmt: skip
_BITMAP_NUMBERS = TYPE_NUMBERS | {
    "HINFO": 13, "SSHFP": 44, "NSEC3PARAM": 51, "TLSA": 52, "CDS": 59, "CDNSKEY": 60, "CSYNC": 62,
    "ZONEMD": 63, "SVCB": 64, "HTTPS": 65, "CAA": 257, "NAPTR": 35, "LOC": 29, "SPF": 99,
}  # fmt: skip


@dataclass(slots=True)
class ReadingState:
    """What one record of a master file leaves to the next (RFC 1035 section 5.1)."""

    origin: str
    """Absolute, with its final dot."""
    owner: str | None = None
    default_ttl: int | None = None
    """Of the last $TTL (RFC 2308 section 4)."""
    last_ttl: int | None = None
    """Of the last record that stated one."""
    line: int = 1
    class_text: str = "IN"
    records: dict[str, str | list[str]] = field(default_factory=dict)
    """Lines by key; a list, in the order of the file, where an RRset has several."""
    aliases: set[str] = field(default_factory=set)
    """Keys of the owners of CNAMEs."""
    apexes: list[str] = field(default_factory=list)
    """Owners of SOA records."""

    def add(self, key: str, record: str) -> None:
        """Take one record's line under its key."""
        known = self.records.setdefault(key, record)
        if isinstance(known, list):
            known.append(record)
        elif known is not record:
            self.records[key] = [known, record]


def read_fast(text: str, position: int, state: ReadingState, enough: int) -> int:
    """Read records from `position` on; return where the first line begins that is not plain.

    Stops as well when `state.records` has `enough` keys, or the text ends.
    """
    match = _LINE.match
    readers = _READERS
    records = state.records
    origin, default_ttl, last_ttl, line = (
        state.origin, state.default_ttl, state.last_ttl, state.line
    )  # fmt: skip
    suffix = "." if origin == "." else "." + origin
    present_owner = state.owner
    written: str | None = None
    key = owner_key(present_owner) if present_owner is not None else ""
    while (found := match(text, position)) is not None:
        owner, ttl, type_text, rdata = found.groups()
        reader = readers.get(type_text)
        if reader is None:
            break
        canonical = reader(rdata.rstrip(" \t"), origin, suffix)
        if canonical is None:
            break
        if owner and owner != written:
            absolute = _absolute(owner, origin, suffix)
            if absolute is None:
                break
            written, present_owner = owner, absolute
            key = owner_key(absolute)
        elif present_owner is None:
            break
        if ttl is not None:
            seconds = int(ttl)
            if seconds > MAX_TTL:
                break
            last_ttl = seconds
        elif default_ttl is not None:
            seconds = default_ttl
        elif last_ttl is not None:
            seconds = last_ttl
        else:
            break
        position = found.end()
        line += 1
        record = f"{present_owner} {seconds} IN {type_text} {canonical}"
        if type_text == "RRSIG":
            full_key = key + _signature_order(canonical)
        else:
            full_key = key + _ORDERS[type_text]
            if type_text == "CNAME":
                state.aliases.add(key)
            elif type_text == "SOA":
                state.apexes.append(present_owner)
        known = records.setdefault(full_key, record)
        if known is not record:
            if isinstance(known, str):
                records[full_key] = [known, record]
            else:
                known.append(record)
        if len(records) >= enough:
            break
    state.owner, state.last_ttl, state.line = present_owner, last_ttl, line
    return position


def _absolute(name: str, origin: str, suffix: str) -> str | None:
    """Return the name with its final dot, or None if it may be too long."""
    if name == "@":
        return origin
    absolute = name if name[-1] == "." else name + suffix
    return absolute if len(absolute) <= _MAX_NAME_CHARACTERS + 1 else None


def _name(text: str, origin: str, suffix: str) -> str | None:
    if _NAME.fullmatch(text) is None:
        return text if text == "." else origin if text == "@" else None
    return _absolute(text, origin, suffix)


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
    if found is None or found[1] not in _BITMAP_NUMBERS:
        return None
    covered, algorithm, labels, ttl, expires, begins, tag, signer, signature = found.groups()
    if int(algorithm) > 0xFF or int(ttl) > MAX_TTL or int(tag) > 0xFFFF:
        return None
    name = _name(signer, origin, suffix)
    if name is None or not _is_base64(signature):
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
        number = _BITMAP_NUMBERS.get(mnemonic)
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


def _signature_order(rdata: str) -> str:
    return type_order(46, _BITMAP_NUMBERS[rdata[: rdata.index(" ")]])


_READERS: dict[str, Callable[[str, str, str], str | None]] = {
    "A": _address,
    "NS": _name,
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

_ORDERS = {mnemonic: type_order(number) for mnemonic, number in TYPE_NUMBERS.items()}
