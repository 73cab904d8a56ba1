"""The kinds of field that rdata is made of, each a pair: tokens to wire, wire to text.

What a value must satisfy is checked in `show` wherever possible, so that it holds for the generic
form of RFC 3597 as well.
"""

import re
import socket
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from syncd.content.zone.lexer import Quoted
from syncd.content.zone.rdata_coding import Reader, Wire
from syncd.content.zone.record_types import type_code, type_name
from syncd.content.zone.times import parse_ttl


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


def ttl(label: str) -> Field:
    def read(reader: Reader) -> None:
        token = reader.plain(label)
        seconds = parse_ttl(token)
        if seconds is None:
            reader.fail(label, f'"{token}" is not a number of seconds, or of w, d, h, m and s')
        reader.wire += seconds.to_bytes(4, "big")

    return Field(read, lambda wire: str(wire.number(label, 4)))


def name(label: str, *, quoted: bool = False) -> Field:
    def read(reader: Reader) -> None:
        reader.wire += reader.name(label, quoted=quoted)

    return Field(read, lambda wire: wire.name(label))


STRING_ESCAPES = {code: f"\\{code:03d}" for code in range(256) if not 0x20 <= code < 0x7F}
STRING_ESCAPES |= {ord('"'): '\\"', ord("\\"): "\\\\"}


def quoted_text(data: bytes) -> str:
    return f'"{data.decode("latin-1").translate(STRING_ESCAPES)}"'


def _put_string(reader: Reader, label: str) -> None:
    data = reader.string(label)
    reader.wire.append(len(data))
    reader.wire += data


def string(label: str) -> Field:
    return Field(
        lambda reader: _put_string(reader, label), lambda wire: quoted_text(wire.string(label))
    )


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
        shown = [quoted_text(wire.string(label))]
        while wire.left:
            shown.append(quoted_text(wire.string(label)))
        return " ".join(shown)

    return Field(read, show)


def long_text(label: str, *, must_be_quoted: bool) -> Field:
    def read(reader: Reader) -> None:
        token = reader.token(label)
        if must_be_quoted and not isinstance(token, Quoted):
            reader.fail(label, f'"{token}" must be quoted')
        reader.wire += reader.unescape(label, token)

    return Field(read, lambda wire: quoted_text(wire.rest(label)))


def base64_text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def base64(label: str, *, least: int = 1) -> Field:
    def read(reader: Reader) -> None:
        if least and not reader.more:
            reader.fail(label, "is missing")
        reader.wire += reader.base64(label, reader.rest(label))

    return Field(read, lambda wire: base64_text(wire.rest(label, least=least)))


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


def zero(field: Field, label: str) -> Field:
    def show(wire: Wire) -> str:
        text = field.show(wire)
        if text != "0":
            wire.fail(label, f"{text} is not 0")
        return text

    return Field(field.read, show)


def read_type(reader: Reader, label: str, token: str, *, numeric: bool) -> int:
    code = type_code(token)
    if code is None:
        if not numeric or not token.isdecimal():
            reader.fail(label, f'"{token}" is not a record type')
        code = reader.number(label, 0xFFFF, token)
    return code


def record_type(label: str, named: Callable[[int], str] = type_name) -> Field:
    def read(reader: Reader) -> None:
        code = read_type(reader, label, reader.plain(label), numeric=True)
        reader.wire += code.to_bytes(2, "big")

    return Field(read, lambda wire: named(wire.number(label, 2)))


def caa_tag(label: str) -> Field:
    def checked(octets: bytes, fail: Callable[[str, str], object]) -> bytes:
        if not octets.isalnum():
            fail(label, f"{quoted_text(octets)} is not of letters and digits")
        return octets

    def read(reader: Reader) -> None:
        octets = checked(reader.plain(label).encode("latin-1"), reader.fail)
        if len(octets) > 255:
            reader.fail(label, f"a string of {len(octets)} octets, the limit is 255")
        reader.wire.append(len(octets))
        reader.wire += octets

    return Field(read, lambda wire: checked(wire.string(label), wire.fail).decode())


def read_object(reader: Reader) -> None:
    token = reader.plain("data")
    if token != "-":
        reader.wire += reader.base64("data", token + reader.rest("data"))


def show_object(wire: Wire) -> str:
    return base64_text(wire.rest("data")) or "-"


def refuse(reader: Reader) -> None:
    reader.fail("data", 'can only be given as "\\# length hex"')


def show_opaque(wire: Wire) -> str:
    raise Opaque
