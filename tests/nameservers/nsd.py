"""NSD: `with running_nsd(folder, zones=...) as server: server.nsd_control("reload", zone)`."""

from collections.abc import Sequence
from pathlib import Path

from tests.nameservers.server import NameServer, Zones


def running_nsd(
    folder: Path,
    *,
    zones: Zones = {},  # noqa: B006 (nobody writes to it)
    server_options: str = "",
    zone_options: str = "provide-xfr: 127.0.0.1 NOKEY",
    extra_config: str = "",
) -> "Nsd":
    """Return an nsd to enter with `with`.

    `server_options` are further lines of the server section, `zone_options` those of each zone of
    `zones`; `extra_config` stands below all that (includes, patterns, further zones, keys).
    """
    return Nsd(folder, zones, server_options, zone_options, extra_config)


class Nsd(NameServer):
    """An nsd; `socket` is its control socket, `zone_list` where it keeps what `addzone` added."""

    name = "nsd"

    def __init__(
        self, folder: Path, zones: Zones, server_options: str, zone_options: str, extra_config: str
    ) -> None:
        super().__init__(folder, zones)
        self.zone_list = folder / "zone.list"
        self._server_options, self._zone_options = server_options, zone_options
        self._extra_config = extra_config

    @property
    def socket(self) -> Path:
        return self.run_folder / "socket"

    def nsd_control(self, *words: str) -> str:
        """Run a control command and return what it prints. Raises ControlFailed."""
        return self._control("nsd-control", "-c", self.config, *words)

    def _configure(self) -> None:
        zones = "".join(
            f'zone:\n    name: "{zone}"\n    zonefile: "{file}"\n{_indented(self._zone_options)}\n'
            for zone, file in self._zones.items()
        )
        self.config.write_text(f"""\
server:
    ip-address: 127.0.0.1@{self.port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{self.folder}"
    database: ""
    zonelistfile: "{self.zone_list}"
    xfrdfile: ""
    xfrdir: "{self.run_folder}"
    pidfile: ""
    zonefiles-write: 0
    hide-version: no
    verbosity: 1
{_indented(self._server_options)}
remote-control:
    control-enable: yes
    control-interface: "{self.socket}"
{self._extra_config}
{zones}
""")

    def _command(self) -> Sequence[str]:
        return ["nsd", "-d", "-c", str(self.config)]

    def _takes_commands(self) -> bool:
        return self._takes("nsd-control", "-c", str(self.config), "status")


def _indented(lines: str) -> str:
    return "\n".join(f"    {line.strip()}" for line in lines.splitlines())
