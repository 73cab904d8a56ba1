"""PowerDNS for the suite, on SQLite; `data` puts it on another database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncclient.backends import Backend
from syncclient.backends.powerdns import PowerDns, PowerDnsSettings
from tests.nameservers.powerdns import PowerDns as Server
from tests.nameservers.powerdns import PowerDnsData, running_powerdns
from tests.syncclient.backends.rigs.rig import Rig


class PowerDnsRig(Rig):
    kind = PowerDns
    refused = "alias.{zone} 60 IN CNAME www.{zone}\nalias.{zone} 60 IN KEY 512 3 8 AQ==\n"
    refusal = "found, but other records with same label exist"
    server: Server

    def __init__(self, folder: Path, data: PowerDnsData | None = None) -> None:
        self.data = data or PowerDnsData.sqlite(folder / "database")
        super().__init__(folder)

    def make_server(self, folder: Path) -> Server:
        return running_powerdns(folder, self.data)

    def settings(self, **changed: Any) -> PowerDnsSettings:
        own = {"database": self.data.url, "control_socket": str(self.server.control_socket)}
        return PowerDnsSettings(**{**own, **changed})

    def checked_by(self, script: Path) -> Backend:
        return self.backend(pdnsutil=str(script), tool_s=0.5)

    def served_zones(self) -> set[str]:
        *zones, _count = self.server.control("list-zones").splitlines()
        return set(zones)

    @contextmanager
    def refused_control(self) -> Iterator[Backend]:
        yield self.backend(control_socket=str(self.folder / "nobody-listens"))
