"""Serial numbers: RFC 1982."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.zone.serial import next_serial, serial_is_newer

HALF = 1 << 31
MODULUS = 1 << 32
SERIALS = st.one_of(
    st.integers(0, MODULUS - 1), st.sampled_from([0, 1, HALF - 1, HALF, HALF + 1, MODULUS - 1])
)


@pytest.mark.parametrize(
    ("candidate", "present", "newer"),
    [
        (2, 1, True), (1, 2, False), (1, 1, False),
        (0, MODULUS - 1, True), (MODULUS - 1, 0, False),
        (HALF - 1, 0, True), (HALF, 0, False), (HALF + 1, 0, False),
        (HALF, 1, True), (1, HALF + 2, True), (1, HALF + 1, False),
        (2018020902, 2018020901, True),
    ],
)  # fmt: skip
def test_a_serial_is_newer_up_to_half_the_circle_ahead(
    candidate: int, present: int, newer: bool
) -> None:
    assert serial_is_newer(candidate, present) == newer


@given(SERIALS, SERIALS)
def test_of_two_serials_at_most_one_is_newer(one: int, other: int) -> None:
    newer = [serial_is_newer(one, other), serial_is_newer(other, one)]
    # RFC 1982 section 3.2 leaves undefined which of two opposite serials is the newer.
    assert sum(newer) == (0 if one == other or (one - other) % MODULUS == HALF else 1)


@given(SERIALS, st.integers(1, HALF - 1))
def test_adding_less_than_half_the_circle_makes_a_serial_newer(serial: int, step: int) -> None:
    assert serial_is_newer((serial + step) % MODULUS, serial)


@given(SERIALS)
def test_the_next_serial_is_newer_and_never_zero(serial: int) -> None:
    following = next_serial(serial)
    assert serial_is_newer(following, serial)
    assert 0 < following < MODULUS
    assert (following - serial) % MODULUS == (2 if serial == MODULUS - 1 else 1)
