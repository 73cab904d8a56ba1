"""NSD: zone files, and one pattern that says where they are.

    pattern:
        name: "syncd"
        zonefile: "FOLDER/zones/%s.zone"      the lines that nsd.conf needs

NSD keeps the list of zones by itself: it is told `addzones` and `delzones`, and what it has is
compared with what it should have whenever that is not certain. `%s` is the zone's name as it was
told, so names are told, and files called, in a form that is safe in its list, in a path and in a
command. A file that NSD cannot load takes its zone away: all that it serves are checked before.
"""

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import trio

from syncclient.backends.contract import ServerSettings, register
from syncclient.backends.filebackend import Loading, ZoneFileBackend
from syncclient.backends.nsdcontrol import ControlSocket, ControlTool, NsdControl
from syncclient.backends.step import Stage, Step
from syncclient.backends.tools import ToolTimedOut, run_tool
from syncclient.backends.zonefiles import FileNames, ZoneFiles
from syncclient.backends.zonenames import domain_text
from syncd.content.zone.names import name_text, name_wire
from syncd.errors import ServerFailed, file_failure, shown
from syncd.settings import setting
from syncd.types.zone_files import SUFFIX

_SINGLE_CHECKS = 16
"""Zones, up to how many are checked each by itself; more of them together, see `_not_proven`."""
_CHECKED_TOGETHER_BYTES = 1 << 20
"""Files up to this size are checked together with others; a larger one is worth its process."""
_LISTED_AT_ONCE = 10_000
"""Zones told by one addzones or delzones: NSD does nothing else while it takes them."""
_VERSION = re.compile(r"^version: (\S+)", re.MULTILINE)
_STATUS = re.compile(r"^zone:\t(.*)\n\tpattern: (.*)$", re.MULTILINE)
_ZONES = re.compile(r"^zone:\t(.*)(?:\n\tpattern: (.*))?$", re.MULTILINE)
"""Also those of nsd.conf, which have no pattern."""
_LOGGED = re.compile(r"\[[0-9-]+ [0-9:.]+\] nsd-checkzone\[[0-9]+\]: ")
_REFUSED = re.compile(r"^error (?!for input line).*", re.MULTILINE)


@dataclass(frozen=True)
class NsdSettings:
    """Section [nsd]."""

    socket: str = setting(
        "/run/nsd/nsd.ctl",
        "NSD's control-interface, if it is a local socket: that is the fastest way to it. "
        '"" has nsd_control run instead.',
    )
    nsd_control: tuple[str, ...] = setting(
        ("nsd-control",),
        'How NSD is told if there is no socket, with options: ["nsd-control", "-s", "::1@8952"].',
        filled=True,
    )
    nsd_checkzone: str = setting("nsd-checkzone", "Program that checks a zone's file.", filled=True)
    pattern: str = setting(
        "syncd", "Pattern in nsd.conf that the zones are added with; all zones of it are ours."
    )


