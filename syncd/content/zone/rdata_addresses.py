"""Fields for addresses of other networks than the Internet, and for its prefixes and services."""

import re
import socket

from syncd.content.zone.rdata_coding import Reader, Wire
from syncd.content.zone.rdata_fields import Field, Opaque, quoted_text, string


def x25_address(label: str) -> Field:
    shown = string(label)

    def show(wire: Wire) -> str:
        text = shown.show(wire)
        if not re.fullmatch('"[0-9]{4,}"', text):
            wire.fail(label, f"{text} is not of at least four digits")
        return text

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
            wire.fail(label, f"{quoted_text(octets)} is not of digits")
        return "+" + octets.decode()

    return Field(read, show)


def _service_port(reader: Reader, token: str, protocol: int) -> int:
    if token[0] in "0123456789":
        return reader.number("service", 65535, token)
    transport = {6: ("tcp",), 17: ("udp",)}.get(protocol, ())
    try:
        return socket.getservbyname(token.lower(), *transport)
    except (OSError, ValueError):
        return reader.fail("service", f'"{token}" is not known')


def read_services(reader: Reader) -> None:
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


def show_services(wire: Wire) -> str:
    protocol, bitmap = wire.number("protocol", 1), wire.rest("services")
    if len(bitmap) > 8192 or bitmap[-1:] == b"\0":
        wire.fail("services", "a malformed bitmap")
    ports = [port for port in range(len(bitmap) * 8) if bitmap[port >> 3] & 0x80 >> (port & 7)]
    return " ".join(map(str, (protocol, *ports)))


_PREFIX = re.compile("(!?)([0-9]{1,5}):([^/]*)/([0-9]{1,3})")
FAMILIES = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}


def read_prefixes(reader: Reader) -> None:
    while reader.more:
        token = reader.plain("prefix")
        match = _PREFIX.fullmatch(token)
        if match is None or int(match[2]) not in FAMILIES:
            reader.fail("prefix", f'"{token}" is not [!]family:address/length')
        family, size = FAMILIES[int(match[2])]
        if int(match[4]) > size * 8:
            reader.fail("prefix", f'the length of "{token}" is out of range')
        octets = reader.address("prefix", family, match[3]).rstrip(b"\0")
        negation = 0x80 if match[1] else 0
        reader.wire += bytes((0, int(match[2]), int(match[4]), negation | len(octets))) + octets


def show_prefixes(wire: Wire) -> str:
    shown, known = [], True
    while wire.left:
        number, length = wire.number("prefix", 2), wire.number("prefix", 1)
        flags = wire.number("prefix", 1)
        octets = wire.take("prefix", flags & 0x7F)
        if octets[-1:] == b"\0":
            wire.fail("prefix", "trailing zero octets")
        if number not in FAMILIES:
            known = False
            continue
        family, size = FAMILIES[number]
        if len(octets) > size or length > size * 8:
            wire.fail("prefix", "is longer than the addresses of its family")
        text = socket.inet_ntop(family, octets.ljust(size, b"\0"))
        shown.append(f"{'!' if flags & 0x80 else ''}{number}:{text}/{length}")
    if not known:
        raise Opaque
    return " ".join(shown)


def read_a6(reader: Reader) -> None:
    length = reader.number("prefix length", 128)
    reader.wire.append(length)
    if length < 128:
        octets = bytearray(reader.address("address", socket.AF_INET6)[length // 8 :])
        octets[0] &= 0xFF >> length % 8
        reader.wire += octets
    if length:
        reader.wire += reader.name("prefix name")


def show_a6(wire: Wire) -> str:
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
