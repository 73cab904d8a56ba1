"""The TLS port, certificates, and what else may happen in a handshake."""

import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import trio

from syncd.errors import ConfigError
from syncd.server import Daemon
from syncd.server.tls import ServerTls, TlsSettings, vouched_names
from syncd.store import Store
from tests.certificates import Certificates, pin_of
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import PASSWORD, RunningDaemon, logged, wait_until
from tests.server.conftest import Connect
from tests.server.line_client import LineClient

pytestmark = on_every_engine

ConnectTls = Callable[..., LineClient]


@pytest.fixture
def daemon(start_daemon: StartDaemon, certificates: Certificates) -> RunningDaemon:
    return start_daemon(tls=certificates.settings())


@pytest.fixture
def dial(daemon: RunningDaemon) -> Iterator[Callable[[], LineClient]]:
    """Connect to the TLS port, and say nothing yet."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(
            closing(LineClient("127.0.0.1", daemon.daemon.tls_port or 0))
        )


@pytest.fixture
def connect_tls(dial: Callable[[], LineClient], certificates: Certificates) -> ConnectTls:
    """Connect to the TLS port, with a client certificate if one is named."""

    def connect(certificate: Path | None = None) -> LineClient:
        client = dial()
        client.start_tls(certificates.context(certificate))
        return client

    return connect


def test_on_the_tls_port_everything_is_under_tls(connect_tls: ConnectTls) -> None:
    client = connect_tls()
    assert client.line() == "200 syncd ready"
    assert client.ask("GTLS").startswith("200 TLSv1.3|")
    assert client.log_in("alice") == "200 alice|operator"
    assert client.put_bytes("SYNC files|put|big", bytes(3_000_000)).startswith("200 ")
    client.send("SYNC files|get|big")
    blocks, final = client.blocks()
    assert (b"".join(blocks), final[:4]) == (bytes(3_000_000), "200 ")


def test_the_end_of_a_session_is_told_so_that_nobody_can_fake_it(connect_tls: ConnectTls) -> None:
    client = connect_tls()
    client.line()
    assert isinstance(client.socket, ssl.SSLSocket)
    assert client.ask("QUIT") == "200 goodbye"
    client.socket.suppress_ragged_eofs = False
    assert client.socket.recv(1) == b"", "the end is a close_notify"


def test_who_speaks_no_tls_on_the_tls_port_is_told_so(dial: Callable[[], LineClient]) -> None:
    client = dial()
    client.send("USER alice", f"PASS {PASSWORD}")
    assert client.line().startswith("530 this port speaks TLS from the first byte: use syncds://")
    assert client.socket.recv(1) == b""


def test_who_says_nothing_on_the_tls_port_is_told_in_the_end(
    start_daemon: StartDaemon, certificates: Certificates
) -> None:
    daemon = start_daemon(tls=certificates.settings(), handshake_s=0.1)
    with closing(LineClient(daemon.host, daemon.daemon.tls_port or 0)) as client:
        assert client.line().startswith("530 this port speaks TLS")


def test_who_speaks_tls_at_once_on_the_plain_port_finds_none(
    daemon: RunningDaemon, certificates: Certificates, connect: Connect
) -> None:
    with closing(LineClient(daemon.host, daemon.port)) as client:
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            client.start_tls(certificates.context())
    assert connect("bob", daemon).ask("NOOP") == "200 ok"


def begin_handshakes(
    dial: Callable[[], LineClient], upgrading: LineClient, count: int
) -> list[LineClient]:
    """Begin so many handshakes and one more behind STLS, and end none of them."""
    slow = [dial() for _ in range(count)]
    for client in slow:
        client.send_bytes(b"\x16\x03\x01\x02\x00\x01")
    assert upgrading.ask("STLS").startswith("200 ")
    return [*slow, upgrading]


def test_slow_handshakes_hold_up_nobody(
    daemon: RunningDaemon,
    dial: Callable[[], LineClient],
    connect_tls: ConnectTls,
    connect: Connect,
) -> None:
    begin_handshakes(dial, connect(None, daemon), 20)
    quick = connect_tls()
    assert quick.line() == "200 syncd ready"
    assert quick.log_in("bob") == "200 bob|reader"
    assert len(daemon.daemon.sessions) == 22, "all the others are still at it"


def test_slow_handshakes_end(
    start_daemon: StartDaemon,
    certificates: Certificates,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    daemon = start_daemon(tls=certificates.settings(), handshake_s=0.2)
    with ExitStack() as stack:

        def dial() -> LineClient:
            client = LineClient(daemon.host, daemon.daemon.tls_port or 0)
            return stack.enter_context(closing(client))

        slow = begin_handshakes(dial, connect(None, daemon), 5)
        assert all(client.is_ended() for client in slow)
        wait_until(lambda: not daemon.daemon.sessions)
    assert logged(caplog).count("not done after 0.2 s") == 6


def test_over_the_limit_the_tls_port_lets_nobody_in(
    start_daemon: StartDaemon, certificates: Certificates, connect: Connect
) -> None:
    daemon = start_daemon(tls=certificates.settings(), max_sessions=1)
    connect("bob", daemon)
    with closing(LineClient("127.0.0.1", daemon.daemon.tls_port or 0)) as client:
        assert client.line() == "551 all 1 sessions are taken"


# Client certificates


def test_a_certificate_logs_in_the_user_whom_it_names(
    connect_tls: ConnectTls, certificates: Certificates
) -> None:
    client = connect_tls(certificates.issue("alice", common_name="alice"))
    client.line()
    assert client.ask("SYNC zones|list").startswith("520 ")
    assert client.ask("USER Alice") == "200 alice|operator"
    assert client.ask(f"PASS {PASSWORD}").startswith("541 ")
    assert client.ask("SYNC zones|delete|example.net").startswith("200 ")


@pytest.mark.parametrize("identity", ["ns2", "NS2"])
def test_a_certificate_names_a_user_in_its_subject_alternative_name_too(
    connect_tls: ConnectTls, certificates: Certificates, identity: str
) -> None:
    client = connect_tls(certificates.issue("san", "ns1.example.com", identity))
    client.line()
    assert client.ask("USER ns2") == "200 ns2|replica"


@pytest.mark.parametrize("name", ["bob", "*", "alice.example.com", "xalice"])
def test_a_certificate_of_another_name_leaves_the_password_to_be_asked(
    connect_tls: ConnectTls, certificates: Certificates, name: str
) -> None:
    client = connect_tls(certificates.issue("other", common_name=name))
    client.line()
    assert client.ask("USER alice") == "300 alice"
    assert client.ask("SYNC zones|list").startswith("520 ")
    assert client.ask(f"PASS {PASSWORD}") == "200 alice|operator"


def test_a_certificate_makes_no_user(connect_tls: ConnectTls, certificates: Certificates) -> None:
    client = connect_tls(certificates.issue("nobody", common_name="nobody"))
    client.line()
    assert client.ask("USER nobody").startswith("570 ")


def test_a_certificate_of_an_unknown_ca_ends_the_handshake(
    dial: Callable[[], LineClient], certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    import trustme

    caplog.set_level(logging.INFO)
    forged = certificates.issue("forged", common_name="alice", ca=trustme.CA())
    client = dial()
    with pytest.raises(ssl.SSLError, match=r"(?i)unknown.ca"):
        client.start_tls(certificates.context(forged))
        client.line()
    wait_until(lambda: "the client's certificate: " in logged(caplog))


def test_without_a_client_ca_no_certificate_logs_in(
    start_daemon: StartDaemon, certificates: Certificates
) -> None:
    daemon = start_daemon(tls=certificates.settings(client_ca_file=None))
    with closing(LineClient("127.0.0.1", daemon.daemon.tls_port or 0)) as client:
        alice = certificates.issue("alice", common_name="alice")
        client.start_tls(certificates.context(alice))
        client.line()
        assert client.ask("USER alice") == "300 alice"


def test_names_are_those_of_a_verified_certificate_only() -> None:
    assert vouched_names({}, 0) == frozenset()
    certificate = {
        "notAfter": "Jan  5 09:34:43 2018 GMT",
        "subject": ((("organizationName", "mallory"),), (("commonName", "Alice"),)),
        "subjectAltName": (
            ("DNS", "NS1.example.com"), ("email", "bob@example.com"), ("URI", "root"),
            ("IP Address", "192.0.2.1"),
        ),
    }  # fmt: skip
    until = ssl.cert_time_to_seconds("Jan  5 09:34:43 2018 GMT")
    assert vouched_names(certificate, until) == {"alice", "ns1.example.com", "bob@example.com"}
    assert vouched_names(certificate, until + 1) == frozenset()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_that_is_resumed_does_not_outlive_its_certificate(
    dial: Callable[[], LineClient],
    certificates: Certificates,
    version: ssl.TLSVersion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As OpenSSL does not look at it again."""
    context = certificates.context(certificates.issue("alice", common_name="alice"))
    context.maximum_version = version

    def log_in(resumed: ssl.SSLSession | None) -> tuple[str, ssl.SSLSession | None]:
        client = dial()
        client.socket = context.wrap_socket(
            client.socket, server_hostname="localhost", session=resumed
        )
        assert client.line() == "200 syncd ready"
        assert client.socket.session_reused is (resumed is not None)
        return client.ask("USER alice"), client.socket.session

    assert (said := log_in(None))[0] == "200 alice|operator"
    assert (said := log_in(said[1]))[0] == "200 alice|operator"
    monkeypatch.setattr(ssl, "cert_time_to_seconds", lambda text: 0)
    assert log_in(said[1])[0] == "300 alice"


