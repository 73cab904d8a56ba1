"""The one door for msgpack."""

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import ProtocolViolation
from syncd.protocol.limits import MAX_BLOCK_BYTES, MAX_ELEMENTS, MAX_NESTING
from syncd.protocol.packing import pack, unpack, unpack_own

keys = st.text() | st.integers(0, 1 << 40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner),
).filter(lambda value: nesting(value) <= MAX_NESTING)


def nesting(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (list, dict)):
        return 0
    return 1 + max(map(nesting, inner), default=0)


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


def test_values_may_be_nested_so_deep_and_no_deeper() -> None:
    deepest = b"\x91" * MAX_NESTING + b"\xc0"
    assert nesting(unpack(deepest)) == MAX_NESTING
    with pytest.raises(ProtocolViolation, match="nested over"):
        unpack(b"\x91" + deepest)


def test_a_message_may_be_so_large_and_no_larger() -> None:
    assert unpack(pack(bytes(MAX_BLOCK_BYTES - 5))) == bytes(MAX_BLOCK_BYTES - 5)
    with pytest.raises(ProtocolViolation, match=f"{MAX_BLOCK_BYTES + 1} bytes"):
        unpack(pack(bytes(MAX_BLOCK_BYTES - 4)))


def test_arrays_that_promise_much_cost_nothing() -> None:
    """The decoder gives memory for what an array promises: here it would be 64 MiB."""
    bomb = b"\xdd\x00\x01\x00\x00" * 200
    bomb += bytes(MAX_ELEMENTS - len(bomb))
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolViolation):
            unpack(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=64))
def test_what_is_looked_at_first_is_what_the_decoder_reads(data: bytes) -> None:
    """Only for nesting, counts and sizes may the door refuse what the decoder would take."""
    try:
        value = unpack_own(data)
    except ProtocolViolation:
        with pytest.raises(ProtocolViolation):
            unpack(data)
        return
    if nesting(value) <= MAX_NESTING:
        assert repr(unpack(data)) == repr(value)  # NaN is not equal to itself
