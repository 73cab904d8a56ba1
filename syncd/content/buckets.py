"""Objects in buckets by the hash of their name: how two stores find where they differ.

Both sides sum the marks of each bucket; buckets whose sums differ are then listed. 64 bits of a sum
are enough to find differences, because the fingerprint proves the result. protocol.md, "Repair".
"""

import re
from hashlib import sha256

from syncd.errors import IllegalValue

MARK_BYTES = 8
"""How much of a mark, or of a sum of marks, is sent."""
MIN_BITS, MAX_BITS = 0, 16
_OBJECTS_PER_BUCKET = 24
"""Measured: about where the bytes of the sums equal those of the lists, if one zone in 1,000
differs."""
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_MASK = (1 << (8 * MARK_BYTES)) - 1


def bucket_of(type_name: str, name: str, bits: int) -> int:
    """Return the bucket of an object, 0 to 2^bits - 1."""
    hashed = sha256(b"%b\0%b" % (type_name.encode(), name.encode())).digest()
    return int.from_bytes(hashed[:2], "big") >> (MAX_BITS - bits)


def bits_for(count: int) -> int:
    """Return how many bits the buckets of a store with `count` objects should have."""
    return max(MIN_BITS, min(MAX_BITS, (count // _OBJECTS_PER_BUCKET).bit_length() - 1))


def add_mark(total: int, mark: bytes) -> int:
    """Return a bucket's sum with one mark more."""
    return (total + int.from_bytes(mark[-MARK_BYTES:], "big")) & _MASK


def short_mark(mark: bytes) -> bytes:
    """Return the part of a mark that is sent."""
    return mark[-MARK_BYTES:]


def pack_sums(sums: list[int]) -> bytes:
    """Return the sums of all buckets, one after another."""
    return b"".join(total.to_bytes(MARK_BYTES, "big") for total in sums)


def differing_buckets(ours: list[int], theirs: bytes) -> list[int]:
    """Return the buckets whose sums differ. Raises ValueError if `theirs` is of another size."""
    if len(theirs) != MARK_BYTES * len(ours):
        raise ValueError(f"{len(theirs)} bytes of sums for {len(ours)} buckets")
    packed = pack_sums(ours)
    return [
        number
        for number in range(len(ours))
        if packed[number * MARK_BYTES : (number + 1) * MARK_BYTES]
        != theirs[number * MARK_BYTES : (number + 1) * MARK_BYTES]
    ]


def buckets_text(buckets: list[int]) -> str:
    """Return bucket numbers, ascending, as `3,7-9`."""
    ranges: list[list[int]] = []
    for number in buckets:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ranges)


def parse_buckets(text: str, bits: int) -> set[int]:
    """Inverse of `buckets_text`. Raises IllegalValue."""
    found: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise IllegalValue(f"buckets={text!r:.60}: write numbers as 3,7-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 <= first <= last < 1 << bits:
            raise IllegalValue(f"buckets={part}: there are 0 to {(1 << bits) - 1}")
        found.update(range(first, last + 1))
    return found
