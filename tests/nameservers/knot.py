"""Knot DNS: `with running_knot(folder, zones=...) as server: server.knotc("zone-reload", zone)`."""

from collections.abc import Sequence
from pathlib import Path

from tests.nameservers.server import NameServer, Zones

_TCP_TIMEOUT_MS = 60_000
"""By default a client that does not read for half a second loses its transfer: on a machine with
much to do, any client at times."""


def running_knot(
    folder: Path,
    *,
    zones: Zones = {},  # noqa: B006 (nobody writes to it)
    server_options: str = "",
    zone_options: str = "acl: loopback",
    definitions: str = "",
    extra_config: str = "",
) -> "Knot":
    """Return a knotd to enter with `with`.

    `server_options` are further lines of the server section, `zone_options` those of the default
    template. `definitions` stand before that, as it may name them (keys, remotes, access lists),
    `extra_config` below all that (includes, further zones).
    The access list `loopback` lets this machine transfer, notify and update.
    """
    return Knot(folder, zones, server_options, zone_options, definitions, extra_config)


class Knot(NameServer):
    """A knotd; `socket` is its control socket."""

    name = "knotd"

    def __init__(
        self,
        folder: Path,
        zones: Zones,
        server_options: str,
        zone_options: str,
        definitions: str,
        extra_config: str,
    ) -> None:
        super().__init__(folder, zones)
        self._server_options, self._zone_options = server_options, zone_options
        self._definitions, self._extra_config = definitions, extra_config

    @property
    def socket(self) -> Path:
        return self.run_folder / "socket"

    def knotc(self, *words: str) -> str:
        """Run a control command and return what it prints. Raises ControlFailed."""
        return self._control("knotc", "-s", self.socket, *words)

    def _configure(self) -> None:
        (self.folder / "db").mkdir(exist_ok=True)
        zones = "".join(
            f'  - domain: "{zone}"\n    file: "{file}"\n' for zone, file in self._zones.items()
        )
        self.config.write_text(f"""\
server:
    rundir: "{self.run_folder}"
    listen: 127.0.0.1@{self.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    tcp-io-timeout: {_TCP_TIMEOUT_MS}
{_indented(self._server_options)}
log:
  - target: stderr
    any: info
database:
    storage: "{self.folder / "db"}"
    journal-db-max-size: 64M
    kasp-db-max-size: 16M
    timer-db-max-size: 16M
    catalog-db-max-size: 16M
acl:
  - id: loopback
    address: 127.0.0.1
    action: [transfer, notify, update]
{self._definitions}
template:
  - id: default
    storage: "{self.folder}"
    file: "%s.zone"
{_indented(self._zone_options)}
{self._extra_config}
{"zone:" if zones else ""}
{zones}
""")

    def _command(self) -> Sequence[str]:
        return ["knotd", "-c", str(self.config), "-s", str(self.socket)]

    def _takes_commands(self) -> bool:
        return self._takes("knotc", "-s", str(self.socket), "status")


def _indented(lines: str) -> str:
    return "\n".join(f"    {line.strip()}" for line in lines.splitlines())
