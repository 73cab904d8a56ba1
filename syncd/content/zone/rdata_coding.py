"""Rdata between tokens and wire format: what all fields read from and show from."""

import re
import socket
from binascii import a2b_base64, b2a_base64, unhexlify
from collections.abc import Sequence
from typing import NoReturn

from syncd.content.zone.lexer import Quoted, RecordError
from syncd.content.zone.names import (
    MAX_LABEL_BYTES,
    MAX_NAME_BYTES,
    BadNameError,
    name_text,
    name_wire,
)

MAX_RDATA_BYTES = 65510
"""BIND takes no more: type, class, TTL and length of a record must fit a message as well."""

_NUMBER = re.compile(r"[0-9]+")
_MAX_INTEGER = (1 << 32) - 1
"""The largest number that BIND's lexer knows; what is larger is a string."""
_ESCAPE = re.compile(r"\\(?:([0-9]{3})|([^0-9\0])|)", re.DOTALL)


class RdataError(RecordError):
    """Rdata that is not well formed: says which field and why."""


class Reader:
    """The tokens of one rdata, taken from the left; what they mean gathers in `wire`."""

    __slots__ = ("at", "origin", "tokens", "type_name", "wire")

    def __init__(self, type_name: str, tokens: Sequence[str], origin: bytes) -> None:
        self.type_name, self.tokens, self.origin = type_name, tokens, origin
        self.at = 0
        self.wire = bytearray()

    def fail(self, field: str, reason: str) -> NoReturn:
        raise RdataError(f"{self.type_name} {field}: {reason}")

    @property
    def more(self) -> bool:
        return self.at < len(self.tokens)

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise RdataError(f'{self.type_name}: "{self.tokens[self.at]}" is one field too many')

    def token(self, field: str) -> str:
        """The next token, quoted or not."""
        if self.at >= len(self.tokens):
            self.fail(field, "is missing")
        self.at += 1
        return self.tokens[self.at - 1]

    def plain(self, field: str) -> str:
        token = self.token(field)
        if isinstance(token, Quoted):
            self.fail(field, f'"{token}" must not be quoted')
        return token

    def rest(self, field: str) -> str:
        """All tokens that are left, as one: a blob may be split by blanks anywhere."""
        parts = []
        while self.at < len(self.tokens):
            parts.append(self.plain(field))
        return "".join(parts)

    def number(self, field: str, maximum: int, token: str | None = None) -> int:
        token = self.plain(field) if token is None else token
        if _NUMBER.fullmatch(token) is None:
            self.fail(field, f'"{token}" is not a number')
        # More digits than any field has are out of range whatever they are, and int() has a limit.
        value = int(token.lstrip("0") or 0) if len(token.lstrip("0")) < 20 else maximum + 1
        if value > maximum:
            self.fail(field, f"{token} is out of range, the maximum is {maximum}")
        return value

    def name(self, field: str, *, quoted: bool = False) -> bytes:
        token = self.token(field) if quoted else self.plain(field)
        if '="' in token and not isinstance(token, Quoted):
            self.fail(field, f"{token} is quoted in part")
        try:
            return name_wire(str(token), self.origin)
        except BadNameError as error:
            self.fail(field, f'"{token}" {error}')

    def unescape(self, field: str, token: str) -> bytes:
        if "\\" not in token:
            return token.encode("latin-1")

        def character(match: re.Match[str]) -> str:
            if match[1] and int(match[1]) < 256:
                return chr(int(match[1]))
            if not match[2]:
                self.fail(field, f'"{token}" has a bad escape')
            return match[2]

        return _ESCAPE.sub(character, token).encode("latin-1")

    def string(self, field: str) -> bytes:
        data = self.unescape(field, self.token(field))
        if len(data) > 255:
            self.fail(field, f"a string of {len(data)} octets, the limit is 255")
        return data

    def base64(self, field: str, text: str) -> bytes:
        try:
            data = a2b_base64(text, strict_mode=True)
        except ValueError:
            data = b""
        # The comparison refuses what a lenient decoder lets pass: stray bits in the last digit.
        if b2a_base64(data, newline=False).decode() != text:
            self.fail(field, f'"{text}" is not base64')
        return data

    def hex(self, field: str, text: str) -> bytes:
        try:
            return unhexlify(text)
        except ValueError:
            self.fail(field, f'"{text}" is not hexadecimal digits, two an octet')

    def address(self, field: str, family: socket.AddressFamily, token: str | None = None) -> bytes:
        token = self.plain(field) if token is None else token
        try:
            return socket.inet_pton(family, token)
        except (OSError, ValueError):
            kind = "IPv4" if family == socket.AF_INET else "IPv6"
            self.fail(field, f'"{token}" is not an {kind} address')

    def generic(self, *, is_text: bool) -> bool:
        """Whether the rdata has the generic form of RFC 3597."""
        tokens = self.tokens
        if not tokens or tokens[0] != "\\#" or isinstance(tokens[0], Quoted):
            return False
        # In TXT, and there alone, BIND takes "\#" for a string unless a number follows it.
        return not is_text or (
            len(tokens) > 1
            and not isinstance(tokens[1], Quoted)
            and _NUMBER.fullmatch(tokens[1]) is not None
            and int(tokens[1].lstrip("0")[:11] or 0) <= _MAX_INTEGER
        )

    def generic_bytes(self) -> bytes:
        self.at = 1
        length = self.number("length", MAX_RDATA_BYTES)
        data = self.hex("data", self.rest("data"))
        if len(data) != length:
            self.fail("data", f"{len(data)} bytes where {length} were announced")
        return data


class Wire:
    """Rdata in wire format, taken from the left."""

    __slots__ = ("at", "data", "type_name")

    def __init__(self, type_name: str, data: bytes) -> None:
        self.type_name, self.data = type_name, data
        self.at = 0

    def fail(self, field: str, reason: str) -> NoReturn:
        raise RdataError(f"{self.type_name} {field}: {reason}")

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, field: str, length: int) -> bytes:
        start = self.at
        self.at = start + length
        if self.at > len(self.data):
            self.fail(field, "the data ends too early")
        return self.data[start : self.at]

    def number(self, field: str, length: int) -> int:
        return int.from_bytes(self.take(field, length), "big")

    def rest(self, field: str, *, least: int = 0) -> bytes:
        if self.left < least:
            self.fail(field, "is missing" if not self.left else "is too short")
        return self.take(field, self.left)

    def string(self, field: str) -> bytes:
        return self.take(field, self.number(field, 1))

    def name(self, field: str) -> str:
        start = self.at
        while length := self.number(field, 1):
            if length > MAX_LABEL_BYTES:
                self.fail(field, "a compressed or malformed name")
            self.take(field, length)
        if self.at - start > MAX_NAME_BYTES:
            self.fail(field, f"a name longer than {MAX_NAME_BYTES} octets")
        return name_text(self.data[start : self.at])
