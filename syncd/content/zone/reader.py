"""Reading a zone: from a master file to canonical lines, in flat memory.

What comes out, and what is refused, is what BIND's named-compilezone has with `-k ignore -i local`.
In these points we differ on purpose:

* Host names are not checked, nor owners of NSEC3 records. The zone's name servers need no address
  in it, and may be below a DNAME, or an alias. CDS and CDNSKEY may be there without their DNSKEY.
* The zone is named by its SOA record, and only expected to be at `origin`.
* A byte order mark at the head of a file is refused, whatever follows it.
* $GENERATE is held to the rules for records in the file (BIND lets it make MD, DS at the apex, and
  NS with an address), to 32 bits (BIND takes what is left of a larger offset), and to a million
  records in one zone. Parentheses may stand around its rdata.
* No $INCLUDE is taken after a $DATE, even one in the future; includes nest 16 deep. A directive may
  end with the file.
* A record outside the zone needs a TTL as any other. NSEC3 records of the apex are kept, and what
  signs them, BIND loses them. Of equal records the first stays, wherever the second stands.
* Going from an NS record to glue for it, and back, counts as leaving its owner: if such an RRset is
  written with several TTLs it gets the last, in BIND the first. Whether a DS or SOA record is the
  apex's its owner says; BIND, behind glue, takes it for the record of another name.
* Numbers have no sign where BIND takes one: TYPE+1, CLASS+1, in LOC, WKS, APL and EUI48. They may
  begin with many zeros where BIND reads 12 digits at most (algorithms, say), with few in LOC and
  APL. EUI48 and EUI64 addresses end with their last octet; BIND drops what follows it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from typing import IO

from syncd.content.zone.canonical import Conflict, canonical_text, check_apex
from syncd.content.zone.last_place import LastPlace, Reopen
from syncd.content.zone.master_file import (
    RUN_RRSETS,
    WINDOW_BYTES,
    Include,
    MasterFile,
    warn_once_full,
)
from syncd.content.zone.names import (
    BadNameError,
    is_below,
    owner_key,
    qualify,
    type_order,
    zone_range,
)
from syncd.content.zone.record_types import TYPE_CODES
from syncd.content.zone.runs import Rrsets, Run, as_list
from syncd.content.zone.stretch import Ahead
from syncd.errors import InvalidContent

__all__ = [
    "Include",
    "Reopen",
    "ZoneText",
    "absolute_name",
    "lines_of",
    "read_records",
    "read_zone",
]


@dataclass
class ZoneText:
    """A zone as read: its name, and its records, not yet in one order."""

    name: str
    """Lower case, with its final dot."""
    path: str | None
    runs: list[Run]
    rest: Rrsets
    aliases: set[str]
    located: Callable[[Conflict], InvalidContent]
    """Names the place in the file."""
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[bytes]:
        """Yield the canonical lines; adds to `warnings`. Raises as `parts`."""
        return lines_of(self.parts())

    def parts(self) -> Iterator[bytes]:
        """Yield the canonical text, whole lines, many at a time; adds to `warnings`.

        Raises InvalidContent for records that cannot stand together.
        """
        try:
            yield from canonical_text(self.runs, self.rest, self.name, self.aliases, self._warn)
        except Conflict as error:
            raise self.located(error) from None

    def _warn(self, text: str) -> None:
        warn_once_full(self.warnings, text)


def lines_of(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines, each with its LF, of a text that comes in parts of whole lines."""
    return chain.from_iterable(part.splitlines(keepends=True) for part in parts)


