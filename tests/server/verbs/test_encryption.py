"""STLS and GTLS on the plain port."""

import socket
import ssl

import pytest

from tests.certificates import Certificates
from tests.conftest import StartDaemon
from tests.running import PASSWORD, RunningDaemon
from tests.server.conftest import Connect
from tests.server.line_client import LineClient


@pytest.fixture
def daemon(start_daemon: StartDaemon, certificates: Certificates) -> RunningDaemon:
    return start_daemon(tls=certificates.settings())


def test_stls_makes_the_connection_a_new_session_without_a_greeting(
    daemon: RunningDaemon, connect: Connect, certificates: Certificates
) -> None:
    client = connect("alice", daemon)
    client.ask("ASYN 1")
    assert client.ask("STLS") == "200 begin TLS now"
    client.start_tls(certificates.context())
    assert client.ask("SYNC zones|list").startswith("520 ")
    assert client.ask("SYNC zones|watch").startswith("520 ")
    assert client.ask(f"PASS {PASSWORD}") == "540 USER first"
    assert client.log_in("bob") == "200 bob|reader"
    assert client.ask("SYNC zones|watch").startswith("512 send ASYN 1 first")
    assert client.listing("SYNC zones|list") == ["example.com.", "example.net."]


def test_stls_ends_the_freeze_that_the_session_holds(
    daemon: RunningDaemon, connect: Connect, certificates: Certificates
) -> None:
    client = connect("ns2", daemon)
    assert client.ask("SNGL 0|60").startswith("200 ")
    client.ask("STLS")
    client.start_tls(certificates.context())
    assert connect("alice", daemon).ask("SYNC zones|delete|example.net").startswith("200 ")


def test_gtls_names_protocol_cipher_and_bits(
    daemon: RunningDaemon, connect: Connect, certificates: Certificates
) -> None:
    client = connect(None, daemon)
    assert client.ask("GTLS") == "530 no TLS is in use"
    client.ask("STLS")
    client.start_tls(certificates.context())
    assert isinstance(client.socket, ssl.SSLSocket)
    protocol, cipher, bits = client.ask("GTLS").removeprefix("200 ").split("|")
    in_use = client.socket.cipher()
    assert in_use is not None
    assert (protocol, cipher) == (client.socket.version(), in_use[0])
    assert int(bits) >= 128


def test_info_says_whether_stls_is_offered(daemon: RunningDaemon, connect: Connect) -> None:
    assert "tls=stls" in connect(None, daemon).listing("INFO")
    assert "tls=-" in connect().listing("INFO")


def test_without_a_certificate_stls_is_refused_and_the_session_goes_on(connect: Connect) -> None:
    client = connect()
    assert client.ask("STLS").startswith("530 TLS is not offered")
    assert client.log_in("bob") == "200 bob|reader"


def test_tls_begins_once(
    daemon: RunningDaemon, connect: Connect, certificates: Certificates
) -> None:
    client = connect(None, daemon)
    client.ask("STLS")
    client.start_tls(certificates.context())
    assert client.ask("STLS").startswith("530 TLS is in use already")


@pytest.mark.parametrize("behind", ["USER alice\nPASS secret\n", "QUIT\n", "\n", "x", "\x16\x03"])
def test_nothing_sent_along_with_stls_is_ever_a_command(
    daemon: RunningDaemon, connect: Connect, behind: str
) -> None:
    client = connect(None, daemon)
    client.send_bytes(f"STLS\n{behind}".encode())
    assert client.line().startswith("512 nothing may follow STLS")
    assert client.is_ended()
    assert all(session.user is None for session in daemon.daemon.sessions.values())


def test_nothing_in_clear_text_after_stls_is_a_command(
    daemon: RunningDaemon, connect: Connect
) -> None:
    client, watcher = connect(None, daemon), connect("root", daemon)
    assert client.ask("STLS") == "200 begin TLS now"
    client.send("USER alice", f"PASS {PASSWORD}", "SYNC zones|delete|example.net")
    assert b"200" not in _rest(client)
    assert len(watcher.listing("RWHO")) == 1
    assert "example.net." in watcher.listing("SYNC zones|list")


def test_clear_text_in_front_of_the_handshake_breaks_it(
    daemon: RunningDaemon, connect: Connect, certificates: Certificates
) -> None:
    client = connect(None, daemon)
    assert client.ask("STLS") == "200 begin TLS now"
    client.send("USER alice", f"PASS {PASSWORD}")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        client.start_tls(certificates.context())


@pytest.mark.parametrize(
    ("highest", "accepted"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True)],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
def test_tls_is_1_2_at_least(
    daemon: RunningDaemon,
    connect: Connect,
    certificates: Certificates,
    highest: ssl.TLSVersion,
    accepted: bool,
) -> None:
    client = connect(None, daemon)
    client.ask("STLS")
    context = certificates.context()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = highest
    context.set_ciphers("ALL:@SECLEVEL=0")
    if accepted:
        client.start_tls(context)
        assert client.ask("GTLS").startswith("200 TLSv1.2|")
    else:
        with pytest.raises(ssl.SSLError, match=r"(?i)version"):
            client.start_tls(context)


def _rest(client: LineClient) -> bytes:
    """Return what comes until the connection ends."""
    heard = b""
    client.socket.settimeout(5)
    try:
        while data := client.socket.recv(4096):
            heard += data
    except ConnectionResetError:
        pass
    except socket.timeout as error:  # noqa: UP041 (what the line client's socket raises)
        raise AssertionError("the connection goes on") from error
    return heard
