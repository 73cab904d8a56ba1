"""Addresses are read back as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncclient.address import Address, parse_pin
from syncd.errors import ConfigError
from syncd.protocol.ports import DEFAULT_PORT, DEFAULT_TLS_PORT

hosts = st.sampled_from(["ns1", "ns1.example.com", "192.0.2.1", "::1", "2001:db8::1", "fe80::1%2"])
users = st.none() | st.sampled_from(["alice", "ns1.example.com", "a-b_c"])


pins = st.none() | st.binary(min_size=32, max_size=32).map(lambda digest: f"sha256:{digest.hex()}")


@given(st.builds(Address, hosts, st.integers(0, 65535), users, st.booleans(), pins))
def test_an_address_is_read_back_as_it_was_written(address: Address) -> None:
    assert Address.parse(str(address)) == address


def test_without_a_port_the_usual_one_is_meant() -> None:
    assert Address.parse("syncd://bob@ns1") == Address("ns1", DEFAULT_PORT, "bob")
    assert Address.parse("syncd://[::1]/") == Address("::1", DEFAULT_PORT, None)
    assert Address.parse("syncds://ns1") == Address("ns1", DEFAULT_TLS_PORT, None, tls=True)


def test_a_pin_is_read_as_openssl_prints_it() -> None:
    printed = ":".join(["AB"] * 32)
    assert parse_pin(f"SHA256:{printed}") == f"sha256:{'ab' * 32}"
    assert parse_pin(f"sha256 Fingerprint={printed}") == f"sha256:{'ab' * 32}"
    assert Address.parse(f"syncd://ns1/?pin=sha256:{printed}").pin == f"sha256:{'ab' * 32}"


@pytest.mark.parametrize(
    "pin", ["", "sha256:", "sha256:ab", "ab" * 32, "sha1:" + "ab" * 20, "sha256:" + "xy" * 32]
)
def test_another_pin_is_refused(pin: str) -> None:
    with pytest.raises(ConfigError, match="is no pin: write sha256: and 64 hex digits"):
        parse_pin(pin)


@pytest.mark.parametrize(
    "text",
    ["syncd://bob:s3cr3t@ns1", "syncds://bob:s3/cr3t@ns1:5041", "x://:s3cr3t@", "bob:s3cr3t@ns1"],
)
def test_a_password_in_an_address_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="a password does not belong into an address") as refused:
        Address.parse(text)
    assert "cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "", "ns1", "ns1:5040", "http://ns1", "syncd://", "syncd://bob@", "syncd://ns1:",
        "syncd://ns1:65536", "syncd://ns1:x", "syncd://ns1/path", "syncd://::1",
        "syncd://bob:secret@ns1", "syncd://a@b@ns1", "syncd://[ns1]", "SYNCD://ns1",
        "syncd://ns1?pin=", "syncd://ns1?ca=x", "syncd://ns1?", "syncdss://ns1",
    ],
)  # fmt: skip
def test_another_text_is_refused_with_the_form_it_should_have(text: str) -> None:
    with pytest.raises(ConfigError, match="write syncd://USER@HOST:PORT"):
        Address.parse(text)
