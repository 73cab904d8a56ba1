"""The one door for msgpack: what comes in is bounded, and everything wrong with it is one error.

A block is at most MAX_BLOCK_BYTES, so no count in it can promise more than that many elements;
the limits below are about what a short message may claim.
"""

from typing import Any

import msgpack

from syncd.errors import ProtocolViolation
from syncd.protocol.limits import MAX_ELEMENTS


def pack(value: Any) -> bytes:
    """Return `value` (None, bool, int, str, bytes, list, dict) as msgpack."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def unpack(data: bytes) -> Any:
    """Return the one value that `data` holds.

    Raises ProtocolViolation for anything but exactly one well-formed value.
    """
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=False,
            max_array_len=MAX_ELEMENTS,
            max_map_len=MAX_ELEMENTS,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException, RecursionError, TypeError) as error:
        raise ProtocolViolation(f"not a msgpack value: {error}") from None
