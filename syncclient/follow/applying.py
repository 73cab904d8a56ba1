"""Brings a name server to a view of the store, in one step, and says what came of it.

    recovered --make step--> staged --> checked --> active --> confirmed --> finished
                                            any failure after `active` --> rolled back, confirmed

A zone that fails is put back to what it was, and the others go on. If the server itself cannot be
worked with, all of the step is put back, and the error says so.
"""

import time
from dataclasses import dataclass

import trio

from syncclient.backends import Backend, Stage, Step
from syncclient.follow.active import Active
from syncclient.follow.confirming import Confirmer
from syncclient.follow.steps import TYPES, outcome, step_between, view_before, whole_step
from syncd.errors import ServerFailed, SyncError
from syncd.logs import EventLog
from syncd.store import Store, View

log = EventLog("syncclient.follow")

_LOGGED_FAILURES = 20
"""Zones of a step that are logged one by one."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What one step did."""

    active: Active
    changed: int
    gone: int
    failed: int
    took_s: float


class Applier:
    """Keeps one name server at what a store holds."""

    def __init__(self, store: Store, backend: Backend) -> None:
        self._store = store
        self._backend = backend
        self._confirmer = Confirmer(backend) if backend.capabilities.dns else None
        self.active: Active | None = None
        """What the server answers; None as long as nobody knows."""
        self._touched: set[str] = set()
        """Zones that the server may answer otherwise than `active` says."""
        self._lost: set[str] = set()
        """Those of them that it does not have at all."""
        self._empty = False
        """Whether the server has nothing of ours yet."""

    async def recover(self) -> None:
        """Find out what the server answers, whatever happened before. Raises FileFailed."""
        self.active = await trio.to_thread.run_sync(Active.read, self._backend.folder)
        self._touched |= await self._backend.recover()
        self._empty = self.active is None and self._backend.new_folder() is not None

    async def is_due(self) -> bool:
        """Say whether the server may answer otherwise than the store holds. Raises StoreError."""
        clock = await trio.to_thread.run_sync(self._store.clock)
        if clock.source is None:
            return False
        return self.active is None or self.active.token != clock.token or bool(self._touched)

    def retry(self) -> None:
        """Have what was refused tried again with the next step."""
        if self.active is not None:
            self._touched |= self.active.refused.keys()

    async def audit(self) -> None:
        """Have what was refused tried again, and so what the server, which is asked for every zone,
        answers wrongly."""
        self.retry()
        active = self.active
        if active is None or self._confirmer is None or not self._backend.capabilities.serials:
            return
        before = await trio.to_thread.run_sync(view_before, self._store, active)
        if before is None:
            return
        wanted = await trio.to_thread.run_sync(_serials, before)
        wanted |= {zone: one.serial for zone, one in active.refused.items()}
        answered = await self._confirmer.serials(wanted)
        wrong = {zone for zone, serial in wanted.items() if answered.get(zone) != serial}
        if wrong:
            log.warning("audit", wrong=len(wrong), for_example=min(wrong))
        self._touched |= wrong
        self._lost |= {zone for zone in wrong if zone in answered and answered[zone] is None}

    async def apply(self) -> Applied:
        """Bring the server to what the store holds. Raises ServerFailed and FileFailed, with all
        put back."""
        began = time.perf_counter()
        goal, step, before = await trio.to_thread.run_sync(self._step_from_active)
        if step is None:
            step = await self._whole_step(goal)
        touched, self._touched = self._touched, set()
        lost, self._lost = self._lost, set()
        if step.changes:
            try:
                await self._run(step)
            except SyncError:
                self._touched |= touched
                self._lost |= lost
                raise
        changed, gone = len(step.coming()), len(step.going())
        active = await trio.to_thread.run_sync(
            outcome, step, self.active, before, int(self._store.now())
        )
        if active != self.active:
            await trio.to_thread.run_sync(active.write, self._backend.folder)
        self.active = active
        if step.changes or step.failures:
            await self._backend.finish(step)
        self._empty = False
        took_s = time.perf_counter() - began
        return Applied(active, changed, gone, len(step.failures), took_s)

    def _step_from_active(self) -> tuple[View, Step | None, View | None]:
        """Return the view to go to, the step to it from what the server answers, and that view;
        None where it is not known any more."""
        with self._store.snapshot() as goal:
            if self.active is None:
                return goal, None, None
            before = goal.at(self.active.token)
            step = step_between(self._store, goal, self.active, before, self._touched, self._lost)
            return goal, step, None if step is None else before

    async def _whole_step(self, goal: View) -> Step:
        answered: dict[str, int | None] = {}
        if not self._empty and self._confirmer is not None and self._backend.capabilities.serials:
            zones = await trio.to_thread.run_sync(_serials, goal)
            answered = await self._confirmer.serials(zones)
        return await trio.to_thread.run_sync(whole_step, goal, answered)

    async def _run(self, step: Step) -> None:
        """Take a step through its stages; zones that failed are as they were afterwards."""
        try:
            await self._backend.stage(step)
            await self._backend.check(step)
        except SyncError:
            await self._backend.finish(step)
            raise
        _log_failures(step, Stage.STAGE, Stage.CHECK)
        try:
            await self._backend.activate(step)
            if self._confirmer is not None:
                await self._confirmer.confirm(step)
        except SyncError as error:
            self._touched |= step.changes.keys()
            for zone in list(step.changes):
                step.fail(zone, Stage.ACTIVATE, str(error))
            await self._put_back(step)
            raise
        if step.failed_changes(Stage.ACTIVATE, Stage.CONFIRM):
            _log_failures(step, Stage.ACTIVATE, Stage.CONFIRM)
            await self._put_back(step)

    async def _put_back(self, step: Step) -> None:
        """Restore what was of the zones that failed after they were put in place."""
        failed = step.failed_changes(Stage.ACTIVATE, Stage.CONFIRM)
        zones = [change.name for change in failed]
        try:
            await self._backend.roll_back(step, zones)
            if self._confirmer is not None and self._backend.capabilities.serials:
                wanted = {change.name: change.old for change in failed}
                for zone, serial in (await self._confirmer.wait_for(wanted)).items():
                    log.error("not_rolled_back", zone=zone, answers=serial, should=wanted[zone])
                    self._touched.add(zone)
        except ServerFailed as error:
            self._touched.update(zones)
            log.error("not_rolled_back", zones=len(zones), reason=error)


def _serials(view: View) -> dict[str, int | None]:
    """Return the serial of each zone of a view."""
    return {version.name: version.attribute("serial") for version in view.versions(TYPES)}


def _log_failures(step: Step, *stages: Stage) -> None:
    failed = step.failed_changes(*stages)
    for change in failed[:_LOGGED_FAILURES]:
        failure = step.failures[change.name]
        log.error(
            "zone_refused", zone=failure.zone, stage=failure.stage.value, reason=failure.message
        )
    if len(failed) > _LOGGED_FAILURES:
        log.error("more_zones_refused", zones=len(failed) - _LOGGED_FAILURES)
