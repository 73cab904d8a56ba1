"""Fields and options on one line."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncd.errors import IllegalValue
from syncd.protocol.fields import (
    TERMINATOR,
    escape,
    join_fields,
    number_argument,
    split_fields,
    split_options,
    unescape,
    value_field,
)

texts = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("%|\r\n\0=0"))
fields = st.lists(texts, min_size=1)


@given(fields)
@example(["000"])
@example(["", ""])
@example(["%7C|", "%", "a%25b"])
def test_what_is_joined_is_split_into_the_same_fields(values: list[str]) -> None:
    assert split_fields(join_fields(values)) == values


@given(fields)
@example(["000"])
def test_joined_fields_can_stand_as_a_line_of_a_listing(values: list[str]) -> None:
    line = join_fields(values)
    assert line != TERMINATOR
    assert not set(line) & set("\r\n\0")


@given(texts)
def test_an_escaped_field_has_no_separator(text: str) -> None:
    assert "|" not in escape(text)
    assert unescape(escape(text)) == text


def test_the_characters_that_would_break_a_line_are_escaped() -> None:
    assert escape("50% a|b\r\nc\0") == "50%25 a%7Cb%0D%0Ac%00"


def test_everything_else_stands_as_it_is() -> None:
    assert escape("a=b; *.example.com. é") == "a=b; *.example.com. é"


@pytest.mark.parametrize("field", ["%", "a%", "%4", "%zz", "%%41", "%é0", "%80", "%FF", "100%"])
def test_a_percent_sign_that_escapes_nothing_is_refused(field: str) -> None:
    with pytest.raises(IllegalValue, match="%25"):
        unescape(field)


@pytest.mark.parametrize("field", ["%7c", "%7C"])
def test_hex_digits_of_either_case_are_read(field: str) -> None:
    assert unescape(field) == "|"


@given(fields, st.dictionaries(st.from_regex("[a-z]+", fullmatch=True), texts))
@example(["at=5"], {"at": "5"})
def test_values_and_options_are_told_apart(values: list[str], options: dict[str, str]) -> None:
    line = [value_field(value) for value in values]
    line += [f"{key}={escape(text)}" for key, text in options.items()]
    assert split_options("|".join(line).split("|")) == (values, options)


def test_options_may_stand_anywhere() -> None:
    assert split_options(["at=5", "a", "format=text"]) == (["a"], {"at": "5", "format": "text"})


def test_a_value_with_an_equals_sign_behind_other_characters_is_no_option() -> None:
    assert split_options(["A=1", "a-b=1", "=1", "é=1"]) == (["A=1", "a-b=1", "=1", "é=1"], {})


def test_an_option_that_is_given_twice_is_refused() -> None:
    with pytest.raises(IllegalValue, match="at= is given twice"):
        split_options(["at=1", "at=1"])


@pytest.mark.parametrize("high", [0, 1 << 60, (1 << 62) - 1])
def test_the_largest_number_that_an_error_names_is_taken(high: int) -> None:
    assert number_argument(str(high), "n", 0, high) == high
    with pytest.raises(IllegalValue, match=f"n: '{high + 1}' is not a number from 0 to {high}"):
        number_argument(str(high + 1), "n", 0, high)
