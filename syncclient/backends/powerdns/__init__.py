"""PowerDNS behind an agent, by way of its database."""

from syncclient.backends.powerdns.backend import PowerDns
from syncclient.backends.powerdns.settings import PowerDnsSettings

__all__ = ["PowerDns", "PowerDnsSettings"]
