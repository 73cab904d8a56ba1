"""Arguments on one line: split on `|`, with the four characters that would break it escaped.

Inverse of each other: `split_fields(join_fields(x)) == x` for every list of texts but `[]`. What
`join_fields` returns can stand as a line of a listing. protocol.md, "Fields".
"""

import re

from syncd.errors import IllegalValue

TERMINATOR = "000"
"""The line that ends a listing."""

_ESCAPES = {"%": "%25", "|": "%7C", "\r": "%0D", "\n": "%0A", "\0": "%00"}
_ESCAPABLE = re.compile("[%|\r\n\0]")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})?")
_OPTION = re.compile(r"([a-z]+)=(.*)", re.DOTALL)


def escape(text: str) -> str:
    """Return `text` fit to stand as one field."""
    return _ESCAPABLE.sub(lambda found: _ESCAPES[found[0]], text)


def unescape(field: str) -> str:
    """Return the text that `field` stands for.

    Raises IllegalValue for a `%` that two hex digits of an ASCII character do not follow.
    """
    if "%" not in field:
        return field

    def character(found: re.Match[str]) -> str:
        if found[1] is None or int(found[1], 16) > 0x7F:
            raise IllegalValue(f"field {field!r}: write a plain % as %25")
        return chr(int(found[1], 16))

    return _ESCAPED.sub(character, field)


def join_fields(fields: list[str]) -> str:
    """Return the fields as one line's text; never the line that ends a listing."""
    line = "|".join(escape(field) for field in fields)
    return "%30" + line[1:] if line == TERMINATOR else line


def split_fields(text: str) -> list[str]:
    """Return the texts that the line's fields stand for."""
    return [unescape(field) for field in text.split("|")]


def split_options(fields: list[str]) -> tuple[list[str], dict[str, str]]:
    """Part still escaped fields into values and `key=value` options.

    A value that looks like an option is written with `%3D` for its first `=`.
    Raises IllegalValue for an option given twice.
    """
    values: list[str] = []
    options: dict[str, str] = {}
    for field in fields:
        found = _OPTION.fullmatch(field)
        if found is None:
            values.append(unescape(field))
        elif found[1] in options:
            raise IllegalValue(f"option {found[1]}= is given twice")
        else:
            options[found[1]] = unescape(found[2])
    return values, options


def value_field(text: str) -> str:
    """Return `text` as a field that `split_options` takes for a value, never for an option."""
    escaped = escape(text)
    return escaped.replace("=", "%3D", 1) if _OPTION.fullmatch(escaped) else escaped


def number_argument(text: str, what: str, low: int, high: int) -> int:
    """Return a decimal number in [low, high]. Raises IllegalValue, which says what it is for."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and low <= int(text) <= high):
        raise IllegalValue(f"{what}: {text!r:.40} is not a number from {low} to {high}")
    return int(text)
