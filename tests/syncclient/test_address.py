"""Addresses are read back as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncclient.address import DEFAULT_PORT, Address
from syncd.errors import IllegalValue

hosts = st.sampled_from(["ns1", "ns1.example.com", "192.0.2.1", "::1", "2001:db8::1", "fe80::1%2"])
users = st.none() | st.sampled_from(["alice", "ns1.example.com", "a-b_c"])


@given(hosts, st.integers(0, 65535), users)
def test_an_address_is_read_back_as_it_was_written(host: str, port: int, user: str | None) -> None:
    assert Address.parse(str(Address(host, port, user))) == Address(host, port, user)


def test_without_a_port_the_usual_one_is_meant() -> None:
    assert Address.parse("syncd://bob@ns1") == Address("ns1", DEFAULT_PORT, "bob")
    assert Address.parse("syncd://[::1]/") == Address("::1", DEFAULT_PORT, None)


@pytest.mark.parametrize(
    "text",
    [
        "", "ns1", "ns1:5040", "http://ns1", "syncd://", "syncd://bob@", "syncd://ns1:",
        "syncd://ns1:65536", "syncd://ns1:x", "syncd://ns1/path", "syncd://::1",
        "syncd://bob:secret@ns1", "syncd://a@b@ns1", "syncd://[ns1]", "SYNCD://ns1",
    ],
)  # fmt: skip
def test_another_text_is_refused_with_the_form_it_should_have(text: str) -> None:
    with pytest.raises(IllegalValue, match="write syncd://USER@HOST:PORT"):
        Address.parse(text)
