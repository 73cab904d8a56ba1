"""A zone of a step's goal: its content, read as often as needed, and its rows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from syncclient.backends.powerdns.domains import pages
from syncclient.backends.powerdns.records import Row
from syncclient.backends.powerdns.zonerows import (
    Signing,
    is_simple,
    signing_of,
    simple_rows,
    zone_rows,
)
from syncclient.backends.step import TYPE, Step
from syncd.content.versions import Version
from syncd.store import View

_FEW_LINES = 10_000
"""Records, up to how many a zone's content is kept instead of being read again."""


@dataclass(frozen=True, slots=True)
class ZoneText:
    """A zone as the step is to have it answered."""

    _goal: View
    _version: Version
    _held: tuple[bytes, ...] | None = None

    @classmethod
    def of_all(cls, step: Step, zones: Iterable[str]) -> Iterator["ZoneText"]:
        """Yield zones that are coming; nothing of their content is read yet."""
        for page in pages(zones):
            for version in step.goal.find(TYPE, page).values():
                yield cls(step.goal, version)

    @classmethod
    def read_all(cls, texts: Iterable["ZoneText"]) -> Iterator["ZoneText"]:
        """Yield the same zones with their content, those that are not large: to be looked at one
        after the other."""
        for page in pages(texts):
            versions = [text._version for text in page]
            for text, (_, chunks) in zip(page, page[0]._goal.contents(versions), strict=True):
                yield replace(text, _held=tuple(chunks)) if text.lines <= _FEW_LINES else text

    @property
    def zone(self) -> str:
        """The zone's name."""
        return self._version.name

    @property
    def digest(self) -> bytes:
        """Digest of the content."""
        return self._version.digest

    @property
    def lines(self) -> int:
        """How many records there are."""
        return self._version.lines

    def chunks(self) -> Iterable[bytes]:
        """Return the content."""
        return self._goal.content(self._version) if self._held is None else self._held

    def records(self) -> Iterator[str]:
        """Yield the canonical lines."""
        for chunk in self.chunks():
            yield from chunk.decode("ascii").splitlines()

    def is_simple(self) -> bool:
        """Say whether there are only plain records of common types, and no delegation."""
        return is_simple(self.zone, self.chunks())

    def signing(self) -> Signing | None:
        """Return how the zone is signed, None if it is not."""
        return signing_of(self.zone, self.records)

    def rows(self, signing: Signing | None, *, odd_names: bool) -> Iterator[Row]:
        """Yield the rows of the zone. Raises Unfit."""
        if signing is None and self.is_simple():
            return simple_rows(self.zone, self.chunks())
        return zone_rows(self.zone, self.records(), signing, odd_names=odd_names)
