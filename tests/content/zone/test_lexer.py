"""Logical records: where they end, and what their fields are."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncd.content.zone.lexer import (
    MAX_FIELDS,
    IncompleteRecordError,
    LogicalRecord,
    Quoted,
    QuotedValue,
    RecordSyntaxError,
    lex_record,
)


def lex(text: str) -> LogicalRecord:
    return lex_record(text, 0, final=True)


@pytest.mark.parametrize(
    ("text", "fields", "lines"),
    [
        ("a A 1.2.3.4\n", ["a", "A", "1.2.3.4"], 1),
        ("a\tA  1.2.3.4 ; comment\n", ["a", "A", "1.2.3.4"], 1),
        ("a A 1.2.3.4;comment\n", ["a", "A", "1.2.3.4"], 1),
        ("a A 1.2.3.4\r\n", ["a", "A", "1.2.3.4"], 1),
        ("a A 1.2.3.4\rb", ["a", "A", "1.2.3.4"], 0),
        ("a A 1.2.3.4", ["a", "A", "1.2.3.4"], 0),
        ("\n", [], 1), ("; \0 only \r a comment\nx", [], 1), ("()\n", [], 1), ("(\n)\n", [], 2),
        ("a ( b ; (\n c\r\n d ) e\n", ["a", "b", "c", "d", "e"], 3),
        ("a((b)c)d\n", ["a", "b", "c", "d"], 1),
        ("(\n a\n)\n", ["a"], 3),
        ("a ( b\rc )\n", ["a", "b", "c"], 1),
        ("a\fb \vc\n", ["a\fb", "\vc"], 1),
        (r"a\;b \(c \"d e\ f" + "\n", [r"a\;b", r"\(c", r"\"d", r"e\ f"], 1),
        ("a\\\nb", ["a\\"], 1), ("a\\\r\nb", ["a\\"], 1), ("a\\\\ b\n", ["a\\\\", "b"], 1),
        ("a\\\0b\n", ["a\\\0b"], 1),
        ('a"b"c\n', ["a", "b", "c"], 1), ('"" "b;(c" "d\\"e"\n', ["", "b;(c", 'd\\"e'], 1),
        ('"a\\\nb" c\n', ["a\\\nb", "c"], 2), ('"a\rb\0"\n', ["a\rb\0"], 1),
    ],
)  # fmt: skip
def test_a_record_is_cut_into_fields(text: str, fields: list[str], lines: int) -> None:
    record = lex(text)
    assert list(record.fields) == fields
    assert record.lines == lines
    assert text[: record.end].count("\n") == lines


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a ( b\n", "not closed before the file ends"), ("a )\n", "without an opening one"),
        ("a ( ) )\n", "without an opening one"), ('a "b\n', "not closed on its line: \"b$"),
        ('a "b\\"\n', "not closed on its line"), ('a ( "b\n" )\n', "not closed on its line"),
        ('a "b\\\r\n"\n', "not closed on its line"), ("a \0\n", "NUL"), ("a b\0c\n", "NUL"),
        ('""' * (MAX_FIELDS + 1) + "\n", f"more than {MAX_FIELDS} fields"),
        ("a b (" + "c\n" * MAX_FIELDS + ")", f"more than {MAX_FIELDS} fields"),
        ("a b\\", "ends in a backslash"), ('a "b', "not closed"), ('a "b\\', "not closed"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(RecordSyntaxError, match=reason):
        lex(text)


@pytest.mark.parametrize(
    ("text", "indented"),
    [(" a\n", True), ("\ta\n", True), (" ( a )\n", True), ("a\n", False), ("(\n a )\n", False),
     ("\fa\n", False), ("", False)],
)  # fmt: skip
def test_a_blank_at_the_very_beginning_stands_for_an_owner(text: str, indented: bool) -> None:
    assert lex(text).indented == indented


def test_a_quoted_field_tells_whether_it_stands_right_behind_another() -> None:
    fields = lex('alpn="h2" "x" key= "y" "z""w"\n').fields
    assert [type(field) for field in fields] == [
        str, QuotedValue, Quoted, str, Quoted, Quoted, Quoted,
    ]  # fmt: skip


ANY_TEXT = st.one_of(
    st.text(st.characters(max_codepoint=255)),
    st.lists(
        st.sampled_from(['"', "(", ")", ";", "\n", "\r", "\\", " ", "\t", "a", "\0", "=", "\f"])
    ).map("".join),
)


@given(ANY_TEXT)
def test_any_text_gives_records_or_a_syntax_error(text: str) -> None:
    position = 0
    while position < len(text):
        try:
            record = lex_record(text, position, final=True)
        except RecordSyntaxError:
            return
        assert record.end > position
        position = record.end


@pytest.mark.parametrize("text", ["a\n", "\n", "a\r\n", "(a\n)\n", "a ; b\n", '"a"\n'])
def test_a_record_whose_line_end_is_there_is_given_at_once(text: str) -> None:
    assert lex_record(text, 0, final=False).end == len(text)


@given(ANY_TEXT)
@example("a\r")
@example('"\\')
@example("\\")
def test_a_record_is_the_same_however_much_of_the_text_is_there(text: str) -> None:
    text += "\n"
    try:
        whole: LogicalRecord | str = lex(text)
    except RecordSyntaxError as error:
        whole = str(error)
    for length in range(len(text) + 1):
        try:
            part: LogicalRecord | str = lex_record(text[:length], 0, final=False)
        except IncompleteRecordError:
            continue
        except RecordSyntaxError as error:
            part = str(error)
        assert part == whole
        break


def test_an_open_quote_costs_one_pass() -> None:
    for text in ('"' + "x" * 3_000_000, '"' + "\\x" * 1_000_000, "\\" * 3_000_001, "a" * 3_000_000):
        with pytest.raises(IncompleteRecordError):
            lex_record(text, 0, final=False)
