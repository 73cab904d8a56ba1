"""Lines that are canonical as they stand, taken many at a time: what `syncd export`, a replica's
zone files and most dumps consist of.

One regular expression says how far such lines go; what is left to do for each is its key. Whatever
is not in it (other types, other spellings, very long lines) is left to the path for single lines,
and a differential property test holds both to one result.
"""

import re
from socket import AF_INET6, inet_ntop, inet_pton

from syncd.content.zone.names import owner_key, type_order
from syncd.content.zone.reading_state import ReadingState
from syncd.content.zone.record_types import TYPE_CODES

_FEWEST_LINES, _MOST_LINES = 8, 2048
"""Lines taken at once: with fewer it is not worth it, with more memory grows."""
_MOST_CHARACTERS = 254
"""Of a line: so that no name in it has more than 255 octets."""

MOST_WAITING_CHARACTERS = _FEWEST_LINES * (_MOST_CHARACTERS + 1)
"""Of text that may be the beginning of such lines, and becomes that with more of it."""

_LABEL = r"[A-Za-z0-9_-]{1,63}+\."
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_RDATA = "|".join((
    rf"A {_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}",
    r"AAAA [0-9a-f:.]++",
    rf"NS (?![0-9.]++\n)(?:{_LABEL})++",
    rf"(?:PTR|CNAME) (?:{_LABEL})++",
    rf"MX (?:0|[1-9][0-9]{{0,3}}+) (?:{_LABEL})++",
    r'TXT "[ !#-\[\]-~]*+"(?: "[ !#-\[\]-~]*+")*+',
))  # fmt: skip


def lines_pattern(fewest: int, most: int) -> re.Pattern[str]:
    """Return what matches that many canonical lines."""
    return re.compile(
        rf"(?:(?=[^\n]{{1,{_MOST_CHARACTERS}}}+\n)(?:{_LABEL})++ (?:0|[1-9][0-9]{{0,8}}+) IN "
        rf"(?:{_RDATA})\n){{{fewest},{most}}}+"
    )


_LINES = lines_pattern(_FEWEST_LINES, _MOST_LINES)
_PARTS = re.compile(r"([^.]++)\.([^ ]*+) [0-9]++ in ([a-z]++)[^\n]++\n")
"""Of such a line in lower case: what its key is made of, the first label, the rest of the owner and
the type."""
_ADDRESSES6 = re.compile(r" IN AAAA ([0-9a-f:.]++)\n")
_ORDERS = {
    mnemonic.lower(): type_order(TYPE_CODES[mnemonic])
    for mnemonic in ("A", "AAAA", "NS", "PTR", "CNAME", "MX", "TXT")
}


class _ParentKeys(dict[str, str]):
    """By name, the beginning of the keys of the names one label below."""

    def __missing__(self, name: str) -> str:
        key = self[name] = owner_key(name or ".") + "\0"
        return key


def read_ready(text: str, position: int, state: ReadingState, enough: int) -> int:
    """Read canonical lines from `position` on; return where the first one stands that is not.

    Stops as well where too few follow, and once `state.records` has `enough` keys.
    """
    parents = _ParentKeys()
    while len(state.records) < enough and (found := _LINES.match(text, position)) is not None:
        if not _take(found[0], state, parents):
            break
        position = found.end()
    return position


def _take(text: str, state: ReadingState, parents: _ParentKeys) -> bool:
    """Take these lines, or none of them if one is not canonical after all."""
    if not all(map(_is_address6, _ADDRESSES6.findall(text))):
        return False
    lines = text.split("\n")
    lines.pop()
    parts = _PARTS.findall(text.lower())
    keys = [parents[parent] + label + _ORDERS[kind] for label, parent, kind in parts]
    if " IN CNAME " in text:
        state.aliases.update(
            parents[parent] + label for label, parent, kind in parts if kind == "cname"
        )
    records = state.records
    fresh = dict(zip(keys, lines, strict=True))
    if len(fresh) == len(lines) and records.keys().isdisjoint(fresh):
        _add_all(fresh, lines, state)
    else:
        for key, line in zip(keys, lines, strict=True):
            owner, ttl, _ = line.split(" ", 2)
            if owner != state.owner:
                state.owner = owner
                state.begin_run()
            state.last_ttl = int(ttl)
            if records.setdefault(key, line) is not line:
                state.last_ttl = state.join(key, line, state.last_ttl)
    state.line += len(lines)
    return True


def _add_all(fresh: dict[str, str], lines: list[str], state: ReadingState) -> None:
    """Add lines of which each has a new key; the last owner's run may go on behind them."""
    owner, ttl, _ = lines[-1].split(" ", 2)
    head = owner + " "
    first_of_run = len(lines) - 1
    while first_of_run and lines[first_of_run - 1].startswith(head):
        first_of_run -= 1
    if first_of_run or owner != state.owner:
        state.run += 1
        state.run_keys = len(state.records) + first_of_run
        state.owner = owner
    state.records.update(fresh)
    state.last_ttl = int(ttl)


def _is_address6(text: str) -> bool:
    try:
        return inet_ntop(AF_INET6, inet_pton(AF_INET6, text)) == text
    except (OSError, ValueError):
        return False
