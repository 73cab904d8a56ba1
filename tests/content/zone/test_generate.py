"""$GENERATE: ranges and references; what BIND makes of whole lines stands in test_master_file."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.zone.generate import MAX_GENERATED, expand, generated_numbers
from syncd.content.zone.lexer import Quoted, RecordError


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1-3", [1, 2, 3]), ("0-0", [0]), ("0-10/5", [0, 5, 10]), ("01-03", [1, 2, 3]),
        ("+1-+3/+2", [1, 3]), ("1-3x", [1, 2, 3]), ("1-3/2x", [1, 3]), ("1-2,2", [1, 2]),
        ("2147483647-2147483647", [2147483647]), ("1-2147483647/2147483647", [1]),
    ],
)  # fmt: skip
def test_a_range_has_both_its_ends(text: str, numbers: list[int]) -> None:
    assert list(generated_numbers(text)) == numbers


@pytest.mark.parametrize(
    "text",
    ["", "1", "1-", "-1", "3-1", "1-3/", "1-3/0", "1-3/-1", "-1-3", "0x1-3", "a-b", " 1-3", "1--3",
     "2147483648-2147483648", "1-2147483648", "0-5/2147483648", f"0-{MAX_GENERATED}",
     "1-" + "9" * 5000],
)  # fmt: skip
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(RecordError, match="GENERATE"):
        generated_numbers(text)


@pytest.mark.parametrize(
    ("template", "number", "expanded"),
    [
        ("a", 1, "a"), ("a$b", 12, "a12b"), ("$.$", 7, "7.7"), ("$$", 1, "$"), ("a$$$", 5, "a$5"),
        (r"\$", 1, r"\$"), (r"\\$", 1, r"\\1"), ("${5}", 1, "6"), ("${-5}", 1, "-4"),
        ("${+5}", 1, "6"), ("${0,3}", 1, "001"), ("${0,3,d}", 12, "012"), ("${-5,3}", 0, "-05"),
        ("${0,2,x}", 255, "ff"), ("${0,4,X}", 255, "00FF"), ("${0,0,o}", 8, "10"),
        ("${-5,0,x}", 1, "fffffffc"), ("${-5,0,o}", 1, "37777777774"), ("${0}}", 1, "1}"),
        ("${5}-$", 1, "6-6"), ("$-${5}", 1, "1-6"), ("${ 1, 2}", 1, "02"), ("${0,3,d}x", 1, "001x"),
        ("${0,1,n}", 0x1A, "a.1"), ("${0,7,n}", 1, "1.0.0.0"), ("${0,8,n}", 1, "1.0.0.0."),
        ("${0,0,N}", 0xAB, "B.A"), ("${0,2,n}", 1, "1."), ("${0,2,n}", 0x12, "2.1"),
        ("${-5,4,n}", 1, "c.f.f.f.f.f.f.f"), ("${0,127}", 1, "0" * 126 + "1"),
        ("${0,0,n}", 0, "0"), ("${0,3,n}", 0, "0.0"),
    ],
)  # fmt: skip
def test_references_are_replaced(template: str, number: int, expanded: str) -> None:
    assert expand(template, number) == expanded


def test_in_a_quoted_template_an_escaped_quote_is_a_quote() -> None:
    assert expand(Quoted(r"\"a $\" \\$ \$"), 1) == r'"a 1" \\1 \$'


@pytest.mark.parametrize(
    "template",
    ["${", "${}", "${1", "${1,}", "${1,2,}", "${,1}", "${0,2,q}", "${0,2,D}", "${0,2,dx}", "${x}",
     "${0,3,d", "${1,-1}", "${0,128}", "${0,128,n}", "${0,300}", "${0,99999}", "${2147483647}",
     "${99999999999}", "${-9999999999}"],
)  # fmt: skip
def test_a_reference_that_cannot_be_read_is_refused(template: str) -> None:
    with pytest.raises(RecordError, match="GENERATE"):
        expand(template, 1)


@given(st.text(), st.integers(0, 2**31 - 1))
def test_any_text_is_expanded_or_refused(template: str, number: int) -> None:
    with contextlib.suppress(RecordError):
        generated_numbers(template)
    try:
        expanded = expand(template, number)
    except RecordError:
        return
    if "$" not in template:
        assert expanded == template
