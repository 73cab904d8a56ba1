"""What the rdata of each record type consists of, as one table of fields.

A field encodes its tokens to wire format (`read`) and prints itself from the wire (`show`). What a
value must satisfy is checked in `show` wherever possible, so that it holds for the generic form of
RFC 3597 as well. Mnemonics, numbers and letter case are those that BIND 9.18 prints.
"""

from __future__ import annotations

import re
import socket
from base64 import b32hexdecode, b32hexencode
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncd.content.zone.rdata import Reader, Wire

_IN, _CH, _HS = 1, 3, 4

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


@lru_cache(maxsize=4096)
def type_code(text: str) -> int | None:
    """The number behind a mnemonic or TYPEnnn, in either case."""
    upper = text.upper() if text.isascii() else ""
    match = _GENERIC_TYPE.fullmatch(upper)
    if match is None:
        return TYPE_CODES.get(upper)
    return int(match[1]) if int(match[1]) <= 65535 else None


def type_name(code: int) -> str:
    return TYPE_NAMES.get(code) or f"TYPE{code}"


class Opaque(Exception):
    """Raised by a field that can only be printed as `\\# length hex`, with the whole rdata."""


@dataclass(frozen=True, slots=True)
class Field:
    read: Callable[[Reader], None]
    show: Callable[[Wire], str]


def _number(size: int) -> Callable[[str], Field]:
    maximum = 256**size - 1

    def field(label: str) -> Field:
        def read(reader: Reader) -> None:
            reader.wire += reader.number(label, maximum).to_bytes(size, "big")

        return Field(read, lambda wire: str(wire.number(label, size)))

    return field


u8, u16, u32 = _number(1), _number(2), _number(4)


def octal(label: str) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        value = int(token, 8) if re.fullmatch("[0-7]{1,22}", token) else 65536
        if value > 65535:
            reader.fail(label, f'"{token}" is not an octal number of 16 bits')
        reader.wire += value.to_bytes(2, "big")

    return Field(read, lambda wire: f"{wire.number(label, 2):o}")


_TTL = re.compile(r"(?:[0-9]{1,10}[wdhms])+", re.IGNORECASE)
_TTL_PART = re.compile(r"([0-9]+)(.)")
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


def ttl(label: str) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        if _TTL.fullmatch(token):
            parts = _TTL_PART.findall(token)
            token = str(sum(int(number) * _SECONDS[unit.lower()] for number, unit in parts))
        reader.wire += reader.number(label, 0xFFFFFFFF, token).to_bytes(4, "big")

    return Field(read, lambda wire: str(wire.number(label, 4)))


def name(label: str, *, quoted: bool = False) -> Field:
    def read(reader: Reader) -> None:
        reader.wire += reader.name(label, quoted=quoted)

    return Field(read, lambda wire: wire.name(label))


_STRING_ESCAPES = {code: f"\\{code:03d}" for code in range(256) if not 0x20 <= code < 0x7F}
_STRING_ESCAPES |= {ord('"'): '\\"', ord("\\"): "\\\\"}


def _quote(data: bytes) -> str:
    return f'"{data.decode("latin-1").translate(_STRING_ESCAPES)}"'


def _put_string(reader: Reader, label: str) -> None:
    data = reader.string(label)
    reader.wire.append(len(data))
    reader.wire += data


def string(label: str) -> Field:
    return Field(lambda reader: _put_string(reader, label), lambda wire: _quote(wire.string(label)))


def optional_string(label: str) -> Field:
    present = string(label)
    return Field(
        lambda reader: present.read(reader) if reader.more else None,
        lambda wire: present.show(wire) if wire.left else "",
    )


def strings(label: str) -> Field:
    def read(reader: Reader) -> None:
        _put_string(reader, label)
        while reader.more:
            _put_string(reader, label)

    def show(wire: Wire) -> str:
        shown = [_quote(wire.string(label))]
        while wire.left:
            shown.append(_quote(wire.string(label)))
        return " ".join(shown)

    return Field(read, show)


def long_text(label: str, *, must_be_quoted: bool) -> Field:
    def read(reader: Reader) -> None:
        token = reader.token(label)
        if must_be_quoted and type(token) is str:
            reader.fail(label, f'"{token}" must be quoted')
        reader.wire += reader.unescape(label, token)

    return Field(read, lambda wire: _quote(wire.rest(label)))


def _base64_text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def base64(label: str, *, least: int = 1) -> Field:
    def read(reader: Reader) -> None:
        if least and not reader.more:
            reader.fail(label, "is missing")
        reader.wire += reader.base64(label, reader.rest(label))

    return Field(read, lambda wire: _base64_text(wire.rest(label, least=least)))


def hexadecimal(label: str, *, least: int = 1) -> Field:
    def read(reader: Reader) -> None:
        reader.wire += reader.hex(label, reader.rest(label))

    return Field(read, lambda wire: wire.rest(label, least=least).hex().upper())


def digest(label: str, lengths: Mapping[int, int], *, least: int) -> Field:
    """A digest whose length in octets follows from the algorithm in the octet before it."""
    digits = hexadecimal(label, least=least)

    def show(wire: Wire) -> str:
        expected = lengths.get(wire.data[wire.at - 1])
        if expected is not None and wire.left != expected:
            wire.fail(label, f"{wire.left} octets where the algorithm has {expected}")
        return digits.show(wire)

    return Field(digits.read, show)


def address(label: str, family: socket.AddressFamily) -> Field:
    length = 4 if family == socket.AF_INET else 16

    def read(reader: Reader) -> None:
        reader.wire += reader.address(label, family)

    return Field(read, lambda wire: socket.inet_ntop(family, wire.take(label, length)))


def ipv4(label: str) -> Field:
    return address(label, socket.AF_INET)


def ipv6(label: str) -> Field:
    return address(label, socket.AF_INET6)


