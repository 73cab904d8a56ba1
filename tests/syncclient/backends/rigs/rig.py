"""What the suite needs of each backend's real server."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from syncclient.backends import Backend, ServerSettings
from tests.nameservers.server import NameServer

TOOL_S, CONFIRM_S = 20.0, 3.0

REFUSED_BY_ALL = "{zone} 60 IN DNAME elsewhere.example.\nbelow.{zone} 60 IN A 192.0.2.9\n"
"""What our reader takes and every check tool refuses: records below a DNAME."""


class Rig(ABC):
    """A server in a folder of the test's; it runs inside the `with` block."""

    kind: ClassVar[type[Backend]]
    refused: ClassVar[str] = REFUSED_BY_ALL
    """Records, `{zone}` for the zone's name, with which a zone is refused by the server's tools."""
    refusal: ClassVar[str]
    """What the tool says of them."""
    checks_by_tool: ClassVar[bool] = True
    """Whether a program, one that may hang, checks what is staged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "agent"
        self.folder.mkdir()
        self.server = self.make_server(folder / "server")

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.__exit__(kind, error, traceback)

    @abstractmethod
    def make_server(self, folder: Path) -> NameServer:
        """Return the server, which includes what the backend generates, and serves nothing yet."""

    @abstractmethod
    def settings(self, **changed: Any) -> Any:
        """Return the backend's section for this server, with some keys given otherwise."""

    def backend(self, **changed: Any) -> Backend:
        """Return a new backend for the server, as an agent makes one when it starts."""
        common = {key: changed.pop(key) for key in ("tool_s", "confirm_s") if key in changed}
        common = {"tool_s": TOOL_S, "confirm_s": CONFIRM_S, **common}
        server = ServerSettings(address=f"127.0.0.1:{self.server.port}", **common)
        return self.kind(self.settings(**changed), server, self.folder)

    @abstractmethod
    def checked_by(self, script: Path) -> Backend:
        """Return a backend whose check tool is `script`, which is given half a second."""

    @abstractmethod
    def served_zones(self) -> set[str]:
        """Return the zones that the server has, by its own account, whether they load or not."""

    @abstractmethod
    def refused_control(self) -> AbstractContextManager[Backend]:
        """Give a backend whose control channel refuses, while the server answers."""
