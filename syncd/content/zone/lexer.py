"""Cutting master-file text into logical records: parentheses, quotes, escapes, comments.

RFC 1035 section 5.1. The values of fields are not looked at here; quoted fields keep their quotes.
"""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\f\v]+)
      | (?P<end>\r?\n)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<comment>;[^\n]*)
      | (?P<field>"(?:[^"\\\n]|\\.)*" | (?:[^ \t\f\v\r\n"();\\]|\\[^\n]|\r(?!\n))+)""",
    re.VERBOSE | re.DOTALL,
)


class IncompleteRecordError(Exception):
    """The text ends inside a record: more of the file is needed."""


class RecordSyntaxError(ValueError):
    """Text that cannot be cut into fields."""


@dataclass(frozen=True, slots=True)
class LogicalRecord:
    """The fields of one record or directive; `indented` when the first line begins with a blank."""

    fields: tuple[str, ...]
    indented: bool
    end: int
    """Where the text goes on after it."""
    lines: int
    """Line ends in it."""


def lex_record(text: str, position: int, *, final: bool) -> LogicalRecord:
    """Return the record that begins at `position`; `final` says that no more text will come.

    Raises IncompleteRecordError when the text ends before the record, and RecordSyntaxError for
    unbalanced parentheses or quotes.
    """
    fields: list[str] = []
    depth = lines = 0
    indented = text[position : position + 1] in (" ", "\t")
    while True:
        found = _TOKEN.match(text, position)
        if found is None:
            return _lex_end(text, position, fields, depth, lines, indented, final)
        position = found.end()
        match found.lastgroup:
            case "field":
                if position == len(text) and not final:
                    raise IncompleteRecordError
                fields.append(found[0])
            case "open":
                depth += 1
            case "close":
                depth -= 1
                if depth < 0:
                    raise RecordSyntaxError("a closing parenthesis without an opening one")
            case "end":
                lines += 1
                if depth == 0:
                    return LogicalRecord(tuple(fields), indented, position, lines)


def _lex_end(
    text: str,
    position: int,
    fields: list[str],
    depth: int,
    lines: int,
    indented: bool,
    final: bool,
) -> LogicalRecord:
    """Deal with text that no token matches: its end, or something that is never closed."""
    line_end = text.find("\n", position)
    if not final and line_end < 0:
        raise IncompleteRecordError
    if position < len(text):
        what = text[position : line_end if line_end >= 0 else None][:40]
        if text[position] == '"':
            raise RecordSyntaxError(f"a quoted string is not closed on its line: {what}")
        raise RecordSyntaxError(f"cannot be read from here on: {what}")
    if depth:
        raise RecordSyntaxError("an opening parenthesis is not closed before the file ends")
    return LogicalRecord(tuple(fields), indented, position, lines)
