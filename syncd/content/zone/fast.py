"""The fast path: plain one-line records of the common types, by regular expressions.

It only takes what it can bring to exactly the form in which the slow path would: whatever it is not
sure of (escapes, comments, parentheses, other classes, odd numbers) it leaves to that by returning
the place where it stopped. A differential property test holds both to one result. Nothing here is
done for each record that could be done for each owner, nor for each owner what only RRsets of
several records need.
"""

import re

from syncd.content.zone.fast_rdata import COVERED_NUMBERS, READERS
from syncd.content.zone.names import owner_key, type_order
from syncd.content.zone.reading_state import ReadingState
from syncd.content.zone.record_types import TYPE_CODES
from syncd.content.zone.times import MAX_TTL

_LABEL = r"[A-Za-z0-9_/*-]{1,63}"
_LINE = re.compile(
    rf"(|@|(?:{_LABEL}\.){{0,126}}{_LABEL}\.?)[ \t]+"
    r"(?:([0-9]{1,10})[ \t]+)?(?:[Ii][Nn][ \t]+)?"
    r"([A-Z][A-Z0-9]+|A)[ \t]+([^ \t\r\n][^\r\n]*)\r?\n"
)
_MAX_NAME_CHARACTERS = 254
"""Of a name without escapes and with its final dot, so that it has at most 255 octets."""

_ORDERS = {mnemonic: type_order(TYPE_CODES[mnemonic]) for mnemonic in READERS}
_NOTED_TYPES = frozenset({"CNAME", "SOA", "RRSIG", "NS", "NSEC3"})
"""Types with which something besides the record is to be noted, or checked."""


def read_fast(text: str, position: int, state: ReadingState, enough: int, most_lines: int) -> int:
    """Read records from `position` on; return where the first line begins that is not plain.

    Stops as well after `most_lines`, at a new owner when `state.records` has `enough` keys, and
    where the text ends.
    """
    match = _LINE.match
    readers = READERS
    orders = _ORDERS
    noted = _NOTED_TYPES
    records, met = state.records, state.met
    origin, default_ttl, last_ttl, line = (
        state.origin, state.default_ttl, state.last_ttl, state.line
    )  # fmt: skip
    run, run_keys = state.run, state.run_keys
    suffix = "." if origin == "." else "." + origin
    present_owner = state.owner or ""
    written = ""
    key = owner_key(present_owner)
    last_line = line + most_lines
    while line < last_line and (found := match(text, position)) is not None:
        owner, ttl, type_text, rdata = found.groups()
        reader = readers.get(type_text)
        if reader is None:
            break
        canonical = reader(rdata.rstrip(" \t"), origin, suffix)
        if canonical is None:
            break
        if ttl is not None:
            seconds = int(ttl)
            if seconds > MAX_TTL:
                break
        elif default_ttl is not None:
            seconds = default_ttl
        elif last_ttl is not None:
            seconds = last_ttl
        else:
            break
        if owner and owner != written:
            absolute = owner if owner[-1] == "." else origin if owner == "@" else owner + suffix
            if absolute != present_owner:
                size = len(records)
                if size >= enough or len(absolute) > _MAX_NAME_CHARACTERS:
                    break
                present_owner, run, run_keys = absolute, run + 1, size
                key = owner_key(absolute)
            written = owner
        elif not present_owner:
            break
        if type_text in noted:
            if type_text == "RRSIG":
                full_key = key + type_order(46, COVERED_NUMBERS[canonical[: canonical.index(" ")]])
            else:
                full_key = key + orders[type_text]
                if type_text == "CNAME":
                    state.aliases.add(key)
                elif type_text == "SOA":
                    state.apexes.add(present_owner)
                elif present_owner[0] == "*":
                    break
        else:
            full_key = key + orders[type_text]
        position = found.end()
        line += 1
        last_ttl = seconds
        record = f"{present_owner} {seconds} IN {type_text} {canonical}"
        known = records.setdefault(full_key, record)
        if known is not record:
            if isinstance(known, list) and full_key in met and met[full_key][0] == run:
                known.append(record)
                last_ttl = state.left_ttl(record, met[full_key][1], seconds)
            else:
                state.run, state.run_keys = run, run_keys
                last_ttl = state.join(full_key, record, seconds)
                run_keys = state.run_keys
    state.owner, state.last_ttl, state.line = present_owner or None, last_ttl, line
    state.run, state.run_keys = run, run_keys
    return position
