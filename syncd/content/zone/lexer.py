"""Cutting master-file text into logical records: parentheses, quotes, escapes, comments.

RFC 1035 section 5.1, and where it is silent as BIND's lexer: only blank and tab are blanks, a CR
ends a line with or without a LF, a NUL stands in comments and quotes only. Text is one character an
octet (latin-1), whatever its encoding; escapes stay in the fields, what they mean depends on the
field.
"""

import re
from dataclasses import dataclass

MAX_FIELDS = 2 * 65535 + 64
"""In one record: rdata has at most 65,535 octets, and were each of its hexadecimal digits a field
they were no more. Bounds the memory that a text of nothing but fields takes."""

# Possessive throughout, so that a quote that is never closed costs one pass and no backtracking.
_TOKEN = re.compile(
    r"""(?P<blank>[ \t]++)
      | (?P<end>\r\n?+|\n)
      | (?P<open>\()
      | (?P<close>\))
      | (?P<comment>;[^\n]*+)
      | "(?P<quoted>(?:[^"\\\n]++|\\[\s\S])*+)"
      | (?P<plain>(?:[^ \t\r\n"();\\\0]++|\\[^\r\n]|\\(?=[\r\n]))++)""",
    re.VERBOSE,
)
_OPEN_QUOTE = re.compile(r'"(?:[^"\\\n]++|\\[\s\S])*+\\?+')


class RecordError(ValueError):
    """Text that is not a record: says what is wrong with it."""


class RecordSyntaxError(RecordError):
    """Text that cannot be cut into fields."""


class IncompleteRecordError(Exception):
    """The text ends inside a record: more of the file is needed."""


class Quoted(str):
    """A field that stood in double quotes, without them."""

    __slots__ = ()


_QUOTED_PART = re.compile(r"\\([\s\S])")


def unquoted(field: Quoted) -> str:
    """Return what a quoted field says where escapes have no other meaning: `\\"` is a quote."""
    return _QUOTED_PART.sub(lambda found: '"' if found[1] == '"' else found[0], field)


class QuotedValue(Quoted):
    """One that stood right behind a plain field, as the value in `alpn="h2,h3"`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class LogicalRecord:
    """The fields of one record or directive; `indented` when the first line begins with a blank."""

    fields: tuple[str, ...]
    indented: bool
    end: int
    """Where the text goes on after it."""
    lines: int
    """Line feeds in it."""


def lex_record(text: str, position: int, *, final: bool) -> LogicalRecord:
    """Return the record that begins at `position`; `final` says that no more text will come.

    Raises IncompleteRecordError when the text ends before the record, and RecordSyntaxError for
    unbalanced parentheses or quotes, for a NUL, and for more than MAX_FIELDS.
    """
    fields: list[str] = []
    depth = lines = 0
    plain_end = -1
    indented = text.startswith((" ", "\t"), position)
    while True:
        found = _TOKEN.match(text, position)
        if found is None:
            break
        start, position = position, found.end()
        if position == len(text) and not final and text[-1] != "\n":
            raise IncompleteRecordError
        if len(fields) > MAX_FIELDS:
            raise RecordSyntaxError(f"a record of more than {MAX_FIELDS} fields")
        match found.lastgroup:
            case "plain":
                fields.append(found[0])
                plain_end = position
            case "quoted":
                kind = QuotedValue if start == plain_end else Quoted
                fields.append(kind(found["quoted"]))
                lines += found[0].count("\n")
            case "open":
                depth += 1
            case "close":
                depth -= 1
                if depth < 0:
                    raise RecordSyntaxError("a closing parenthesis without an opening one")
            case "end":
                lines += found[0].count("\n")
                if depth == 0:
                    return LogicalRecord(tuple(fields), indented, position, lines)
    _refuse_rest(text, position, depth, final)
    return LogicalRecord(tuple(fields), indented, position, lines)


def _refuse_rest(text: str, position: int, depth: int, final: bool) -> None:
    """Raise for text that no token matches: its end, or something that is never closed."""
    if position == len(text):
        if not final:
            raise IncompleteRecordError
        if depth:
            raise RecordSyntaxError("an opening parenthesis is not closed before the file ends")
        return
    if text[position] == '"':
        opened = _OPEN_QUOTE.match(text, position)
        if opened is not None and opened.end() == len(text) and not final:
            raise IncompleteRecordError
        what = text[position : position + 40].partition("\n")[0]
        raise RecordSyntaxError(f"a quoted string is not closed on its line: {what}")
    if text[position] == "\0":
        raise RecordSyntaxError("a NUL character outside of quotes")
    if not final:
        raise IncompleteRecordError
    raise RecordSyntaxError("the file ends in a backslash")
