"""dnsmasq for the suite."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncclient.backends import Backend
from syncclient.backends.dnsmasq import Dnsmasq, DnsmasqSettings
from syncd.types.zone_files import zone_of_own_file
from tests.nameservers.dnsmasq import Dnsmasq as DnsmasqServer
from tests.nameservers.dnsmasq import running_dnsmasq
from tests.syncclient.backends.rigs.rig import Rig


class DnsmasqRig(Rig):
    kind = Dnsmasq
    refusal = "dnsmasq has no DNAME"
    server: DnsmasqServer

    def make_server(self, folder: Path) -> DnsmasqServer:
        zones = self.folder / "zones"
        zones.mkdir()  # dnsmasq does not start without it
        return running_dnsmasq(folder, options=f"conf-dir={zones},*.zone")

    def settings(self, **changed: Any) -> DnsmasqSettings:
        return DnsmasqSettings(**{"restart": (str(self.server.restart_command),), **changed})

    def checked_by(self, script: Path) -> Backend:
        return self.backend(dnsmasq=str(script), tool_s=0.5)

    @contextmanager
    def refused_control(self) -> Iterator[Backend]:
        yield self.backend(restart=("sh", "-c", "echo you may not; exit 1"))

    def served_zones(self) -> set[str]:
        return {zone_of_own_file(file.name) for file in (self.folder / "zones").glob("*.zone")}
