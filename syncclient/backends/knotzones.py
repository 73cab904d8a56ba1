"""Small changes of zones as Knot DNS's zone transactions: begun, filled, and then committed.

Only if knotd's zone has the serial that we think it has, and knotd takes every record that goes and
comes, is a transaction left open for the commit: then its zone becomes what is in our file. In
every other case it is ended, and the file is loaded instead.
"""

from collections.abc import Iterable, Mapping

from syncclient.backends.knotcontrol import MAX_ITEM_BYTES, Control, Item, Unit, errors_of
from syncclient.backends.step import Difference, Step
from syncclient.backends.zonenames import is_plain

_MOST_LINES = 2000
"""Of a zone's difference; what is larger is loaded from the file."""


def small_differences(step: Step, zones: Iterable[str]) -> dict[str, Difference]:
    """Return the differences of those zones where they are small enough for a transaction."""
    with step.goal.snapshot():
        differences = step.differences(filter(is_plain, zones))
        return {zone: difference for zone, difference in differences if _fits(difference)}


def _fits(difference: Difference) -> bool:
    lines = len(difference.removed) + len(difference.added)
    return lines <= _MOST_LINES and all(
        len(line) <= MAX_ITEM_BYTES for line in (*difference.removed, *difference.added)
    )


class ZoneTransactions:
    """Those that are open in knotd, and ours."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def __contains__(self, zone: str) -> bool:
        return zone in self._open

    def __bool__(self) -> bool:
        return bool(self._open)

    async def prepare(
        self, control: Control, step: Step, differences: Mapping[str, Difference]
    ) -> None:
        """Open a transaction for each zone and put its difference in; end those that are not as
        they should be."""
        begun = set(differences) - _refused(await control.ask("zone-begin", _zones(differences)))
        self._open |= begun
        zones = sorted(begun)
        removed = [_record(zone, line) for zone in zones for line in differences[zone].removed]
        added = [
            _record(zone, line, ttl=True) for zone in zones for line in differences[zone].added
        ]
        wrong = await self._other_serial(control, step, zones)
        wrong |= _refused(await control.ask("zone-unset", removed))
        wrong |= _refused(await control.ask("zone-set", added))
        await self.abort(control, wrong)

    @staticmethod
    async def _other_serial(control: Control, step: Step, zones: list[str]) -> set[str]:
        """Return the zones whose serial in knotd is not the one that the difference is from: it
        takes the removal of an SOA record that it does not have."""
        asked: list[Unit] = [{Item.ZONE: zone, Item.OWNER: "@", Item.TYPE: "SOA"} for zone in zones]
        right: set[str] = set()
        for unit in await control.ask("zone-get", asked):
            zone = unit.get(Item.ZONE, "")
            words = unit.get(Item.DATA, "").split(" ")
            if zone in step.changes and words[2:3] == [str(step.changes[zone].old)]:
                right.add(zone)
        return set(zones) - right

    async def commit(self, control: Control, zones: Iterable[str]) -> dict[str, str]:
        """Commit the transactions of these zones; return what knotd says of those that it refuses,
        which are as they were."""
        wanted = [zone for zone in zones if zone in self._open]
        if not wanted:
            return {}
        answer = await control.ask("zone-commit", _zones(wanted))
        refused = {unit[Item.ZONE]: unit[Item.ERROR] for unit in errors_of(answer)}
        self._open.difference_update(wanted)
        if refused:
            await control.ask("zone-abort", _zones(refused))
        return refused

    async def abort(self, control: Control, zones: Iterable[str] | None = None) -> None:
        """End the transactions of these zones, or all that are open, with nothing changed."""
        ended = self._open & (self._open if zones is None else set(zones))
        if ended:
            self._open -= ended
            await control.ask("zone-abort", _zones(ended))


async def end_transactions(control: Control, zones: Iterable[str]) -> None:
    """End whatever transactions are open for these zones: until then, knotd loads no file."""
    state = await control.ask("zone-status", [{**unit, Item.FILTER: "t"} for unit in _zones(zones)])
    opened = [unit[Item.ZONE] for unit in state if unit.get(Item.DATA) == "open"]
    await control.ask("zone-abort", _zones(opened))


def _zones(zones: Iterable[str]) -> list[Unit]:
    return [{Item.ZONE: zone} for zone in zones]


def _record(zone: str, line: str, *, ttl: bool = False) -> Unit:
    owner, seconds, _, type_text, rdata = line.split(" ", 4)
    unit = {Item.ZONE: zone, Item.OWNER: owner, Item.TYPE: type_text, Item.DATA: rdata}
    return {**unit, Item.TTL: seconds} if ttl else unit


def _refused(answer: Iterable[Unit]) -> set[str]:
    return {unit.get(Item.ZONE, "") for unit in errors_of(answer)}
