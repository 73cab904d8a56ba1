"""$GENERATE, BIND's way to write many records as one line (BIND 9 ARM, "BIND Primary File Extension")."""

import re
from collections.abc import Iterator

MAX_GENERATED = 1 << 20
"""Records one $GENERATE may make."""

_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})(?:/([0-9]{1,10}))?")
_REFERENCE = re.compile(
    r"\\(?P<escaped>.)|\$(?P<dollar>\$)|\$(?:\{(?P<offset>-?[0-9]{1,10})(?:,(?P<width>[0-9]{1,3})"
    r"(?:,(?P<base>[doxXnN]))?)?\}|(?P<bad>\{))?"
)


def expand_generate(arguments: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the fields of each record: `range lhs [ttl] [class] type rhs`.

    Raises ValueError for a range or a reference that cannot be read.
    """
    found = _RANGE.fullmatch(arguments[0])
    if found is None:
        raise ValueError(f"$GENERATE: {arguments[0]!r} is not a range: start-stop or start-stop/step")
    start, stop, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if start > stop or step == 0:
        raise ValueError(f"$GENERATE: the range {arguments[0]} is empty")
    if (stop - start) // step >= MAX_GENERATED:
        raise ValueError(f"$GENERATE: the range {arguments[0]} makes over {MAX_GENERATED} records")
    owner, *between, rdata = arguments[1:]
    for number in range(start, stop + 1, step):
        yield [_expand(owner, number), *between, *_expand(rdata, number).split()]


def _expand(template: str, number: int) -> str:
    def reference(found: re.Match[str]) -> str:
        if found["escaped"] is not None:
            return "$" if found["escaped"] == "$" else found[0]
        if found["dollar"] is not None:
            return "$"
        if found["bad"] is not None:
            raise ValueError(f"$GENERATE: {template!r} has a {{ that cannot be read")
        return _format(
            number + int(found["offset"] or 0), int(found["width"] or 0), found["base"] or "d"
        )

    return _REFERENCE.sub(reference, template)


def _format(value: int, width: int, base: str) -> str:
    if base in "nN":
        digits = format(value, "x" if base == "n" else "X")[::-1]
        nibbles = list(digits.ljust((width + 1) // 2, "0"))
        return ".".join(nibbles)
    return format(value, f"0{width}{base}")
