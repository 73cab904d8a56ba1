"""NSD behind an agent: no zones at first, and one pattern by which the agent adds them.

It answers as often as it is asked: by default it would hold one address back from 200 answers a
second on.
"""

from pathlib import Path
from typing import Self

from bench.daemon import Daemon
from bench.measure import BenchmarkError

NAME = "NSD"


class NsdServer:
    """One nsd, set up but not yet started; leaving the `with` block ends it."""

    def __init__(self, work: Path, port: int, zones_folder: Path) -> None:
        self.port = port
        self._config = work / "nsd.conf"
        self._socket = work / "s"
        self._log = work / "nsd.log"
        self._daemon: Daemon | None = None
        work.mkdir(parents=True, exist_ok=True)
        self._config.write_text(f"""\
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{work}"
    database: ""
    zonelistfile: "{work / "zone.list"}"
    xfrdfile: ""
    xfrdir: "{work}"
    pidfile: ""
    zonefiles-write: 0
    rrl-ratelimit: 0
remote-control:
    control-enable: yes
    control-interface: "{self._socket}"
pattern:
    name: "syncd"
    zonefile: "{zones_folder / "%s.zone"}"
""")

    @property
    def socket(self) -> Path:
        """Where it takes commands."""
        return self._socket

    @property
    def daemon(self) -> Daemon:
        """Its first process, that starts the others. Raises BenchmarkError before the start."""
        if self._daemon is None:
            raise BenchmarkError("nsd is used before it was started")
        return self._daemon

    def start(self) -> None:
        """Start it; it is ready a little later."""
        self._daemon = Daemon(["nsd", "-d", "-c", str(self._config)], self._log)

    def stop(self) -> None:
        """End it with the processes that it has started: for these it must not be killed."""
        if self._daemon is not None:
            self._daemon.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
