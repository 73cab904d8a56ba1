"""No name server that we know: a folder of zone files, and a command that is run when it changed.

It is for whatever reads master files. As nothing is known of who reads them, nobody is asked
whether it answers: the two commands are all the proof there is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncclient.backends.contract import Capabilities, ServerSettings, register
from syncclient.backends.filebackend import FileBackend, Loading
from syncclient.backends.step import Stage, Step
from syncclient.backends.tools import command_server
from syncclient.newfolder import NewFolder
from syncd.errors import ServerFailed
from syncd.settings import setting


@dataclass(frozen=True)
class FilesSettings:
    """Section [files]."""

    command: tuple[str, ...] = setting(
        (),
        "Command that is run when files in the folder zones, or the list of zones, zones.list, "
        'have changed, as ["systemctl", "reload", "NAME"]. If it fails, everything is put back and '
        "it is run again.",
    )
    check: tuple[str, ...] = setting(
        (),
        'Command that checks one zone\'s file, as ["named-checkzone", "{zone}", "{file}"]; a zone '
        "for which it fails stays as it was.",
    )


class Files(FileBackend):
    """The folder; see the module's top."""

    name = "files"
    settings_kind = FilesSettings
    capabilities = Capabilities(dns=False, serials=False)
    list_name = "zones.list"

    def __init__(self, settings: FilesSettings, server: ServerSettings, folder: Path) -> None:
        super().__init__(settings, server, folder)
        self._settings = settings

    async def describe(self) -> str:
        return "files"

    async def explain(self, zone: str) -> str:
        return "nobody is asked"

    def new_folder(self) -> Callable[[], NewFolder] | None:
        return None if self._settings.check else super().new_folder()

    async def check_zones(self, step: Step) -> None:
        """Check all that is staged: of new zones, too, nobody else says whether they are right."""
        if self._settings.check:
            await self.check_files(step, await self.staged_of(step))

    def check_command(self, zone: str, file: Path) -> Sequence[str]:
        known: dict[str, Any] = {"{zone}": zone, "{file}": file}
        return [str(known.get(word, word)) for word in self._settings.check]

    def list_text(self, zones: list[str]) -> str:
        return "".join(f"{zone}\n" for zone in zones)

    async def check_list(self, file: Path) -> None:
        return None

    async def load(self, loading: Loading) -> None:
        if not self._settings.command:
            return
        said = await command_server(
            self._settings.command, timeout_s=self.server.tool_s, stage=Stage.ACTIVATE
        )
        if said.status != 0:
            raise ServerFailed(
                Stage.ACTIVATE.value, f"{' '.join(self._settings.command)}: {said.message}"
            )


register(Files)
