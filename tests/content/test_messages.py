"""Blocks are read back as they were written, and whatever is wrong with one is one error."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content import messages
from syncd.content.messages import (
    BLOCK_BYTES,
    MAX_CHUNKS,
    BlockReader,
    BlockWriter,
    Element,
    Gone,
    Head,
    Opening,
    Run,
    write_blocks,
)
from syncd.content.splices import SpliceShape
from syncd.errors import ProtocolViolation
from syncd.protocol.packing import pack

NUMBER = st.integers(0, (1 << 63) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DIGEST = st.binary(min_size=32, max_size=32)
SPLICE = st.builds(SpliceShape, st.integers(0, 9999), st.integers(0, 9999), st.integers(0, 9999))


@st.composite
def heads(draw: st.DrawFn) -> Head:
    how: dict[str, Any] = draw(
        st.one_of(
            st.fixed_dictionaries({"bodies": st.integers(0, MAX_CHUNKS)}),
            st.fixed_dictionaries(
                {"chunks": st.lists(DIGEST, max_size=4).map(lambda digests: b"".join(digests))}
            ),
            st.fixed_dictionaries({"splices": st.lists(SPLICE, max_size=4).map(tuple)}),
        )
    )
    return Head(
        draw(TEXT), draw(TEXT), draw(NUMBER), draw(st.integers(-(1 << 63), (1 << 63) - 1)),
        draw(NUMBER), draw(NUMBER), draw(st.integers(0, (1 << 32) - 1)), draw(DIGEST),
        draw(st.binary(max_size=20)), **how,
    )  # fmt: skip


elements = st.lists(
    st.one_of(
        heads(),
        st.builds(Gone, TEXT, TEXT),
        st.binary(max_size=300),
        st.builds(Opening, TEXT, NUMBER),
    ),
    max_size=30,
)


def read_all(blocks: Iterable[bytes]) -> list[Element]:
    reader = BlockReader()
    return [element for block in blocks for element in reader.read(block)]


@given(elements, st.integers(1, 2000))
def test_elements_written_in_blocks_of_any_size_are_read_back(
    written: list[Element], block_bytes: int
) -> None:
    assert read_all(write_blocks(written, growing_from=block_bytes)) == written


@given(elements, st.integers(1, 400))
def test_a_block_is_given_out_as_soon_as_it_is_full(
    written: list[Element], limit_bytes: int
) -> None:
    writer = BlockWriter(limit_bytes)
    blocks = [block for element in written if (block := writer.add(element)) is not None]
    last = writer.flush()
    assert read_all([*blocks, last] if last else blocks) == written
    assert writer.flush() is None


def test_the_first_block_is_small_and_the_next_ones_twice_as_large() -> None:
    sizes = [len(block) for block in write_blocks([bytes(1000)] * 3000, growing_from=64 * 1024)]
    assert 64 * 1024 <= sizes[0] < 70 * 1024
    assert 128 * 1024 <= sizes[1] < 136 * 1024
    assert max(sizes) < BLOCK_BYTES + 10_000


def test_a_block_never_holds_more_elements_than_a_reader_takes() -> None:
    smallest = [Gone("f", ""), *[b""] * 300_000]
    assert read_all(write_blocks(smallest)) == smallest


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.floats(), TEXT,
        st.binary(max_size=40), DIGEST,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=10),
        st.dictionaries(st.one_of(TEXT, st.integers(0, 9)), inner, max_size=3),
    ),
    max_leaves=30,
)  # fmt: skip


@given(values)
def test_a_well_formed_value_that_is_no_block_raises_only_a_violation(value: Any) -> None:
    read_or_refused(pack(value))


@given(st.lists(st.one_of(values, TEXT), max_size=6))
def test_an_array_of_anything_is_read_or_raises_only_a_violation(value: list[Any]) -> None:
    read_or_refused(pack(value))


@given(st.binary(max_size=100))
def test_bytes_of_any_kind_are_read_or_raise_only_a_violation(block: bytes) -> None:
    read_or_refused(block)


@given(elements, st.data())
def test_a_damaged_block_is_read_or_raises_only_a_violation(
    written: list[Element], data: st.DataObject
) -> None:
    for block in write_blocks(written):
        damaged = bytearray(block)
        damaged[data.draw(st.integers(0, len(block) - 1))] ^= data.draw(st.integers(1, 255))
        read_or_refused(bytes(damaged))
        read_or_refused(block[: data.draw(st.integers(0, len(block) - 1))])


def in_runs(blocks: Iterable[bytes]) -> Iterator[Element]:
    """Yield what `read_all` returns, read in runs."""
    reader = BlockReader()
    for block in blocks:
        for found in reader.read_runs(block):
            if isinstance(found, Run):
                yield from found.elements()
            else:
                yield found


@given(elements, st.integers(1, 2000))
def test_what_is_read_in_runs_is_what_is_read_one_by_one(
    written: list[Element], block_bytes: int
) -> None:
    blocks = list(write_blocks(written, growing_from=block_bytes))
    assert list(in_runs(blocks)) == written


@given(st.lists(st.integers(1, 16), min_size=1), st.integers(1, 4000))
def test_objects_with_their_few_chunks_are_read_as_one_run_a_block(
    counts: list[int], block_bytes: int
) -> None:
    written: list[Element] = []
    for number, count in enumerate(counts):
        written.append(
            Head("zones", f"z{number}.", 1, -5, 7, 1, 9, bytes(32), b"\x80", bodies=count)
        )
        written += [b"%d" % chunk for chunk in range(count)]
    (block,) = write_blocks(written, growing_from=1 << 30)
    first, *rest = BlockReader().read_runs(block)
    assert isinstance(first, Run)
    assert (list(first.elements()), rest) == (written, [])
    assert list(in_runs(write_blocks(written, growing_from=block_bytes))) == written


@given(st.data())
def test_a_damaged_run_is_read_or_refused_as_its_elements_are(data: st.DataObject) -> None:
    block = pack(["zones", *([[*_GOOD[:-1], 2], b"1", b"2"] * 3)])
    at = data.draw(st.integers(0, len(block) - 1))
    damaged = block[:at] + bytes([data.draw(st.integers(0, 255))]) + block[at + 1 :]
    found: list[Any] = []
    for read in (read_all, lambda blocks: list(in_runs(blocks))):
        try:
            found.append(read([damaged]))
        except ProtocolViolation as error:
            found.append(str(error))
    assert found[0] == found[1]


def read_or_refused(block: bytes) -> None:
    try:
        found = read_all([block])
    except ProtocolViolation as error:
        with pytest.raises(ProtocolViolation, match=re.escape(str(error))):
            list(in_runs([block]))
        return
    assert repr(list(in_runs([block]))) == repr(found)  # NaN is not equal to itself
    for element in found:
        if isinstance(element, Head):
            assert element.inserted() >= 0
            assert all(
                -(1 << 63) <= number < 1 << 63
                for number in (element.seq, element.mtime, element.size, element.lines)
            )


_GOOD: list[Any] = ["example.", 1, 0, 5, 1, 7, bytes(32), b"\x80", 1]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (0, 1), (1, -1), (1, 1 << 63), (2, 1 << 63), (3, -1),
        (4, -1), (5, -1), (5, 1 << 32), (6, bytes(31)), (7, "text"), (8, -1), (8, bytes(33)),
        (8, [[0, 1]]), (8, [[0, -1, 1]]), (8, [[0, 1, 1 << 40]]), (8, [["0", 1, 1]]), (8, None),
    ],
)  # fmt: skip
def test_an_object_with_a_field_out_of_its_range_is_refused(field: int, value: Any) -> None:
    row = [*_GOOD]
    row[field] = value
    for read in (read_all, lambda blocks: list(in_runs(blocks))):
        with pytest.raises(ProtocolViolation, match=r"not an object|not a splice"):
            read([pack(["zones", row, b"chunk"])])


def test_an_object_before_any_type_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="not an element"):
        read_all([pack([_GOOD])])


def test_the_good_object_of_these_tests_is_taken() -> None:
    (head,) = read_all([pack(["zones", _GOOD])])
    assert isinstance(head, messages.Head)
    assert head.inserted() == 1
