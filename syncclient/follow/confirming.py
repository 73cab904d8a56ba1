"""The proof that a name server answers what it was told to: it is asked, over DNS.

Each changed zone's serial, until it is right or time is up, and then a sample of records, changed
ones first.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

import trio

from syncclient.backends import Backend, Stage, Step
from syncclient.dns import AskLimits, DnsServer, ask_serials, confirm_records
from syncd.errors import ServerFailed

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.001, 0.25
_PROBED = 16
"""Zones that are asked first, of many: as long as none of them is right, the rest is left alone."""
_EXPLAINED = 20
"""Zones, up to how many the tools are asked why."""


class Confirmer:
    """Asks the name server behind a backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._server = DnsServer.parse(backend.server.address)
        self._limits = AskLimits()

    async def serials(self, zones: Collection[str]) -> dict[str, int]:
        """Return the serials that the server answers now; a zone it does not have is missing.

        Raises ServerFailed if it does not answer at all.
        """
        found: dict[str, int] = {}
        silent = 0
        async for answer in ask_serials(self._server, zones, limits=self._limits):
            if answer.serial is not None:
                found[answer.zone] = answer.serial
            silent += answer.silent
        if silent and silent == len(zones):
            raise ServerFailed(
                Stage.CONFIRM.value,
                f"no answer over DNS from {self._server}; is it running, and does [server] address "
                "say where?",
            )
        return found

    async def confirm(self, step: Step) -> None:
        """Have the zones fail that the server does not answer as the step has them."""
        if self._backend.capabilities.serials:
            wanted = {name: change.new for name, change in step.changes.items()}
            for zone, serial in (await self.wait_for(wanted)).items():
                step.fail(zone, Stage.CONFIRM, await self._reason(step, zone, serial))
        await self._confirm_records(step)

    async def wait_for(self, wanted: Mapping[str, int | None]) -> dict[str, int | None]:
        """Wait until the server answers these serials (None: does not have the zone); return what
        it answers instead for those where it does not, when nothing has changed for too long."""
        remaining = dict(wanted)
        answers: Mapping[str, int] = {}
        wait_s = _FIRST_WAIT_S
        patience = _Patience(self._backend.server.confirm_s)
        while True:
            for zones in _probe_and_rest(list(remaining)):
                answers = await self.serials(zones)
                right = [zone for zone in zones if answers.get(zone) == remaining[zone]]
                for zone in right:
                    del remaining[zone]
                if not right:
                    break
                patience.renew()
            if not remaining:
                return {}
            if patience.is_over():
                answers = await self.serials(list(remaining))
                return {
                    zone: answers.get(zone)
                    for zone, serial in remaining.items()
                    if answers.get(zone) != serial
                }
            await trio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _reason(self, step: Step, zone: str, serial: int | None) -> str:
        change = step.changes[zone]
        answers = "does not have the zone" if serial is None else f"answers serial {serial}"
        wanted = "it should be gone" if change.new is None else f"it should be {change.new}"
        reason = f"the server {answers}, {wanted}"
        if change.new is not None and len(step.failures) < _EXPLAINED:
            reason += f": {await self._backend.explain(zone)}"
        return reason

    async def _confirm_records(self, step: Step) -> None:
        room = self._backend.server.sample_records
        for zone in self._sampled_zones(step):
            if room <= 0:
                return
            present, absent = await trio.to_thread.run_sync(_sample, step, zone, room)
            room -= len(present) + len(absent)
            wrong = await confirm_records(self._server, zone, present, absent, limits=self._limits)
            if wrong:
                step.fail(zone, Stage.CONFIRM, "; ".join(str(one) for one in wrong[:3]))

    @staticmethod
    def _sampled_zones(step: Step) -> Iterable[str]:
        """Return zones of a step, those spread evenly over many."""
        coming = step.coming()
        return coming[:: max(1, len(coming) // _PROBED)]


def _probe_and_rest(zones: list[str]) -> Iterator[list[str]]:
    """Yield a few zones spread over all, then the others."""
    apart = max(1, len(zones) // _PROBED)
    yield zones[::apart]
    if apart > 1:
        yield [zone for number, zone in enumerate(zones) if number % apart]


def _sample(step: Step, zone: str, room: int) -> tuple[list[str], list[str]]:
    """Return records of a zone that the server must have, and some that it must not have."""
    difference = step.difference(zone)
    if difference is not None:
        added = difference.added[:room]
        return added, difference.removed[: room - len(added)]
    for _, contents in step.contents([zone]):
        lines = next(contents, b"") + next(contents, b"")
        return list(islice(lines.decode("ascii").splitlines(), min(room, 2))), []
    return [], []


class _Patience:
    """How long is waited for something to change."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.renew()

    def renew(self) -> None:
        """Something has changed: wait as long as at the beginning."""
        self._end = trio.current_time() + self._limit_s

    def is_over(self) -> bool:
        """Say whether nothing has changed for too long."""
        return trio.current_time() >= self._end