_ALGORITHMS = {
    "RSAMD5": 1, "DH": 2, "DSA": 3, "RSASHA1": 5, "NSEC3DSA": 6, "NSEC3RSASHA1": 7,
    "RSASHA256": 8, "RSASHA512": 10, "ECCGOST": 12, "ECDSAP256SHA256": 13,
    "ECDSAP384SHA384": 14, "ED25519": 15, "ED448": 16, "INDIRECT": 252, "PRIVATEDNS": 253,
    "PRIVATEOID": 254,
}  # fmt: skip
_ALGORITHM_ALIASES = _ALGORITHMS | {"ECDSA256": 13, "ECDSA384": 14}
_PROTOCOLS = {"NONE": 0, "TLS": 1, "EMAIL": 2, "DNSSEC": 3, "IPSEC": 4, "ALL": 255}
_DIGESTS = {"SHA-1": 1, "SHA1": 1, "SHA-256": 2, "SHA256": 2, "GOST": 3, "SHA-384": 4, "SHA384": 4}
_CERTIFICATES = {
    "PKIX": 1, "SPKI": 2, "PGP": 3, "IPKIX": 4, "ISPKI": 5, "IPGP": 6, "ACPKIX": 7, "IACPKIX": 8,
    "URI": 253, "OID": 254,
}  # fmt: skip


def coded(
    label: str, size: int, mnemonics: Mapping[str, int], shown: Mapping[str, int] | None = None
) -> Field:
    """A number that may be given by mnemonic; those in `shown` are printed by it."""
    maximum = 256**size - 1
    texts = {code: mnemonic for mnemonic, code in (shown or {}).items()}

    def read(reader: Reader) -> None:
        token = reader.plain(label)
        code = mnemonics.get(token.upper())
        if code is None:
            if token[0] not in "0123456789":
                reader.fail(label, f'"{token}" is not known')
            code = reader.number(label, maximum, token)
        reader.wire += code.to_bytes(size, "big")

    def show(wire: Wire) -> str:
        code = wire.number(label, size)
        return texts.get(code) or str(code)

    return Field(read, show)


def algorithm(label: str = "algorithm") -> Field:
    return coded(label, 1, _ALGORITHM_ALIASES)


# RFC 2535 section 3.1.2.
_KEY_FLAGS = {
    "NOCONF": 0x4000, "NOAUTH": 0x8000, "NOKEY": 0xC000, "FLAG2": 0x2000, "EXTEND": 0x1000,
    "FLAG4": 0x0800, "FLAG5": 0x0400, "USER": 0x0000, "ZONE": 0x0100, "HOST": 0x0200,
    "NTYP3": 0x0300, "FLAG8": 0x0080, "FLAG9": 0x0040, "FLAG10": 0x0020, "FLAG11": 0x0010,
    "KSK": 0x0001,
} | {f"SIG{number}": number for number in range(16)}  # fmt: skip


_HEX_FLAGS = re.compile("0x[0-9a-f]{1,8}|(?![0-9]+$)[0-9a-f]{1,10}", re.IGNORECASE)


def key_flags(label: str) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        if token[0] not in "0123456789":
            value = _named_flags(reader, label, token)
        elif _HEX_FLAGS.fullmatch(token):
            value = reader.number(label, 0xFFFF, str(int(token, 16)))
        else:
            value = reader.number(label, 0xFFFF, token)
        reader.wire += value.to_bytes(2, "big")

    return Field(read, lambda wire: str(wire.number(label, 2)))


def _named_flags(reader: Reader, label: str, token: str) -> int:
    value = 0
    for flag in token.upper().split("|"):
        if flag not in _KEY_FLAGS:
            reader.fail(label, f'"{flag}" is not a flag')
        value |= _KEY_FLAGS[flag]
    return value


def _has_no_key(flags: bytes | bytearray) -> bool:
    return flags[0] & 0xC0 == 0xC0


def old_key(label: str) -> Field:
    """The key of a KEY record, which its flags can declare absent."""
    present = base64(label)
    return Field(
        lambda reader: None if _has_no_key(reader.wire) else present.read(reader),
        lambda wire: "" if _has_no_key(wire.data) else present.show(wire),
    )


def zero(field: Field, label: str) -> Field:
    def show(wire: Wire) -> str:
        text = field.show(wire)
        if text != "0":
            wire.fail(label, f"{text} is not 0")
        return text

    return Field(field.read, show)


# Times are 32 bits that wrap (RFC 4034 section 3.1.5), printed as the one nearest to a fixed day,
# not to today's: the canonical text of a record must not depend on the clock.
_REFERENCE_TIME = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")


@lru_cache(maxsize=1024)
def _time_text(value: int) -> str:
    distance = (value - _REFERENCE_TIME + 2**31) % 2**32 - 2**31
    moment = _EPOCH + timedelta(seconds=_REFERENCE_TIME + distance)
    return moment.strftime("%Y%m%d%H%M%S")


@lru_cache(maxsize=1024)
def _time_value(token: str) -> int | None:
    match = _TIME.fullmatch(token)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    try:
        start = datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        return None
    # A leap second is the first of the next minute.
    seconds = int((start - _EPOCH).total_seconds()) + second
    return seconds % 2**32 if second <= 60 else None


def moment(label: str, *, seconds_allowed: bool = True) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        value = _time_value(token)
        if value is None:
            if not seconds_allowed or len(token) > 10:
                reader.fail(label, f'"{token}" is not a time YYYYMMDDHHMMSS')
            value = reader.number(label, 0xFFFFFFFF, token)
        reader.wire += value.to_bytes(4, "big")

    return Field(read, lambda wire: _time_text(wire.number(label, 4)))


def _read_type(reader: Reader, label: str, token: str, *, numeric: bool) -> int:
    code = type_code(token)
    if code is None:
        if not numeric:
            reader.fail(label, f'"{token}" is not a record type')
        code = reader.number(label, 0xFFFF, token)
    return code


def _old_type_name(code: int) -> str:
    # The types of RFC 2535, SIG and NXT, print types without a mnemonic as bare numbers.
    return TYPE_NAMES.get(code) or str(code)


