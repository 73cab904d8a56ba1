"""The one door for msgpack: what comes in is bounded, and everything wrong with it is one error.

The decoder gives an array its memory when it reads how many elements are promised, so five bytes
can cost a megabyte, and arrays in arrays as much again each. So all that is promised is looked at
first: no container promises more elements than there are bytes left, none stands too deep, and a
text or bytes end inside the message. After that a message costs no more than its elements do.
"""

from typing import Any

import msgpack

from syncd.errors import ProtocolViolation
from syncd.protocol.limits import MAX_BLOCK_BYTES, MAX_ELEMENTS, MAX_NESTING

_HEADER_BYTES = {
    0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4,
    0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4,
}  # fmt: skip
"""By the first byte of bytes, texts, arrays and maps: how many bytes the count behind it has."""

_FIRST_ARRAY, _FIRST_MAP = 0xDC, 0xDE
_SHORT_BYTES = frozenset({0xC4, 0xD9})


def _whole_bytes() -> list[int]:
    """Return, by its first byte, how long a value is that holds no others; 0 for all the rest."""
    sizes = [0] * 256
    for first in (*range(0x80), 0xC0, 0xC2, 0xC3, *range(0xE0, 0x100)):
        sizes[first] = 1
    for first in range(0xA0, 0xC0):
        sizes[first] = 1 + first - 0xA0
    for first, size in zip(range(0xCA, 0xD4), (5, 9, 2, 3, 5, 9, 2, 3, 5, 9), strict=True):
        sizes[first] = size
    return sizes


_WHOLE_BYTES = _whole_bytes()


def pack(value: Any) -> bytes:
    """Return `value` (None, bool, int, str, bytes, list, dict) as msgpack."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def unpack(data: bytes) -> Any:
    """Return the one value that `data` holds.

    Raises ProtocolViolation for anything but exactly one well-formed value within the limits above.
    """
    if len(data) > MAX_BLOCK_BYTES:
        raise ProtocolViolation(
            f"not a msgpack value: {len(data)} bytes, where at most {MAX_BLOCK_BYTES} may be"
        )
    try:
        _check_promises(data)
    except IndexError:
        raise ProtocolViolation("not a msgpack value: it ends too soon") from None
    return _unpack(data)


def unpack_own(data: bytes) -> Any:
    """Return the value that `pack` of this process made `data` of, whatever its size."""
    return _unpack(data)


def _unpack(data: bytes) -> Any:
    try:
        return msgpack.unpackb(data, raw=False, strict_map_key=False, max_ext_len=0)
    except (ValueError, msgpack.UnpackException, TypeError) as error:
        raise ProtocolViolation(f"not a msgpack value: {error}") from None


def _check_promises(data: bytes) -> None:
    """Walk over the value without making it. Raises ProtocolViolation; IndexError if it is cut."""
    at, end, sizes = 0, len(data), _WHOLE_BYTES
    left, around = 1, list[int]()
    while True:
        while not left:
            if not around:
                if at != end:
                    raise ProtocolViolation("not a msgpack value: it has not the length it states")
                return
            left = around.pop()
        left -= 1
        first = data[at]
        size = sizes[first]
        if size:
            at += size
            continue
        if first in _SHORT_BYTES:  # the rest could do this and the next as well, but slower
            at += 2 + data[at + 1]
            continue
        if 0x90 <= first < 0xA0:
            at, count = at + 1, first & 0x0F
        else:
            at, count = _after_header(data, at, first)
            if first in _HEADER_BYTES and first < _FIRST_ARRAY:
                at += count
                continue
        if count > min(MAX_ELEMENTS, end - at):
            raise ProtocolViolation(f"not a msgpack value: {count} elements are promised")
        around.append(left)
        left = count
        if len(around) > MAX_NESTING:
            raise ProtocolViolation(f"not a msgpack value: nested over {MAX_NESTING} deep")


def _after_header(data: bytes, at: int, first: int) -> tuple[int, int]:
    """Return where what a header announces begins, and its count: of bytes, or of elements."""
    if first in _HEADER_BYTES:
        end = at + 1 + _HEADER_BYTES[first]
        count = int.from_bytes(data[at + 1 : end], "big")
        return end, 2 * count if first >= _FIRST_MAP else count
    if 0x80 <= first < 0x90:
        return at + 1, 2 * (first & 0x0F)
    raise ProtocolViolation(f"not a msgpack value: 0x{first:02x} begins no type that is taken here")
