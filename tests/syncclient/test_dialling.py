"""Dialling under TLS: who is trusted, what is refused, and that no password leaves before."""

import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from syncclient import Client, ClientTls, dialling
from syncclient.address import Address
from syncd.errors import (
    ConfigError,
    ConnectionFailed,
    IllegalValue,
    NotLoggedIn,
    NotSupported,
    NotTrusted,
    PasswordRequired,
    ProtocolViolation,
    SyncError,
    TlsRequired,
)
from syncd.server.session import Session
from tests.certificates import LONG_AGO, Certificates, pin_of
from tests.conftest import StartDaemon
from tests.running import PASSWORD, RunningDaemon, logged, wait_until
from tests.syncclient.link import in_trio

NO_PIN = f"sha256:{'0' * 64}"


@pytest.fixture
def daemon(start_daemon: StartDaemon, certificates: Certificates) -> RunningDaemon:
    return start_daemon(tls=certificates.settings())


@pytest.fixture
def far_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every server seems to be on another machine."""
    monkeypatch.setattr(dialling, "is_loopback", lambda host: False)


@pytest.fixture
def verbs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What servers are told from now on."""
    told: list[str] = []
    run_verb = Session._run_verb

    async def note(session: Session, name: str, argument: str) -> None:
        told.append(name)
        await run_verb(session, name, argument)

    monkeypatch.setattr(Session, "_run_verb", note)
    return told


async def greet(client: Client) -> list[str]:
    """Return the names of users who are connected, and what TLS is in use."""
    users = [row[1] for row in await client.who()]
    return [*users, (await client.command("GTLS")).text.split("|")[0]]


def session(
    address: str,
    tls: ClientTls,
    work: Callable[[Client], Awaitable[Any]] = greet,
    password: str = PASSWORD,
) -> Any:
    async def run() -> Any:
        with trio.fail_after(20):
            async with Client.connect(address, password, tls=tls) as client:
                return await work(client)

    return in_trio(run)


# Trusted


def test_tls_from_the_first_byte(daemon: RunningDaemon, certificates: Certificates) -> None:
    assert session(daemon.tls_address("alice"), certificates.trusting()) == ["alice", "TLSv1.3"]


def test_stls_where_it_is_demanded(
    daemon: RunningDaemon, certificates: Certificates, verbs: list[str]
) -> None:
    assert session(daemon.address("alice"), certificates.trusting()) == ["alice", "TLSv1.3"]
    assert verbs[:3] == ["STLS", "USER", "PASS"]


def test_on_loopback_nothing_is_demanded_and_no_time_is_spent(
    daemon: RunningDaemon, verbs: list[str]
) -> None:
    async def work(client: Client) -> int:
        await client.noop()
        return client.connection.round_trips

    assert session(daemon.address("alice"), ClientTls(), work) == 1
    assert verbs == ["USER", "PASS", "NOOP"]


@pytest.mark.parametrize("host", ["ns1..example.com", f"{'a' * 64}.example.com"])
def test_what_cannot_be_a_hosts_name_is_told(host: str) -> None:
    async def dial() -> None:
        async with Client.connect(Address.parse(f"syncd://alice@{host}"), PASSWORD):
            pass

    with pytest.raises(ConnectionFailed, match="no name of a host"):
        in_trio(dial)


def test_localhost_is_loopback(daemon: RunningDaemon, verbs: list[str]) -> None:
    session(f"syncd://alice@localhost:{daemon.port}", ClientTls(), Client.noop)
    assert verbs == ["USER", "PASS", "NOOP"]


@pytest.mark.usefixtures("far_away")
def test_to_another_machine_stls_is_sent_unasked(
    daemon: RunningDaemon, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))  # the system's store
    assert session(daemon.address("alice"), ClientTls()) == ["alice", "TLSv1.3"]


def test_a_pinned_certificate_needs_neither_ca_nor_name_nor_date(
    start_daemon: StartDaemon, certificates: Certificates
) -> None:
    for certificate in (certificates.server, certificates.misnamed, certificates.expired):
        daemon = start_daemon(tls=certificates.settings(certificate))
        pin = pin_of(certificate)
        for address in (daemon.tls_address("alice"), daemon.address("alice")):
            assert session(address, ClientTls(pin=pin)) == ["alice", "TLSv1.3"]
            assert session(f"{address}?pin={pin}", ClientTls()) == ["alice", "TLSv1.3"]


