"""A rig for each backend: the real server, and the backend set up for it."""

from tests.syncclient.backends.rigs.bind import BindRig
from tests.syncclient.backends.rigs.dnsmasq import DnsmasqRig
from tests.syncclient.backends.rigs.knot import KnotRig
from tests.syncclient.backends.rigs.nsd import NsdRig
from tests.syncclient.backends.rigs.powerdns import PowerDnsRig
from tests.syncclient.backends.rigs.rig import Rig

RIGS: tuple[type[Rig], ...] = (BindRig, KnotRig, NsdRig, PowerDnsRig, DnsmasqRig)
"""Each passes the whole suite; a new backend adds its own."""
