"""Reading a master file: from text to a zone in canonical form, in flat memory.

The fast path reads what is plain; every other line becomes one logical record and is read here, its
rdata by `rdata.canonical_rdata`. Both leave the same `ReadingState`, so they can take turns at any line.
RFC 1035 section 5, RFC 2308 section 4; where the RFCs are silent, as BIND's named-compilezone.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from syncd.content.zone.canonical import Rrset, Run, canonical_lines, sort_records
from syncd.content.zone.fast import MAX_TTL, ReadingState, read_fast
from syncd.content.zone.generate import expand_generate
from syncd.content.zone.lexer import (
    IncompleteRecordError,
    LogicalRecord,
    RecordSyntaxError,
    lex_record,
)
from syncd.content.zone.names import owner_key, type_order, zone_range
from syncd.errors import InvalidContent

if TYPE_CHECKING:
    from dns.name import Name

Include = Callable[[str, str], AbstractContextManager[BinaryIO]]
"""Opens what $INCLUDE names, seen from the file that names it; raises InvalidContent if it may not."""

_WINDOW_BYTES = 1024 * 1024
_RUN_RRSETS = 40_000
"""RRsets held unpacked; some 15 MB."""
_MAX_RECORD_BYTES = 4 * 1024 * 1024
"""A logical record that is longer is taken for a parenthesis that was never closed."""
_MAX_INCLUDE_DEPTH = 16
_MAX_WARNINGS = 100
_TTL = re.compile(r"[0-9]{1,10}|(?:[0-9]{1,10}[WwDdHhMmSs])+")
_TTL_PART = re.compile(r"([0-9]+)([WwDdHhMmSs]?)")
_UNIT_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}


@dataclass
class ZoneText:
    """A zone as read: its name, its serial, and its records, not yet in one order."""

    name: str
    """Lower case, with its final dot."""
    runs: list[Run]
    rest: list[Rrset]
    aliases: set[str]
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[bytes]:
        """Yield the canonical lines; adds to `warnings`. Raises InvalidContent as canonical.py."""
        return canonical_lines(self.runs, self.rest, self.name, self.aliases, self._warn)

    def _warn(self, text: str) -> None:
        warn_once_full(self.warnings, text)


def warn_once_full(warnings: list[str], text: str) -> None:
    """Add a warning; of very many, only the fact that there are more."""
    if len(warnings) < _MAX_WARNINGS:
        warnings.append(text)
    elif len(warnings) == _MAX_WARNINGS:
        warnings.append(f"more than {_MAX_WARNINGS} warnings: the rest are not shown")


def read_zone(
    stream: BinaryIO,
    *,
    origin: str,
    path: str | None = None,
    include: Include | None = None,
    fast: bool = True,
) -> ZoneText:
    """Read one zone from a master file.

    `origin` is what relative names stand under until $ORIGIN says otherwise; the zone is named by its
    SOA record. `path` is for messages. Without `include`, $INCLUDE is refused. `fast=False` takes the
    slow path only. Raises InvalidContent with path, line and reason.
    """
    reader = _Reader(absolute_name(origin, "."), include, fast)
    reader.read(stream, path)
    return reader.finish(path)


def read_records(text: str, *, origin: str, default_ttl: int) -> list[str]:
    """Return records that stand alone as canonical lines, in no order; no directives are needed.

    Raises InvalidContent as `read_zone`, but for what only a whole zone can lack.
    """
    reader = _Reader(origin, None, fast=True)
    reader.start_with_ttl(default_ttl)
    reader.read(BytesIO(text.encode("utf-8") + b"\n"), None)
    return reader.records()


def absolute_name(text: str, origin: str) -> str:
    """Return a name in its canonical text, absolute. Raises InvalidContent."""
    import dns.exception
    import dns.name

    if text == "@":
        return origin
    try:
        name = dns.name.from_text(text, dns.name.from_text(origin))
    except (dns.exception.DNSException, ValueError) as error:
        raise InvalidContent(f"{text!r} is not a domain name: {error}") from None
    return name.to_text()


def parse_ttl(text: str) -> int | None:
    """Return a TTL in seconds from `3600` or `1h30m`; None if it is not one."""
    if _TTL.fullmatch(text) is None:
        return None
    return sum(
        int(number) * _UNIT_SECONDS[unit.lower()] for number, unit in _TTL_PART.findall(text)
    )


class _Reader:
    def __init__(self, origin: str, include: Include | None, fast: bool) -> None:
        self._state = ReadingState(origin)
        self._include = include
        self._fast = fast
        self._runs: list[Run] = []
        self._warnings: list[str] = []
        self._depth = 0
        self._path: str | None = None
        self._class_seen = False

    def start_with_ttl(self, ttl: int) -> None:
        """Take `ttl` for records that state none."""
        self._state.default_ttl = ttl

    def records(self) -> list[str]:
        """Return the lines read so far, in no order."""
        records = self._state.records.values()
        return [line for kept in records for line in ([kept] if isinstance(kept, str) else kept)]

    def read(self, stream: BinaryIO, path: str | None) -> None:
        """Read a file to its end, windows of it at a time."""
        outer_path, self._path = self._path, path
        outer_line, self._state.line = self._state.line, 1
        text, position, final = "", 0, False
        while not final:
            more = stream.read(_WINDOW_BYTES)
            final = not more
            text = text[position:] + more.decode("latin-1")
            if final and text and not text.endswith("\n"):
                text += "\n"
            if len(text) > _MAX_RECORD_BYTES:
                raise self._invalid("a parenthesis or a quoted string is never closed")
            position = self._read_window(text, final)
        self._path, self._state.line = outer_path, outer_line

    def _read_window(self, text: str, final: bool) -> int:
        position = 0
        while position < len(text):
            if self._fast and self._state.class_text == "IN":
                position = read_fast(text, position, self._state, _RUN_RRSETS)
            if len(self._state.records) >= _RUN_RRSETS:
                self._runs.append(Run.pack(sort_records(self._state.records)))
                self._state.records.clear()
                continue
            if position == len(text):
                break
            try:
                record = lex_record(text, position, final=final)
            except IncompleteRecordError:
                break
            except RecordSyntaxError as error:
                raise self._invalid(str(error)) from None
            if record.fields:
                try:
                    self._take(record)
                except ValueError as error:
                    raise self._invalid(str(error)) from None
            position = record.end
            self._state.line += record.lines
        return position

    def _take(self, record: LogicalRecord) -> None:
        first = record.fields[0]
        if first.startswith("$") and not record.indented:
            self._directive(first.upper(), record.fields[1:])
        elif record.indented:
            self._record(None, list(record.fields))
        else:
            self._record(first, list(record.fields[1:]))

    def _directive(self, name: str, arguments: tuple[str, ...]) -> None:
        state = self._state
        match name, arguments:
            case "$ORIGIN", (origin,):
                state.origin = absolute_name(_unquote(origin), state.origin)
            case "$TTL", (text,):
                ttl = parse_ttl(text)
                if ttl is None:
                    raise self._invalid(f"$TTL: {text!r} is not a TTL")
                state.default_ttl = self._checked_ttl(ttl)
            case "$INCLUDE", (file,):
                self._read_included(_unquote(file), state.origin)
            case "$INCLUDE", (file, origin):
                self._read_included(_unquote(file), absolute_name(origin, state.origin))
            case "$GENERATE", _ if len(arguments) >= 4:
                for fields in expand_generate(arguments):
                    self._record(fields[0], fields[1:])
            case ("$ORIGIN" | "$TTL" | "$INCLUDE" | "$GENERATE"), _:
                raise self._invalid(f"{name} has {len(arguments)} arguments, that is not right")
            case _:
                raise self._invalid(
                    f"{name} is not known: $ORIGIN, $TTL, $INCLUDE and $GENERATE are"
                )

    def _read_included(self, file: str, origin: str) -> None:
        if self._include is None:
            raise self._invalid("$INCLUDE is taken only from files on this machine")
        if self._depth >= _MAX_INCLUDE_DEPTH:
            raise self._invalid(f"$INCLUDE is nested more than {_MAX_INCLUDE_DEPTH} deep")
        state = self._state
        outer_origin, outer_owner = state.origin, state.owner
        state.origin = origin
        self._depth += 1
        try:
            with self._include(file, self._path or "") as stream:
                self.read(stream, file)
        except OSError as error:
            raise self._invalid(f"$INCLUDE {file}: {error.strerror}") from None
        self._depth -= 1
        state.origin, state.owner = outer_origin, outer_owner

    def _record(self, owner: str | None, fields: list[str]) -> None:
        from syncd.content.zone.rdata import canonical_rdata, parse_class, parse_type

        state = self._state
        if owner is not None:
            state.owner = absolute_name(owner, state.origin)
        elif state.owner is None:
            raise self._invalid("the first record has no owner name")
        assert state.owner is not None
        ttl = self._ttl_and_class(fields)
        if not fields:
            raise self._invalid(f"{state.owner}: a type is missing")
        try:
            number = parse_type(fields[0])
        except ValueError:
            raise self._invalid(f"{fields[0]!r} is not a record type") from None
        class_number = parse_class(state.class_text)
        assert class_number is not None
        origin = _origin_name(state.origin)
        rdata = canonical_rdata(class_number, number, " ".join(fields[1:]), origin)
        self._store(number, ttl, rdata)

    def _ttl_and_class(self, fields: list[str]) -> int | None:
        """Take TTL and class, in either order, off the fields."""
        from syncd.content.zone.rdata import parse_class

        state = self._state
        ttl: int | None = None
        class_text: str | None = None
        while len(fields) > 1:
            seconds = parse_ttl(fields[0]) if ttl is None else None
            if seconds is not None:
                ttl = self._checked_ttl(seconds)
            elif class_text is None and parse_class(fields[0]) is not None:
                class_text = fields[0].upper()
            else:
                break
            del fields[0]
        if class_text is not None and class_text != state.class_text:
            if self._class_seen or state.records or self._runs:
                raise self._invalid(f"class {class_text} in a zone of class {state.class_text}")
            state.class_text = class_text
        self._class_seen = self._class_seen or class_text is not None
        return ttl

    def _store(self, number: int, ttl: int | None, rdata: str) -> None:
        from syncd.content.zone.rdata import parse_type, type_text

        state = self._state
        assert state.owner is not None
        mnemonic = type_text(number)
        if ttl is not None:
            state.last_ttl = ttl
        elif state.default_ttl is not None:
            ttl = state.default_ttl
        elif state.last_ttl is not None:
            ttl = state.last_ttl
        elif mnemonic == "SOA":
            ttl = state.last_ttl = state.default_ttl = int(rdata.rsplit(" ", 1)[1])
            self._warn("no TTL is given; the SOA's minimum is taken")
        else:
            raise self._invalid(f"{state.owner} {mnemonic}: no TTL is given; put $TTL before it")
        key = owner_key(state.owner)
        covered = parse_type(rdata.split(" ", 1)[0]) if mnemonic == "RRSIG" else 0
        state.add(
            key + type_order(number, covered),
            f"{state.owner} {ttl} {state.class_text} {mnemonic} {rdata}",
        )
        if mnemonic == "CNAME":
            state.aliases.add(key)
        elif mnemonic == "SOA":
            state.apexes.append(state.owner)

    def _checked_ttl(self, ttl: int) -> int:
        if ttl > MAX_TTL:
            self._warn(f"TTL {ttl} is over {MAX_TTL} and becomes 0 (RFC 2181 section 8)")
            return 0
        return ttl

    def finish(self, path: str | None) -> ZoneText:
        """Return the zone. Raises InvalidContent if there is not exactly one SOA, or no NS."""
        state = self._state
        apexes = {apex.lower() for apex in state.apexes}
        if not apexes:
            raise InvalidContent("there is no SOA record", path=path)
        if len(apexes) > 1:
            names = ", ".join(sorted(apexes))
            raise InvalidContent(f"SOA records at several names: {names}", path=path)
        zone = apexes.pop()
        rest = sort_records(state.records)
        apex_ns = owner_key(zone) + type_order(2)
        if apex_ns not in state.records and not any(
            key == apex_ns for run in self._runs for key, _ in run.rrsets()
        ):
            raise InvalidContent(f"{zone} has no NS records of its own", path=path)
        low, high = zone_range(zone)
        aliases = {key for key in state.aliases if low <= key + "\0" < high}
        return ZoneText(zone, self._runs, rest, aliases, self._warnings)

    def _warn(self, text: str) -> None:
        where = f"{self._path}:{self._state.line}" if self._path else f"line {self._state.line}"
        warn_once_full(self._warnings, f"{where}: {text}")

    def _invalid(self, reason: str) -> InvalidContent:
        return InvalidContent(reason, path=self._path, line=self._state.line)


@lru_cache(maxsize=64)
def _origin_name(origin: str) -> "Name":
    from dns.name import from_text

    return from_text(origin)


def _unquote(field: str) -> str:
    return field[1:-1] if field.startswith('"') and len(field) > 1 else field