def test_much_data_comes_through(daemon: RunningDaemon, certificates: Certificates) -> None:
    data = bytes(range(256)) * 8000

    async def work(client: Client) -> bytes:
        await client.put("files", "big", [data])
        return b"".join([part async for part in client.get("files", "big")])

    assert session(daemon.tls_address("alice"), certificates.trusting(), work) == data


# Not trusted


@pytest.mark.parametrize("scheme", ["syncd", "syncds"])
@pytest.mark.parametrize(
    ("certificate", "tls", "says"),
    [
        ("misnamed", {}, "IP address mismatch.*dial it by a name in its certificate"),
        ("expired", {}, "certificate has expired; renew it at the server"),
        ("server", {"ca_file": None, "starttls": True},
         "(self-signed|local issuer) certificate.*; give its CA with --ca, or .* --pin"),
        ("server", {"ca_file": "other_ca_file"}, "certificate.*; give its CA with --ca"),
        ("server", {"ca_file": None, "pin": NO_PIN}, "has the certificate {pin}, not the pinned"),
        ("server", {"pin": NO_PIN}, "has the certificate {pin}, not the pinned"),
        ("misnamed", {"pin": "right"}, "IP address mismatch"),
    ],
)  # fmt: skip
def test_a_server_that_is_not_the_one_that_was_meant_is_told_nothing(
    start_daemon: StartDaemon,
    certificates: Certificates,
    verbs: list[str],
    scheme: str,
    certificate: str,
    tls: dict[str, Any],
    says: str,
) -> None:
    served: Path = getattr(certificates, certificate)
    daemon = start_daemon(tls=certificates.settings(served))
    if tls.get("ca_file"):
        tls = tls | {"ca_file": getattr(certificates, tls["ca_file"])}
    if tls.get("pin") == "right":
        tls = tls | {"pin": pin_of(served)}
    address = daemon.address("alice") if scheme == "syncd" else daemon.tls_address("alice")
    with pytest.raises(NotTrusted, match=says.format(pin=pin_of(served))):
        session(address, certificates.trusting(**tls))
    assert set(verbs) <= {"STLS"}


def test_a_host_name_is_compared(start_daemon: StartDaemon, certificates: Certificates) -> None:
    def url(certificate: Path) -> str:
        daemon = start_daemon(tls=certificates.settings(certificate))
        return f"syncds://alice@localhost:{daemon.daemon.tls_port}"

    assert session(url(certificates.server), certificates.trusting()) == ["alice", "TLSv1.3"]
    with pytest.raises(NotTrusted, match=r"Hostname mismatch.*not valid for 'localhost'; dial it"):
        session(url(certificates.misnamed), certificates.trusting())


# No TLS


@pytest.mark.usefixtures("far_away")
def test_to_another_machine_without_tls_nothing_is_sent(
    running_daemon: RunningDaemon, verbs: list[str]
) -> None:
    with pytest.raises(
        TlsRequired, match=r"begins no TLS.*530 TLS is not offered.*no password was"
    ):
        session(running_daemon.address("alice"), ClientTls())
    assert verbs == ["STLS"]


@pytest.mark.usefixtures("far_away")
def test_localhost_that_leads_elsewhere_is_another_machine(
    running_daemon: RunningDaemon, verbs: list[str]
) -> None:
    with pytest.raises(TlsRequired):
        session(f"syncd://alice@localhost:{running_daemon.port}", ClientTls())
    assert verbs == ["STLS"]


@pytest.mark.usefixtures("far_away")
def test_clear_text_to_another_machine_has_to_be_allowed(
    running_daemon: RunningDaemon, verbs: list[str]
) -> None:
    tls = ClientTls(allow_clear_password=True)
    session(running_daemon.address("alice"), tls, Client.noop)
    assert verbs == ["USER", "PASS", "NOOP"]


def test_allowing_clear_text_does_not_undo_what_is_demanded(
    running_daemon: RunningDaemon, verbs: list[str]
) -> None:
    for tls in (
        ClientTls(allow_clear_password=True, starttls=True),
        ClientTls(allow_clear_password=True, pin=NO_PIN),
    ):
        with pytest.raises(TlsRequired):
            session(running_daemon.address("alice"), tls)
    assert set(verbs) == {"STLS"}


