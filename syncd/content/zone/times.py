"""Spans and moments as master files write them: TTLs with units, and YYYYMMDDHHMMSS."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MAX_TTL = (1 << 31) - 1
"""A larger TTL counts as 0 (RFC 2181 section 8)."""

_MAX_U32 = (1 << 32) - 1
_MAX_TTL_CHARACTERS = 63
_TTL = re.compile(r"(?:[0-9]+[WwDdHhMmSs])++[0-9]*|[0-9]+")
_TTL_PART = re.compile(r"([0-9]+)([A-Za-z]?)")
_UNIT_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}

# Times in records are 32 bits that wrap (RFC 4034 section 3.1.5), printed as the one nearest to a
# fixed day, not to today's: the canonical text of a record must not depend on the clock.
_REFERENCE_TIME = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")


def parse_ttl(text: str) -> int | None:
    """Return the seconds of `3600` or `1h30m`, below 2^32; None if the text is no such thing.

    As in BIND a number without a unit stands alone: `1h30` is none (but `0h30` is).
    """
    if len(text) > _MAX_TTL_CHARACTERS or _TTL.fullmatch(text) is None:
        return None
    seconds = 0
    for digits, unit in _TTL_PART.findall(text):
        number = int(digits)
        if number > _MAX_U32 or (not unit and seconds):
            return None
        seconds += number * _UNIT_SECONDS[unit.lower()] if unit else number
    return seconds if seconds <= _MAX_U32 else None


@lru_cache(maxsize=1024)
def parse_moment(text: str) -> int | None:
    """Return the seconds from 1970 to YYYYMMDDHHMMSS, UTC; None if the text is no such thing."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        start = datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError:
        return None
    # A leap second is the first of the next minute.
    return int((start - _EPOCH).total_seconds()) + second if second <= 60 else None


@lru_cache(maxsize=1024)
def moment_text(value: int) -> str:
    """Return YYYYMMDDHHMMSS for 32 bits of seconds."""
    distance = (value - _REFERENCE_TIME + 2**31) % 2**32 - 2**31
    moment = _EPOCH + timedelta(seconds=_REFERENCE_TIME + distance)
    return moment.strftime("%Y%m%d%H%M%S")