# Settings


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"key_file": "x"}, "--tls-key needs --tls-cert"),
        ({"listen": "127.0.0.1"}, "--tls-listen needs --tls-cert"),
        ({"client_ca_file": "x"}, "--tls-client-ca needs --tls-cert"),
        ({"cert_file": "{folder}/none"}, "none cannot be used: No such file"),
        ({"cert_file": "{folder}/text"}, "text cannot be used: .*PEM"),
        ({"cert_file": "{ca}"}, "cannot be used: there is no certificate and key in PEM"),
        (
            {"cert_file": "{server}", "key_file": "{other}"},
            "the key belongs to another certificate",
        ),
        ({"cert_file": "{server}", "client_ca_file": "{folder}/none"}, "client CA .*No such file"),
        ({"cert_file": "{server}", "client_ca_file": "{folder}/text"}, "client CA .*PEM"),
        ({"cert_file": "{server}", "listen": "ns1:port"}, "write HOST:PORT, or HOST alone"),
        ({"cert_file": "{server}", "listen": ":5041"}, "write HOST:PORT, or HOST alone"),
        ({"cert_file": "{server}", "listen": "ns1:65536"}, "write HOST:PORT, or HOST alone"),
        ({"cert_file": "{server}", "listen": "::1"}, r"write \[ADDRESS\]:PORT"),
    ],
)
def test_settings_that_cannot_be_used_say_which(
    tmp_path: Path,
    certificates: Certificates,
    source_store: Store,
    settings: dict[str, str],
    says: str,
) -> None:
    (tmp_path / "text").write_text("no certificate\n")
    files = {
        "folder": tmp_path,
        "ca": certificates.ca_file,
        "server": certificates.server,
        "other": certificates.misnamed,
    }
    filled: dict[str, Any] = {
        key: value if key == "listen" else Path(value.format(**files))
        for key, value in settings.items()
    }
    with pytest.raises(ConfigError, match=says):
        Daemon(source_store, tls=TlsSettings(**filled))


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        (None, None), ("ns1", ("ns1", 5041)), ("ns1:7", ("ns1", 7)), ("[::1]", ("::1", 5041)),
        ("[::]:7", ("::", 7)), ("192.0.2.1:0", ("192.0.2.1", 0)),
    ],
)  # fmt: skip
def test_where_to_listen_is_a_host_and_perhaps_a_port(
    listen: str | None, address: tuple[str, int] | None
) -> None:
    assert TlsSettings(listen=listen).listen_address() == address