def test_a_name_that_only_leads_to_loopback_is_another_machine(
    running_daemon: RunningDaemon, verbs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dial(host: str, port: int) -> trio.SocketStream:
        return await real_dial("127.0.0.1", port)

    real_dial = trio.open_tcp_stream
    monkeypatch.setattr(trio, "open_tcp_stream", dial)
    with pytest.raises(TlsRequired):
        session(f"syncd://alice@ns1.example.com:{running_daemon.port}", ClientTls())
    assert verbs == ["STLS"]


def test_tls_from_the_first_byte_on_the_plain_port(
    daemon: RunningDaemon, certificates: Certificates
) -> None:
    address = daemon.address("alice").replace("syncd:", "syncds:")
    with pytest.raises(ConnectionFailed, match=r"does not answer in TLS: use syncd:// \(it begins"):
        session(address, certificates.trusting())


def test_no_tls_on_the_tls_port(daemon: RunningDaemon, certificates: Certificates) -> None:
    address = daemon.tls_address("alice").replace("syncds:", "syncd:")
    with pytest.raises(NotSupported, match="this port speaks TLS from the first byte: use syncds"):
        session(address, ClientTls())
    with pytest.raises(TlsRequired, match="this port speaks TLS from the first byte: use syncds"):
        session(address, certificates.trusting())


# Somebody in the middle


class Impostor:
    """Answers as a server would, line by line; keeps what it is told."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        self._answers = answers
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"syncd://alice@127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(10)
        with client:
            client.sendall(self._answers.get(b"", b"200 syncd ready\n"))
            while True:
                try:
                    data = client.recv(4096)
                except OSError:
                    return
                if not data:
                    return
                self.heard += data
                for line in data.splitlines():
                    client.sendall(self._answers.get(line[:4], b"200 ok\n"))

    def close(self) -> None:
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def impostor() -> Iterator[Callable[[dict[bytes, bytes]], Impostor]]:
    made: list[Impostor] = []

    def make(answers: dict[bytes, bytes]) -> Impostor:
        made.append(Impostor(answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.usefixtures("far_away")
@pytest.mark.parametrize(
    ("answers", "kind", "says"),
    [
        ({b"STLS": b"530 no such verb\n", b"INFO": b"100 info\n000\n"}, TlsRequired, "hides it"),
        ({b"STLS": b"500 later\n"}, TlsRequired, "500 later"),
        ({b"": b"530 no TLS here\n"}, TlsRequired, "no TLS here"),
        ({b"STLS": b"300 go on\n"}, ProtocolViolation, "answered STLS with 300"),
        ({b"STLS": b"100 listing\n000\n"}, ProtocolViolation, "answered STLS with 100"),
        ({b"STLS": b"200 begin\n200 alice|admin\n"}, ProtocolViolation, "more in clear text"),
        ({b"STLS": b"902 commit|x\n200 begin\n"}, ProtocolViolation, "more in clear text"),
        ({b"": b"200 hi\n200 begin\n200 alice|admin\n"}, ProtocolViolation, "more in clear"),
        ({b"STLS": b"200 begin\n", b"\x16\x03\x01\x02": b"200 alice|admin\n"}, ConnectionFailed,
         "does not answer in TLS: somebody on the way"),
    ],
)  # fmt: skip
def test_whatever_somebody_in_the_middle_answers_no_login_is_sent(
    impostor: Callable[[dict[bytes, bytes]], Impostor],
    answers: dict[bytes, bytes],
    kind: type[SyncError],
    says: str,
) -> None:
    middle = impostor(answers)
    with pytest.raises(kind, match=says):
        session(middle.address, ClientTls(pin=NO_PIN))
    middle.close()
    assert middle.heard.startswith(b"STLS\n")
    assert b"alice" not in middle.heard
    assert PASSWORD.encode() not in middle.heard


@pytest.mark.parametrize("scheme", ["syncd", "syncds"])
def test_a_server_that_never_answers_in_tls_is_given_up(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(dialling, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{scheme}://alice@127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ConnectionFailed, match=f"{address}: no answer"):
            session(address, ClientTls(starttls=True))


# Client certificates


@pytest.mark.parametrize("scheme", ["syncd", "syncds"])
def test_a_client_certificate_logs_in_without_a_password(
    daemon: RunningDaemon, certificates: Certificates, verbs: list[str], scheme: str
) -> None:
    tls = certificates.trusting(cert_file=certificates.issue("alice", common_name="alice"))
    address = daemon.address("alice") if scheme == "syncd" else daemon.tls_address("alice")
    assert session(address, tls, password="") == ["alice", "TLSv1.3"]
    assert "PASS" not in verbs


def test_a_certificate_of_another_user_needs_the_password(
    daemon: RunningDaemon, certificates: Certificates
) -> None:
    tls = certificates.trusting(cert_file=certificates.issue("bob", common_name="bob"))
    with pytest.raises(PasswordRequired, match="the certificate does not log in alice: its name"):
        session(daemon.tls_address("alice"), tls, password="")
    assert session(daemon.tls_address("alice"), tls) == ["alice", "TLSv1.3"]
    with pytest.raises(PasswordRequired, match="wrong password"):
        session(daemon.tls_address("alice"), tls, password="guess")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ca": trustme.CA()}, "it is of none of the CAs that the server takes"),
        ({"not_after": LONG_AGO}, "it has expired; renew it"),
    ],
)
@pytest.mark.parametrize("scheme", ["syncd", "syncds"])
def test_a_certificate_that_the_server_does_not_take_is_named_as_the_reason(
    daemon: RunningDaemon,
    certificates: Certificates,
    options: dict[str, Any],
    says: str,
    scheme: str,
) -> None:
    refused = certificates.issue("refused", common_name="alice", **options)
    address = daemon.address("alice") if scheme == "syncd" else daemon.tls_address("alice")
    with pytest.raises(NotLoggedIn, match=f"does not take this client's certificate: {says}"):
        session(address, certificates.trusting(cert_file=refused))


def test_a_server_is_told_why_its_certificate_is_not_taken(
    start_daemon: StartDaemon, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = start_daemon(tls=certificates.settings(certificates.expired))
    with caplog.at_level("INFO"), pytest.raises(NotTrusted):
        session(daemon.tls_address("alice"), certificates.trusting())
    wait_until(lambda: "alert certificate expired" in logged(caplog))


# Settings


@pytest.mark.parametrize(
    ("tls", "kind", "says"),
    [
        ({"ca_file": "none"}, ConfigError, "--ca none: no CA to be read: No such file"),
        ({"ca_file": "pyproject.toml"}, ConfigError, "--ca pyproject.toml: no CA .*PEM"),
        ({"key_file": "none"}, ConfigError, "--key needs --cert"),
        ({"cert_file": "none"}, ConfigError, "the certificate none cannot be used: No such"),
        ({"cert_file": "pyproject.toml"}, ConfigError, "cannot be used: .*PEM"),
        ({"pin": "sha1:00"}, ConfigError, "is no pin: write sha256: and 64 hex digits"),
    ],
)
def test_settings_that_cannot_be_used_say_which(
    daemon: RunningDaemon, tls: dict[str, str], kind: type[SyncError], says: str
) -> None:
    files: dict[str, Any] = {
        key: value if key == "pin" else Path(value) for key, value in tls.items()
    }
    with pytest.raises(kind, match=says):
        session(daemon.tls_address("alice"), ClientTls(**files))


def test_two_pins_are_refused(daemon: RunningDaemon) -> None:
    address = f"{daemon.tls_address('alice')}?pin={NO_PIN}"
    with pytest.raises(ConfigError, match="another pin"):
        session(address, ClientTls(pin=f"sha256:{'1' * 64}"))


@pytest.mark.parametrize("password", ["secret\nQUIT", "sec\rret", "secret\0"])
def test_a_password_that_is_no_line_is_refused_and_not_shown(
    running_daemon: RunningDaemon, password: str
) -> None:
    with pytest.raises(IllegalValue) as refused:
        session(running_daemon.address("alice"), ClientTls(), password=password)
    assert "sec" not in str(refused.value)


def test_an_overlong_password_is_not_shown(running_daemon: RunningDaemon) -> None:
    with pytest.raises(ValueError, match="not one line of at most") as refused:
        session(running_daemon.address("alice"), ClientTls(), password="secret" * 5000)
    assert "secret" not in str(refused.value)


def test_an_address_hides_no_pin() -> None:
    text = f"syncds://alice@[::1]:5041?pin={NO_PIN}"
    assert str(Address.parse(text)) == text
