"""Buckets: two stores find where they differ, and bucket numbers survive being written as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.buckets import (
    MARK_BYTES,
    MAX_BITS,
    add_mark,
    bits_for,
    bucket_of,
    buckets_text,
    differing_buckets,
    pack_sums,
    parse_buckets,
    short_mark,
)
from syncd.errors import IllegalValue

bits = st.integers(0, 10)


@given(bits, st.data())
def test_bucket_numbers_written_as_text_are_read_back(bits: int, data: st.DataObject) -> None:
    buckets = data.draw(st.sets(st.integers(0, (1 << bits) - 1), min_size=1))
    assert parse_buckets(buckets_text(sorted(buckets)), bits) == buckets


def test_neighbours_are_written_as_a_range() -> None:
    assert buckets_text([0, 3, 7, 8, 9, 11]) == "0,3,7-9,11"


@pytest.mark.parametrize("text", ["", "a", "1,,2", "4-", "-4", "16", "3-16", "9-8", "1-2-3"])
def test_text_that_names_no_buckets_is_refused(text: str) -> None:
    with pytest.raises(IllegalValue, match="buckets="):
        parse_buckets(text, 4)


@given(st.text(max_size=20), st.text(max_size=20), st.integers(1, MAX_BITS))
def test_a_bucket_with_one_bit_more_is_half_of_that_with_one_less(
    kind: str, name: str, bits: int
) -> None:
    number = bucket_of(kind, name, bits)
    assert 0 <= number < 1 << bits
    assert bucket_of(kind, name, bits - 1) == number >> 1


@given(st.integers(0, 10_000_000), st.integers(0, 1000))
def test_more_objects_never_have_fewer_buckets(count: int, more: int) -> None:
    assert 0 <= bits_for(count) <= bits_for(count + more) <= MAX_BITS


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=20))
def test_a_sum_of_marks_does_not_depend_on_their_order(marks: list[bytes]) -> None:
    assert _sum(marks) == _sum(list(reversed(marks)))
    assert _sum(marks) == _sum([short_mark(mark) for mark in marks])


def _sum(marks: list[bytes]) -> int:
    total = 0
    for mark in marks:
        total = add_mark(total, mark)
    return total


@given(st.lists(st.integers(0, (1 << 64) - 1), min_size=1, max_size=16), st.data())
def test_exactly_the_buckets_whose_sums_differ_are_named(
    ours: list[int], data: st.DataObject
) -> None:
    changed = data.draw(st.sets(st.integers(0, len(ours) - 1)))
    theirs = [total ^ 1 if number in changed else total for number, total in enumerate(ours)]
    assert differing_buckets(ours, pack_sums(theirs)) == sorted(changed)


def test_sums_of_another_number_of_buckets_are_refused() -> None:
    with pytest.raises(ValueError, match="for 2 buckets"):
        differing_buckets([1, 2], bytes(3 * MARK_BYTES))
