"""The client of syncd: dials, never listens. `Client` has one method per verb; see README.md."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syncclient.client import Client
    from syncclient.tls import ClientTls

__all__ = ["Client", "ClientTls"]


def __getattr__(name: str) -> Any:
    """Import what is handed on when it is first used: the command line sets itself up before."""
    if name == "Client":
        from syncclient.client import Client

        return Client
    if name == "ClientTls":
        from syncclient.tls import ClientTls

        return ClientTls
    raise AttributeError(name)
