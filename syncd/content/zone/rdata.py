"""Any rdata as written in a master file, to its canonical text: the slow and fully general path.

The text is split into tokens as BIND splits it, encoded field by field into wire format, and
printed from the wire alone. So two spellings of one record come out the same, `\\# len hex` needs
no path of its own, and the result is a fixed point: canonical text encodes to the same wire. The
fields of each type stand in `rdata_types`; BIND 9.18 is the judge of what is refused and printed.
"""

import re
import socket
from binascii import a2b_base64, b2a_base64, unhexlify
from functools import lru_cache
from typing import NoReturn

from dns.name import Name
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

from syncd.content.zone.rdata_types import (
    CLASS_CODES,
    NOT_IN_ZONES,
    Opaque,
    fields_of,
    type_code,
    type_name,
)

MAX_RDATA_BYTES = 65535
MAX_NAME_BYTES = 255
MAX_LABEL_BYTES = 63


class RdataError(ValueError):
    """Rdata, or the name of a type, that is not well formed: says which field and why."""


class Quoted(str):
    """A token that stood in double quotes; its escapes are still in place."""

    __slots__ = ()


_PLAIN_CHARACTER = r'[^ \t\r\n"();\\\x00]'
# A backslash takes the next character with it, but never the end of the line. Possessive, so that
# a quote that is never closed costs one pass and no backtracking.
_PLAIN = rf"(?:{_PLAIN_CHARACTER}++|\\[^\r\n]|\\(?=[\r\n]|\Z))++"
_QUOTED = r'"((?:[^"\\\n]++|\\[\s\S])*+)"'
_BLANK = r"[ \t]++|;[^\n]*+"
_TOKEN = re.compile(rf"(?:{_BLANK})|(\r\n?|\n)|([()])|{_QUOTED}|({_PLAIN})")
# Service parameters alone may be half quoted: alpn="h2,h3" is one token.
_HALF_QUOTED = r'[^ \t\r\n"();\\\x00=]*+="(?:[^"\\\n]++|\\[\s\S])*+"'
_PARAMETER_TOKEN = re.compile(
    rf"(?:{_BLANK})|(\r\n?|\n)|([()])|{_QUOTED}|({_HALF_QUOTED}|{_PLAIN})"
)
_NEEDS_LEXER = re.compile(r'[\t\r\n"();\\\x00]')
_NUMBER = re.compile(r"[0-9]+")
_HOST_LIKE = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_NAME_PART = re.compile(r"\\([0-9]{3})|\\([^0-9])|(\.)|([^.\\])", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:([0-9]{3})|([^0-9])|)", re.DOTALL)
_GENERIC_CLASS = re.compile(r"CLASS([0-9]{1,5})")


_NAME_ESCAPES = {code: f"\\{code:03d}" for code in range(256) if not 0x20 < code < 0x7F}
_NAME_ESCAPES |= {ord(character): "\\" + character for character in '"().;\\@$'}


def canonical_rdata(rdclass: RdataClass, rdtype: RdataType, text: str, origin: Name) -> str:
    """The one canonical spelling of a record's rdata.

    `text` is the rdata as it stands in a master file, comments and parentheses included; bytes
    that are not UTF-8 are expected as surrogate escapes. `origin` completes relative names and
    must be absolute. The result is one line. Raises RdataError for whatever BIND refuses.
    """
    mnemonic = type_name(rdtype)
    if rdtype in NOT_IN_ZONES:
        raise RdataError(f"{mnemonic}: records of this type do not belong in a zone")
    if not text.isascii():
        try:
            text = text.encode("utf-8", "surrogateescape").decode("latin-1")
        except UnicodeEncodeError as error:
            raise RdataError(f"{mnemonic}: {error.reason}") from error
    reader = Reader(mnemonic, _tokens(mnemonic, text), _origin_wire(origin))
    fields = fields_of(rdclass, rdtype)
    if reader.generic(is_text=rdtype == RdataType.TXT):
        data = reader.generic_bytes()
    elif fields is None:
        raise RdataError(f'{mnemonic}: the data of this type can only be given as "\\# length hex"')
    else:
        for field in fields:
            field.read(reader)
        reader.end()
        data = bytes(reader.wire)
    if len(data) > MAX_RDATA_BYTES:
        raise RdataError(f"{mnemonic}: {len(data)} bytes of rdata, the limit is {MAX_RDATA_BYTES}")
    if fields is None:
        return _opaque(data)
    wire = Wire(mnemonic, data)
    try:
        parts = [field.show(wire) for field in fields]
    except Opaque:
        return _opaque(data)
    if wire.left:
        raise RdataError(f"{mnemonic}: {wire.left} bytes are left after the last field")
    return " ".join([part for part in parts if part])


