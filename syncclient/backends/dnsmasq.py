"""dnsmasq: a file of its configuration for each zone, in a folder that one line of it names.

    conf-dir=FOLDER/zones,*.zone     the one line that dnsmasq.conf needs

dnsmasq reads its configuration only when it starts, and answers nothing while it does: every step
restarts it, once. One line that it does not take would keep it from starting, so all that it is to
read is tested before.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import SOCK_DGRAM

import dns.asyncquery
import dns.exception
import dns.message
import trio

from syncclient.backends.contract import Capabilities, ServerSettings, register
from syncclient.backends.dnsmasqrecords import cut_above, is_expressible, render
from syncclient.backends.filebackend import Loading, ZoneFileBackend
from syncclient.backends.step import Stage, Step
from syncclient.backends.tools import Said, ToolTimedOut, command_server, run_tool
from syncclient.backends.zonefiles import ZoneFiles
from syncclient.dns import DnsServer
from syncclient.filewriter import create_file, write_all
from syncclient.zonefile import joined_content
from syncd.content.versions import Version
from syncd.errors import ConfigError, ServerFailed, file_failure
from syncd.logs import EventLog
from syncd.settings import setting
from syncd.types.zone_files import SUFFIX, zone_of_own_file

log = EventLog("syncclient.backends.dnsmasq")

_REFUSE, _SKIP = "refuse", "skip"
_TESTED_TOGETHER = 16
"""Files, up to how many that are refused are found by a test of all at once."""
_STAYING = "staying"
"""Folder in which a test finds what stays."""
_SHOWN = 3
"""Records that are named of those that cannot be told."""
_VERSION_S = 2.0
_PROBE_S = 0.02
_FAULTY_FILE = re.compile(r"at line [0-9]+ of (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class DnsmasqSettings:
    """Section [dnsmasq]."""

    restart: tuple[str, ...] = setting(
        ("systemctl", "restart", "dnsmasq.service"),
        "Command that restarts dnsmasq; it fails if dnsmasq does not start.",
        filled=True,
    )
    dnsmasq: str = setting(
        "dnsmasq", "The program, which also checks its configuration.", filled=True
    )
    unsupported: str = setting(
        _REFUSE,
        'What happens to a zone with records that dnsmasq cannot be told: "refuse" leaves the '
        'zone as it was, "skip" serves it without them. Both are reported.',
    )


class Unproven:
    """What dnsmasq does not answer from a zone of a step: records left out, and delegations."""

    def __init__(self, lines: frozenset[str], cuts: frozenset[str]) -> None:
        self._lines, self._cuts = lines, cuts

    def has(self, line: str) -> bool:
        """Say whether this record is among them."""
        return line in self._lines or cut_above(line.partition(" ")[0], self._cuts) is not None


class RecordFiles(ZoneFiles):
    """The folder, each zone in dnsmasq's words."""

    def __init__(self, path: Path, *, skips: bool) -> None:
        super().__init__(path)
        self._skips = skips
        self.unproven: dict[str, Unproven] = {}
        """Of the zones of the step in hand."""

    def stage(self, step: Step) -> None:
        self.unproven.clear()
        super().stage(step)

    def new_folder(self) -> None:
        """There is none: what a bootstrap writes are zone files."""

    def write_staged(
        self, step: Step, folder: int, version: Version, contents: Iterator[bytes], *, flush: bool
    ) -> None:
        zone = version.name
        if not is_expressible(zone):
            step.fail(zone, Stage.STAGE, "dnsmasq cannot be told of a zone with this name")
            return
        text = b"".join(joined_content(version, contents)).decode("ascii")
        rendered = render(zone, text.splitlines())
        if rendered.unsupported:
            few = [f"{one.line:.100}: {one.why}" for one in rendered.unsupported[:_SHOWN]]
            number = len(rendered.unsupported)
            said = "; ".join(few) + (f"; and {number - _SHOWN} more" if number > _SHOWN else "")
            if not self._skips:
                step.fail(
                    zone, Stage.STAGE, f"{said}; unsupported = \"skip\" serves the zone without",
                )  # fmt: skip
                return
            log.warning("records_skipped", zone=zone, records=number, reason=said)
        self.unproven[zone] = Unproven(
            frozenset(one.line for one in rendered.unsupported), frozenset(rendered.cuts)
        )
        descriptor = create_file(folder, self.names.of_zone(zone))
        try:
            write_all(descriptor, "".join(f"{line}\n" for line in rendered.lines).encode("ascii"))
            if flush:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Dnsmasq(ZoneFileBackend):
    """A dnsmasq on this machine; see the module's top."""

    name = "dnsmasq"
    settings_kind = DnsmasqSettings
    capabilities = Capabilities(ttls=False, denials=False)
    files: RecordFiles

    def __init__(self, settings: DnsmasqSettings, server: ServerSettings, folder: Path) -> None:
        if settings.unsupported not in (_REFUSE, _SKIP):
            raise ConfigError(
                f"[dnsmasq] unsupported: {settings.unsupported!r} is neither "
                f'"{_REFUSE}" nor "{_SKIP}"'
            )
        self._settings = settings
        super().__init__(settings, server, folder)

    def make_files(self, path: Path) -> ZoneFiles:
        return RecordFiles(path, skips=self._settings.unsupported == _SKIP)

    async def describe(self) -> str:
        try:
            answer = await self._ask_version(_VERSION_S)
        except (OSError, UnicodeError, dns.exception.DNSException) as error:
            raise ServerFailed(
                Stage.CONFIRM.value, f"{self.server.address}: {error}; is dnsmasq running?"
            ) from None
        said = "".join(rdata.to_text().strip('"') for rrset in answer.answer for rdata in rrset)
        return said.replace("dnsmasq-", "dnsmasq ") or "dnsmasq"

    async def _ask_version(self, timeout_s: float) -> dns.message.Message:
        server = DnsServer.parse(self.server.address)
        question = dns.message.make_query("version.bind", "TXT", "CH")
        found = await trio.socket.getaddrinfo(server.host, server.port, type=SOCK_DGRAM)
        address = str(found[0][4][0])
        return await dns.asyncquery.udp(question, address, timeout_s, server.port)

    async def _wait_for_answers(self) -> None:
        """Wait until dnsmasq answers again: a question that it is not there for would be asked
        again only after a second. Whoever confirms finds out if it never does."""
        with trio.move_on_after(self.server.confirm_s):
            while True:
                try:
                    await self._ask_version(_PROBE_S)
                    return
                except (OSError, UnicodeError, dns.exception.DNSException):
                    await trio.sleep(_PROBE_S)

    async def explain(self, zone: str) -> str:
        file = self.files.file(zone)
        try:
            said = await self._test(f"--conf-file={file}")
        except ToolTimedOut as error:
            return str(error)
        if said.status != 0:
            return said.message
        return (
            f"dnsmasq --test finds no fault in {file}: does dnsmasq.conf have "
            f"conf-dir={self.files.path},*.zone, and may dnsmasq read it?"
        )

    def provable(self, zone: str, lines: list[str]) -> list[str]:
        unproven = self.files.unproven.get(zone)
        return lines if unproven is None else [line for line in lines if not unproven.has(line)]

    def check_command(self, zone: str, file: Path) -> Sequence[str]:
        return [self._settings.dnsmasq, "--test", f"--conf-file={file}"]

    async def check_zones(self, step: Step) -> None:
        """Check what is staged, together with what stays in place: whatever is wrong would keep
        dnsmasq from starting, and zones may be right only by themselves."""
        staged = await trio.to_thread.run_sync(self.files.staged)
        if not staged:
            return
        new = self.files.staged_file(next(iter(staged))).parent
        staying = await trio.to_thread.run_sync(self._link_staying, step, staged)
        for _ in range(_TESTED_TOGETHER):
            try:
                said = await self._test(
                    "--conf-file=/dev/null",
                    f"--conf-dir={staying},*{SUFFIX}",
                    f"--conf-dir={new},*{SUFFIX}",
                )
            except ToolTimedOut:
                break  # each is given its own time, and those that take too long are named
            if said.status == 0:
                return
            zone = _faulty_zone(said)
            if zone not in step.changes:
                raise ServerFailed(Stage.CHECK.value, f"dnsmasq --test: {said.message}")
            step.fail(zone, Stage.CHECK, said.message)
            await trio.to_thread.run_sync(self._keep_old, staying, zone)
        await self.check_files(step, [name for name in step.coming() if name in staged])

    def _link_staying(self, step: Step, staged: set[str]) -> Path:
        """Return a folder with the files of the zones that a step leaves as they are."""
        folder = self.folder / _STAYING
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for zone in step.zones():
                if zone not in staged:
                    self._link(folder, zone)
        except OSError as error:
            raise file_failure(error) from None
        return folder

    def _keep_old(self, staying: Path, zone: str) -> None:
        """Have a zone that is refused stay as it is."""
        try:
            self.files.staged_file(zone).unlink(missing_ok=True)
            self._link(staying, zone)
        except OSError as error:
            raise file_failure(error) from None

    def _link(self, folder: Path, zone: str) -> None:
        file = self.files.file(zone)
        with suppress(FileNotFoundError):
            (folder / file.name).hardlink_to(file)

    async def load(self, loading: Loading) -> None:
        changes = loading.added or loading.changed or loading.removed
        if not (changes or loading.step.whole):
            return  # all were refused: that is no reason to lose queries
        said = await command_server(
            self._settings.restart, timeout_s=self.server.tool_s, stage=Stage.ACTIVATE
        )
        if said.status != 0:
            raise ServerFailed(
                Stage.ACTIVATE.value, f"{' '.join(self._settings.restart)}: {said.message}"
            )
        await self._wait_for_answers()

    async def _test(self, *options: str) -> Said:
        command = [self._settings.dnsmasq, "--test", *options]
        return await run_tool(command, timeout_s=self.server.tool_s, stage=Stage.CHECK)


def _faulty_zone(said: Said) -> str:
    found = _FAULTY_FILE.search(said.text)
    return zone_of_own_file(Path(found[1]).name) if found else ""


register(Dnsmasq)
