"""PowerDNS with a generic SQL backend: zones are rows of its own database.

    stage      the rows that will be, in a scratch database of our own
    check      pdnsutil looks into that; the server has to answer on its control socket
    activate   one transaction with the rows that change; commit, purge of the caches, rediscover

`journal.py` says how what was is restored. A crash between commit and purge is undone by the next
process, with a purge; it never leaves an answer that nobody knows of.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import trio
from sqlalchemy import Connection

from syncclient.backends.contract import Backend, Capabilities, ServerSettings, register
from syncclient.backends.powerdns.checking import Checker
from syncclient.backends.powerdns.control import Control
from syncclient.backends.powerdns.domains import Domain, Marking, find_domains
from syncclient.backends.powerdns.journal import Journal
from syncclient.backends.powerdns.patching import Patch, patch_of
from syncclient.backends.powerdns.records import Unfit, is_answered, stored_name
from syncclient.backends.powerdns.settings import PowerDnsSettings
from syncclient.backends.powerdns.tables import Database
from syncclient.backends.powerdns.transaction import Transaction
from syncclient.backends.powerdns.zonetext import ZoneText
from syncclient.backends.step import Difference, Stage, Step
from syncd.errors import ServerFailed
from syncd.logs import EventLog

log = EventLog("syncclient.powerdns")

_CHECKED_NEW_LINES = 10_000
"""New zones are shown to the check tool up to so many records; of the others, those with anything
but plain records of the common types and no delegations: it cannot find fault with these."""


@dataclass
class _Staged:
    """What staging has found out about a step."""

    patches: dict[str, Patch] = field(default_factory=dict)
    checked: dict[str, str] = field(default_factory=dict)
    """Zones that the check tool is shown, by their stored names."""


class PowerDns(Backend):
    """A pdns_server on this machine; see the module's top."""

    name = "powerdns"
    settings_kind = PowerDnsSettings
    capabilities = Capabilities(own_ttl=frozenset({"NSEC", "NSEC3", "NSEC3PARAM"}))

    def __init__(self, settings: PowerDnsSettings, server: ServerSettings, folder: Path) -> None:
        super().__init__(settings, server, folder)
        settings.check()
        self._settings = settings
        self._database = Database(settings.database, settings.password())
        self._control = Control(settings.control_socket, server.tool_s)
        self._checker = Checker(folder / "powerdns", settings.pdnsutil, server.tool_s)
        self._marking = Marking(settings.mark)
        self._odd_names = settings.odd_names == "take"
        self._staged = _Staged()
        self._journal: Journal | None = None
        """What the present step has done to the database."""
        self._left: Journal | None = None
        """What a step that was interrupted has done to it, until that could be undone."""

    async def describe(self) -> str:
        await self._undo_left_over()
        return f"PowerDNS {await self._control.version(Stage.CONFIRM)}"

    async def recover(self) -> frozenset[str]:
        self._left = await trio.to_thread.run_sync(Journal.read, self.folder)
        zones = frozenset() if self._left is None else frozenset(self._left.entries)
        try:
            await self._undo_left_over()
        except ServerFailed as error:
            log.warning("not_rolled_back_yet", zones=len(zones), reason=error)
        return zones

    async def nudge(self, zones: Collection[str]) -> None:
        """Purge again: a question that was on its way at the commit has put back the old answer."""
        await self._control.purge(Stage.CONFIRM, zones)

    async def explain(self, zone: str) -> str:
        def look() -> Domain | None:
            with self._database.reading(Stage.CONFIRM) as connection:
                return find_domains(connection, [stored_name(zone)]).get(stored_name(zone))

        domain = await trio.to_thread.run_sync(look)
        if domain is None or not self._marking.owns(domain):
            return f"the database {self._database.shown} does not have it"
        return (
            f"the database {self._database.shown} has it: is it the one that pdns_server has been "
            "started with, and what does its log say?"
        )

    # Stage and check

    async def stage(self, step: Step) -> None:
        await self._undo_left_over()
        await trio.to_thread.run_sync(self._stage, step)

    async def _undo_left_over(self) -> None:
        journal = self._left
        if journal is None:
            return

        def undo() -> None:
            with self._database.writing(Stage.ROLL_BACK) as connection:
                journal.undo(connection, journal.entries)
            Journal.remove(self.folder)

        await trio.to_thread.run_sync(undo)
        await self._control.purge(Stage.ROLL_BACK, _stored(journal.entries))
        self._left = None

    def _stage(self, step: Step) -> None:
        self._staged = _Staged()
        coming = step.coming()
        with self._database.reading(Stage.STAGE) as connection:
            there = find_domains(connection, [stored_name(zone) for zone in coming])
            for zone in coming:
                self._fail_if_not_ours(step, zone, there.get(stored_name(zone)))
            changed = self._changed(step, there)
            for zone, difference in step.differences(changed):
                domain = there[stored_name(zone)]
                if domain.mark == self._marking.of(difference.before):
                    self._patch(connection, step, changed[zone], domain, difference)
        with self._checker.filling():
            for text in chain(changed.values(), self._questionable(step, there)):
                self._show(step, text)

    def _changed(self, step: Step, there: dict[str, Domain]) -> dict[str, ZoneText]:
        """Return the zones that the database has otherwise than they should be."""
        known = [zone for zone in step.coming() if stored_name(zone) in there]
        return {
            text.zone: text
            for text in ZoneText.of_all(step, known)
            if there[stored_name(text.zone)].mark != self._marking.of(text.digest)
        }

    def _questionable(self, step: Step, there: dict[str, Domain]) -> Iterator[ZoneText]:
        """Yield the new zones that the check tool is to see."""
        new = [zone for zone in step.coming() if stored_name(zone) not in there]
        room = _CHECKED_NEW_LINES
        rest: list[ZoneText] = []
        for text in ZoneText.of_all(step, new):
            room -= text.lines
            if room >= 0:
                yield text
            else:
                rest.append(text)
        for text in ZoneText.read_all(rest):
            if not text.is_simple():
                yield text

    def _patch(
        self,
        connection: Connection,
        step: Step,
        text: ZoneText,
        domain: Domain,
        difference: Difference,
    ) -> None:
        try:
            patch = patch_of(
                connection, text.zone, domain, difference, text.chunks, odd_names=self._odd_names
            )
        except Unfit as error:
            step.fail(text.zone, Stage.STAGE, str(error))
            return
        if patch is not None:
            self._staged.patches[text.zone] = patch

    def _fail_if_not_ours(self, step: Step, zone: str, domain: Domain | None) -> None:
        name = stored_name(zone)
        if not (self._odd_names or is_answered(name)):
            step.fail(zone, Stage.STAGE, "PowerDNS answers SERVFAIL for names with such characters")
        if domain is None or self._marking.owns(domain) or self._settings.adopt:
            return
        whose = "somebody else" if domain.mark is None else f"an agent with the mark {domain.mark}"
        step.fail(
            zone,
            Stage.STAGE,
            f"PowerDNS's database has this zone already, from {whose.partition(':')[0]}; remove it "
            "there, or set adopt = true in [powerdns] to have it taken over",
        )

    def _show(self, step: Step, text: ZoneText) -> None:
        zone, name = text.zone, stored_name(text.zone)
        if zone in step.failures:
            return
        patch = self._staged.patches.get(zone)
        try:
            signing = None if patch is not None else text.signing()
            rows = (
                patch.around if patch is not None
                else text.rows(signing, odd_names=self._odd_names)
            )  # fmt: skip
            self._checker.add(name, [] if signing is None else signing.metadata, rows)
        except Unfit as error:
            step.fail(zone, Stage.STAGE, str(error))
        else:
            self._staged.checked[name] = zone

    async def check(self, step: Step) -> None:
        await self._control.version(Stage.CHECK)  # else it could not be told to forget its caches
        if step.changes_list():
            await self._check_zone_cache()
        if self._staged.checked:
            for name, message in (await self._checker.refused()).items():
                step.fail(self._staged.checked[name], Stage.CHECK, message)

    async def _check_zone_cache(self) -> None:
        seconds = await self._control.zone_cache_s(Stage.CHECK)
        if seconds >= self.server.confirm_s:
            raise ServerFailed(
                Stage.CHECK.value,
                f"PowerDNS looks for new zones every {seconds} s only: set "
                "zone-cache-refresh-interval=0 in pdns.conf and restart it",
            )

    # Activate, and back

    async def activate(self, step: Step) -> None:
        self._journal = await trio.to_thread.run_sync(self._write, step)
        names = _stored(self._journal.entries)
        if names:
            await self._control.purge(Stage.ACTIVATE, names)
        if step.changes_list():
            await self._control.rediscover(Stage.ACTIVATE)

    def _write(self, step: Step) -> Journal:
        with self._database.writing(Stage.ACTIVATE) as connection:
            journal = Transaction(
                connection, step, self._marking, self._staged.patches, odd_names=self._odd_names
            ).run()
            journal.write(self.folder)
        return journal

    async def roll_back(self, step: Step, zones: list[str]) -> None:
        journal = self._journal
        if journal is None:
            return
        chosen = list(journal.entries) if not step.changes else zones

        def undo() -> None:
            with self._database.writing(Stage.ROLL_BACK) as connection:
                journal.undo(connection, chosen)
            for zone in chosen:
                journal.entries.pop(zone, None)
            journal.write(self.folder)

        await trio.to_thread.run_sync(undo)
        await self._control.purge(Stage.ROLL_BACK, _stored(chosen))
        await self._control.rediscover(Stage.ROLL_BACK)

    async def finish(self, step: Step) -> None:
        journal, self._journal = self._journal, None
        self._staged = _Staged()

        def finish() -> None:
            Journal.remove(self.folder)
            if journal is not None and journal.leaves_something:
                with self._database.writing(Stage.ACTIVATE) as connection:
                    journal.finish(connection)

        await trio.to_thread.run_sync(finish)


def _stored(zones: Collection[str]) -> list[str]:
    return [stored_name(zone) for zone in zones]


register(PowerDns)