def record_type(label: str, named: Callable[[int], str] = type_name) -> Field:
    def read(reader: Reader) -> None:
        code = _read_type(reader, label, reader.plain(label), numeric=True)
        reader.wire += code.to_bytes(2, "big")

    return Field(read, lambda wire: named(wire.number(label, 2)))


@lru_cache(maxsize=4096)
def _window_text(window: int, bitmap: bytes, named: Callable[[int], str] = type_name) -> str:
    return " ".join(
        named(window << 8 | octet << 3 | bit)
        for octet, bits in enumerate(bitmap)
        for bit in range(8)
        if bits & 0x80 >> bit
    )


def types(label: str, *, least: int = 0) -> Field:
    """A type bitmap in windows (RFC 4034 section 4.1.2)."""

    def read(reader: Reader) -> None:
        windows: dict[int, bytearray] = {}
        while reader.more:
            code = _read_type(reader, label, reader.plain(label), numeric=False)
            bitmap = windows.setdefault(code >> 8, bytearray(32))
            bitmap[(code & 0xFF) >> 3] |= 0x80 >> (code & 7)
        for window, bitmap in sorted(windows.items()):
            octets = bitmap.rstrip(b"\0")
            reader.wire += bytes((window, len(octets))) + octets

    def show(wire: Wire) -> str:
        if wire.left < least:
            wire.fail(label, "at least one type is needed")
        shown, previous = [], -1
        while wire.left:
            window, length = wire.number(label, 1), wire.number(label, 1)
            octets = wire.take(label, length)
            if window <= previous or not 1 <= length <= 32 or not octets[-1]:
                wire.fail(label, "a malformed bitmap")
            shown.append(_window_text(window, octets))
            previous = window
        return " ".join(shown)

    return Field(read, show)


def old_types(label: str) -> Field:
    """The bitmap of NXT, for types below 128 (RFC 2535 section 5.2)."""

    def read(reader: Reader) -> None:
        bitmap = bytearray(16)
        while reader.more:
            code = _read_type(reader, label, reader.plain(label), numeric=True)
            if not 1 <= code <= 127:
                reader.fail(label, f"{type_name(code)} is out of range, 1 to 127")
            bitmap[code >> 3] |= 0x80 >> (code & 7)
        reader.wire += bitmap.rstrip(b"\0")

    def show(wire: Wire) -> str:
        octets = wire.rest(label)
        if octets and (octets[0] & 0x80 or not octets[-1] or len(octets) > 16):
            wire.fail(label, "a malformed bitmap")
        return _window_text(0, octets, _old_type_name)

    return Field(read, show)


def salt(label: str) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        octets = b"" if token == "-" else reader.hex(label, token)
        if len(octets) > 255:
            reader.fail(label, f"{len(octets)} octets, the limit is 255")
        reader.wire.append(len(octets))
        reader.wire += octets

    return Field(read, lambda wire: wire.string(label).hex().upper() or "-")


def hashed_owner(label: str) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        try:
            octets = b32hexdecode(token + "=" * (-len(token) % 8), casefold=True)
        except ValueError:
            octets = b""
        if b32hexencode(octets).decode().rstrip("=") != token.upper() or not octets:
            reader.fail(label, f'"{token}" is not base32hex')
        if len(octets) > 255:
            reader.fail(label, f"{len(octets)} octets, the limit is 255")
        reader.wire.append(len(octets))
        reader.wire += octets

    def show(wire: Wire) -> str:
        octets = wire.string(label)
        if not octets or (wire.data[0] == 1 and len(octets) != 20):
            wire.fail(label, f"{len(octets)} octets do not make a hash")
        return b32hexencode(octets).decode().rstrip("=")

    return Field(read, show)


def caa_tag(label: str) -> Field:
    def checked(octets: bytes, fail: Callable[[str, str], object]) -> bytes:
        if not octets.isalnum():
            fail(label, f"{_quote(octets)} is not of letters and digits")
        return octets

    def read(reader: Reader) -> None:
        octets = checked(reader.plain(label).encode("latin-1"), reader.fail)
        if len(octets) > 255:
            reader.fail(label, f"a string of {len(octets)} octets, the limit is 255")
        reader.wire.append(len(octets))
        reader.wire += octets

    return Field(read, lambda wire: checked(wire.string(label), wire.fail).decode())


def x25_address(label: str) -> Field:
    shown = string(label)

    def show(wire: Wire) -> str:
        text = shown.show(wire)
        if not re.fullmatch('"[0-9]{4,}"', text):
            wire.fail(label, f"{text} is not of at least four digits")
        return text

    return Field(shown.read, show)


_ERE_ATOM = re.compile(r"\\.|\[\^?\]?[^\]]*\]", re.DOTALL)
# An open bracket, a repetition of nothing or of a repetition, an empty alternative.
_ERE_FAULT = re.compile(r"\[|(?:\A|[(|])[*+?{|]|[*+?}][*+?{]|\|(?:\)|\Z)")


def _is_substitution(text: str) -> bool:
    """Whether a NAPTR regexp is well formed (RFC 3402 section 3.2), as far as BIND looks."""
    if not text:
        return True
    delimiter = text[0]
    if delimiter in "0123456789\\i\0":
        return False
    parts = [""]
    for match in re.finditer(r"\\?.|\\\Z", text[1:], re.DOTALL):
        if match[0] == delimiter:
            parts.append("")
        else:
            parts[-1] += match[0]
    if len(parts) != 3 or not parts[0] or parts[2].strip("i"):
        return False
    # A bracket expression may hold parentheses that do not group.
    bare = _ERE_ATOM.sub("x", parts[0])
    if _ERE_FAULT.search(bare):
        return False
    depth = 0
    for character in bare:
        # A closing parenthesis that nothing opened stands for itself.
        depth = depth + 1 if character == "(" else max(0, depth - (character == ")"))
    groups = bare.count("(")
    references = re.findall(r"\\(.)", parts[0] + parts[1], re.DOTALL)
    return depth == 0 and all(not r.isdigit() or 1 <= int(r) <= groups for r in references)


