"""Owner names as canonical text, and the key that puts records in canonical order.

The order is RFC 4034 section 6.1 for names, then the type's number with SOA first. A key is a text:
each label, last one first, lower case, behind a NUL; then two NULs and the type. In labels NUL and \\x01
stand as two characters each, so that a NUL is lower than all else and parents precede children.
"""

from functools import lru_cache

_SOA, _RRSIG = 6, 46
_END = "\0\0"
_ESCAPED_OCTETS = {"\0": "\1\1", "\1": "\1\2"}


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

    RRSIGs that cover different types are different RRsets (RFC 4035 section 2.2).
    """
    if number == _SOA:
        return _END + "\0\0"
    order = _END + chr(number >> 8) + chr(number & 0xFF)
    return order + chr(covered >> 8) + chr(covered & 0xFF) if number == _RRSIG else order


def key_owner(key: str) -> str:
    """Return the part of a key that all records of one owner share."""
    return key[: key.index(_END)]


def zone_range(zone: str) -> tuple[str, str]:
    """Return (from, up to): the keys of all records in the zone, and of no other."""
    key = owner_key(zone)
    return key + "\0", key + "\1"


def is_below(name: str, zone: str) -> bool:
    """Say whether a name is the zone's or below it, whatever the case."""
    name, zone = name.lower(), zone.lower()
    return zone == "." or name == zone or name.endswith("." + zone)
