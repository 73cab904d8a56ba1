"""BIND 9: zone files, and an include with a zone statement for each.

    include "FOLDER/zones.conf";     the one line that named.conf needs

named is told by rndc: `reload ZONE` for a few zones, `reconfig` when the list has changed, and one
`reload` for many: it looks at each file's time and loads what is newer than its last load. If the
clock was set back since then, the files are given a later time.
"""

import math
import os
import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

import trio

from syncclient.backends.contract import ServerSettings, register
from syncclient.backends.filebackend import FileBackend, Loading
from syncclient.backends.step import Stage, Step
from syncclient.backends.tools import Said, ToolTimedOut, command_server, run_tool
from syncclient.backends.zonenames import domain_text
from syncclient.dns import DnsServer, ask_serials
from syncd.errors import ConnectionFailed, ServerFailed, file_failure
from syncd.settings import setting

_SINGLE_CHECKS = 16
"""Zones, up to how many are checked by named-checkzone; more by one named-checkconf for all."""
_SINGLE_RELOADS = 16
"""Zones, up to how many are reloaded by name."""
_REFUSED_BY_NAMED = "' failed: "
"""What rndc prints between the command and the reason when named has answered."""
_LOADED = re.compile(r"^zone (\S+)/IN: loaded serial [0-9]+", re.MULTILINE)
_LAST_LOADED = re.compile(r"^last loaded: (.+ GMT)$", re.MULTILINE)
_LATER_S = 24 * 3600
"""By how much a file is made newer than the last load of one zone: others were loaded after it."""
_NUDGE_S = 1.0
"""How long named is left alone with what it was told to load before it is looked at."""
_VERSION = re.compile(r"^version: (BIND )?(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class BindSettings:
    """Section [bind]."""

    rndc: tuple[str, ...] = setting(
        ("rndc",),
        'How named is told, with options: ["rndc", "-c", "/etc/bind/rndc.conf"].',
        filled=True,
    )
    named_checkzone: str = setting(
        "named-checkzone", "Program that checks a zone's file.", filled=True
    )
    named_checkconf: str = setting(
        "named-checkconf",
        "Program that checks the list of zones, and many zones at once.",
        filled=True,
    )
    zone_options: str = setting(
        "",
        "What stands in each zone's statement beside type and file, as "
        '"allow-transfer { none; };".',
    )


class Bind(FileBackend):
    """A named on this machine; see the module's top."""

    name = "bind"
    settings_kind = BindSettings
    list_name = "zones.conf"

    def __init__(self, settings: BindSettings, server: ServerSettings, folder: Path) -> None:
        super().__init__(settings, server, folder)
        self._settings = settings
        self._next_nudge_at = -math.inf

    async def describe(self) -> str:
        said = await self._rndc(Stage.CONFIRM, "status")
        found = _VERSION.search(said.text)
        if said.status != 0 or found is None:
            raise ServerFailed(Stage.CONFIRM.value, f"rndc status: {said.message}")
        return f"BIND {found[2]}"

    async def explain(self, zone: str) -> str:
        said = await self._rndc(Stage.CONFIRM, "zonestatus", zone)
        refused = None if said.status == 0 else await self.why_never(zone)
        return refused or said.message

    def check_command(self, zone: str, file: Path) -> Sequence[str]:
        return [self._settings.named_checkzone, "-i", "local", "--", zone, str(file)]

    async def check_files(self, step: Step, zones: list[str]) -> None:
        """Check a few zones each by itself; many by one process, and by itself only what that
        does not load."""
        if len(zones) > _SINGLE_CHECKS:
            zones = await self._not_loaded(zones)
        await super().check_files(step, zones)

    async def _not_loaded(self, zones: list[str]) -> list[str]:
        config = self.list.with_name("check.conf")
        text = "".join(self._statement(zone, self.files.staged_file(zone)) for zone in zones)
        await _write(config, text)
        command = [self._settings.named_checkconf, "-z", str(config)]
        try:
            said = await run_tool(command, timeout_s=self.server.tool_s, stage=Stage.CHECK)
        except ToolTimedOut:
            return zones  # each is given its own time, and those that take too long are named
        loaded = {name.lower().rstrip(".") + "." for name in _LOADED.findall(said.text)}
        return [zone for zone in zones if zone not in loaded]

    def list_text(self, zones: list[str]) -> str:
        return "".join(self._statement(zone, self.files.file(zone)) for zone in zones)

    def _statement(self, zone: str, file: Path) -> str:
        options = f" {self._settings.zone_options}" if self._settings.zone_options else ""
        return f"{_head(zone)} type primary; file {_quoted(str(file))};{options} }};\n"

    async def foreign(self, zones: Collection[str]) -> dict[str, str]:
        others = await trio.to_thread.run_sync(self._unlisted, zones)
        try:
            answers = await ask_serials(DnsServer.parse(self.server.address), others)
        except ConnectionFailed:
            return {}  # whoever confirms will say it
        found = {}
        for zone in (answer.zone for answer in answers if answer.serial is not None):
            said = await self._rndc(Stage.CHECK, "zonestatus", zone)
            if said.status == 0 and str(self.files.file(zone)) not in said.text:
                found[zone] = "named has this zone already, not from us: take it out of named.conf"
        return found

    def _unlisted(self, zones: Iterable[str]) -> list[str]:
        """Return the zones that are not in the list that is in place."""
        waiting = {_head(zone): zone for zone in zones}
        try:
            with self.list.open("r", encoding="utf-8", errors="surrogateescape") as lines:
                for line in lines:
                    waiting.pop(line[: line.find("{") + 1], None)
        except FileNotFoundError:
            pass  # nothing was listed yet
        except OSError as error:
            raise file_failure(error) from None
        return list(waiting.values())

    async def check_list(self, file: Path) -> None:
        try:
            said = await run_tool(
                [self._settings.named_checkconf, str(file)],
                timeout_s=self.server.tool_s,
                stage=Stage.CHECK,
            )
        except ToolTimedOut as error:
            raise ServerFailed(Stage.CHECK.value, str(error)) from None
        if said.status != 0:
            raise ServerFailed(Stage.CHECK.value, f"named-checkconf {file}: {said.message}")

    async def load(self, loading: Loading) -> None:
        self._next_nudge_at = trio.current_time() + _NUDGE_S
        if loading.step.whole or len(loading.changed) > _SINGLE_RELOADS:
            await self._told("reload")
            return
        if loading.lists_differ:
            await self._told("reconfig")
        for zone in loading.changed:
            said = await self._rndc(Stage.ACTIVATE, "reload", zone)
            if said.status != 0:
                loading.step.fail(zone, Stage.ACTIVATE, f"rndc reload: {said.message}")

    async def nudge(self, zones: Collection[str]) -> None:
        """Have files loaded that named takes for old, because the clock was set back."""
        if trio.current_time() < self._next_nudge_at:
            return  # it is loading, most likely, and rndc is a process each time
        self._next_nudge_at = trio.current_time() + _NUDGE_S
        zone = next(iter(zones))
        said = await self._rndc(Stage.CONFIRM, "zonestatus", zone)
        if (found := _LAST_LOADED.search(said.text)) is None:
            return
        loaded_s = parsedate_to_datetime(found[1]).timestamp()
        if await trio.to_thread.run_sync(self._make_later, zone, zones, loaded_s):
            await self._told("reload")

    def _make_later(self, zone: str, zones: Collection[str], loaded_s: float) -> bool:
        """Make the files of `zones` newer than a load of `zone`; False if its file is already."""
        later_s = loaded_s + _LATER_S
        try:
            if self.files.file(zone).stat().st_mtime > loaded_s:
                return False
            for each in zones:
                with suppress(FileNotFoundError):  # it is to go
                    os.utime(self.files.file(each), (later_s, later_s))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise file_failure(error) from None
        return True

    async def _told(self, command: str) -> None:
        said = await self._rndc(Stage.ACTIVATE, command)
        if said.status != 0:
            raise ServerFailed(Stage.ACTIVATE.value, f"rndc {command}: {said.message}")

    async def _rndc(self, stage: Stage, *words: str) -> Said:
        """Run rndc. Raises ServerFailed if it does not get through to named; what named itself
        refuses is for the caller."""
        command = [*self._settings.rndc, *words]
        said = await command_server(command, timeout_s=self.server.tool_s, stage=stage)
        if said.status != 0 and _REFUSED_BY_NAMED not in said.text:
            raise ServerFailed(stage.value, f"rndc {words[0]}: {said.message}")
        return said


def _head(zone: str) -> str:
    """Return how the statement of a zone begins."""
    return f'zone "{domain_text(zone)}" {{'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def _write(path: Path, text: str) -> None:
    try:
        await trio.Path(path).write_text(text)
    except OSError as error:
        raise file_failure(error) from None


register(Bind)
