"""What an IP address says about who can listen on the way to it. Pure: no name is looked up."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_IPV6_SITE_BITS = 64
"""Whoever has one IPv6 address usually has the 2^64 of its subnet."""


def is_loopback(host: str) -> bool:
    """Say whether a host, written as an IP address, is this machine. A name never is."""
    address = plain_address(host)
    return address is not None and address.is_loopback


def network_of(host: str) -> str:
    """Return the part of an address that one party holds: all of IPv4, the /64 of IPv6."""
    address = plain_address(host)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _IPV6_SITE_BITS), strict=False))
    return host if address is None else str(address)


def plain_address(host: str) -> IPv4Address | IPv6Address | None:
    """Return an address, None for a name; one of IPv4 that a socket of IPv6 shows is of IPv4."""
    try:
        address = ip_address(host.split("%")[0])  # a link-local one comes with its interface
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