def substitution(label: str) -> Field:
    shown = string(label)

    def show(wire: Wire) -> str:
        octets = wire.string(label)
        if not _is_substitution(octets.decode("latin-1")):
            wire.fail(label, f"{_quote(octets)} is not a substitution expression")
        return _quote(octets)

    return Field(shown.read, show)


def hyphened(label: str, length: int) -> Field:
    pattern = re.compile("-".join(["[0-9a-f]{1,2}"] * length), re.IGNORECASE)

    def read(reader: Reader) -> None:
        token = reader.plain(label)
        if pattern.fullmatch(token) is None:
            reader.fail(label, f'"{token}" is not {length} octets with hyphens between')
        reader.wire += bytes(int(part, 16) for part in token.split("-"))

    return Field(read, lambda wire: wire.take(label, length).hex("-"))


_LOCATOR = re.compile("(?:[0-9a-f]{1,4}:){3}[0-9a-f]{1,4}:?", re.IGNORECASE)


def locator(label: str) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        if _LOCATOR.fullmatch(token) is None:
            reader.fail(label, f'"{token}" is not four groups of hexadecimal digits')
        for group in token.split(":")[:4]:
            reader.wire += int(group, 16).to_bytes(2, "big")

    return Field(read, lambda wire: ":".join(f"{wire.number(label, 2):x}" for _ in range(4)))


def nsap(label: str) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        if token[:2].lower() != "0x" or not (digits := token[2:].replace(".", "")):
            reader.fail(label, f'"{token}" is not 0x and hexadecimal digits')
        reader.wire += reader.hex(label, digits)

    return Field(read, lambda wire: "0x" + wire.rest(label, least=1).hex())


def atm_address(label: str) -> Field:
    """An AF-ATMA address: E.164 digits after "+", or hexadecimal octets."""

    def read(reader: Reader) -> None:
        token = reader.plain(label)
        digits = token.removeprefix("+")
        if not digits or digits[0] == "." or digits[-1] == "." or ".." in digits:
            reader.fail(label, f'"{token}" is not an ATM address')
        digits = digits.replace(".", "")
        if token[0] != "+":
            reader.wire += b"\0" + reader.hex(label, digits)
        elif re.fullmatch("[0-9]+", digits):
            reader.wire += b"\1" + digits.encode()
        else:
            reader.fail(label, f'"{token}" is not of digits')

    def show(wire: Wire) -> str:
        form, octets = wire.number(label, 1), wire.rest(label, least=1)
        if form == 0:
            return octets.hex()
        if form != 1:
            raise Opaque
        if not re.fullmatch(b"[0-9]+", octets):
            wire.fail(label, f"{_quote(octets)} is not of digits")
        return "+" + octets.decode()

    return Field(read, show)


_ALTITUDE_BASE_CM = 10_000_000
_DEGREES = re.compile("[0-9]{1,6}")
_LOC_SECONDS = re.compile(r"(?=\.?[0-9])([0-9]{0,6})(?:\.([0-9]{0,3}))?")
_METRES = re.compile(r"(?=[+-]?\.?[0-9])([+-]?)([0-9]{0,9})(?:\.([0-9]{0,2}))?m?")


def _read_angle(reader: Reader, label: str, limit: int, directions: str) -> int:
    degrees = reader.number(label, limit)
    parts = [0, 0]
    token = reader.plain(label)
    for place in range(2):
        if token in directions:
            break
        pattern = _LOC_SECONDS if place else _DEGREES
        match = pattern.fullmatch(token)
        if match is None or int(match[0].partition(".")[0] or 0) > 59:
            reader.fail(label, f'"{token}" is not {"seconds" if place else "minutes"}')
        if place:
            parts[1] = int(match[1] or 0) * 1000 + int((match[2] or "").ljust(3, "0"))
        else:
            parts[0] = int(token)
        token = reader.plain(label)
    if token not in directions:
        reader.fail(label, f'"{token}" is not {directions[0]} or {directions[1]}')
    thousandths = (degrees * 60 + parts[0]) * 60_000 + parts[1]
    if thousandths > limit * 3_600_000:
        reader.fail(label, f"more than {limit} degrees")
    return 2**31 + (thousandths if token == directions[0] else -thousandths)


def _read_metres(reader: Reader, label: str, lowest_cm: int, highest_cm: int) -> int:
    token = reader.plain(label)
    match = _METRES.fullmatch(token)
    if match is None or (match[1] and lowest_cm == 0):
        reader.fail(label, f'"{token}" is not a length in metres')
    value = int(match[2] or 0) * 100 + int((match[3] or "").ljust(2, "0"))
    value = -value if match[1] == "-" else value
    if not lowest_cm <= value <= highest_cm:
        reader.fail(label, f"{token} is out of range")
    return value


def _precision(value_cm: int) -> int:
    exponent = len(str(value_cm)) - 1
    return int(str(value_cm)[0]) << 4 | exponent


def _precision_text(octet: int) -> str:
    mantissa, exponent = octet >> 4, octet & 15
    if exponent > 1:
        return f"{mantissa * 10 ** (exponent - 2)}m"
    return f"0.{mantissa * 10**exponent:02d}m"


def _angle_text(value: int, directions: str) -> str:
    distance = abs(value - 2**31)
    minutes, thousandths = divmod(distance, 60_000)
    degrees, minutes = divmod(minutes, 60)
    seconds, thousandths = divmod(thousandths, 1000)
    direction = directions[0] if value >= 2**31 else directions[1]
    return f"{degrees} {minutes} {seconds}.{thousandths:03d} {direction}"