def read_zone(
    stream: IO[bytes],
    *,
    origin: str,
    suggested: bool = False,
    path: str | None = None,
    include: Include | None = None,
    reopen: Reopen | None = None,
    ahead: Ahead | None = None,
    fast: bool = True,
    window_bytes: int = WINDOW_BYTES,
    run_rrsets: int = RUN_RRSETS,
) -> ZoneText:
    """Read one zone from a master file.

    `origin` is what relative names stand under until $ORIGIN says otherwise, and where the SOA
    record is looked for first; where it is only `suggested`, and that record names another zone in
    full, the file is read anew under that. `path` is for messages. Without `include`, $INCLUDE is
    refused; without `reopen`, records that cannot stand together are named with no line, and
    nothing is read anew. `fast=False` takes the slow path only; it, `ahead`, `window_bytes` and
    `run_rrsets` make no difference to the result. Raises InvalidContent, with path, line and
    reason.
    """

    def read_anew(origin: str) -> ZoneText:
        assert reopen is not None
        with reopen() as again:
            return read_zone(
                again, origin=origin, path=path, include=include, reopen=reopen, fast=fast,
                window_bytes=window_bytes, run_rrsets=run_rrsets,
            )  # fmt: skip

    top = absolute_name(origin, ".")
    file = MasterFile(top, include, fast=fast, window_bytes=window_bytes, run_rrsets=run_rrsets)
    file.read(stream, path, ahead)
    runs, rest = file.finish()

    def located(error: Conflict) -> InvalidContent:
        where = None
        if reopen is not None and error.keys:
            where = LastPlace(top, include, error.keys).find(reopen, path)
        found, line = where or (path, None)
        return InvalidContent(error.reason, path=found, line=line)

    try:
        zone = _zone_name(file.state.apexes, top)
        if suggested and reopen is not None and zone != top.lower():
            del file, runs, rest  # they may be large
            anew = read_anew(zone)
            return anew if anew.name == zone else read_anew(top)  # its owner there is relative
        check_apex(zone, lambda key: _find(runs, rest, key))
    except Conflict as error:
        raise located(error) from None
    low, high = zone_range(zone)
    aliases = {key for key in file.state.aliases if low <= key + "\0" < high}
    return ZoneText(zone, path, runs, rest, aliases, located, file.warnings)


def read_records(text: str, *, origin: str, default_ttl: int) -> list[str]:
    """Return records that stand alone as canonical lines, in no order; no directives are needed.

    Raises InvalidContent as `read_zone`, but for what only a whole zone can lack.
    """
    file = MasterFile(origin, None)
    file.state.default_ttl = default_ttl
    file.read(BytesIO(text.encode("utf-8", "surrogateescape") + b"\n"), None)
    _, rest = file.finish()
    return [line for lines in rest.lines for line in as_list(lines) if line]


def absolute_name(text: str, origin: str) -> str:
    """Return a name that somebody typed in its canonical text, absolute.

    Other than in a master file, where they are bytes, letters that are not ASCII are those of an
    internationalized name. Raises InvalidContent.
    """
    if not text.isascii():
        text = _to_ascii(text)
    try:
        return qualify(text, origin)
    except BadNameError as error:
        raise InvalidContent(str(error)) from None


def _to_ascii(text: str) -> str:
    import dns.exception
    import dns.name

    try:
        return dns.name.from_text(text, None).to_text()
    except (dns.exception.DNSException, UnicodeError) as error:
        raise InvalidContent(f"{text!r} is not a domain name: {error}") from None


def _zone_name(apexes: set[str], top: str) -> str:
    """Return the zone that the SOA records name, lower case; those outside of `top` are strays."""
    names = {apex.lower() for apex in apexes}
    names = {name for name in names if is_below(name, top)} or names
    if not names:
        raise Conflict("there is no SOA record")
    if len(names) > 1:
        soa = type_order(TYPE_CODES["SOA"])
        raise Conflict(
            f"SOA records at several names: {', '.join(sorted(names)[:3])}",
            *(owner_key(name) + soa for name in names),
        )
    return names.pop()


def _find(runs: list[Run], rest: Rrsets, key: str) -> list[str] | None:
    held: list[Run | Rrsets] = [*runs, rest]
    found = [lines for rrsets in held if (lines := rrsets.find(key)) is not None]
    return [line for lines in found for line in lines] or None
