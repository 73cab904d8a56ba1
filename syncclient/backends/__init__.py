"""Name servers behind an agent: one file each, behind one contract."""

from syncclient.backends import bind, dnsmasq, files, knot, nsd, powerdns
from syncclient.backends.contract import (
    Backend,
    Capabilities,
    Failure,
    ServerSettings,
    Stage,
    backend_names,
    backend_of,
)
from syncclient.backends.step import Step, ZoneChange

_KINDS = (bind, dnsmasq, files, knot, nsd, powerdns)
"""Each registers itself; the tuple keeps the imports from looking unused."""

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
