"""DNS zones: master files in, canonical text kept. A zone's name is absolute, in lower case.

Serials only ever advance (RFC 1982): content that changed and whose serial did not gets the next
one, and content in which nothing but an older serial differs is no change at all. A zone whose SOA
is signed cannot be re-numbered here, the signer has to.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import IO, Any, Protocol

from syncd.content.chunks import cut_lines, recut
from syncd.content.textdiff import parse_diff
from syncd.content.versions import Version, chunk_digest
from syncd.content.zone.patch import ZonePatch
from syncd.content.zone.reader import Include, absolute_name, read_zone
from syncd.content.zone.serial import next_serial, serial_is_newer
from syncd.errors import IllegalValue, InvalidContent
from syncd.types.base import DataType, Prepared, Present, check_plain_name, register
from syncd.types.roles import Role
from syncd.types.zone_files import MAX_FILE_NAME_BYTES, zone_file_name

_PLAIN_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)++")
_MAX_NAME_CHARACTERS = 254
"""A name of 255 octets, in which every dot stands for one octet and the root for another."""


class Zones(DataType):
    """Type `zones`; protocol.md, "Zones"."""

    name = "zones"
    summary = "DNS zones, as canonical master-file text"
    has_lines = True
    head_lines = 1
    read_role = Role.READER
    write_role = Role.OPERATOR
    columns = ("zone", "serial", "records", "crc32", "digest", "mtime", "seq")

    def check_name(self, name: str) -> str:
        """Return the zone's name, absolute and in lower case. Raises IllegalValue."""
        if len(name) <= _MAX_NAME_CHARACTERS and _PLAIN_NAME.fullmatch(name):
            return name
        try:
            return check_plain_name(absolute_name(name, ".").lower())
        except InvalidContent as error:
            raise IllegalValue(str(error)) from None

    def prepare(self, name: str, stream: IO[bytes], options: Mapping[str, str]) -> Prepared:
        """Read master-file text that came over the wire: nothing is included from this machine."""
        zone = self.check_name(name)
        prepared = prepare_zone(stream, origin=zone)
        if prepared.name != zone:
            raise InvalidContent(f"the SOA record is that of {prepared.name}, not of {zone}")
        return prepared

    def settle(self, prepared: Prepared, present: Present | None) -> Prepared | None:
        """Advance the serial if the content changed and the serial did not."""
        if present is None:
            return prepared
        known = present.version.attribute("serial")
        serial = prepared.attributes["serial"]
        if serial_is_newer(serial, known):
            return prepared
        digests = present.version.chunk_digests()
        held = list(islice(prepared.chunks, len(digests) + 1))
        prepared.chunks = chain(held, prepared.chunks)
        if [chunk_digest(chunk) for chunk in renumbered(held, known)] == digests:
            return None
        advanced = next_serial(known)
        if signs_soa(prepared.name, held):
            raise InvalidContent(
                f"{prepared.name} is signed and its serial {serial} does not come after {known}: "
                f"let the signer advance it to {advanced} or later"
            )
        prepared.warnings.append(f"{prepared.name}: serial {serial} advanced to {advanced}")
        prepared.attributes = {"serial": advanced}
        prepared.chunks = renumbered(prepared.chunks, advanced)
        return prepared

    def patch(self, present: Present, diff: IO[bytes]) -> Prepared:
        """Apply `-record` / `+record` lines; touches only the chunks that a record falls into."""
        lines = diff.read().decode("utf-8", "surrogateescape").split("\n")
        patch = ZonePatch(present.version.name, parse_diff(lines), present.content)
        serial = soa_serial(patch.soa)
        return Prepared(
            present.version.name,
            recut(patch.parts(), head_lines=self.head_lines),
            {"serial": serial},
            warnings=patch.warnings,
        )

    def check_attributes(self, attributes: Mapping[Any, Any]) -> None:
        """Raise IllegalValue for anything but a serial."""
        match attributes:
            case {"serial": int(serial), **rest} if not rest and 0 <= serial < 1 << 32:
                return
        raise IllegalValue(f"not the attributes of a zone: {attributes!r:.80}")

    def row(self, version: Version) -> tuple[str | int, ...]:
        """Name, serial, records, CRC-32, digest (short), time of the change, commit."""
        return (
            version.name, version.attribute("serial"), version.lines, f"{version.crc32:08x}",
            version.digest.hex()[:12], version.mtime, version.seq,
        )  # fmt: skip

    def is_at(self, version: Version, serial: str) -> bool:
        """Say whether the zone has this serial."""
        return str(version.attribute("serial")) == serial


def prepare_zone(
    stream: IO[bytes], *, origin: str, path: str | None = None, include: Include | None = None
) -> Prepared:
    """Read a master file and return the zone, named by its SOA. Raises InvalidContent."""
    return prepared_text(read_zone(stream, origin=origin, path=path, include=include))


class ReadZone(Protocol):
    """A zone as its reader hands it on, here or in another process (see ZoneText)."""

    name: str
    warnings: list[str]

    def lines(self) -> Iterator[bytes]:
        """Yield the canonical lines; adds to `warnings`. Raises InvalidContent."""


def prepared_text(text: ReadZone) -> Prepared:
    """Return a zone that was read, ready to be cut. Raises InvalidContent for one whose name no
    file can have: it would keep replicas from writing any other."""
    if (length := len(zone_file_name(text.name))) > MAX_FILE_NAME_BYTES:
        raise InvalidContent(
            f"{text.name:.80} ...: the name is too long: that of its file would have {length} "
            f"octets, and at most {MAX_FILE_NAME_BYTES} can be kept in a file"
        )
    lines = text.lines()
    soa = next(lines)
    chunks = cut_lines(chain([soa], lines), head_lines=ZONES.head_lines)
    serial = soa_serial(soa.decode("ascii"))
    return Prepared(text.name, chunks, {"serial": serial}, warnings=text.warnings)


def soa_serial(soa: str) -> int:
    """Return the serial of an SOA record's canonical line."""
    return int(soa.split(" ")[6])


def renumbered(chunks: Iterable[bytes], serial: int) -> Iterator[bytes]:
    """Yield the chunks of a zone with another serial."""
    rest = iter(chunks)
    soa, *others = next(rest).splitlines(keepends=True)
    fields = soa.split(b" ")
    fields[6] = b"%d" % serial
    return recut(chain([[b" ".join(fields), *others]], rest), head_lines=ZONES.head_lines)


def signs_soa(zone: str, chunks: list[bytes]) -> bool:
    """Say whether a zone, or its beginning, has a signature of its SOA: it stands among the apex's
    records."""
    apex = zone.lower()
    for chunk in chunks:
        for line in chunk.decode("ascii").splitlines():
            owner, _, _, type_text, rdata = line.split(" ", 4)
            if owner.lower() != apex:
                return False
            if type_text == "RRSIG" and rdata.startswith("SOA "):
                return True
    return False


ZONES = Zones()
register(ZONES)
