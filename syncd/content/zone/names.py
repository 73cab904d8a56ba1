"""Domain names: text to wire and back, and the key that puts records in canonical order.

The canonical text of a name is absolute, in the case it was written in, with only those characters
escaped that BIND escapes. The order is RFC 4034 section 6.1 for names, then the type's number with
SOA first. A key is a text: each label, last one first, lower case, behind a NUL; then two NULs and
the type. In labels NUL and \\x01 stand as two characters each, so that a NUL is lower than all else
and parents precede children.
"""

import re
from functools import lru_cache

from syncd.content.zone.lexer import RecordError

MAX_NAME_BYTES = 255
MAX_LABEL_BYTES = 63
_MAX_CHARACTERS = 4 * MAX_NAME_BYTES
"""Each octet is at most `\\DDD` in text: no need to cut what is longer into labels to refuse it."""
MAX_NAME_POINTERS = 127
"""A compressed name has use for one pointer a label; without a bound on them each name of a
message could go through the whole of it."""

_TOO_LONG = f"is longer than {MAX_NAME_BYTES} octets"
_SOA, _SIG, _RRSIG = 6, 24, 46
_END = "\0\0"
_ESCAPED_OCTETS = {"\0": "\1\1", "\1": "\1\2"}
_HOST_LIKE = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_NAME_PART = re.compile(r"\\([0-9]{3})|\\([\0-/:-\xff])|(\.)|([\0-\x2d\x2f-\x5b\x5d-\xff])")
_ESCAPES = {code: f"\\{code:03d}" for code in range(256) if not 0x20 < code < 0x7F}
_ESCAPES |= {ord(character): "\\" + character for character in '"().;\\@$'}


class BadNameError(RecordError):
    """Text that is not a domain name: says why."""


@lru_cache(maxsize=8192)
def name_wire(text: str, origin: bytes) -> bytes:
    """Return the wire format of a name, one character an octet; `origin` completes a relative one.

    Raises BadNameError.
    """
    if text == "@":
        return origin
    if text == ".":
        return b"\0"
    if len(text) > _MAX_CHARACTERS:
        raise BadNameError(_TOO_LONG)
    if _HOST_LIKE.fullmatch(text):
        labels = [label.encode() for label in text.split(".")]
    else:
        labels = _escaped_labels(text)
    absolute = not labels[-1]
    if absolute:
        labels.pop()
    if not labels or not all(labels):
        raise BadNameError("has an empty label")
    if max(map(len, labels)) > MAX_LABEL_BYTES:
        raise BadNameError(f"has a label longer than {MAX_LABEL_BYTES} octets")
    wire = b"".join([bytes((len(label),)) + label for label in labels])
    wire += b"\0" if absolute else origin
    if len(wire) > MAX_NAME_BYTES:
        raise BadNameError(_TOO_LONG)
    return wire


def _escaped_labels(text: str) -> list[bytes]:
    labels = [bytearray()]
    at = 0
    while at < len(text):
        found = _NAME_PART.match(text, at)
        if found is None or (found[1] and int(found[1]) > 255):
            raise BadNameError("has a bad escape, or a character that is not one octet")
        at = found.end()
        if found[3]:
            labels.append(bytearray())
        elif found[2] == "[" and not labels[-1]:
            raise BadNameError("has a bit-string label")
        else:
            labels[-1].append(int(found[1]) if found[1] else ord(found[2] or found[4]))
    return [bytes(label) for label in labels]


@lru_cache(maxsize=8192)
def name_text(wire: bytes) -> str:
    """Return the canonical text of a name in wire format."""
    labels: list[str] = []
    at = 0
    while wire[at]:
        end = at + 1 + wire[at]
        labels.append(wire[at + 1 : end].decode("latin-1").translate(_ESCAPES))
        at = end
    return ".".join(labels) + "."


@lru_cache(maxsize=64)
def origin_wire(origin: str) -> bytes:
    """Return the wire format of an absolute name. Raises BadNameError for any other."""
    wire = name_wire(origin, b"")
    if wire[-1:] != b"\0" or origin == "@":
        raise BadNameError(f"{origin!r} is not an absolute name")
    return wire


def qualify(text: str, origin: str) -> str:
    """Return a name's canonical text, completed by `origin`. Raises BadNameError."""
    try:
        return name_text(name_wire(text, origin_wire(origin)))
    except BadNameError as error:
        raise BadNameError(f"the name {text!r} {error}") from None


def owner_key(owner: str) -> str:
    """Return the key of an absolute name in presentation form."""
    if owner == ".":
        return ""
    if "\\" in owner:
        return _escaped_owner_key(owner)
    return "\0".join(owner.lower().split(".")[::-1])


def _escaped_owner_key(owner: str) -> str:
    labels = [""]
    position = 0
    while position < len(owner):
        character = owner[position]
        position += 1
        if character == ".":
            labels.append("")
            continue
        if character == "\\":
            digits = owner[position : position + 3]
            if digits.isdigit():
                character, position = chr(int(digits)), position + 3
            else:
                character, position = owner[position], position + 1
        if character.isascii():
            character = character.lower()
        labels[-1] += _ESCAPED_OCTETS.get(character, character)
    return "\0".join(labels[::-1])


@lru_cache(maxsize=512)
def type_order(number: int, covered: int = 0) -> str:
    """Return the end of a key: where records of a type stand among those of one owner.

    Signatures that cover different types are different RRsets (RFC 4035 section 2.2).
    """
    if number == _SOA:
        return _END + "\0\0"
    order = _END + chr(number >> 8) + chr(number & 0xFF)
    if number in (_SIG, _RRSIG):
        return order + chr(covered >> 8) + chr(covered & 0xFF)
    return order


def key_owner(key: str) -> str:
    """Return the part of a key that all records of one owner share."""
    return key[: key.index(_END)]


def owner_range(key: str) -> tuple[str, str]:
    """Return (from, up to): the keys of all records of the owner with this key, and of no other."""
    return key + _END, key + "\0\1"


def zone_range(zone: str) -> tuple[str, str]:
    """Return (from, up to): the keys of all records in the zone, and of no other."""
    key = owner_key(zone)
    return key + "\0", key + "\1"


def is_below(name: str, zone: str) -> bool:
    """Say whether a name is the zone's or below it, whatever the case."""
    low, high = zone_range(zone)
    return low <= owner_key(name) + "\0" < high