def test_a_key_with_a_passphrase_is_refused_and_nothing_is_asked(
    tmp_path: Path, certificates: Certificates
) -> None:
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(certificates.server.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"x")
        )
    )
    with pytest.raises(ConfigError, match="has a passphrase"):
        ServerTls(TlsSettings(certificates.server, locked))


def test_a_new_certificate_is_taken_without_a_restart_and_a_broken_one_is_not(
    tmp_path: Path, start_daemon: StartDaemon, certificates: Certificates
) -> None:
    file = tmp_path / "server.pem"
    file.touch(0o600)
    file.write_bytes(certificates.server.read_bytes())
    daemon = start_daemon(tls=certificates.settings(file))
    assert seen_pin(daemon) == pin_of(certificates.server)
    renewed = certificates.issue("renewed", "localhost")
    file.write_bytes(renewed.read_bytes())
    daemon.daemon.tls.reload()
    assert seen_pin(daemon) == pin_of(renewed)
    file.write_text("half a certifi")
    with pytest.raises(ConfigError, match="cannot be used"):
        daemon.daemon.tls.reload()
    assert seen_pin(daemon) == pin_of(renewed)


def seen_pin(daemon: RunningDaemon) -> str:
    from hashlib import sha256

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", daemon.daemon.tls_port or 0), 5) as plain:
        with context.wrap_socket(plain) as secured:
            return f"sha256:{sha256(secured.getpeercert(True) or b'').hexdigest()}"


def test_a_client_that_leaves_before_the_handshake_leaves_nothing_in_the_log(
    daemon: RunningDaemon, dial: Callable[[], LineClient], caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        dial().hang_up_rudely()
        dial().close()
    wait_until(lambda: not daemon.daemon.sessions)
    daemon.stop()
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


def test_a_tls_port_that_is_taken_is_an_error_with_its_reason(
    daemon: RunningDaemon, source_store: Store, certificates: Certificates
) -> None:
    from syncd.errors import ConnectionFailed

    listen = f"127.0.0.1:{daemon.daemon.tls_port}"
    other = Daemon(source_store, tls=certificates.settings(listen=listen))
    with pytest.raises(ConnectionFailed, match=f"cannot listen on {listen}: Address"):
        trio.run(lambda: other.run("127.0.0.1", 0, ready=lambda _: None))
