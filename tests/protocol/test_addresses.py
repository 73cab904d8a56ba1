"""What an address says about the way to it."""

import pytest

from syncd.protocol.addresses import is_loopback, network_of


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_known_by_its_addresses(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "192.0.2.1", "128.0.0.1", "::2", "::", "0.0.0.0", "::ffff:192.0.2.1", "fe80::1%eth0",
        "localhost", "127.0.0.1.example.com", "gone", "", "2130706433", "127.1",
    ],
)  # fmt: skip
def test_anything_else_is_another_machine(host: str) -> None:
    assert not is_loopback(host)


def test_a_party_holds_one_ipv4_address_or_64_bits_of_ipv6() -> None:
    assert network_of("192.0.2.1") == network_of("::ffff:192.0.2.1") != network_of("192.0.2.2")
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("gone") == "gone"
