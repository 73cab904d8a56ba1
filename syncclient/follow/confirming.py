"""The proof that a name server answers what it was told to: it is asked, over DNS.

Each changed zone's serial, until it is right or time is up, and then a sample of records, changed
ones first.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import trio

from syncclient.backends import Backend, Stage, Step
from syncclient.backends.step import TYPE
from syncclient.dns import DnsServer, ask_serials, confirm_records
from syncd.errors import ConnectionFailed, ServerFailed

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.001, 0.25
_NUDGE_AFTER_S = 0.03
"""From waits of this length on the server is reminded each time."""
_PROBED = 16
"""Zones that are asked first, of many: as long as none of them is right, the rest is left alone."""
_EXPLAINED = 20
"""Zones, up to how many the tools are asked why."""
_SILENT = -1
"""A zone of which the server says nothing: no serial, and not that there is none."""
_A_WHILE_S = 1.0
_CHANGES_OVER_S = 2.0
"""How long a server may answer old records beside a new serial."""
_SHOWN = 3
"""Records that are named of those that are not answered."""


class Confirmer:
    """Asks the name server behind a backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._server = DnsServer.parse(backend.server.address)

    async def serials(self, zones: Collection[str]) -> dict[str, int | None]:
        """Return the serials that the server answers now, None for a zone it does not have; one of
        which it says nothing at all is missing.

        Raises ServerFailed if it does not answer at all.
        """
        with _asking():
            answers = await ask_serials(self._server, zones)
        return {answer.zone: answer.serial for answer in answers if not answer.no_answer}

    async def confirm(self, step: Step) -> None:
        """Have the zones fail that the server does not answer as the step has them."""
        if self._backend.capabilities.serials:
            wanted = {name: step.changes[name].new for name in (*step.coming(), *step.going())}
            for zone, serial in (await self.wait_for(wanted, step)).items():
                step.fail(zone, Stage.CONFIRM, await self._reason(step, zone, serial))
        await self._confirm_records(step)

    async def wait_for(
        self, wanted: Mapping[str, int | None], step: Step | None = None
    ) -> dict[str, int | None]:
        """Wait until the server answers these serials (None: does not have the zone); return what
        it answers instead for those where it does not (-1: nothing at all), when nothing has
        changed for too long.

        Zones of `step` fail without waiting for so long where the tools say why they never come.
        """
        remaining = dict(wanted)
        answers: Mapping[str, int | None] = {}
        wait_s = _FIRST_WAIT_S
        patience = _Patience(self._backend.server.confirm_s)
        while True:
            for zones in _probe_and_rest(list(remaining)):
                try:
                    answers = await self.serials(zones)
                except ServerFailed:
                    if patience.is_over():
                        raise
                    break  # it may be too busy with loading what it was told to
                right = [zone for zone in zones if answers.get(zone, _SILENT) == remaining[zone]]
                for zone in right:
                    del remaining[zone]
                if not right:
                    break
                patience.renew()
            if step is not None and patience.is_low() and len(remaining) <= _EXPLAINED:
                for zone in await self._fail_hopeless(step, list(remaining)):
                    del remaining[zone]
                step = None  # once is enough
            if not remaining:
                return {}
            if patience.is_over():
                answers = await self.serials(list(remaining))
                return {
                    zone: answers.get(zone, _SILENT)
                    for zone, serial in remaining.items()
                    if answers.get(zone, _SILENT) != serial
                }
            await trio.sleep(wait_s)
            if wait_s > _NUDGE_AFTER_S:
                await self._backend.nudge(remaining)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _fail_hopeless(self, step: Step, zones: list[str]) -> list[str]:
        """Have the zones fail, and return them, that the server's tools say it will not load."""
        hopeless = []
        for zone in zones:
            reason = await self._backend.why_never(zone) if zone in step.coming() else None
            if reason is not None:
                step.fail(zone, Stage.CONFIRM, f"the server does not load it: {reason}")
                hopeless.append(zone)
        return hopeless

    async def _reason(self, step: Step, zone: str, serial: int | None) -> str:
        change = step.changes[zone]
        answers = "does not have the zone" if serial is None else f"answers serial {serial}"
        if serial == _SILENT:
            answers = "says nothing of the zone"
        wanted = "it should be gone" if change.new is None else f"it should be {change.new}"
        reason = f"the server {answers}, {wanted}"
        if change.new is not None and len(step.failures) < _EXPLAINED:
            reason += f": {await self._backend.explain(zone)}"
        return reason

    async def _confirm_records(self, step: Step) -> None:
        room = self._backend.server.sample_records
        own_ttl = self._backend.capabilities.own_ttl
        for zone in self._sampled_zones(step):
            if room <= 0:
                return
            sample = await trio.to_thread.run_sync(_sample, step, zone, room, own_ttl)
            room -= len(sample.present) + len(sample.absent)
            said = await self._differences(zone, sample)
            if said is not None:
                step.fail(zone, Stage.CONFIRM, f"the server does not answer its records: {said}")

    async def _differences(self, zone: str, sample: "_Sample") -> str | None:
        """Return how a sample of records is answered otherwise than it should; None if it is right.

        It is asked again for a while: servers of several processes do not all change over at the
        moment in which the first of them answers the new serial.
        """
        capabilities = self._backend.capabilities
        end = trio.current_time() + min(_CHANGES_OVER_S, self._backend.server.confirm_s)
        wait_s = _FIRST_WAIT_S
        while True:
            with _asking():
                found = await confirm_records(
                    self._server,
                    zone,
                    self._backend.provable(zone, sample.present),
                    gone=sample.absent if capabilities.denials else (),
                    zones_below=sample.zones_below,
                    compare_ttl=capabilities.ttls,
                    whole=False,
                )
            if found.proven:
                return None
            if trio.current_time() >= end:
                return "; ".join(str(one) for one in found.differences[:_SHOWN])
            await trio.sleep(wait_s)
            if wait_s > _NUDGE_AFTER_S:
                await self._backend.nudge([zone])
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    @staticmethod
    def _sampled_zones(step: Step) -> list[str]:
        """Return zones of a step, those spread evenly over many."""
        coming = step.coming()
        return coming[:: max(1, len(coming) // _PROBED)]


@contextmanager
def _asking() -> Iterator[None]:
    """Have a server that does not answer at all raise ServerFailed."""
    try:
        yield
    except ConnectionFailed as error:
        raise ServerFailed(
            Stage.CONFIRM.value,
            f"{error}; is it running, and does [server] address say where it answers?",
        ) from None


def _probe_and_rest(zones: list[str]) -> Iterator[list[str]]:
    """Yield a few zones spread over all, then the others."""
    apart = max(1, len(zones) // _PROBED)
    yield zones[::apart]
    if apart > 1:
        yield [zone for number, zone in enumerate(zones) if number % apart]


@dataclass(frozen=True, slots=True)
class _Sample:
    """Records of a zone that the server must have, and some that it must not have any more."""

    present: list[str]
    absent: list[str]
    zones_below: list[str]
    """Zones of the same server that answer for some of them."""


def _sample(step: Step, zone: str, room: int, own_ttl: frozenset[str]) -> _Sample:
    with step.goal.snapshot():
        difference = step.difference(zone)
        if difference is None:
            present, absent = _first_records(step, zone)[:room], []
        else:
            present = [line for line in difference.added if not _has_own_ttl(line, own_ttl)][:room]
            staying = set(map(_identity, difference.added))
            gone = [line for line in difference.removed if _identity(line) not in staying]
            absent = gone[: room - len(present)]
        between = {name for line in (*present, *absent) for name in _names_between(line, zone)}
        below = step.goal.find(TYPE, sorted(between)) if between else {}
    return _Sample(present, absent, list(below))


def _identity(line: str) -> tuple[str, str]:
    """Return what two lines have in common that differ in nothing but TTL and case: such a record
    is changed, not gone."""
    owner, _, record = line.split(" ", 2)
    return owner.lower(), record.lower()


def _has_own_ttl(line: str, types: frozenset[str]) -> bool:
    """Say whether a record, or what it signs, is of one of these types."""
    kind, _, rdata = line.split(" ", 3)[3].partition(" ")
    return (rdata.partition(" ")[0] if kind == "RRSIG" else kind) in types


def _first_records(step: Step, zone: str) -> list[str]:
    """Return the SOA record of a zone, and the first one behind it."""
    for _, contents in step.contents([zone]):
        head = next(contents, b"") + next(contents, b"")
        return head.decode("ascii").splitlines()[:2]
    return []


def _names_between(line: str, zone: str) -> Iterator[str]:
    """Yield the owner of a line and the names above it, down to the zone, but not that."""
    name = line.partition(" ")[0].lower()
    while name != zone and name.endswith(zone):
        yield name
        name = name.partition(".")[2]


class _Patience:
    """How long is waited for something to change."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.renew()

    def is_low(self) -> bool:
        """Say whether nothing has changed for a while."""
        return trio.current_time() >= self._end - self._limit_s + _A_WHILE_S

    def renew(self) -> None:
        """Something has changed: wait as long as at the beginning."""
        self._end = trio.current_time() + self._limit_s

    def is_over(self) -> bool:
        """Say whether nothing has changed for too long."""
        return trio.current_time() >= self._end
