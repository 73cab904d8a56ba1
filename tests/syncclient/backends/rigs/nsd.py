"""NSD for the suite."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncclient.backends import Backend
from syncclient.backends.nsd import Nsd, NsdSettings, zone_of_nsd_file
from tests.nameservers.nsd import Nsd as NsdServer
from tests.nameservers.nsd import running_nsd
from tests.syncclient.backends.rigs.rig import Rig


class NsdRig(Rig):
    kind = Nsd
    refusal = "has data below it"
    server: NsdServer

    def make_server(self, folder: Path) -> NsdServer:
        zonefile = self.folder / "zones" / "%s.zone"
        pattern = f'pattern:\n    name: "syncd"\n    zonefile: "{zonefile}"\n'
        # A test asks more often than NSD answers one address by default: 200 times a second.
        return running_nsd(folder, server_options="rrl-ratelimit: 0", extra_config=pattern)

    def settings(self, **changed: Any) -> NsdSettings:
        return NsdSettings(**{"socket": str(self.server.socket), **changed})

    def checked_by(self, script: Path) -> Backend:
        return self.backend(nsd_checkzone=str(script), tool_s=0.5)

    @contextmanager
    def refused_control(self) -> Iterator[Backend]:
        self.server.socket.rename(self.folder / "hidden")
        try:
            yield self.backend()
        finally:
            (self.folder / "hidden").rename(self.server.socket)

    def served_zones(self) -> set[str]:
        listed = self.server.nsd_control("zonestatus")
        return {
            zone_of_nsd_file(line.removeprefix("zone:").strip())
            for line in listed.splitlines()
            if line.startswith("zone:")
        }
