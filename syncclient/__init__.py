"""The client of syncd: dials, never listens. `Client` has one method per verb; see README.md."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncclient.client import Client

__all__ = ["Client"]


def __getattr__(name: str) -> Any:
    """Import `Client` when it is first used: the command line sets itself up before."""
    if name == "Client":
        from syncclient.client import Client

        return Client
    raise AttributeError(name)
