"""A name server that has nothing yet, and the agent that gives it what a source holds.

Server and agent start together, as on a machine that has just been switched on; leaving the `with`
block ends both.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from bench import bind, knot, nsd, powerdns
from bench.daemon import Daemon
from bench.measure import BenchmarkError, free_port
from bench.ours import PASSWORD, Source, program


class Served(ABC):
    """A server behind an agent, in a folder of its own."""

    name: ClassVar[str]

    def __init__(self, work: Path, source: Source) -> None:
        self._folder = work / "agent"
        self._folder.mkdir(parents=True)
        self.port = free_port()
        self._work = work
        self._config = work / "replica.toml"
        self._address = source.address()
        self._agent: Daemon | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._agent is not None:
            self._agent.stop()
        self.stop_server()

    def start(self) -> None:
        """Start server and agent."""
        self._config.write_text(
            f'[agent]\nname = "bench"\nfolder = "{self._folder}"\n'
            f'[[source]]\nurl = "{self._address}"\n'
            f'[server]\naddress = "127.0.0.1:{self.port}"\n' + self.section()
        )
        self.start_server()
        self._agent = Daemon(
            [program("syncclient"), "follow", "--config", str(self._config)],
            self._work / "agent.log",
            env={"SYNC_PASSWORD": PASSWORD},
        )

    @property
    def agent(self) -> Daemon:
        """The agent's process. Raises BenchmarkError before it was started."""
        if self._agent is None:
            raise BenchmarkError("the agent is used before it was started")
        return self._agent

    def agent_peak(self) -> int | None:
        """The agent's peak so far, KiB."""
        return self.agent.peak_kib

    def check_running(self) -> None:
        """Raise BenchmarkError if agent or server have ended."""
        self.agent.check_running()
        self.server.check_running()

    @property
    @abstractmethod
    def server(self) -> Daemon:
        """The server's process."""

    @abstractmethod
    def section(self) -> str:
        """Return the backend's section of the agent's configuration."""

    @abstractmethod
    def start_server(self) -> None:
        """Start the server, which has no zones."""

    @abstractmethod
    def stop_server(self) -> None:
        """End the server."""


class ServedBind(Served):
    """BIND behind an agent."""

    name = bind.NAME

    def __init__(self, work: Path, source: Source) -> None:
        super().__init__(work, source)
        include = self._folder / "zones.conf"
        include.touch()
        self._named = bind.BindServer(
            work / "named", self.port, [], work / "named", "", 1, notify=False, include=include
        )

    @property
    def server(self) -> Daemon:
        return self._named.daemon

    def section(self) -> str:
        return f'[bind]\nrndc = ["rndc", "-c", "{self._named.rndc_config}"]\n'

    def start_server(self) -> None:
        self._named.start()

    def stop_server(self) -> None:
        self._named.stop()


class ServedKnot(Served):
    """Knot behind an agent."""

    name = knot.NAME

    def __init__(self, work: Path, source: Source) -> None:
        super().__init__(work, source)
        include = self._folder / "zones.conf"
        include.touch()
        self._knotd = knot.KnotServer(
            work / "knotd", self.port, [], work / "knotd", [], 1, include=include
        )

    @property
    def server(self) -> Daemon:
        return self._knotd.daemon

    def section(self) -> str:
        return f'[knot]\ncontrol = "{self._knotd.socket}"\n'

    def start_server(self) -> None:
        self._knotd.start()

    def stop_server(self) -> None:
        self._knotd.stop()


class ServedNsd(Served):
    """NSD behind an agent."""

    name = nsd.NAME

    def __init__(self, work: Path, source: Source) -> None:
        super().__init__(work, source)
        self._nsd = nsd.NsdServer(work / "nsd", self.port, self._folder / "zones")

    @property
    def server(self) -> Daemon:
        return self._nsd.daemon

    def section(self) -> str:
        return f'[nsd]\nsocket = "{self._nsd.socket}"\n'

    def start_server(self) -> None:
        self._nsd.start()

    def stop_server(self) -> None:
        self._nsd.stop()


class ServedPowerDns(Served):
    """PowerDNS on SQLite behind an agent."""

    name = powerdns.NAME

    def __init__(self, work: Path, source: Source) -> None:
        super().__init__(work, source)
        self._pdns = powerdns.PowerDnsServer(work / "pdns", self.port)

    @property
    def server(self) -> Daemon:
        return self._pdns.daemon

    def section(self) -> str:
        return (
            f'[powerdns]\ndatabase = "{self._pdns.database}"\n'
            f'control_socket = "{self._pdns.control_socket}"\n'
        )

    def start_server(self) -> None:
        self._pdns.start()

    def stop_server(self) -> None:
        self._pdns.stop()


KINDS: dict[str, type[Served]] = {
    kind.name: kind for kind in (ServedBind, ServedKnot, ServedNsd, ServedPowerDns)
}