def _read_location(reader: Reader) -> None:
    latitude = _read_angle(reader, "latitude", 90, "NS")
    longitude = _read_angle(reader, "longitude", 180, "EW")
    altitude = _read_metres(reader, "altitude", -_ALTITUDE_BASE_CM, 2**32 - 1 - _ALTITUDE_BASE_CM)
    precisions = [0x12, 0x16, 0x13]
    for place, label in enumerate(("size", "horizontal precision", "vertical precision")):
        if not reader.more:
            break
        precisions[place] = _precision(_read_metres(reader, label, 0, 9_000_000_099))
    reader.wire += bytes((0, *precisions))
    for value in (latitude, longitude, altitude + _ALTITUDE_BASE_CM):
        reader.wire += value.to_bytes(4, "big")


def _show_location(wire: Wire) -> str:
    if wire.number("version", 1):
        raise Opaque
    precisions = wire.take("precision", 3)
    for octet in precisions:
        if octet and not (0x10 <= octet <= 0x9F and octet & 15 <= 9):
            wire.fail("precision", f"{octet:02x} is out of range")
    latitude, longitude = wire.number("latitude", 4), wire.number("longitude", 4)
    if abs(latitude - 2**31) > 90 * 3_600_000 or abs(longitude - 2**31) > 180 * 3_600_000:
        wire.fail("latitude or longitude", "is out of range")
    altitude = wire.number("altitude", 4) - _ALTITUDE_BASE_CM
    metres, centimetres = divmod(abs(altitude), 100)
    sign = "-" if altitude < 0 else ""
    return " ".join((
        _angle_text(latitude, "NS"),
        _angle_text(longitude, "EW"),
        f"{sign}{metres}.{centimetres:02d}m",
        *map(_precision_text, precisions),
    ))  # fmt: skip


def _service_port(reader: Reader, token: str, protocol: int) -> int:
    if token[0] in "0123456789":
        return reader.number("service", 65535, token)
    transport = {6: ("tcp",), 17: ("udp",)}.get(protocol, ())
    try:
        return socket.getservbyname(token.lower(), *transport)
    except (OSError, ValueError):
        return reader.fail("service", f'"{token}" is not known')


def _read_services(reader: Reader) -> None:
    token = reader.plain("protocol")
    if token[0] in "0123456789":
        protocol = reader.number("protocol", 255, token)
    else:
        try:
            protocol = socket.getprotobyname(token.lower())
        except (OSError, ValueError):
            reader.fail("protocol", f'"{token}" is not known')
    bitmap = bytearray(8192)
    while reader.more:
        port = _service_port(reader, reader.plain("service"), protocol)
        bitmap[port >> 3] |= 0x80 >> (port & 7)
    reader.wire.append(protocol)
    reader.wire += bitmap.rstrip(b"\0")


def _show_services(wire: Wire) -> str:
    protocol, bitmap = wire.number("protocol", 1), wire.rest("services")
    if len(bitmap) > 8192 or bitmap[-1:] == b"\0":
        wire.fail("services", "a malformed bitmap")
    ports = [port for port in range(len(bitmap) * 8) if bitmap[port >> 3] & 0x80 >> (port & 7)]
    return " ".join(map(str, (protocol, *ports)))


_PREFIX = re.compile("(!?)([0-9]{1,5}):([^/]*)/([0-9]{1,3})")
_FAMILIES = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}


def _read_prefixes(reader: Reader) -> None:
    while reader.more:
        token = reader.plain("prefix")
        match = _PREFIX.fullmatch(token)
        if match is None or int(match[2]) not in _FAMILIES:
            reader.fail("prefix", f'"{token}" is not [!]family:address/length')
        family, size = _FAMILIES[int(match[2])]
        if int(match[4]) > size * 8:
            reader.fail("prefix", f'the length of "{token}" is out of range')
        octets = reader.address("prefix", family, match[3]).rstrip(b"\0")
        negation = 0x80 if match[1] else 0
        reader.wire += bytes((0, int(match[2]), int(match[4]), negation | len(octets))) + octets


def _show_prefixes(wire: Wire) -> str:
    shown, known = [], True
    while wire.left:
        number, length = wire.number("prefix", 2), wire.number("prefix", 1)
        flags = wire.number("prefix", 1)
        octets = wire.take("prefix", flags & 0x7F)
        if octets[-1:] == b"\0":
            wire.fail("prefix", "trailing zero octets")
        if number not in _FAMILIES:
            known = False
            continue
        family, size = _FAMILIES[number]
        if len(octets) > size or length > size * 8:
            wire.fail("prefix", "is longer than the addresses of its family")
        text = socket.inet_ntop(family, octets.ljust(size, b"\0"))
        shown.append(f"{'!' if flags & 0x80 else ''}{number}:{text}/{length}")
    if not known:
        raise Opaque
    return " ".join(shown)


def _read_gateway(reader: Reader, kind: int) -> None:
    if kind == 0:
        if (token := reader.plain("gateway")) != ".":
            reader.fail("gateway", f'"{token}" where the type is 0 must be "."')
    elif kind == 3:
        reader.wire += reader.name("gateway")
    else:
        reader.wire += reader.address("gateway", _FAMILIES[kind][0])


def _show_gateway(wire: Wire, kind: int) -> str:
    if kind == 0:
        return "."
    if kind == 3:
        return wire.name("gateway")
    family, size = _FAMILIES[kind]
    return socket.inet_ntop(family, wire.take("gateway", size))


def _read_ipsec_gateway(reader: Reader) -> None:
    kind = reader.number("gateway type", 3)
    reader.wire += bytes((kind, reader.number("algorithm", 255)))
    _read_gateway(reader, kind)


def _show_ipsec_gateway(wire: Wire) -> str:
    kind, number = wire.number("gateway type", 1), wire.number("algorithm", 1)
    if kind > 3:
        wire.fail("gateway type", f"{kind} is out of range")
    return f"{kind} {number} {_show_gateway(wire, kind)}"


def _read_relay(reader: Reader) -> None:
    optional, kind = reader.number("discovery", 1), reader.number("relay type", 127)
    if kind > 3:
        reader.fail("relay type", f"{kind} is not known")
    reader.wire.append(optional << 7 | kind)
    _read_gateway(reader, kind)


