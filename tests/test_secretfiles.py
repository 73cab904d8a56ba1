"""A file that holds a secret is refused if others can use it, whatever kind of secret it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from syncclient.follow.config import AgentConfig
from syncclient.tls import ClientTls
from syncclient.tls import _context as client_context
from syncd.errors import ConfigError
from syncd.secretfiles import refuse_shared
from syncd.server.config import Config
from syncd.server.tls import ServerTls, TlsSettings
from tests.certificates import Certificates

TAKEN = [0o400, 0o600, 0o440, 0o640]
REFUSED = [0o644, 0o604, 0o641, 0o602, 0o660, 0o620, 0o610, 0o444, 0o666]
URL = "postgresql+psycopg://syncd:{}@db.example.com/zones"
PASSWORD = "Tr0ub4dor-and-3"
AGENT = """
[agent]
folder = "/var/lib/syncd/ns2"
[[source]]
url = "syncd://agent@ns1.example.com"
password_file = "/etc/syncd/password"
"""


def config_of_server(folder: Path, key: Path) -> Path:
    return written(folder, f'[store]\nurl = "{URL.format(PASSWORD)}"\n')


def config_of_agent(folder: Path, key: Path) -> Path:
    return written(folder, f'{AGENT}[files]\n[replica]\nstore = "{URL.format(PASSWORD)}"\n')


def config_of_agent_of_powerdns(folder: Path, key: Path) -> Path:
    return written(folder, f'{AGENT}[powerdns]\ndatabase = "{URL.format(PASSWORD)}"\n')


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def key_itself(folder: Path, key: Path) -> Path:
    return key


FILES: dict[str, tuple[Callable[[Path, Path], Path], Callable[[Path], object], str]] = {
    "the server's certificate and key": (
        key_itself, lambda file: ServerTls(TlsSettings(str(file))), "key",
    ),
    "the server's key": (
        key_itself, lambda file: ServerTls(TlsSettings(str(public(file)), str(file))), "key",
    ),
    "the client's certificate and key": (
        key_itself, lambda file: client_context(ClientTls(cert_file=file), None), "key",
    ),
    "the client's key": (
        key_itself,
        lambda file: client_context(ClientTls(cert_file=public(file), key_file=file), None),
        "key",
    ),
    "the server's configuration": (config_of_server, Config.load, "password"),
    "an agent's configuration": (config_of_agent, AgentConfig.load, "password"),
    "an agent's configuration, of PowerDNS": (
        config_of_agent_of_powerdns, AgentConfig.load, "password",
    ),
}  # fmt: skip


def public(key: Path) -> Path:
    """The certificate without its key, which all may read."""
    text = key.read_text()
    file = key.with_name("certificate.pem")
    file.write_text(text[text.index("-----BEGIN CERTIFICATE-----") :])
    file.chmod(0o644)
    return file


@pytest.mark.parametrize("name", FILES)
def test_a_file_with_a_secret_is_for_its_owner_and_its_group_to_read(
    tmp_path: Path, certificates: Certificates, name: str
) -> None:
    make, use, secret = FILES[name]
    key = tmp_path / "server.pem"
    key.write_bytes(certificates.server.read_bytes())
    file = make(tmp_path, key)
    for mode in TAKEN:
        file.chmod(mode)
        use(file)
    for mode in REFUSED:
        file.chmod(mode)
        with pytest.raises(ConfigError) as refused:
            use(file)
        assert str(refused.value) == (
            f"{file} can be used by others (mode {mode:o}); chmod 600 it (640 lets its group "
            f"read), and take a new {secret} if it was read"
        )


@pytest.mark.parametrize(
    "url", ["sqlite:///syncd.db", URL.replace(":{}", ""), "mariadb+pymysql://h/x?charset=utf8"]
)
def test_a_configuration_without_a_password_may_be_read_by_all(tmp_path: Path, url: str) -> None:
    file = written(tmp_path, f'[store]\nurl = "{url}"\n')
    file.chmod(0o644)
    assert Config.load(file).store.url == url
    file.write_text(f'{AGENT}[files]\n[replica]\nstore = "{url}"\n')
    assert AgentConfig.load(file).store_url == url


def test_a_certificate_that_was_renewed_for_all_to_read_is_not_taken(
    tmp_path: Path, certificates: Certificates
) -> None:
    key = tmp_path / "server.pem"
    key.write_bytes(certificates.server.read_bytes())
    key.chmod(0o600)
    tls = ServerTls(TlsSettings(str(key)))
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="can be used by others"):
        tls.reload()
    assert tls.offered


def test_what_systemd_hands_over_may_show_rights_of_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = tmp_path / "credentials" / "password"
    password.parent.mkdir()
    password.write_text(PASSWORD)
    password.chmod(0o440)
    with pytest.raises(ConfigError):
        refuse_shared(password, "password")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(password.parent))
    refuse_shared(password, "password")
    with pytest.raises(ConfigError):
        refuse_shared(written(tmp_path, ""), "password")
    password.chmod(0o444)
    with pytest.raises(ConfigError):
        refuse_shared(password, "password")
