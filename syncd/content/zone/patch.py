"""A text diff applied to a zone in canonical form, at the cost of the chunks it touches.

Where a record belongs its key says; the chunks that can hold that key are found by halving. An
RRset may stand across a cut, so a key belongs to every chunk from the last that begins before it to
the last that begins at it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from syncd.content.textdiff import TextDiff
from syncd.content.versions import ContentReader
from syncd.content.zone.canonical import (
    Conflict,
    check_alias,
    check_apex,
    line_key,
    rdata_identity,
    settle_rrset,
)
from syncd.content.zone.names import is_below, key_owner, owner_key, type_order
from syncd.content.zone.reader import read_records
from syncd.errors import InvalidContent, MovedOn

_NO_TTL = "-1"
"""Stands where a record of the diff states no TTL: any is meant, or that of its RRset."""

_SOA = 6


class ZonePatch:
    """A diff against one version of a zone. Raises InvalidContent, with the diff's line."""

    def __init__(self, zone: str, diff: TextDiff, content: ContentReader) -> None:
        self._zone = zone
        self._content = content
        self._removed = self._by_key(diff.removed)
        self._added = self._by_key(diff.added)
        self._first_keys: dict[int, str] = {}
        self.warnings: list[str] = []
        soa = owner_key(zone) + type_order(_SOA)
        if len(self._removed.get(soa, ())) != len(self._added.get(soa, ())):
            raise InvalidContent("a zone has one SOA: remove the old and add the new")
        present_soa = content.chunk(0).partition(b"\n")[0].decode("ascii")
        self._default_ttl = present_soa.split(" ", 2)[1]
        self.soa = self._added[soa][0][1] if soa in self._added else present_soa
        """The SOA's line as the diff leaves it."""

    def _by_key(self, lines: Iterable[tuple[int, str]]) -> dict[str, list[tuple[int, str]]]:
        found: dict[str, list[tuple[int, str]]] = {}
        for number, text in lines:
            try:
                records = read_records(text, origin=self._zone, default_ttl=int(_NO_TTL))
            except InvalidContent as error:
                raise InvalidContent(error.reason, path="diff", line=number) from None
            if len(records) != 1:
                raise InvalidContent(f"{text!r} is not one record", path="diff", line=number)
            if not is_below(records[0].split(" ", 1)[0], self._zone):
                raise InvalidContent(f"{text!r} is not in {self._zone}", path="diff", line=number)
            key = line_key(records[0])
            if key.endswith(type_order(_SOA)) and key_owner(key) != owner_key(self._zone):
                raise InvalidContent(
                    f"a zone has one SOA, at {self._zone}", path="diff", line=number
                )
            found.setdefault(key, []).append((number, records[0]))
        return found

    def parts(self) -> Iterator[bytes | list[bytes]]:
        """Yield the zone for `chunks.recut`: untouched chunks, and lines in place of the others.

        Raises MovedOn for a record to remove that is not there, InvalidContent for a result that is
        no zone.
        """
        keys = sorted(self._removed.keys() | self._added.keys())
        regions = self._regions(keys)
        chunks = enumerate(self._content.chunks())
        for index, chunk in chunks:
            if not regions or index < regions[0][0]:
                yield chunk
                continue
            _, last, touched = regions.pop(0)
            while index < last:
                index, more = next(chunks)
                chunk += more
            yield self._edit(chunk, touched)

    def _regions(self, keys: list[str]) -> list[tuple[int, int, list[str]]]:
        """Return (first chunk, last chunk, keys) of each run of chunks that keys fall into.

        All records of an owner are in one region, so that a CNAME meets what it cannot be beside.
        """
        indices = range(len(self._content))
        regions: list[tuple[int, int, list[str]]] = []
        for key in keys:
            owner = key_owner(key)
            first = max(0, bisect_left(indices, owner, key=self._first_key) - 1)
            last = max(0, bisect_right(indices, owner + "\0\1", key=self._first_key) - 1)
            if regions and first <= regions[-1][1]:
                begin, end, touched = regions[-1]
                regions[-1] = (begin, max(end, last), [*touched, key])
            else:
                regions.append((first, last, [key]))
        return regions

    def _first_key(self, index: int) -> str:
        if index not in self._first_keys:
            chunk = self._content.chunk(index)
            self._first_keys[index] = line_key(chunk[: chunk.index(b"\n")].decode("ascii"))
        return self._first_keys[index]

    def _edit(self, text: bytes, keys: list[str]) -> list[bytes]:
        rrsets: dict[str, list[str]] = {}
        for line in text.decode("ascii").splitlines():
            rrsets.setdefault(line_key(line), []).append(line)
        for key in keys:
            lines = self._changed(rrsets.pop(key, []), key)
            if lines:
                rrsets[key] = lines
        try:
            for key in rrsets.keys() & set(keys):
                if rrsets[key][1:]:
                    rrsets[key] = settle_rrset(rrsets[key], self.warnings.append)
            self._check(rrsets, keys)
        except Conflict as error:
            raise self._located(error) from None
        return [
            line.encode("ascii") + b"\n" for _, lines in sorted(rrsets.items()) for line in lines
        ]

    def _changed(self, present: list[str], key: str) -> list[str]:
        """Return the lines of an RRset as the diff leaves them, in no order."""
        ttl = _ttl(present[0]) if present else self._default_ttl
        lines = {_identity(line): line for line in present}
        for number, line in self._removed.get(key, ()):
            known = lines.pop(_identity(line), None)
            if known is None or _ttl(line) not in (_NO_TTL, _ttl(known)):
                raise MovedOn(f"diff:{number}: the zone has no record {_shown(line)!r}")
        stated: str | None = None
        for number, line in self._added.get(key, ()):
            known = lines.setdefault(_identity(line), line)
            if known is not line:
                raise MovedOn(f"diff:{number}: the zone has the record {_shown(known)!r} already")
            if _ttl(line) != _NO_TTL:
                stated = stated or _ttl(line)
                if _ttl(line) != stated:
                    reason = f"an RRset has one TTL, not {stated} and {_ttl(line)}"
                    raise InvalidContent(reason, path="diff", line=number)
        left = [line for line in lines.values() if _ttl(line) not in (_NO_TTL, stated or ttl)]
        if left:
            owner, _, _, kind, _ = left[0].split(" ", 4)
            self.warnings.append(f"{owner} {kind}: an RRset has one TTL: {stated}, not {ttl}")
        return [_with_ttl(line, stated or ttl) for line in lines.values()]

    def _check(self, rrsets: dict[str, list[str]], keys: list[str]) -> None:
        owners = {key_owner(key) for key in keys}
        if owner_key(self._zone) in owners:
            check_apex(self._zone, rrsets.get)
        of_owner: dict[str, list[list[str]]] = {}
        for key, lines in rrsets.items():
            if (owner := key_owner(key)) in owners:
                of_owner.setdefault(owner, []).append(lines)
        for own in of_owner.values():
            check_alias(own)

    def _located(self, error: Conflict) -> InvalidContent:
        """Name the last line of the diff that has to do with it."""
        numbers = [number for key in error.keys for number, _ in self._added.get(key, ())]
        if not numbers:
            return error
        return InvalidContent(error.reason, path="diff", line=max(numbers))


def _ttl(line: str) -> str:
    return line.split(" ", 2)[1]


def _with_ttl(line: str, ttl: str) -> str:
    owner, _, rest = line.split(" ", 2)
    return f"{owner} {ttl} {rest}"


def _identity(line: str) -> str:
    """Return what makes a line of an RRset the record it is, whatever its TTL."""
    _, _, _, type_text, rdata = line.split(" ", 4)
    return rdata_identity(type_text, rdata)


def _shown(line: str) -> str:
    return line.replace(f" {_NO_TTL} ", " ", 1)
