"""What servers that read a file for each zone have in common; some a generated list of zones too.

A zone that the server answers already is checked by its tool before it is put in place: that
protects what is served. Zones that are new to the server have nothing to lose; when they are many,
the server checks them as it loads them, instead of a process for each of them before.
"""

import os
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from syncclient.backends.contract import Backend, ServerSettings
from syncclient.backends.step import Stage, Step
from syncclient.backends.tools import Said, ToolTimedOut, run_tool
from syncclient.backends.zonefiles import ZoneFiles
from syncclient.durable import replace_small_file
from syncclient.newfolder import NewFolder
from syncclient.together import together
from syncd.errors import file_failure

_CHECKED_NEW_ZONES = 32
"""New zones, up to how many are checked by the tool."""


@dataclass(frozen=True)
class Loading:
    """What the server has to load, or to drop, and which files it finds in place by now."""

    step: Step
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    going_back: bool = False
    """Whether this restores what was; then nothing of `step` says what is in the files."""

    @property
    def lists_differ(self) -> bool:
        """Whether the server is to have other zones than now."""
        return bool(self.added or self.removed) or self.step.whole


class ZoneFileBackend(Backend):
    """A server that reads `zones/` of the agent's folder."""

    def __init__(self, settings: Any, server: ServerSettings, folder: Path) -> None:
        super().__init__(settings, server, folder)
        self.files = self.make_files(folder / "zones")

    # What a server has to say

    @abstractmethod
    def check_command(self, zone: str, file: Path) -> Sequence[str]:
        """Return the command that checks one zone's file: exit status 0 if it is right."""

    def is_refused(self, said: Said) -> bool:
        """Say whether what the check tool said of a file is that it cannot be served."""
        return said.status != 0

    def refusal(self, message: str) -> str:
        """Return what the check tool said as it is reported."""
        return message

    @abstractmethod
    async def load(self, loading: Loading) -> None:
        """Have the server load what is in place. Zones that it refuses fail the step."""

    def make_files(self, path: Path) -> ZoneFiles:
        """Return the folder as the server reads it."""
        return ZoneFiles(path)

    async def foreign(self, zones: Collection[str]) -> dict[str, str]:
        """Return those of some zones that the server has, and not from us: how it has them, in
        words. Raises ServerFailed."""
        return {}

    async def stage_list(self, step: Step) -> None:
        """Write and check a list of zones for the server, if it reads one, beside the one in
        place. Raises FileFailed, ServerFailed."""

    async def place_list(self) -> None:
        """Put the list that was staged in place. Raises FileFailed."""

    # The contract

    async def recover(self) -> frozenset[str]:
        return await trio.to_thread.run_sync(self.files.recover)

    def new_folder(self) -> Callable[[], NewFolder] | None:
        return self.files.new_folder()

    async def stage(self, step: Step) -> None:
        await trio.to_thread.run_sync(self.files.stage, step)

    async def check(self, step: Step) -> None:
        if unknown := step.unknown():
            for zone, reason in (await self.foreign(unknown)).items():
                step.refuse_foreign(zone, reason)
        await self.check_zones(step)
        if step.changes_list():
            await self.stage_list(step)

    async def check_zones(self, step: Step) -> None:
        """Check what the server answers already, and what is new to it if that is not much.

        What is in place already, unchanged, is not staged, and so not checked.
        """
        coming = await self.staged_of(step)
        known = [name for name in coming if step.changes[name].old is not None]
        new = [name for name in coming if step.changes[name].old is None]
        wanted = known + (new if len(new) <= _CHECKED_NEW_ZONES else [])
        await self.check_files(step, wanted)

    async def staged_of(self, step: Step) -> list[str]:
        """Return the zones of a step whose files are staged. Raises FileFailed."""
        staged = await trio.to_thread.run_sync(self.files.staged)
        return [name for name in step.coming() if name in staged]

    async def check_files(self, step: Step, zones: list[str]) -> None:
        """Check the staged files of some zones, one process each, as many at once as there are
        cores. Raises ServerFailed, FileFailed if the tool cannot be run."""
        waiting = iter(zones)

        async def work() -> None:
            for zone in waiting:
                await self._check_zone(step, zone)

        await together(*[work] * min(len(zones), os.cpu_count() or 1))

    async def _check_zone(self, step: Step, zone: str) -> None:
        command = self.check_command(zone, self.files.staged_file(zone))
        try:
            said = await run_tool(command, timeout_s=self.server.tool_s, stage=Stage.CHECK)
        except ToolTimedOut as error:
            step.fail(zone, Stage.CHECK, str(error))
            return
        if self.is_refused(said):
            step.fail(zone, Stage.CHECK, self.refusal(said.message))

    async def why_never(self, zone: str) -> str | None:
        command = self.check_command(zone, self.files.file(zone))
        try:
            said = await run_tool(command, timeout_s=self.server.tool_s, stage=Stage.CONFIRM)
        except ToolTimedOut:
            return None
        return self.refusal(said.message) if self.is_refused(said) else None

    async def activate(self, step: Step) -> None:
        await trio.to_thread.run_sync(self.files.swap, step)
        loading = Loading(
            step,
            added=[name for name in step.coming() if step.changes[name].old is None],
            changed=[name for name in step.coming() if step.changes[name].old is not None],
            removed=step.going(),
        )
        if loading.lists_differ:
            await self.place_list()
        await self.load(loading)
        await trio.to_thread.run_sync(self.files.flush)  # behind it, so that the answer is earlier

    async def roll_back(self, step: Step, zones: list[str]) -> None:
        wanted = set(zones)
        failed = [change for change in step.failed_changes() if change.name in wanted]
        new = {change.name for change in failed if change.old is None}
        await trio.to_thread.run_sync(self.files.restore, zones, new)
        loading = Loading(
            step,
            added=[change.name for change in failed if change.new is None],
            changed=[c.name for c in failed if c.old is not None and c.new is not None],
            removed=[change.name for change in failed if change.old is None],
            going_back=True,
        )
        if loading.lists_differ:
            await self.stage_list(step)
            await self.place_list()
        await self.load(loading)

    async def finish(self, step: Step) -> None:
        await trio.to_thread.run_sync(self.files.finish)


class FileBackend(ZoneFileBackend):
    """One that reads a list of zones beside them, which is made anew whenever that changes."""

    list_name: str
    """File of the generated list, in the agent's folder: what the server's configuration
    includes."""

    def __init__(self, settings: Any, server: ServerSettings, folder: Path) -> None:
        super().__init__(settings, server, folder)
        self.list = folder / self.list_name

    @abstractmethod
    def list_text(self, zones: list[str]) -> str:
        """Return the list of zones as the server's configuration has it."""

    @abstractmethod
    async def check_list(self, file: Path) -> None:
        """Have the server's tool check a list. Raises ServerFailed."""

    @property
    def _staged_list(self) -> Path:
        return self.list.with_name(self.list.name + ".staged")

    async def place_list(self) -> None:
        try:
            await trio.to_thread.run_sync(self._staged_list.replace, self.list)
        except OSError as error:
            raise file_failure(error) from None

    async def stage_list(self, step: Step) -> None:
        def write() -> None:
            try:
                replace_small_file(self._staged_list, self.list_text(list(step.zones())))
            except OSError as error:
                raise file_failure(error) from None

        await trio.to_thread.run_sync(write)
        await self.check_list(self._staged_list)
