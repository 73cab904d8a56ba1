"""Fields of the records that carry keys and signatures, and of those that deny existence."""

import re
from base64 import b32hexdecode, b32hexencode
from collections.abc import Callable
from functools import lru_cache

from syncd.content.zone.rdata_coding import Reader, Wire
from syncd.content.zone.rdata_fields import Field, base64, coded, name, read_type, u8, u16, u32
from syncd.content.zone.record_types import TYPE_NAMES, type_name
from syncd.content.zone.times import moment_text, parse_moment

ALGORITHMS = {
    "RSAMD5": 1, "DH": 2, "DSA": 3, "RSASHA1": 5, "NSEC3DSA": 6, "NSEC3RSASHA1": 7,
    "RSASHA256": 8, "RSASHA512": 10, "ECCGOST": 12, "ECDSAP256SHA256": 13,
    "ECDSAP384SHA384": 14, "ED25519": 15, "ED448": 16, "INDIRECT": 252, "PRIVATEDNS": 253,
    "PRIVATEOID": 254,
}  # fmt: skip
ALGORITHM_ALIASES = ALGORITHMS | {"ECDSA256": 13, "ECDSA384": 14}
PROTOCOLS = {"NONE": 0, "TLS": 1, "EMAIL": 2, "DNSSEC": 3, "IPSEC": 4, "ALL": 255}
DIGESTS = {"SHA-1": 1, "SHA1": 1, "SHA-256": 2, "SHA256": 2, "GOST": 3, "SHA-384": 4, "SHA384": 4}
CERTIFICATES = {
    "PKIX": 1, "SPKI": 2, "PGP": 3, "IPKIX": 4, "ISPKI": 5, "IPGP": 6, "ACPKIX": 7, "IACPKIX": 8,
    "URI": 253, "OID": 254,
}  # fmt: skip


def algorithm(label: str = "algorithm") -> Field:
    return coded(label, 1, ALGORITHM_ALIASES)


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


def moment(label: str, *, seconds_allowed: bool = True) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        value = parse_moment(token)
        if value is None:
            if not seconds_allowed or len(token) > 10:
                reader.fail(label, f'"{token}" is not a time YYYYMMDDHHMMSS')
            value = reader.number(label, 0xFFFFFFFF, token)
        reader.wire += (value % 2**32).to_bytes(4, "big")

    return Field(read, lambda wire: moment_text(wire.number(label, 4)))


def old_type_name(code: int) -> str:
    # The types of RFC 2535, SIG and NXT, print types without a mnemonic as bare numbers.
    return TYPE_NAMES.get(code) or str(code)


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
            code = read_type(reader, label, reader.plain(label), numeric=False)
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
            code = read_type(reader, label, reader.plain(label), numeric=True)
            if not 1 <= code <= 127:
                reader.fail(label, f"{type_name(code)} is out of range, 1 to 127")
            bitmap[code >> 3] |= 0x80 >> (code & 7)
        reader.wire += bitmap.rstrip(b"\0")

    def show(wire: Wire) -> str:
        octets = wire.rest(label)
        if octets and (octets[0] & 0x80 or not octets[-1] or len(octets) > 16):
            wire.fail(label, "a malformed bitmap")
        return _window_text(0, octets, old_type_name)

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


def signer_name(label: str) -> Field:
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


def signature(covered: Field, signer: Field, *, seconds_allowed: bool) -> tuple[Field, ...]:
    return (
        covered, algorithm(), u8("labels"), u32("original TTL"),
        moment("expiration", seconds_allowed=seconds_allowed),
        moment("inception", seconds_allowed=seconds_allowed),
        u16("key tag"), signer, base64("signature"),
    )  # fmt: skip
