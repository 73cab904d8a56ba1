"""Knot DNS for the suite."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from syncclient.backends import Backend
from syncclient.backends.knot import Knot, KnotSettings
from tests.nameservers.knot import Knot as Knotd
from tests.nameservers.knot import running_knot
from tests.syncclient.backends.rigs.rig import Rig


class KnotRig(Rig):
    kind = Knot
    refusal = "child record exists under DNAME"
    server: Knotd

    def make_server(self, folder: Path) -> Knotd:
        listed = self.folder / "zones.conf"
        listed.touch()
        return running_knot(folder, extra_config=f'include: "{listed}"')

    def settings(self, **changed: Any) -> KnotSettings:
        return KnotSettings(**{"control": str(self.server.socket), **changed})

    def checked_by(self, script: Path) -> Backend:
        return self.backend(kzonecheck=str(script), tool_s=0.5)

    @contextmanager
    def refused_control(self) -> Iterator[Backend]:
        yield self.backend(control=str(self.folder / "nobody-listens-here"))

    def served_zones(self) -> set[str]:
        listed = self.server.knotc("zone-status")
        return set(re.findall(r"^\[(\S+)\]", listed, re.MULTILINE))
