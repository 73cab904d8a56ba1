"""$GENERATE, BIND's way to write many records as one line (BIND 9 ARM, "BIND Primary File
Extension").

Read as BIND reads it: what follows a complete range is passed over, and in one template an offset
holds for the references after it that state none. An offset that does not fit 32 bits is refused,
where BIND takes what is left of it.
"""

import re

from syncd.content.zone.lexer import Quoted, RecordError, unquoted

MAX_GENERATED = 1 << 20
"""Records that all $GENERATE lines of a zone may make: a few bytes ask for them, and each takes
microseconds."""
MAX_GENERATED_CHARACTERS = 256 * 1024 * 1024
"""Text of these records."""

_MAX_INTEGER = (1 << 31) - 1
_MAX_CHARACTERS = 127
"""Of one reference, expanded."""

_RANGE = re.compile(r"[\f\v]*+\+?([0-9]++)-[\f\v]*+\+?([0-9]++)(?:/[\f\v]*+\+?([0-9]++)|(?!/))")
_PART = re.compile(
    r"(?P<escaped>\\[\s\S]?)|\$(?P<dollar>\$)|(?P<reference>\$)(?:\{(?P<format>[^}]*+)\}?+)?"
)
_FORMAT = re.compile(r"\s*([+-]?[0-9]{1,10})(?:,\s*\+?([0-9]{1,4})(?:,([doxXnN]))?)?")


def generated_numbers(text: str) -> range:
    """Return the numbers of `start-stop[/step]`. Raises RecordError."""
    found = _RANGE.match(text)
    if found is None:
        raise RecordError(f"$GENERATE: {text!r} is not a range: start-stop or start-stop/step")
    # More than 20 digits are too many whatever they are, and int() has a limit.
    start, stop, step = (int(digits.lstrip("0")[:20] or 0) for digits in found.groups("1"))
    if max(start, stop, step) > _MAX_INTEGER:
        raise RecordError(f"$GENERATE: the range {text} goes beyond {_MAX_INTEGER}")
    if step == 0:
        raise RecordError(f"$GENERATE: the range {text} has a step of 0")
    if start > stop:
        raise RecordError(f"$GENERATE: the range {text} is empty")
    numbers = range(start, stop + 1, step)
    if len(numbers) > MAX_GENERATED:
        raise RecordError(f"$GENERATE: the range {text} makes over {MAX_GENERATED} records")
    return numbers


def expand(template: str, number: int) -> str:
    """Return the template for one number; a reference is `$` or `${offset[,width[,base]]}`.

    Raises RecordError for a reference that cannot be read.
    """
    if isinstance(template, Quoted):
        template = unquoted(template)
    offset = 0

    def part(found: re.Match[str]) -> str:
        nonlocal offset
        if found["reference"] is None:
            return found["dollar"] or found["escaped"]
        width, base = 0, "d"
        if found["format"] is not None:
            read = _FORMAT.fullmatch(found["format"]) if found[0].endswith("}") else None
            if read is None:
                raise RecordError(f"$GENERATE: {found[0]!r} cannot be read")
            offset, width, base = int(read[1]), int(read[2] or 0), read[3] or "d"
        if not (offset >= -_MAX_INTEGER and number + offset <= _MAX_INTEGER):
            raise RecordError(f"$GENERATE: {number} and {offset} do not fit 32 bits")
        shown = _shown(number + offset, width, base)
        if len(shown) > _MAX_CHARACTERS:
            raise RecordError(f"$GENERATE: {found[0]!r} makes over {_MAX_CHARACTERS} characters")
        return shown

    return _PART.sub(part, template)


def _shown(value: int, width: int, base: str) -> str:
    if base == "d":
        return f"{value:0{width}d}"
    value &= 0xFFFFFFFF
    if base in "oxX":
        return f"{value:0{width}{base}}"
    # Width counts the dots as well; an even one ends in a dot.
    digits = f"{value:{'x' if base == 'n' else 'X'}}"[::-1].ljust((width + 1) // 2, "0")
    nibbles = ".".join(digits)
    return nibbles + "." if len(nibbles) < width else nibbles
