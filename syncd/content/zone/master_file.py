"""A master file, line after line: windows of text, directives, and every record that is not plain.

The fast path reads what is plain; any other line becomes one logical record and is read here, its
rdata by `rdata.canonical_rdata`. RFC 1035 section 5, RFC 2308 section 4; where the RFCs are silent,
as BIND.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from socket import AF_INET, AF_INET6, inet_pton
from typing import IO

from syncd.content.zone import generate
from syncd.content.zone.fast import read_fast
from syncd.content.zone.generate import expand, generated_numbers
from syncd.content.zone.lexer import (
    IncompleteRecordError,
    LogicalRecord,
    Quoted,
    RecordError,
    lex_record,
    unquoted,
)
from syncd.content.zone.names import is_below, owner_key, qualify, type_order
from syncd.content.zone.rdata import canonical_rdata
from syncd.content.zone.reading_state import ReadingState
from syncd.content.zone.ready import read_ready
from syncd.content.zone.record_types import (
    TYPE_CODES,
    class_code,
    covered_type,
    type_name,
    type_number,
)
from syncd.content.zone.runs import Rrsets, Run, sort_records
from syncd.content.zone.stretch import Ahead
from syncd.content.zone.times import MAX_TTL, parse_moment, parse_ttl
from syncd.errors import InvalidContent

Include = Callable[[str, str], AbstractContextManager[IO[bytes]]]
"""Opens what $INCLUDE names, seen from the file that names it; InvalidContent if it may not. The
`name` of what it opens, if that has one, is from where the file itself names others."""

WINDOW_BYTES = 1024 * 1024
"""How much of a file is looked at at once."""

RUN_RRSETS = 20_000
"""RRsets held unpacked; some 15 MB."""

_RUN_BYTES = 32 * WINDOW_BYTES
"""Text read since RRsets were last packed, where they are few but large."""
MAX_RECORD_BYTES = 4 * 1024 * 1024
"""A logical record that is longer is taken for a parenthesis that was never closed."""
_SINGLE_LINES = 256
"""Plain lines read one by one before canonical ones are looked for again."""
_SYNTAX = {
    "$ORIGIN": "$ORIGIN name",
    "$TTL": "$TTL ttl",
    "$DATE": "$DATE YYYYMMDDHHMMSS",
    "$INCLUDE": "$INCLUDE file [origin]",
    "$GENERATE": "$GENERATE start-stop[/step] owner [ttl] [class] type rdata",
}
_MAX_INCLUDE_DEPTH = 16
_MAX_WARNINGS = 100
_BYTE_ORDER_MARK = "\xef\xbb\xbf"
_MAX_DATE = (1 << 32) - 1
_IN = 1
_SOA, _CNAME, _NS, _NSEC3 = (TYPE_CODES[name] for name in ("SOA", "CNAME", "NS", "NSEC3"))
_SIGNATURES = (TYPE_CODES["SIG"], TYPE_CODES["RRSIG"])


def warn_once_full(warnings: list[str], text: str) -> None:
    """Add a warning; of very many, only the fact that there are more."""
    if len(warnings) < _MAX_WARNINGS:
        warnings.append(text)
    elif len(warnings) == _MAX_WARNINGS:
        warnings.append(f"more than {_MAX_WARNINGS} warnings: the rest are not shown")


class MasterFile:
    """Reads a file and those it includes; all errors are InvalidContent, with path and line."""

    def __init__(
        self,
        origin: str,
        include: Include | None,
        *,
        fast: bool = True,
        window_bytes: int = WINDOW_BYTES,
        run_rrsets: int = RUN_RRSETS,
    ) -> None:
        self.state = ReadingState(origin, origin)
        self.warnings: list[str] = []
        self._top = origin
        self._include = include
        self._fast = fast
        self._window_bytes = window_bytes
        self._run_rrsets = self._enough = run_rrsets
        self._runs: list[Run] = []
        self._unpacked_bytes = 0
        self._generated = self._generated_characters = 0
        self._depth = 0
        self._path: str | None = None
        self._dated = False

    def finish(self) -> tuple[list[Run], Rrsets]:
        """Return the RRsets: sorted runs, packed away, and the sorted rest."""
        return self._runs, sort_records(self.state.records)

    def read(self, stream: IO[bytes], path: str | None, ahead: Ahead | None = None) -> None:
        """Read a file to its end, windows of it at a time; what `ahead` has read is taken over."""
        outer_path, self._path = self._path, path
        outer_line, self.state.line = self.state.line, 1
        text, position, final = "", 0, False
        while not final:
            left = self._window_bytes if ahead is None else ahead.begin - stream.tell()
            more = stream.read(min(left, self._window_bytes))
            final = not more
            text = text[position:] + more.decode("latin-1")
            if final and text and not text.endswith("\n"):
                text += "\n"
            self._unpacked_bytes += len(more)
            position = self._read_window(text, final)
            if len(text) - position > MAX_RECORD_BYTES:
                raise self._invalid("a parenthesis or a quoted string is never closed")
            if ahead is not None and stream.tell() == ahead.begin:
                if position == len(text):
                    self._take_over(ahead, stream)
                ahead = None
        self._path, self.state.line = outer_path, outer_line

    def _take_over(self, ahead: Ahead, stream: IO[bytes]) -> None:
        """Take what somebody has read from here on, and leave it to be read no more."""
        stretch = ahead.take()
        if stretch is not None and stretch.follows(self.state.owner):
            self.state.owner = None  # nothing of it goes on
            self._pack()
            self._runs += stretch.runs
            self.state.go_on_from(stretch.state)
            stream.seek(stretch.end)

    def _read_window(self, text: str, final: bool) -> int:
        position = 0
        while position < len(text):
            if self._fast:
                position = self._read_plain(text, position)
            if len(self.state.records) >= self._enough or self._unpacked_bytes > _RUN_BYTES:
                self._pack()
            try:
                record = lex_record(text, position, final=final)
                if record.fields:
                    self._take(record)
            except IncompleteRecordError:
                break
            except RecordError as error:
                raise self._invalid(str(error)) from None
            position = record.end
            self.state.line += record.lines
        return position

    def _read_plain(self, text: str, position: int) -> int:
        """Read up to the first line that neither of the quick ways takes."""
        state = self.state
        while True:
            position = read_ready(text, position, state, self._enough)
            line = state.line
            position = read_fast(text, position, state, self._enough, _SINGLE_LINES)
            if state.line - line < _SINGLE_LINES:
                return position

    def _pack(self) -> None:
        """Pack the RRsets away, but for those of the present owner."""
        try:
            rrsets = self.state.release(self._warn)
        except InvalidContent as error:
            raise self._invalid(error.reason) from None
        if rrsets.keys:
            self._runs.append(Run.pack(rrsets))
        self._enough = max(self._run_rrsets, 2 * len(self.state.records))
        self._unpacked_bytes = 0

    def _take(self, record: LogicalRecord) -> None:
        first, *rest = record.fields
        if self.state.line == 1 and first.startswith(_BYTE_ORDER_MARK):
            raise RecordError("the file begins with a byte order mark: save it without")
        if record.indented:
            self._record(None, list(record.fields))
        elif first.startswith("$"):
            self._directive(first.upper(), rest)
        else:
            self._record(first, rest)

    def _directive(self, name: str, arguments: list[str]) -> None:
        state = self.state
        quotable = {"$INCLUDE": 0, "$GENERATE": len(arguments) - 1}.get(name)
        for index, argument in enumerate(arguments):
            if isinstance(argument, Quoted) and index != quotable:
                raise RecordError(f'{name}: "{argument}" must not be quoted')
        match name, arguments:
            case "$ORIGIN", [origin]:
                state.origin = qualify(origin, state.origin)
            case "$TTL", [text]:
                ttl = parse_ttl(text)
                if ttl is None:
                    raise RecordError(f"$TTL: {text!r} is not a TTL")
                state.default_ttl = self._checked_ttl(ttl)
            case "$DATE", [text]:
                moment = parse_moment(text)
                if moment is None or not 0 <= moment <= _MAX_DATE:
                    raise RecordError(f"$DATE: {text!r} is not a time YYYYMMDDHHMMSS")
                self._dated = True
            case "$INCLUDE", [file]:
                self._read_included(file, state.origin)
            case "$INCLUDE", [file, origin]:
                self._read_included(file, qualify(origin, state.origin))
            case "$GENERATE", [numbers, owner, _, _, *_]:
                self._generate(numbers, owner, arguments[2:])
            case (("$ORIGIN" | "$TTL" | "$DATE" | "$INCLUDE" | "$GENERATE"), _):
                raise RecordError(
                    f"{name} is given {len(arguments)}, not the arguments of: {_SYNTAX[name]}"
                )
            case _:
                raise RecordError(
                    f"{name} is not known: $ORIGIN, $TTL, $INCLUDE, $GENERATE and $DATE are; "
                    "of an owner's name the first $ must be written \\$"
                )

    def _read_included(self, file: str, origin: str) -> None:
        if self._include is None:
            raise RecordError("$INCLUDE is taken only from files on this machine")
        if self._dated:
            raise RecordError("$INCLUDE cannot be used with $DATE")
        if self._depth >= _MAX_INCLUDE_DEPTH:
            raise RecordError(f"$INCLUDE is nested more than {_MAX_INCLUDE_DEPTH} deep")
        if "\0" in file:
            raise RecordError("$INCLUDE: a NUL character in the name of a file")
        if isinstance(file, Quoted):
            file = unquoted(file)
        file = file.encode("latin-1").decode("utf-8", "surrogateescape")
        state = self.state
        outer_origin, outer_owner = state.origin, state.owner
        state.origin = origin
        state.begin_run()
        self._depth += 1
        try:
            with self._include(file, self._path or "") as stream:
                self.read(stream, str(getattr(stream, "name", file)))
        except OSError as error:
            raise RecordError(f"$INCLUDE {file}: {error.strerror or error}") from None
        except InvalidContent as error:
            raise error if error.line is not None else self._invalid(error.reason) from None
        self._depth -= 1
        state.origin, state.owner = outer_origin, outer_owner
        state.begin_run()

    def _generate(self, numbers: str, owner: str, fields: list[str]) -> None:
        state = self.state
        ttl, number = self._head(fields)
        if len(fields) != 1:
            raise RecordError(
                f"$GENERATE takes one field of rdata, quoted if need be, not {len(fields)}: "
                f"{' '.join(fields)}"
            )
        for value in generated_numbers(numbers):
            name = qualify(expand(owner, value), state.origin)
            rdata = lex_record(expand(fields[0], value) + "\n", 0, final=True).fields
            key, line, _ = self._canonical(name, ttl, number, rdata)
            state.add_apart(key, line)
            self._count_generated(len(line))
            if len(state.records) >= self._enough or self._unpacked_bytes > _RUN_BYTES:
                self._pack()

    def _count_generated(self, characters: int) -> None:
        self._generated += 1
        self._generated_characters += characters
        # As much as a record of a file may take of a run: generated ones need no text there.
        self._unpacked_bytes += max(characters, _RUN_BYTES // RUN_RRSETS)
        if (
            self._generated > generate.MAX_GENERATED
            or self._generated_characters > generate.MAX_GENERATED_CHARACTERS
        ):
            raise RecordError(
                f"$GENERATE makes over {generate.MAX_GENERATED} records, or "
                f"{generate.MAX_GENERATED_CHARACTERS} characters, in one zone"
            )

    def _record(self, owner: str | None, fields: list[str]) -> None:
        state = self.state
        if owner is not None:
            name = qualify(owner, state.origin)
            if name != state.owner:
                state.owner = name
                state.begin_run()
        if state.owner is None:
            raise RecordError("the first record has no owner name")
        ttl, number = self._head(fields)
        state.add(*self._canonical(state.owner, ttl, number, fields))

    def _head(self, fields: list[str]) -> tuple[int | None, int]:
        """Take TTL and class, in either order, and the type off the fields."""

        def take() -> str:
            if not fields:
                raise RecordError("the line ends before the type of a record")
            if isinstance(fields[0], Quoted):
                raise RecordError(f'"{fields[0]}" must not be quoted')
            return fields.pop(0)

        token = take()
        code = class_code(token)
        if code is not None:
            token = take()
        ttl = parse_ttl(token)
        if ttl is not None:
            ttl = self._checked_ttl(ttl)
            token = take()
        # Class 0 is none to BIND.
        if not code and (later := class_code(token)) is not None:
            code, token = later, take()
        if code not in (None, 0, _IN):
            raise RecordError("the class of a zone is IN")
        return ttl, type_number(token)

    def _canonical(
        self, owner: str, ttl: int | None, number: int, fields: list[str] | tuple[str, ...]
    ) -> tuple[str, str, int]:
        """Return a record's key, its line, and its TTL."""
        if number == _NS and fields and _is_address(fields[0]):
            raise RecordError(f"{owner} NS: {fields[0]} is an address where a name belongs")
        rdata = canonical_rdata(_IN, number, fields, self.state.origin)
        wild = owner.startswith("*.") and is_below(owner, self._top)
        if wild and number in (_NS, _NSEC3):
            raise RecordError(f"{owner}: a wildcard cannot own {type_name(number)}")
        ttl = self._ttl_of(owner, number, ttl, rdata)
        key = owner_key(owner)
        if number == _CNAME:
            self.state.aliases.add(key)
        elif number == _SOA:
            self.state.apexes.add(owner)
        covered = covered_type(rdata) if number in _SIGNATURES else 0
        line = f"{owner} {ttl} IN {type_name(number)} {rdata}"
        return key + type_order(number, covered), line, ttl

    def _ttl_of(self, owner: str, number: int, ttl: int | None, rdata: str) -> int:
        state = self.state
        if ttl is not None:
            state.last_ttl = ttl
        elif state.default_ttl is not None:
            ttl = state.default_ttl
        elif state.last_ttl is not None:
            ttl = state.last_ttl
        elif number == _SOA:
            ttl = state.default_ttl = self._checked_ttl(int(rdata.rpartition(" ")[2]))
            self._warn("no TTL is given; the SOA's minimum is taken")
        else:
            raise RecordError(f"{owner} {type_name(number)}: no TTL is given; put $TTL before it")
        return ttl

    def _checked_ttl(self, ttl: int) -> int:
        if ttl > MAX_TTL:
            self._warn(f"TTL {ttl} is over {MAX_TTL} and becomes 0 (RFC 2181 section 8)")
            return 0
        return ttl

    def _warn(self, text: str) -> None:
        where = f"{self._path}:{self.state.line}" if self._path else f"line {self.state.line}"
        warn_once_full(self.warnings, f"{where}: {text}")

    def _invalid(self, reason: str) -> InvalidContent:
        return InvalidContent(reason, path=self._path, line=self.state.line)


def _is_address(text: str) -> bool:
    """Say whether a name server's name can be taken for an address, as BIND does."""
    text = text.removesuffix(".")
    for family in (AF_INET, AF_INET6):
        try:
            inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False
