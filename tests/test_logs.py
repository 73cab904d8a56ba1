"""The log: one line an event, and nothing in it that somebody outside could have written."""

import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncd.logs import EventLog, JsonFormatter, TextFormatter

NASTY = [
    "x\n2026-01-01T00:00:00.000Z INFO login user=root",
    "x\r\n\x1b[2J\x1b]0;owned\x07",
    'a" user="root',
    "a b=c",
    "\u202etxt.exe",
    "\u2028\x85\x9b31m",
    "\udcff",
    "",
    "\\",
]
_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<level>[A-Z]+) (?P<event>\w+)"
    r'(?P<fields>(?: \w+=(?:[^\s"=\\]+|"(?:[^"\\]|\\.)*"))*)'
)
_FIELD = re.compile(r' (\w+)=([^\s"]+|"(?:[^"\\]|\\.)*")')


@contextmanager
def written(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    """What a logger of the test writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.getLogger("test.logs")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.handlers = []


def line_of(formatter: logging.Formatter, **fields: object) -> str:
    with written(formatter) as stream:
        EventLog("test.logs").info("something", **fields)
    text = stream.getvalue()
    assert text.endswith("\n")
    return text[:-1]


def test_an_event_is_time_level_name_and_fields() -> None:
    line = line_of(TextFormatter(), session=3, peer="[::1]:5040", user=None, text="two words")
    found = _LINE.fullmatch(line)
    assert found is not None
    assert (found["level"], found["event"]) == ("INFO", "something")
    assert found["fields"] == ' session=3 peer=[::1]:5040 user=- text="two words"'


@given(st.text(max_size=50))
@example(NASTY[0])
@example(NASTY[2])
@example(NASTY[5])
@example(NASTY[6])
def test_no_text_can_forge_a_line_a_field_or_an_escape(text: str) -> None:
    line = line_of(TextFormatter(), first=text, last=1)
    assert line.isprintable()
    found = _LINE.fullmatch(line)
    assert found is not None, line
    assert [key for key, _ in _FIELD.findall(found["fields"])] == ["first", "last"]


@given(st.text(max_size=50))
@example(NASTY[1] + "\x7f")
def test_json_gives_back_what_went_in_and_is_one_printable_line(text: str) -> None:
    line = line_of(JsonFormatter(), first=text, last=1)
    assert line.isascii()
    assert line.isprintable()
    event = json.loads(line)
    assert (event["event"], event["level"], event["first"], event["last"]) == (
        "something", "INFO", text, 1,
    )  # fmt: skip


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_long_value_is_cut(formatter: logging.Formatter) -> None:
    line = line_of(formatter, name="x" * 16_000)
    assert len(line) < 600
    assert "x... (16000 characters)" in line


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_a_trace_stands_in_the_same_line(formatter: logging.Formatter) -> None:
    with written(formatter) as stream:
        try:
            raise ValueError("two\nlines")
        except ValueError:
            EventLog("test.logs").exception("failed", session=1)
    assert stream.getvalue().count("\n") == 1
    assert "Traceback" in stream.getvalue()
    assert "ValueError: two" in stream.getvalue()


def test_what_other_libraries_log_has_the_same_form() -> None:
    with written(TextFormatter()) as stream:
        logging.getLogger("test.logs").warning("out of %s\nsecond line", "files")
    found = _LINE.fullmatch(stream.getvalue()[:-1])
    assert found is not None
    assert found["event"] == "message"
    assert found["fields"] == ' logger=test.logs text="out of files\\nsecond line"'
