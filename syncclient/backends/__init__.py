"""Name servers behind an agent: one file each, behind one contract.

An agent imports the one that it is for: all of them together take a tenth of a second.
"""

from importlib import import_module

from syncclient.backends.contract import (
    Backend,
    Capabilities,
    Failure,
    ServerSettings,
    Stage,
    registered,
)
from syncclient.backends.step import Step, ZoneChange
from syncd.errors import ConfigError

_NAMES = ("bind", "dnsmasq", "files", "knot", "nsd", "powerdns")
"""Of the modules of this package that register themselves, and of what they register."""

__all__ = [
    "Backend",
    "Capabilities",
    "Failure",
    "ServerSettings",
    "Stage",
    "Step",
    "ZoneChange",
    "backend_names",
    "backend_of",
]


def backend_of(name: str) -> type[Backend]:
    """Return the kind of server of this name. Raises ConfigError."""
    if name not in _NAMES:
        raise ConfigError(f"no such backend: {name!r}; there are {', '.join(_NAMES)}")
    import_module(f"{__name__}.{name}")
    return registered(name)


def backend_names() -> list[str]:
    """Return the names of all kinds of servers."""
    return list(_NAMES)
