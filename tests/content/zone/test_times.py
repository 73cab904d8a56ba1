"""TTLs and times as words of a master file; BIND's view of TTLs stands in test_master_file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.zone.times import moment_text, parse_moment, parse_ttl


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0), ("3600", 3600), ("1h", 3600), ("1H30m", 5400), ("1w2d3h4m5s", 788645),
        ("1s1h", 3601), ("1h1h", 7200), ("0h30", 30), ("4294967295", 4294967295),
        ("0" * 60 + "300", 300), ("1h" * 31, 111600),
        ("1h30", None), ("30h0", None), ("", None), ("h", None), ("1hh", None), ("1y", None),
        ("4294967296", None), ("7102w", None), ("-1", None), ("+5", None), ("1.5", None),
        ("0x10", None), ("1h" * 32, None), ("\u0663", None), ("1 ", None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_a_ttl_is_read_with_and_without_units(text: str, seconds: int | None) -> None:
    assert parse_ttl(text) == seconds


@given(st.text())
def test_any_text_is_a_ttl_and_a_moment_or_not(text: str) -> None:
    seconds = parse_ttl(text)
    assert seconds is None or 0 <= seconds < 1 << 32
    parse_moment(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("19700101000000", 0), ("20380119031408", 1 << 31), ("21060207062816", 1 << 32),
        ("19691231235959", -1), ("20200101000060", 1577836860), ("20200101000061", None),
        ("20200230000000", None), ("20201301000000", None), ("20200101240000", None),
        ("00000101000000", None), ("2020010100000", None), ("202001010000000", None), ("", None),
    ],
)  # fmt: skip
def test_a_moment_is_a_day_that_there_is(text: str, seconds: int | None) -> None:
    assert parse_moment(text) == seconds


@given(st.integers(0, (1 << 32) - 1))
def test_moments_are_read_as_they_are_printed(value: int) -> None:
    seconds = parse_moment(moment_text(value))
    assert seconds is not None
    assert seconds % (1 << 32) == value
