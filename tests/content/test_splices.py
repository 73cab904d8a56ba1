"""Splices turn the old list of chunks into the new one, whatever the two are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.splices import Splice, apply_splices, dictionary_range, diff_chunks
from syncd.errors import VerificationFailed

# Few different digests, so that lists share runs and hold the same chunk twice.
digests = st.sampled_from([bytes([n]) * 32 for n in range(6)])
lists = st.lists(digests, max_size=40)


@given(lists, lists)
def test_a_difference_applied_to_the_old_list_is_the_new_one(
    old: list[bytes], new: list[bytes]
) -> None:
    assert apply_splices(old, diff_chunks(old, new)) == new


@given(lists)
def test_equal_lists_have_no_splices(chunks: list[bytes]) -> None:
    assert diff_chunks(chunks, chunks) == []


@given(st.lists(digests, min_size=1, max_size=40), st.data())
def test_one_replaced_chunk_is_one_splice_of_that_chunk(
    old: list[bytes], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(old) - 1))
    fresh = b"\xff" * 32
    assert diff_chunks(old, [*old[:at], fresh, *old[at + 1 :]]) == [Splice(at, 1, (fresh,))]


@given(st.integers(0, 2000), st.integers(1, 2000), st.data())
def test_a_dictionary_is_up_to_three_of_the_chunks_that_were_dropped(
    drop: int, inserted: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, inserted - 1))
    low, high = dictionary_range(drop, inserted, index)
    assert 0 <= low <= high <= drop
    assert high - low == min(drop, 3)


def test_a_chunk_in_the_middle_has_its_neighbours_as_dictionary() -> None:
    assert dictionary_range(100, 100, 50) == (49, 52)
    assert dictionary_range(100, 10, 5) == (49, 52)


@pytest.mark.parametrize(
    "splices",
    [[Splice(4, 0, ())], [Splice(0, 4, ())], [Splice(2, 1, (b"x",)), Splice(0, 1, ())]],
)
def test_a_splice_beyond_the_end_of_the_list_is_refused(splices: list[Splice]) -> None:
    with pytest.raises(VerificationFailed, match="beyond the end"):
        apply_splices([b"a", b"b", b"c"], splices)
