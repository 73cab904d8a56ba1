"""The one door for msgpack."""

from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import ProtocolViolation
from syncd.protocol.packing import pack, unpack

keys = st.text() | st.integers(0, 1 << 40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner),
)


@given(values)
def test_what_is_packed_is_unpacked_the_same(value: Any) -> None:
    assert unpack(pack(value)) == value


def test_text_and_bytes_stay_what_they_are() -> None:
    assert unpack(pack(["a", b"a"])) == ["a", b"a"]


@given(st.binary(max_size=64))
def test_any_bytes_are_a_value_or_a_violation(data: bytes) -> None:
    try:
        unpack(data)
    except ProtocolViolation:
        return


@pytest.mark.parametrize(
    "data",
    [
        b"",
        pack([1, 2])[:-1],
        pack(1) + pack(2),
        b"\xc1",
        b"\xa1\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 5000 + b"\xc0",
        b"\x81\x90\xc0",
        msgpack.packb(msgpack.ExtType(5, b"x")),
        msgpack.packb(msgpack.Timestamp(1)),
    ],
    ids=[
        "nothing", "the end is missing", "two values", "no type", "text that is not UTF-8",
        "an array of 4 G", "a map of 4 G", "bytes of 4 G", "nested 5000 deep", "an array as a key",
        "an extension", "a time",
    ],
)  # fmt: skip
def test_what_is_no_single_bounded_value_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolation, match="not a msgpack value"):
        unpack(data)


def test_a_huge_array_of_small_elements_is_refused() -> None:
    with pytest.raises(ProtocolViolation):
        unpack(pack([0] * ((1 << 17) + 1)))