def parse_type(text: str) -> RdataType:
    """The record type named by a mnemonic or TYPEnnn, in either case; RdataError if by none."""
    code = type_code(text)
    if code is None:
        raise RdataError(f'"{text}" is not a record type')
    return RdataType(code)


def type_text(rdtype: RdataType) -> str:
    """The name that BIND prints for a record type: its mnemonic or TYPEnnn."""
    return type_name(rdtype)


def parse_class(text: str) -> RdataClass | None:
    """The class named by a mnemonic or CLASSnnn, in either case; None if it is not a class."""
    upper = text.upper() if text.isascii() else ""
    code = CLASS_CODES.get(upper)
    match = _GENERIC_CLASS.fullmatch(upper)
    if match is not None and int(match[1]) <= 65535:
        code = int(match[1])
    return None if code is None else RdataClass(code)


def _opaque(data: bytes) -> str:
    return f"\\# {len(data)} {data.hex().upper()}".rstrip()


def _tokens(type_name: str, text: str) -> list[str]:
    if _NEEDS_LEXER.search(text) is None:
        return [token for token in text.split(" ") if token]
    match_at = (_PARAMETER_TOKEN if type_name in ("SVCB", "HTTPS") else _TOKEN).match
    tokens: list[str] = []
    at, depth, ended = 0, 0, False
    while at < len(text):
        match = match_at(text, at)
        if match is None:
            what = "a quoted string does not end" if text[at] == '"' else "a NUL character"
            raise RdataError(f"{type_name}: {what}")
        at = match.end()
        line_end, parenthesis, quoted, plain = match.groups()
        if line_end:
            ended = ended or depth == 0
        elif parenthesis:
            depth += 1 if parenthesis == "(" else -1
            if depth < 0:
                raise RdataError(f'{type_name}: ")" without "("')
        elif quoted is not None or plain:
            if ended:
                raise RdataError(f"{type_name}: text after the end of the record")
            tokens.append(plain or Quoted(quoted))
    if depth:
        raise RdataError(f'{type_name}: "(" without ")"')
    return tokens


# One zone asks with one origin object thousands of times, and hashing a Name is slow.
_last_origin: tuple[Name, bytes] | None = None


def _origin_wire(origin: Name) -> bytes:
    global _last_origin
    last = _last_origin
    if last is None or last[0] is not origin:
        if not origin.is_absolute():
            raise RdataError(f'the origin "{origin}" is not an absolute name')
        last = _last_origin = (origin, origin.to_wire() or b"")
    return last[1]


@lru_cache(maxsize=8192)
def _name_wire(token: str, origin: bytes) -> bytes:
    if token == "@":
        return origin
    if token == ".":
        return b"\0"
    if _HOST_LIKE.fullmatch(token):
        labels = [label.encode() for label in token.split(".")]
    else:
        labels = _escaped_labels(token)
    absolute = not labels[-1]
    if absolute:
        labels.pop()
    if not labels or not all(labels):
        raise RdataError("has an empty label")
    if max(map(len, labels)) > MAX_LABEL_BYTES:
        raise RdataError(f"has a label longer than {MAX_LABEL_BYTES} octets")
    wire = b"".join([bytes((len(label),)) + label for label in labels])
    wire += b"\0" if absolute else origin
    if len(wire) > MAX_NAME_BYTES:
        raise RdataError(f"is longer than {MAX_NAME_BYTES} octets")
    return wire


def _escaped_labels(token: str) -> list[bytes]:
    labels = [bytearray()]
    at = 0
    while at < len(token):
        match = _NAME_PART.match(token, at)
        if match is None or (match[1] and int(match[1]) > 255):
            raise RdataError("has a bad escape")
        at = match.end()
        if match[3]:
            labels.append(bytearray())
        elif match[2] == "[" and not labels[-1]:
            raise RdataError("has a bit-string label")
        else:
            labels[-1].append(int(match[1]) if match[1] else ord(match[2] or match[4]))
    return [bytes(label) for label in labels]


@lru_cache(maxsize=8192)
def _name_text(wire: bytes) -> str:
    labels: list[str] = []
    at = 0
    while wire[at]:
        end = at + 1 + wire[at]
        labels.append(wire[at + 1 : end].decode("latin-1").translate(_NAME_ESCAPES))
        at = end
    return ".".join(labels) + "."


class Reader:
    """The tokens of one rdata, taken from the left; what they mean gathers in `wire`."""

    __slots__ = ("at", "origin", "tokens", "type_name", "wire")

    def __init__(self, type_name: str, tokens: list[str], origin: bytes) -> None:
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
            return _name_wire(str(token), self.origin)
        except RdataError as error:
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
            self.fail(field, f'"{text}" is not an even number of hexadecimal digits')

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
        return not is_text or (len(tokens) > 1 and _NUMBER.fullmatch(tokens[1]) is not None)

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
        return _name_text(self.data[start : self.at])
