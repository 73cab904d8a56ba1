"""What a name server behind an agent must be able to do.

For each step the agent calls, in this order:

    stage      write beside what the server reads, flushed; nothing is seen of it
    check      have the server's own tools look at it; zones that are refused leave the step
    activate   put it in place, by renames or one transaction, and have the server load it
               (the agent asks the server over DNS whether it answers what it should)
    roll_back  of zones that failed after they were put in place: restore what was, load it again
    finish     forget what was

`step.fail` says that one zone failed; ServerFailed that the server cannot be worked with at all:
then the agent rolls back everything and tries again later. Whatever a method was in the middle of
when the process died, `recover` undoes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from syncclient.backends.step import Failure, Stage, Step
from syncclient.newfolder import NewFolder
from syncd.settings import setting

__all__ = ["Backend", "Capabilities", "Failure", "ServerSettings", "Stage", "Step"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a kind of server can do, as far as the agent has to know."""

    dns: bool = True
    """It answers over DNS, so it can be asked whether it answers what it should."""
    serials: bool = True
    """It answers each zone's SOA; else only records can be asked for."""
    own_ttl: frozenset[str] = frozenset()
    """Types whose records it makes by itself, with a TTL that is not the zone's."""
    ttls: bool = True
    """It answers each record with its own TTL."""
    denials: bool = True
    """It says with authority that a record is not there."""


@dataclass(frozen=True)
class ServerSettings:
    """Section [server]: what is common to all kinds of name servers."""

    address: str = setting(
        "127.0.0.1:53",
        "Where the name server answers over DNS, HOST:PORT. It is asked there, after each change, "
        "whether it answers what it should.",
    )
    tool_s: float = setting(
        60.0,
        "Seconds after which a check tool, or a command to the server, is given up on.",
        low=0.1,
        high=3600,
    )
    confirm_s: float = setting(
        30.0,
        "Seconds in which the server must answer what it was told to load. Large zones, and many "
        "at once, are given more: as long as the answers go on changing.",
        low=0.1,
        high=3600,
    )
    sample_records: int = setting(
        20,
        "Records that are asked for after each change, changed ones first; besides each changed "
        "zone's serial.",
        low=0,
        high=100_000,
    )


class Backend(ABC):
    """A name server; see the module's top."""

    name: ClassVar[str]
    """How the configuration's section and the reports call it."""
    settings_kind: ClassVar[type]
    """The dataclass of that section."""
    capabilities: ClassVar[Capabilities] = Capabilities()

    def __init__(self, settings: Any, server: ServerSettings, folder: Path) -> None:
        """`folder` is the agent's own; the backend keeps what it needs in it."""
        self.server = server
        self.folder = folder

    @abstractmethod
    async def describe(self) -> str:
        """Return name and version of the server, as `BIND 9.18.49`. Raises ServerFailed if it is
        down, or its control channel refuses."""

    @abstractmethod
    async def recover(self) -> frozenset[str]:
        """Undo what a step that was interrupted has left; return the zones that it was about.

        Called once, before the first step. The server may answer anything for these zones.
        """

    def new_folder(self) -> Callable[[], NewFolder] | None:
        """Return what makes the folder that a first bootstrap writes its zone files into, as they
        come in; None if there is no such folder, or it is there already."""
        return None

    @abstractmethod
    async def stage(self, step: Step) -> None:
        """Write what is coming beside what is, flushed. Raises FileFailed, ServerFailed."""

    @abstractmethod
    async def check(self, step: Step) -> None:
        """Have the server's tools check what is staged. Raises ServerFailed."""

    @abstractmethod
    async def activate(self, step: Step) -> None:
        """Put the step in place and have the server load it. Raises FileFailed, ServerFailed.

        It may return before the server has loaded everything.
        """

    @abstractmethod
    async def explain(self, zone: str) -> str:
        """Return why the server does not answer a zone as it should, in the words of its tools."""

    def provable(self, zone: str, lines: list[str]) -> list[str]:
        """Return those records, canonical lines of a zone of the step, that the server is to
        answer as they stand."""
        return lines

    async def nudge(self, zones: Collection[str]) -> None:
        """Do what may help a server that still answers as it did. Raises ServerFailed."""
        return

    async def why_never(self, zone: str) -> str | None:
        """Return why the server will not load a zone as it stands in place, in the words of its
        tools; None if they have nothing against it."""
        return None

    @abstractmethod
    async def roll_back(self, step: Step, zones: list[str]) -> None:
        """Restore what was of zones of a step that was activated, and have the server load it.

        These zones have left the step. Files are restored first, so that they are right even if
        it raises ServerFailed.
        """

    @abstractmethod
    async def finish(self, step: Step) -> None:
        """Forget what was; there is no way back from here."""


_BACKENDS: dict[str, type[Backend]] = {}


def register(kind: type[Backend]) -> None:
    """Make a kind of server known. Raises ValueError for a name that is taken."""
    if kind.name in _BACKENDS:
        raise ValueError(f"a backend {kind.name!r} is registered already")
    _BACKENDS[kind.name] = kind


def registered(name: str) -> type[Backend]:
    """Return the kind of server that was registered by this name. Raises KeyError."""
    return _BACKENDS[name]
