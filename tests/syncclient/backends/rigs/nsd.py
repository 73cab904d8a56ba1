"""NSD for the suite."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncclient.backends import Backend
from syncclient.backends.nsd import Nsd, NsdSettings
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
        return running_nsd(folder, extra_config=pattern)

    def settings(self, **changed: Any) -> NsdSettings:
        return NsdSettings(**{"socket": str(self.server.socket), **changed})

    def hanging_check(self, script: Path) -> Backend:
        return self.backend(nsd_checkzone=str(script), tool_s=0.5)

    @contextmanager
    def refused_control(self) -> Iterator[Backend]:
        self.server.socket.rename(self.folder / "hidden")
        try:
            yield self.backend()
        finally:
            (self.folder / "hidden").rename(self.server.socket)
