"""Certificates and TLS on the command lines, in processes of their own."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Certificates, pin_of
from tests.cli.commands import USER, Serving, assert_replicates, refused, run
from tests.databases import on_every_engine
from tests.store.objects import store_url

pytestmark = on_every_engine


@pytest.fixture
def certificate(tmp_path: Path, certificates: Certificates) -> Path:
    """What the server shows; a test may replace it."""
    file = tmp_path / "server.pem"
    file.touch(0o600)
    file.write_bytes(certificates.server.read_bytes())
    return file


@pytest.fixture
def server(source: str, certificate: Path, certificates: Certificates) -> Iterator[Serving]:
    options = ("--tls-cert", certificate, "--tls-client-ca", certificates.ca_file)
    with Serving(source, *options, "--tls-listen", "127.0.0.1:0") as serving:
        yield serving


def test_a_replica_is_made_and_kept_over_tls(
    tmp_path: Path, source: str, server: Serving, certificate: Path, certificates: Certificates
) -> None:
    replica = store_url(tmp_path, "replica")
    by_ca = ("--store", replica, "--ca", certificates.ca_file)
    run("syncclient", "bootstrap", server.tls_url(), *by_ca)
    assert_replicates(replica, source)
    run("syncclient", "delete", server.url(), "example.net.", "--ca", certificates.ca_file)
    pinned = f"{server.tls_url()}?pin={pin_of(certificate)}"
    run("syncclient", "resync", pinned, "--store", replica)
    assert_replicates(replica, source)
    run("syncclient", "status", server.url(), "--store", replica, "--pin", pin_of(certificate))


def test_a_certificate_and_its_key_stand_for_the_password(
    tmp_path: Path, server: Serving, certificates: Certificates
) -> None:
    pem = certificates.issue("root", common_name=USER).read_text()
    begin = pem.index("-----BEGIN CERTIFICATE")
    (tmp_path / "key.pem").touch(0o600)
    (tmp_path / "key.pem").write_text(pem[:begin])
    (tmp_path / "cert.pem").write_text(pem[begin:])
    own = ("--cert", tmp_path / "cert.pem", "--key", tmp_path / "key.pem")
    trusting = ("--ca", certificates.ca_file)
    run("syncclient", "verify", server.tls_url(), *trusting, *own, password=None)
    other = ("--cert", certificates.issue("bob", common_name="bob"))
    line = refused(
        "syncclient", "verify", server.tls_url(), *trusting, *other, password=None, status=4
    )
    assert f"the certificate does not log in {USER}" in line


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("{tls}",), 7, "give its CA with --ca, or the certificate's fingerprint with --pin"),
        (("{url}", "--starttls"), 7, "give its CA with --ca"),
        (("{tls}", "--pin", "sha256:" + "0" * 64), 7, "not the pinned one"),
        (("{tls}", "--pin", "abc"), 2, "is no pin"),
        (("{tls}", "--ca", "/nonexistent"), 2, "--ca /nonexistent: no CA to be read"),
        (("{tls}", "--key", "/nonexistent"), 2, "--key needs --cert"),
        (("{mixed}",), 3, "does not answer in TLS: use syncd://"),
        (("{demixed}",), 6, "this port speaks TLS from the first byte: use syncds://"),
    ],
)
def test_who_is_not_trusted_is_named_in_one_line(
    server: Serving, arguments: tuple[str, ...], status: int, says: str
) -> None:
    urls = {
        "tls": server.tls_url(),
        "url": server.url(),
        "mixed": server.url().replace("syncd:", "syncds:"),
        "demixed": server.tls_url().replace("syncds:", "syncd:"),
    }
    filled = [argument.format(**urls) for argument in arguments]
    assert says in refused("syncclient", "verify", *filled, status=status)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--tls-key", "x.pem"), "--tls-key needs --tls-cert"),
        (("--tls-listen", "127.0.0.1"), "--tls-listen needs --tls-cert"),
        (("--tls-cert", "/nonexistent"), "certificate /nonexistent cannot be used: No such file"),
    ],
)
def test_a_server_that_cannot_use_its_settings_does_not_start(
    source: str, options: tuple[str, ...], says: str
) -> None:
    line = refused("syncd", "serve", "--store", source, "--port", "0", *options, status=2)
    assert says in line


def test_a_server_whose_key_others_can_read_does_not_start(source: str, certificate: Path) -> None:
    certificate.chmod(0o644)
    line = refused(
        "syncd", "serve", "--store", source, "--port", "0", "--tls-cert", certificate, status=2
    )
    assert f"{certificate} can be used by others (mode 644); chmod 600 it" in line


def test_sighup_has_the_certificate_read_again(
    server: Serving, certificate: Path, certificates: Certificates
) -> None:
    renewed = certificates.issue("renewed", "localhost", "127.0.0.1")
    verify = ("syncclient", "verify", server.tls_url(), "--pin")
    run(*verify, pin_of(certificate))
    certificate.write_bytes(renewed.read_bytes())
    server.process.send_signal(signal.SIGHUP)
    assert server.process.stderr is not None
    log = iter(server.process.stderr)
    assert next(line for line in log if " certificate_" in line).endswith(" certificate_read\n")
    run(*verify, pin_of(renewed))
    certificate.write_text("half a certifi")
    server.process.send_signal(signal.SIGHUP)
    failed = next(line for line in log if " certificate_" in line)
    assert 'text="the one in use stays"' in failed
    assert "cannot be used" in failed
    run(*verify, pin_of(renewed))
