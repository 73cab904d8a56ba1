"""What is changed for a measurement: one record of a large zone, or a few of very many zones."""

from dataclasses import dataclass
from pathlib import Path

import zstandard

_HOST = b"host-200000.example.com. 3600 IN A "
_DIFFERING_SERIAL = 2018020902


@dataclass(frozen=True)
class Change:
    """The lines that go and the lines that come, the SOA's among them."""

    serial: int
    removed: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def diff(self) -> str:
        lines = [f"-{line}" for line in self.removed] + [f"+{line}" for line in self.added]
        return "\n".join(lines) + "\n"


class EditedZone:
    """A zone file of the data set `one` in memory, one change after another."""

    zone = "example.com"

    def __init__(self, path: Path) -> None:
        self._text = path.read_bytes()
        self._changes = 0

    def change(self) -> Change:
        """Give one host another address, and the zone the next serial."""
        self._changes += 1
        soa = self._text[: self._text.index(b"\n")]
        words = soa.split(b" ")
        serial = int(words[6]) + 1
        words[6] = b"%d" % serial
        start = self._text.index(b"\n" + _HOST) + 1
        host = self._text[start : self._text.index(b"\n", start)]
        changed = _HOST + b"10.254.0.%d" % self._changes
        new_soa = b" ".join(words)
        tail = self._text[start + len(host) :]
        self._text = new_soa + self._text[len(soa) : start] + changed + tail
        return Change(
            serial,
            (soa.decode(), host.decode()),
            (new_soa.decode(), changed.decode()),
        )

    def write(self, path: Path) -> None:
        path.write_bytes(self._text)


@dataclass(frozen=True)
class Difference:
    """In which zones two folders differ, and by how much."""

    names: tuple[str, ...]  # of the zone files
    serial: int  # theirs, in the changed copy
    content_bytes: int  # of the changed files, each compressed by itself


def differing_copy(folder: Path, target: Path, zones: int) -> Difference:
    """Make `target` a copy of a folder of zone files in which some zones have another TXT record.

    Unchanged files are links to the originals.
    """
    files = sorted(folder.glob("*.zone"))
    target.mkdir(parents=True)
    every = len(files) // zones
    names = tuple(file.name for file in files[::every][:zones])
    changed = frozenset(names)
    compress = zstandard.ZstdCompressor(level=3).compress
    content_bytes = 0
    for file in files:
        if file.name in changed:
            text = file.read_bytes().replace(b" 2018020901 ", b" %d " % _DIFFERING_SERIAL)
            text = text.replace(b"v=spf1 mx -all", b"v=spf1 a mx -all")
            (target / file.name).write_bytes(text)
            content_bytes += len(compress(text))
        else:
            (target / file.name).symlink_to(file.resolve())
    return Difference(names, _DIFFERING_SERIAL, content_bytes)