def _show_relay(wire: Wire) -> str:
    octet = wire.number("relay type", 1)
    if octet & 0x7F > 3:
        raise Opaque
    return f"{octet >> 7} {octet & 0x7F} {_show_gateway(wire, octet & 0x7F)}"


def _read_host_identity(reader: Reader) -> None:
    number = reader.number("algorithm", 255)
    tag = reader.hex("tag", reader.plain("tag"))
    key = reader.base64("key", reader.plain("key"))
    if len(tag) > 255:
        reader.fail("tag", f"{len(tag)} octets, the limit is 255")
    reader.wire += bytes((len(tag), number)) + len(key).to_bytes(2, "big") + tag + key
    while reader.more:
        reader.wire += reader.name("server")


def _show_host_identity(wire: Wire) -> str:
    tag_length, number = wire.number("tag", 1), wire.number("algorithm", 1)
    key_length = wire.number("key", 2)
    if not tag_length or not key_length:
        wire.fail("tag or key", "is missing")
    tag, key = wire.take("tag", tag_length), wire.take("key", key_length)
    shown = [str(number), tag.hex().upper(), _base64_text(key)]
    while wire.left:
        shown.append(wire.name("server"))
    return " ".join(shown)


def _read_a6(reader: Reader) -> None:
    length = reader.number("prefix length", 128)
    reader.wire.append(length)
    if length < 128:
        octets = bytearray(reader.address("address", socket.AF_INET6)[length // 8 :])
        octets[0] &= 0xFF >> length % 8
        reader.wire += octets
    if length:
        reader.wire += reader.name("prefix name")


def _show_a6(wire: Wire) -> str:
    length = wire.number("prefix length", 1)
    if length > 128:
        wire.fail("prefix length", f"{length} is out of range")
    shown = [str(length)]
    if length < 128:
        octets = wire.take("address", 16 - length // 8)
        if octets[0] & ~(0xFF >> length % 8):
            wire.fail("address", "has bits set that belong to the prefix")
        shown.append(socket.inet_ntop(socket.AF_INET6, octets.rjust(16, b"\0")))
    if length:
        shown.append(wire.name("prefix name"))
    return " ".join(shown)


def _read_object(reader: Reader) -> None:
    token = reader.plain("data")
    if token != "-":
        reader.wire += reader.base64("data", token + reader.rest("data"))


def _show_object(wire: Wire) -> str:
    return _base64_text(wire.rest("data")) or "-"


def _refuse(reader: Reader) -> None:
    reader.fail("data", 'can only be given as "\\# length hex"')


def _show_opaque(wire: Wire) -> str:
    raise Opaque


# Service parameters, RFC 9460 section 14.3.2. BIND 9.18 has no name for those after ipv6hint, but
# it reads "dohpath", and checks it.
_MANDATORY, _ALPN, _NO_DEFAULT_ALPN, _PORT, _IPV4HINT, _ECH, _IPV6HINT, _DOHPATH = range(8)
_PARAMETERS = ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint")
_PARAMETER_CODES = {text: code for code, text in enumerate(_PARAMETERS)}
_KEY_NUMBER = re.compile("key(0|[1-9][0-9]{0,9})")
_LIST_ESCAPES = _STRING_ESCAPES | {
    ord(" "): "\\032", ord("\\"): "\\\\\\\\", ord(","): "\\\\,",
}  # fmt: skip
_DOH_TEMPLATE = re.compile(r"\{[?&](?:[^{}]*,)?dns(?:[,:*][^{}]*)?\}")


def _parameter_code(reader: Reader, text: str) -> int:
    match = _KEY_NUMBER.fullmatch(text)
    if match is None or int(match[1]) > 65535:
        reader.fail("parameter", f'"{text}" is not known')
    return int(match[1])


def _parameter_value(reader: Reader, code: int, value: str) -> bytes:
    what = _PARAMETERS[code]
    if code == _PORT:
        return reader.number(what, 65535, value).to_bytes(2, "big")
    if code == _ECH:
        return reader.base64(what, value)
    if code in (_IPV4HINT, _IPV6HINT):
        family = socket.AF_INET if code == _IPV4HINT else socket.AF_INET6
        return b"".join([reader.address(what, family, item) for item in value.split(",")])
    if code == _MANDATORY:
        codes = [
            _PARAMETER_CODES[item.lower()] if item.lower() in _PARAMETER_CODES
            else _parameter_code(reader, item)
            for item in value.split(",")
        ]  # fmt: skip
        return b"".join([item.to_bytes(2, "big") for item in sorted(codes)])
    if code == _ALPN:
        items = _split_list(reader, value)
        return b"".join([bytes((len(item),)) + item for item in items])
    return reader.unescape(what, value)


def _split_list(reader: Reader, value: str) -> list[bytes]:
    items = [b""]
    octets = reader.unescape("alpn", value)
    for match in re.finditer(rb"(,)|\\(.)|([^\\])|\\\Z", octets, re.DOTALL):
        if match[1]:
            items.append(b"")
        elif match[0] == b"\\":
            reader.fail("alpn", f'"{value}" ends in an escape')
        else:
            items[-1] += match[2] or match[3]
    if not all(0 < len(item) < 256 for item in items):
        reader.fail("alpn", f'"{value}" has an item of no octets or more than 255')
    return items


def _read_parameters(reader: Reader) -> None:
    found: dict[int, bytes] = {}
    while reader.more:
        token = reader.plain("parameter")
        key, _, value = token.partition("=")
        if value[:1] == '"':
            value = value[1:-1]
        code = _PARAMETER_CODES.get(key, _DOHPATH if key == "dohpath" else None)
        if code is None:
            lower = key.lower()
            # By its name in another case a key is known, but its value is read as that of keyN.
            code = _PARAMETER_CODES.get(lower, _DOHPATH if lower == "dohpath" else None)
            code = _parameter_code(reader, key) if code is None else code
            octets = reader.unescape(key, value)
        elif code == _DOHPATH:
            octets = reader.unescape(key, value)
        else:
            octets = _parameter_value(reader, code, value)
        if code in found:
            reader.fail("parameter", f"{key} is given twice")
        found[code] = octets
    for code, octets in sorted(found.items()):
        reader.wire += code.to_bytes(2, "big") + len(octets).to_bytes(2, "big") + octets


def _show_alpn(wire: Wire, octets: bytes) -> str:
    shown, at = [], 0
    while at < len(octets):
        end = at + 1 + octets[at]
        if end > len(octets) or end == at + 1:
            wire.fail("alpn", "a malformed list")
        shown.append(octets[at + 1 : end].decode("latin-1").translate(_LIST_ESCAPES))
        at = end
    return f'alpn="{",".join(shown)}"'


def _show_parameter(wire: Wire, code: int, octets: bytes) -> str:
    if code > _IPV6HINT:
        if code == _DOHPATH and not _is_doh_path(octets):
            wire.fail("key7", f"{_quote(octets)} is not a path template with the variable dns")
        return f"key{code}" + (f"={_quote(octets)}" if octets else "")
    what = _PARAMETERS[code]
    unit = {_MANDATORY: 2, _PORT: 2, _IPV4HINT: 4, _IPV6HINT: 16}.get(code, 1)
    wrong_length = len(octets) % unit or (not octets and code != _ECH)
    if code == _NO_DEFAULT_ALPN:
        wrong_length = bool(octets)
    if wrong_length or (code == _PORT and len(octets) != 2):
        wire.fail(what, f"{len(octets)} octets do not make a value")
    if code == _ALPN:
        return _show_alpn(wire, octets)
    items = [octets[at : at + unit] for at in range(0, len(octets), unit)]
    if code == _MANDATORY:
        value = ",".join(_show_mandatory(wire, items))
    elif code == _PORT:
        value = str(int.from_bytes(octets, "big"))
    elif code == _ECH:
        value = _base64_text(octets)
    else:
        family = socket.AF_INET if code == _IPV4HINT else socket.AF_INET6
        value = ",".join(socket.inet_ntop(family, item) for item in items)
    return f"{what}={value}" if value else what


def _show_mandatory(wire: Wire, items: list[bytes]) -> list[str]:
    if any(one >= other for one, other in pairwise(items)):
        wire.fail("mandatory", "its keys are not in order, or one is there twice")
    codes = [int.from_bytes(item, "big") for item in items]
    return [_PARAMETERS[code] if code <= _IPV6HINT else f"key{code}" for code in codes]


def _is_doh_path(octets: bytes) -> bool:
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return False
    return text.startswith("/") and _DOH_TEMPLATE.search(text) is not None


def _show_parameters(wire: Wire) -> str:
    shown: dict[int, str] = {}
    mandatory: list[int] = []
    while wire.left:
        code = wire.number("parameter", 2)
        octets = wire.take("parameter", wire.number("parameter", 2))
        if shown and code <= max(shown):
            wire.fail("parameter", "the keys are not in order")
        shown[code] = _show_parameter(wire, code, octets)
        if code == _MANDATORY:
            mandatory = [
                int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)
            ]
    if _MANDATORY in mandatory or any(code not in shown for code in mandatory):
        wire.fail("mandatory", "names itself or a key that is missing")
    if _NO_DEFAULT_ALPN in shown and _ALPN not in shown:
        wire.fail("no-default-alpn", "is only allowed beside alpn")
    return " ".join(shown.values())


_NAME, _TWO_NAMES, _TEXT = (name("name"),), (name("first name"), name("second name")), (
    strings("text"),
)  # fmt: skip
_PREFERENCE_AND_NAME = (u16("preference"), name("name"))
_KEY = (key_flags("flags"), coded("protocol", 1, _PROTOCOLS), algorithm())
_DIGEST_LENGTHS = {1: 20, 2: 32, 4: 48}
_DS = (
    u16("key tag"), algorithm(), coded("digest type", 1, _DIGESTS),
    digest("digest", _DIGEST_LENGTHS, least=1),
)  # fmt: skip
_TLSA = (u8("usage"), u8("selector"), u8("matching type"), hexadecimal("certificate data"))
_NSEC3 = (
    coded("hash algorithm", 1, {"SHA-1": 1}), u8("flags"), u16("iterations"), salt("salt"),
)  # fmt: skip
_SERVICE = (
    u16("priority"), name("target", quoted=True), Field(_read_parameters, _show_parameters),
)  # fmt: skip
_GENERIC_ONLY = (Field(_refuse, _show_opaque),)


def _signer(label: str) -> Field:
    """The signer's name, which is the owner's or above it: it cannot have more labels."""
    signer = name(label)

    def show(wire: Wire) -> str:
        at, count, allowed = wire.at, 0, wire.data[3]
        text = signer.show(wire)
        while wire.data[at]:
            at, count = at + 1 + wire.data[at], count + 1
        if count > allowed:
            wire.fail(label, f"{text} has {count} labels, the signed name only {allowed}")
        return text

    return Field(signer.read, show)


def _signature(covered: Field, signer: Field, *, seconds_allowed: bool) -> tuple[Field, ...]:
    return (
        covered, algorithm(), u8("labels"), u32("original TTL"),
        moment("expiration", seconds_allowed=seconds_allowed),
        moment("inception", seconds_allowed=seconds_allowed),
        u16("key tag"), signer, base64("signature"),
    )  # fmt: skip


_ANY_CLASS: dict[str, tuple[Field, ...]] = {
    "NS": _NAME, "MD": _NAME, "MF": _NAME, "CNAME": _NAME, "MB": _NAME, "MG": _NAME,
    "MR": _NAME, "PTR": _NAME, "DNAME": _NAME,
    "MINFO": _TWO_NAMES, "RP": _TWO_NAMES, "TALINK": _TWO_NAMES,
    "TXT": _TEXT, "SPF": _TEXT, "AVC": _TEXT, "NINFO": _TEXT, "RESINFO": _TEXT, "WALLET": _TEXT,
    "MX": _PREFERENCE_AND_NAME, "AFSDB": _PREFERENCE_AND_NAME, "RT": _PREFERENCE_AND_NAME,
    "LP": _PREFERENCE_AND_NAME,
    "SOA": (
        name("primary"), name("contact"), u32("serial"), ttl("refresh"), ttl("retry"),
        ttl("expire"), ttl("minimum"),
    ),
    "HINFO": (string("cpu"), string("os")),
    "X25": (x25_address("address"),),
    "ISDN": (string("address"), optional_string("subaddress")),
    "GPOS": (string("longitude"), string("latitude"), string("altitude")),
    "LOC": (Field(_read_location, _show_location),),
    "NAPTR": (
        u16("order"), u16("preference"), string("flags"), string("services"),
        substitution("regexp"), name("replacement"),
    ),
    "CERT": (
        coded("certificate type", 2, _CERTIFICATES, _CERTIFICATES), u16("key tag"),
        coded("algorithm", 1, _ALGORITHM_ALIASES, _ALGORITHMS), base64("certificate"),
    ),
    "CAA": (u8("flags"), caa_tag("tag"), long_text("value", must_be_quoted=False)),
    "URI": (u16("priority"), u16("weight"), long_text("target", must_be_quoted=True)),
    "DS": _DS, "CDS": _DS, "DLV": _DS, "TA": _DS,
    "DNSKEY": (*_KEY, base64("key")), "CDNSKEY": (*_KEY, base64("key")),
    "KEY": (*_KEY, old_key("key")),
    "RKEY": (zero(_KEY[0], "flags"), *_KEY[1:], base64("key")),
    "KEYDATA": (
        Field(moment("refresh", seconds_allowed=False).read, _show_opaque),
        moment("add", seconds_allowed=False), moment("remove", seconds_allowed=False),
        *_KEY, base64("key"),
    ),
    "RRSIG": _signature(record_type("type covered"), _signer("signer"), seconds_allowed=True),
    "SIG": _signature(
        record_type("type covered", _old_type_name), name("signer"), seconds_allowed=False
    ),
    "NSEC": (name("next name"), types("types", least=1)),
    "NSEC3": (*_NSEC3, hashed_owner("next owner"), types("types")),
    "NSEC3PARAM": _NSEC3,
    "NXT": (name("next name"), old_types("types")),
    "CSYNC": (u32("serial"), u16("flags"), types("types")),
    "SSHFP": (u8("algorithm"), u8("type"), digest("fingerprint", {1: 20, 2: 32}, least=0)),
    "TLSA": _TLSA, "SMIMEA": _TLSA,
    "ZONEMD": (
        u32("serial"), u8("scheme"), u8("hash algorithm"),
        digest("digest", {1: 48, 2: 64}, least=12),
    ),
    "OPENPGPKEY": (base64("key"),), "HHIT": (base64("data"),), "BRID": (base64("data"),),
    "IPSECKEY": (
        u8("precedence"), Field(_read_ipsec_gateway, _show_ipsec_gateway), base64("key"),
    ),
    "AMTRELAY": (u8("precedence"), Field(_read_relay, _show_relay)),
    "HIP": (Field(_read_host_identity, _show_host_identity),),
    "NID": (u16("preference"), locator("node")), "L64": (u16("preference"), locator("locator")),
    "L32": (u16("preference"), ipv4("locator")),
    "EUI48": (hyphened("address", 6),), "EUI64": (hyphened("address", 8),),
    "SINK": (u8("meaning"), u8("coding"), u8("subcoding"), base64("data", least=0)),
    "DOA": (
        u32("enterprise"), u32("type"), u8("location"), string("media type"),
        Field(_read_object, _show_object),
    ),
    "DSYNC": (
        record_type("type"), coded("scheme", 1, {"NOTIFY": 1}, {"NOTIFY": 1}), u16("port"),
        name("target"),
    ),
    "NULL": _GENERIC_ONLY, "UINFO": _GENERIC_ONLY, "UID": _GENERIC_ONLY, "GID": _GENERIC_ONLY,
    "UNSPEC": _GENERIC_ONLY,
}  # fmt: skip

_IN_ONLY: dict[str, tuple[Field, ...]] = {
    "A": (ipv4("address"),), "AAAA": (ipv6("address"),),
    "A6": (Field(_read_a6, _show_a6),),
    "WKS": (ipv4("address"), Field(_read_services, _show_services)),
    "SRV": (u16("priority"), u16("weight"), u16("port"), name("target")),
    "SVCB": _SERVICE, "HTTPS": _SERVICE,
    "KX": _PREFERENCE_AND_NAME,
    "PX": (u16("preference"), name("map822"), name("mapx400")),
    "APL": (Field(_read_prefixes, _show_prefixes),),
    "NSAP": (nsap("address"),), "NSAP-PTR": _NAME,
    "ATMA": (atm_address("address"),),
    "EID": (hexadecimal("endpoint"),), "NIMLOC": (hexadecimal("locator"),),
    "DHCID": (base64("data"),),
}  # fmt: skip

_FIELDS: dict[tuple[int | None, int], tuple[Field, ...]]
_FIELDS = {(None, TYPE_CODES[mnemonic]): fields for mnemonic, fields in _ANY_CLASS.items()}
_FIELDS |= {(_IN, TYPE_CODES[mnemonic]): fields for mnemonic, fields in _IN_ONLY.items()}
_FIELDS[_CH, 1] = (name("domain"), octal("address"))
_FIELDS[_HS, 1] = (ipv4("address"),)


def fields_of(rdclass: int, rdtype: int) -> tuple[Field, ...] | None:
    """The fields of a type in a class; None where the rdata has no known form."""
    return _FIELDS.get((None, rdtype)) or _FIELDS.get((rdclass, rdtype))
