"""BIND for the suite."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncclient.backends import Backend
from syncclient.backends.bind import Bind, BindSettings
from tests.nameservers.bind import Bind as Named
from tests.nameservers.bind import running_bind
from tests.syncclient.backends.rigs.rig import Rig


class BindRig(Rig):
    kind = Bind
    refusal = "is below a DNAME"
    server: Named

    def make_server(self, folder: Path) -> Named:
        listed = self.folder / "zones.conf"
        listed.touch()
        return running_bind(folder, extra_config=f'include "{listed}";')

    def settings(self, **changed: Any) -> BindSettings:
        rndc = ("rndc", "-c", str(self.server.rndc_config))
        return BindSettings(**{"rndc": rndc, **changed})

    def checked_by(self, script: Path) -> Backend:
        return self.backend(named_checkzone=str(script), tool_s=0.5)

    @contextmanager
    def refused_control(self) -> Iterator[Backend]:
        config = self.folder / "other.conf"
        text = self.server.rndc_config.read_text()
        secret = text.split('secret "')[1].split('"')[0]
        config.write_text(text.replace(secret, "b3RoZXIgc2VjcmV0IHRoYW4gbmFtZWQncyBvd24gb25l"))
        yield self.backend(rndc=("rndc", "-c", str(config)))

    def served_zones(self) -> set[str]:
        listed = (self.folder / "zones.conf").read_text()
        return {line.split('"')[1] for line in listed.splitlines()}
