"""Changes to text as lines that begin with `-` or `+`: what telnet shows and `patch` takes.

Order does not matter: a zone is a set of records, and where each belongs its canonical order says.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from syncd.errors import InvalidContent


@dataclass(frozen=True, slots=True)
class TextDiff:
    """Lines to take out and lines to put in, with the line of the diff each stands on."""

    removed: tuple[tuple[int, str], ...]
    added: tuple[tuple[int, str], ...]


def parse_diff(lines: Iterable[str]) -> TextDiff:
    """Read `-line` and `+line`; empty lines, `@` heads and `---`/`+++` file names are passed over.

    Raises InvalidContent for any other line, and for a diff without a change.
    """
    removed: list[tuple[int, str]] = []
    added: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n")
        if not line.strip() or line.startswith(("@", "--- ", "+++ ")):
            continue
        if line[0] not in "-+":
            raise InvalidContent(f"{line!r} does not begin with - or +", line=number)
        (removed if line[0] == "-" else added).append((number, line[1:]))
    if not removed and not added:
        raise InvalidContent("the diff changes nothing: give lines that begin with - or +")
    return TextDiff(tuple(removed), tuple(added))


def diff_lines(old: Iterable[str], new: Iterable[str]) -> Iterator[str]:
    """Yield `-` and `+` lines that turn the set of lines `old` into `new`, each side in its
    order."""
    before, after = list(old), list(new)
    kept = set(before) & set(after)
    yield from (f"-{line}" for line in before if line not in kept)
    yield from (f"+{line}" for line in after if line not in kept)