class Nsd(ZoneFileBackend):
    """An NSD on this machine; see the module's top."""

    name = "nsd"
    settings_kind = NsdSettings

    def __init__(self, settings: NsdSettings, server: ServerSettings, folder: Path) -> None:
        super().__init__(settings, server, folder)
        self._settings = settings
        self._control: NsdControl = (
            ControlSocket(Path(settings.socket), server.tool_s)
            if settings.socket
            else ControlTool(settings.nsd_control, server.tool_s)
        )

    def make_files(self, path: Path) -> ZoneFiles:
        return ZoneFiles(path, FileNames(nsd_file_name, zone_of_nsd_file))

    async def describe(self) -> str:
        said = await self._control.ask(Stage.CONFIRM, "status")
        found = _VERSION.search(said)
        if found is None:
            raise ServerFailed(Stage.CONFIRM.value, f"nsd-control status: {shown(said)}")
        return f"NSD {found[1]}"

    async def explain(self, zone: str) -> str:
        said = await self._control.ask(Stage.CONFIRM, f"zonestatus {nsd_name(zone)}")
        file = self.files.file(zone)
        if said.startswith("error") or not file.exists():
            return shown(" ".join(said.split()))
        if (refused := await self.why_never(zone)) is not None:
            return refused
        return (
            f"nsd-checkzone finds no fault in {file}: is that what the zonefile of pattern "
            f"{self._settings.pattern} means, and may NSD's user read it?"
        )

    def check_command(self, zone: str, file: Path) -> Sequence[str]:
        return [self._settings.nsd_checkzone, zone, str(file)]

    def refusal(self, message: str) -> str:
        return _without_times(message)

    async def check_files(self, step: Step, zones: list[str]) -> None:
        """Check a few zones each by itself; many small ones at once, and by itself only when
        something is found."""
        if len(zones) > _SINGLE_CHECKS:
            zones = await self._not_proven(zones)
        await super().check_files(step, zones)

    async def _not_proven(self, zones: list[str]) -> list[str]:
        """Return the zones that a check of many at once has not proven to be right.

        nsd-checkzone takes one zone. So it is given the root zone with the records of all of
        them: what is wrong in one of them (a record, data below a DNAME or beside a CNAME) is
        wrong there too. Only their SOA records, the first line of each, could not stand there.
        """
        file = self.folder / "check.zone"
        large = await trio.to_thread.run_sync(self._write_together, file, zones)
        try:
            said = await run_tool(
                self.check_command(".", file), timeout_s=self.server.tool_s, stage=Stage.CHECK
            )
        except ToolTimedOut:
            return zones  # each is given its own time, and those that take too long are named
        return large if said.status == 0 else zones

    def _write_together(self, file: Path, zones: list[str]) -> list[str]:
        large = []
        try:
            with file.open("wb") as together:
                together.write(b". 60 IN SOA . . 1 7200 3600 1209600 60\n. 60 IN NS .\n")
                for zone in zones:
                    with self.files.staged_file(zone).open("rb") as staged:
                        if os.fstat(staged.fileno()).st_size > _CHECKED_TOGETHER_BYTES:
                            large.append(zone)
                            continue
                        staged.readline()
                        together.write(staged.read())
        except OSError as error:
            raise file_failure(error) from None
        return large

    async def foreign(self, zones: Collection[str]) -> dict[str, str]:
        names = {nsd_name(zone): zone for zone in zones}
        if len(names) > self._control.few_commands:
            said = await self._control.ask(Stage.CHECK, "zonestatus")
        else:
            said = ""
            for name in names:
                said += await self._control.ask(Stage.CHECK, f"zonestatus {name}")
        found = {}
        for name, pattern in _ZONES.findall(said):
            zone = names.get(name.lower().rstrip(".") or ".")  # it shows what its operator wrote
            if zone is not None and pattern != self._settings.pattern:
                of = f"of pattern {pattern}" if pattern else "in nsd.conf"
                found[zone] = f"NSD has this zone already, {of}, not from us: take it out"
        return found

    async def load(self, loading: Loading) -> None:
        step = loading.step
        if step.whole and not loading.going_back:
            await self._compare(step)
            return
        await self._change_list("delzones", map(nsd_name, loading.removed))
        present = await self._add(loading.added)
        again = loading.changed + present
        if len(again) > self._control.few_commands:
            await self._told("reload")
            return
        for zone in again:
            said = await self._control.ask(Stage.ACTIVATE, f"reload {nsd_name(zone)}")
            if not said.startswith("error"):
                continue
            if zone in loading.changed and "not configured" in said:
                await self._add([zone])  # somebody has taken it out
            else:
                step.fail(zone, Stage.ACTIVATE, f"nsd-control reload: {shown(said.strip())}")

    async def _compare(self, step: Step) -> None:
        """Have NSD have the zones that a step leads to, whichever it has."""
        said = await self._control.ask(Stage.ACTIVATE, "zonestatus")
        present = {
            name for name, pattern in _STATUS.findall(said) if pattern == self._settings.pattern
        }
        wanted = {nsd_name(zone): zone for zone in await trio.to_thread.run_sync(_zones, step)}
        await self._change_list("delzones", [name for name in present if name not in wanted])
        await self._add([zone for name, zone in wanted.items() if name not in present])
        if not present.isdisjoint(wanted):
            await self._told("reload")

    async def _add(self, zones: list[str]) -> list[str]:
        """Add zones; return those that NSD had already, which it has not loaded again."""
        lines = (f"{nsd_name(zone)} {self._settings.pattern}" for zone in zones)
        said = await self._change_list("addzones", lines)
        if "already exists" not in said:
            return []
        return [zone for zone in zones if f"zone {nsd_name(zone)} already exists\n" in said]

    async def _change_list(self, command: str, lines: Iterable[str]) -> str:
        said = ""
        waiting = iter(lines)
        while page := list(islice(waiting, _LISTED_AT_ONCE)):
            answer = await self._control.ask(Stage.ACTIVATE, command, page)
            if found := _REFUSED.search(answer):
                raise ServerFailed(
                    Stage.ACTIVATE.value,
                    f"nsd-control {command}: {found[0]}; see that nsd.conf has the pattern that "
                    "[nsd] names",
                )
            said += answer
        return said

    async def _told(self, command: str) -> None:
        said = await self._control.ask(Stage.ACTIVATE, command)
        if said.startswith("error"):
            raise ServerFailed(Stage.ACTIVATE.value, f"nsd-control {command}: {shown(said)}")


def nsd_name(zone: str) -> str:
    """Return a zone's name as NSD is told it: no final dot, whatever is not of a host name as
    \\DDD; so it is one word, a file's name, and `%s` in its pattern."""
    return domain_text(zone).removesuffix(".") or "."


def nsd_file_name(zone: str) -> str:
    """Return the name of a zone's file."""
    return nsd_name(zone) + SUFFIX


def zone_of_nsd_file(name: str) -> str:
    """Return the zone whose file `nsd_file_name` calls so."""
    stem = name.removesuffix(SUFFIX)
    return "." if stem == "." else name_text(name_wire(stem + ".", b""))


def _without_times(said: str) -> str:
    """Return what nsd-checkzone said without what it logs before each line."""
    return _LOGGED.sub("", said)


def _zones(step: Step) -> list[str]:
    return list(step.zones())


register(Nsd)
