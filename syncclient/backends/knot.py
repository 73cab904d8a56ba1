"""Knot DNS: zone files, and an include with a template and the list of zones.

    include: FOLDER/zones.conf       the one line that knot.conf needs

knotd is told over its control socket. A few new zones, or zones that go, by a configuration
transaction, many by `reload`; a small change of a zone by a zone transaction, a large one by
`zone-reload`. Files and include are in place before, so that a knotd that is started again at any
time has what it has been told.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from syncclient.backends.contract import ServerSettings, register
from syncclient.backends.filebackend import FileBackend, Loading
from syncclient.backends.knotconf import ZoneList, template_option
from syncclient.backends.knotcontrol import Control, Item, control, errors_of, refusal_text
from syncclient.backends.knotzones import ZoneTransactions, end_transactions, small_differences
from syncclient.backends.step import Stage, Step
from syncclient.backends.tools import Said, ToolTimedOut, run_tool
from syncclient.backends.zonenames import domain_text
from syncclient.together import together
from syncd.errors import ServerFailed, file_failure
from syncd.logs import EventLog
from syncd.settings import setting

log = EventLog("syncclient.backends.knot")

_TRANSACTION_ZONES = 2000
"""Zones that come or go, up to how many are told by a configuration transaction."""
_ASKED_BY_NAME = 64
"""Zones, up to how many are looked for one by one in what knotd has."""
_CHECKED_LIST_BYTES = 1 << 20
"""Size of a list, up to which conf-check reads it; that takes as long as the reload, which is
refused as a whole for what conf-check would say."""
_SERIOUS = "Serious semantic error detected"
_MINOR = "Error summary:"
_MARKER = "configuration-transaction"
"""File that is there while one of ours may be open."""


@dataclass(frozen=True)
class KnotSettings:
    """Section [knot]."""

    control: str = setting(
        "/run/knot/knot.sock", "knotd's control socket; this user must be able to write to it."
    )
    kzonecheck: str = setting("kzonecheck", "Program that checks a zone's file.", filled=True)
    knotc: str = setting("knotc", "Program that checks the list of zones.", filled=True)
    template: str = setting("syncd", "What the template of these zones is called in knotd.")
    template_options: tuple[str, ...] = setting(
        (),
        'Further lines of that template: ["acl: transfer", "module: mod-rrl/default"]. What they '
        "name stands in knot.conf above the include.",
        each=template_option,
    )


class Knot(FileBackend):
    """A knotd on this machine; see the module's top."""

    name = "knot"
    settings_kind = KnotSettings
    list_name = "zones.conf"

    def __init__(self, settings: KnotSettings, server: ServerSettings, folder: Path) -> None:
        super().__init__(settings, server, folder)
        self._settings = settings
        self._zone_list = ZoneList(
            settings.template, self.files.path.absolute(), settings.template_options
        )
        self._transactions = ZoneTransactions()
        self._knows_template = False
        """Whether knotd has the template as the list has it."""
        self._marker = folder / _MARKER

    async def describe(self) -> str:
        async with self._control(Stage.CONFIRM) as knotd:
            answer = await knotd.ask("status", [{Item.TYPE: "version"}])
        version = answer[0].get(Item.DATA, "") if answer else ""
        return f"Knot DNS {version.removeprefix('Version: ')}".strip()

    async def recover(self) -> frozenset[str]:
        head = self._zone_list.head()

        def knows_template() -> bool:
            try:
                with self.list.open() as file:
                    return file.read(len(head)) == head
            except FileNotFoundError:
                return False
            except OSError as error:
                raise file_failure(error) from None

        self._knows_template = await trio.to_thread.run_sync(knows_template)
        if self._marker.exists():
            self._knows_template = False
            with suppress(ServerFailed):  # it is ended before the next, if knotd lives
                async with self._control(Stage.ACTIVATE) as knotd:
                    await self._end_own_transaction(knotd)
        return await super().recover()

    # What is checked

    async def foreign(self, zones: Collection[str]) -> dict[str, str]:
        names = {domain_text(zone): zone for zone in zones}
        found: dict[str, str] = {}
        async with self._control(Stage.CHECK) as knotd:
            if len(names) > _ASKED_BY_NAME:
                known = await knotd.ask("conf-read", [{Item.SECTION: "zone", Item.ITEM: "domain"}])
                there = names.keys() & {unit.get(Item.DATA, "") for unit in known}
                names = {name: names[name] for name in there}
            for name, zone in names.items():
                asked = {Item.SECTION: "zone", Item.ITEM: "template", Item.ID: name}
                answer = await knotd.ask("conf-read", [asked])  # of several, it ends at an error
                if errors_of(answer):
                    continue  # it does not have it
                if not any(unit.get(Item.DATA) == self._settings.template for unit in answer):
                    found[zone] = (
                        "knotd has this zone already, not from us: take it out of knot.conf"
                    )
        return found

    def check_command(self, zone: str, file: Path) -> Sequence[str]:
        return [self._settings.kzonecheck, "-v", "-o", domain_text(zone), str(file)]

    def is_refused(self, said: Said) -> bool:
        """Refuse what knotd does not load; what its tool only warns of, as of missing glue and of
        signatures that have expired, is for the source to mend."""
        return super().is_refused(said) and (_MINOR not in said.text or _SERIOUS in said.text)

    async def stage(self, step: Step) -> None:
        """Write the files; meanwhile, have knotd itself take small changes into transactions."""
        known = [zone for zone in step.coming() if step.changes[zone].old is not None]
        differences = await trio.to_thread.run_sync(small_differences, step, known)

        async def prepare() -> None:
            if differences:
                async with self._control(Stage.CHECK) as knotd:
                    await self._transactions.prepare(knotd, step, differences)

        await together(partial(super().stage, step), prepare)

    async def check_files(self, step: Step, zones: list[str]) -> None:
        """Check the files of what is no transaction."""
        await super().check_files(step, [zone for zone in zones if zone not in self._transactions])

    def list_text(self, zones: list[str]) -> str:
        return self._zone_list.text(zones)

    async def check_list(self, file: Path) -> None:
        if self._settings.template_options and not self._knows_template:
            await self._check_options()
        if file.stat().st_size > _CHECKED_LIST_BYTES:
            return
        if self._settings.template_options:
            file = await trio.to_thread.run_sync(self._without_options, file)
        try:
            said = await run_tool(
                [self._settings.knotc, "-c", str(file), "conf-check"],
                timeout_s=self.server.tool_s,
                stage=Stage.CHECK,
            )
        except ToolTimedOut as error:
            raise ServerFailed(Stage.CHECK.value, str(error)) from None
        if said.status != 0:
            raise ServerFailed(Stage.CHECK.value, f"knotc conf-check {file}: {said.message}")

    async def _check_options(self) -> None:
        async with self._control(Stage.CHECK) as knotd:
            await self._end_own_transaction(knotd)
            self._mark(open_now=True)
            refused = await self._zone_list.try_options(knotd)
            self._mark(open_now=False)
        if refused is not None:
            raise ServerFailed(
                Stage.CHECK.value, f"knotd does not take template_options: {refused}; mend them in "
                "[knot], and have what they name above the include in knot.conf",
            )  # fmt: skip

    def _without_options(self, file: Path) -> Path:
        """Write the list without what refers to the rest of knot.conf."""
        plain = file.with_name("check.conf")
        try:
            text = file.read_text()
            head = self._zone_list.head(plain=True)
            plain.write_text(head + text.removeprefix(self._zone_list.head()))
        except OSError as error:
            raise file_failure(error) from None
        return plain

    # What knotd is told

    async def load(self, loading: Loading) -> None:
        async with self._control(Stage.ACTIVATE) as knotd:
            by_file = [zone for zone in loading.changed if zone not in self._transactions]
            refused = await self._transactions.commit(knotd, loading.changed)
            if loading.lists_differ:
                await self._change_list(knotd, loading)
        for zone, reason in refused.items():
            said = await self.why_never(zone)
            if said is None:
                by_file.append(zone)  # somebody has ended the transaction
            else:
                loading.step.fail(zone, Stage.ACTIVATE, f"zone-commit: {reason}: {said}")
        if loading.step.whole and not loading.going_back:
            # Reload has taken the files that are newer, not those that it could have had before.
            changes = loading.step.changes
            by_file = [zone for zone in by_file if changes[zone].old != changes[zone].new]
        await self._load_files(by_file)

    async def _change_list(self, knotd: Control, loading: Loading) -> None:
        few = len(loading.added) + len(loading.removed) <= _TRANSACTION_ZONES
        if few and self._knows_template and not loading.step.whole:
            await self._end_own_transaction(knotd)
            self._mark(open_now=True)
            refused = await self._zone_list.change(knotd, loading.added, loading.removed)
            self._mark(open_now=False)
            if refused is None:
                return
            log.warning("whole_list_loaded", reason=refused)
        errors = errors_of(await knotd.ask("reload"))
        if errors:
            raise ServerFailed(
                Stage.ACTIVATE.value, f"{refusal_text('reload', errors)}; knotd keeps the "
                "configuration that it has; `knotc conf-check` says more",
            )  # fmt: skip
        self._knows_template = True

    def _mark(self, *, open_now: bool) -> None:
        """Note that a configuration transaction of ours is open, or no longer. Raises FileFailed,
        as an error of the file system would be taken for one of the socket."""
        try:
            self._marker.touch() if open_now else self._marker.unlink()
        except OSError as error:
            raise file_failure(error) from None

    async def _end_own_transaction(self, knotd: Control) -> None:
        """End what an agent left open that died, or lost its connection: it would keep everybody
        from changing the configuration."""
        if self._marker.exists():
            await knotd.ask("conf-abort")
            self._mark(open_now=False)

    async def _load_files(self, zones: list[str]) -> None:
        """Have files loaded, without waiting for it: a knotd that has a transaction open for one of
        the zones would wait for its end, and nobody could tell it to end it."""
        names = [domain_text(zone) for zone in zones]
        if not names:
            return
        async with self._control(Stage.ACTIVATE) as knotd:
            await end_transactions(knotd, names)
            await knotd.ask("zone-reload", [{Item.ZONE: name} for name in names])

    async def explain(self, zone: str) -> str:
        async with self._control(Stage.CONFIRM) as knotd:
            answer = await knotd.ask("zone-status", [{Item.ZONE: domain_text(zone)}])
        errors = errors_of(answer)
        if errors:
            return f"zone-status: {errors[0][Item.ERROR]}"
        state = {unit.get(Item.TYPE, ""): unit.get(Item.DATA, "") for unit in answer}
        said = f"zone-status: serial {state.get('serial', '-')}, load {state.get('load', '-')}"
        return await self.why_never(zone) or said

    def _control(self, stage: Stage) -> AbstractAsyncContextManager[Control]:
        path = Path(self._settings.control)
        return control(path, timeout_s=self.server.tool_s, stage=stage)

    async def finish(self, step: Step) -> None:
        if self._transactions:
            with suppress(ServerFailed):  # then there is nobody who would commit them
                async with self._control(Stage.ACTIVATE) as knotd:
                    await self._transactions.abort(knotd)
        await super().finish(step)


register(Knot)
