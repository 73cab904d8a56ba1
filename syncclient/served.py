"""Whether name servers answer what a source holds: every zone's serial, and every record.

All servers are asked at once, each with the same RRsets, which are made from the zones' text a few
thousand at a time: memory stays flat. A server that is not there is one finding, not one a zone.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import trio

from syncclient.contents import ZoneContents
from syncclient.dns import (
    AskLimits,
    Confirmation,
    Difference,
    DnsServer,
    Rrset,
    SerialAnswer,
    Unseen,
    ZoneRrsets,
    ask_serials,
    confirm_rrsets,
)
from syncd.errors import ConnectionFailed

_BATCH_RRSETS = 4096
_STEP_LINES = 512

Progress = Callable[[int], None]
"""Called with how much more is done: zones and records, of each server."""


@dataclass
class Served:
    """What one server was found to answer."""

    server: DnsServer
    down: str | None = None
    """Why the server could not be asked (any further)."""
    zones: int = 0
    other_serials: list[SerialAnswer] = field(default_factory=list)
    """Zones that are not served, or at another serial than the source's."""
    same_records: int = 0
    differences: list[Difference] = field(default_factory=list)
    unseen: Counter[Unseen] = field(default_factory=Counter)
    not_asked: int = 0
    """Records of zones that are not served."""

    @property
    def differs(self) -> bool:
        return bool(self.other_serials or self.differences)

    def unserved(self) -> frozenset[str]:
        """Return the zones that the server does not answer for."""
        return frozenset(answer.zone for answer in self.other_serials if answer.serial is None)


async def compare_serials(
    reports: Sequence[Served],
    serials: Mapping[str, int],
    limits: AskLimits,
    progress: Progress,
) -> None:
    """Ask every server for every zone's serial; what differs is added to its report."""

    async def ask(report: Served) -> None:
        answers = await ask_serials(
            report.server, serials, limits=limits, progress=lambda _: progress(1)
        )
        report.zones = len(answers)
        report.other_serials = sorted(
            answer for answer in answers if answer.serial != serials[answer.zone]
        )

    await _each(reports, ask)


async def compare_records(
    reports: Sequence[Served],
    contents: ZoneContents,
    zones: Sequence[str],
    limits: AskLimits,
    progress: Progress,
) -> None:
    """Ask every server for every record of the zones that it serves."""
    unserved = {report.server: report.unserved() for report in reports}
    unseen: Counter[Unseen] = Counter()
    for batch in _batches(contents, zones, unseen):
        all_records = sum(rrset.records for rrset in batch)

        async def ask(
            report: Served, batch: list[Rrset] = batch, all_records: int = all_records
        ) -> None:
            missing = unserved[report.server]
            asked = [rrset for rrset in batch if rrset.zone not in missing] if missing else batch
            skipped = all_records - sum(rrset.records for rrset in asked) if missing else 0
            report.not_asked += skipped
            progress(skipped)
            found: Confirmation = await confirm_rrsets(
                report.server, asked, limits=limits, progress=progress
            )
            report.same_records += found.same
            report.differences += found.differences
            report.unseen.update(found.unseen)

        await _each(reports, ask)
        if all(report.down for report in reports):
            return
    for report in reports:
        report.unseen.update(unseen)


async def _each(reports: Sequence[Served], ask: Callable[[Served], Awaitable[None]]) -> None:
    async def guarded(report: Served) -> None:
        try:
            await ask(report)
        except ConnectionFailed as error:
            report.down = str(error)

    async with trio.open_nursery() as nursery:
        for report in reports:
            if report.down is None:
                nursery.start_soon(guarded, report)


def _batches(
    contents: ZoneContents, zones: Sequence[str], unseen: Counter[Unseen]
) -> Iterator[list[Rrset]]:
    below = zones_below(zones)
    batch: list[Rrset] = []
    reading: ZoneRrsets | None = None
    zone = ""
    for name, text in contents.pieces():
        if reading is None or name != zone:
            if reading is not None:
                batch += reading.finish()
                unseen.update(reading.unseen)
            zone, reading = name, ZoneRrsets(name, below.get(name, ()))
        lines = text.decode("ascii", "replace").splitlines()
        for at in range(0, len(lines), _STEP_LINES):
            batch += reading.take(lines[at : at + _STEP_LINES])
            if len(batch) >= _BATCH_RRSETS:
                yield batch
                batch = []
    if reading is not None:
        batch += reading.finish()
        unseen.update(reading.unseen)
    yield batch


def zones_below(zones: Sequence[str]) -> dict[str, list[str]]:
    """Return for each zone those right below it: a server that has both answers from these."""
    known = set(zones)
    below: dict[str, list[str]] = {}
    for zone in zones:
        above = zone
        while above != ".":
            # A dot behind a backslash only makes a name that is no zone.
            above = above.partition(".")[2] or "."
            if above in known:
                below.setdefault(above, []).append(zone)
                break
    return below
