"""The agent's configuration: what it takes, and what it says of what it does not."""

from pathlib import Path

import pytest

from syncclient.backends import backend_names
from syncclient.follow.config import AgentConfig, config_text
from syncd.errors import ConfigError

WHOLE = """
[agent]
name = "ns2"
folder = "/var/lib/syncd/ns2"

[[source]]
url = "syncd://agent@ns1.example.com"
password_file = "/etc/syncd/password"

[[source]]
url = "syncds://agent@ns0.example.com"
cert_file = "/etc/syncd/agent.pem"

[bind]
rndc = ["rndc", "-p", "1953"]
"""


def load(tmp_path: Path, text: str) -> AgentConfig:
    file = tmp_path / "replica.toml"
    file.write_text(text)
    return AgentConfig.load(file)


def test_sources_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, WHOLE)
    assert [str(source.address) for source in config.sources] == [
        "syncd://agent@ns1.example.com:5040",
        "syncds://agent@ns0.example.com:5041",
    ]
    assert config.backend_settings.rndc == ("rndc", "-p", "1953")
    assert config.store_url == "sqlite:////var/lib/syncd/ns2/replica.db"
    assert config.backend().name == "bind"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[bind]", "[nsdd]", "there is none of them"),
        ("[bind]", "[files]\n[bind]", "[bind] and [files]"),
        ("[[source]]", "[source]", "is not TOML"),
        ("rndc =", "rndcc =", "[bind] rndcc: no such key"),
        ('["rndc", "-p", "1953"]', "[]", "[bind] rndc = []: write a list of texts, not empty"),
        ('["rndc", "-p", "1953"]', '[""]', '[bind] rndc = [""]: write a list of texts, not empty'),
        ('folder = "/var/lib/syncd/ns2"', "", "[agent] folder"),
        ('name = "ns2"', 'name = "no good"', "[agent] name"),
        ("syncd://agent@ns1.example.com", "syncd://ns1.example.com", "[source 1]"),
        ("syncd://agent@ns1.example.com", "http://ns1.example.com", "[source 1]"),
        ('password_file = "/etc/syncd/password"', "", "cannot be asked for a password"),
        ('cert_file = "/etc/syncd/agent.pem"', 'pin = "abc"', "[source 2]"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, WHOLE.replace(old, new, 1))
    assert said in str(refused.value)
    assert "replica.toml" in str(refused.value)


def test_without_a_source_there_is_nobody_to_follow(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="say whom to follow"):
        load(tmp_path, '[agent]\nfolder = "/x"\n[files]\n')


@pytest.mark.parametrize("name", backend_names())
def test_the_printed_configuration_is_taken_once_the_source_and_folder_are_named(
    tmp_path: Path, name: str
) -> None:
    text = config_text(name)
    text = text.replace('folder = ""', 'folder = "/x"').replace('url = ""', 'url = "syncd://a@b"')
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o600)
    text = text.replace('password_file = ""', f'password_file = "{password}"', 1)
    assert load(tmp_path, text).backend_kind.name == name


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            '[server]\naddress = "127.0.0.1:99999"\n[files]\n',
            r"\[server\] address: .* no name server",
        ),
        ('[knot]\ntemplate = "a b"\n', r"\[knot\] template = 'a b'"),
        ('[dnsmasq]\nunsupported = "maybe"\n', r"\[dnsmasq\].* unsupported"),
        ('[powerdns]\nmark = "a b"\n', r"\[powerdns\] mark = 'a b'"),
        ('[powerdns]\ndatabase = "foo://x"\n', "foo"),
        ('[powerdns]\npassword_file = "/nowhere"\n', r"\[powerdns\] password_file: .* no password"),
        ('[bind]\nrndc = ["\\u0000"]\n', r"\[bind\] rndc"),
    ],
)
def test_what_only_the_name_server_can_use_is_refused_with_the_files_name(
    tmp_path: Path, section: str, said: str
) -> None:
    source = '[[source]]\nurl = "syncd://a@b"\npassword_file = "/p"\n'
    with pytest.raises(ConfigError, match=rf"replica.toml: .*{said}"):
        load(tmp_path, f'[agent]\nfolder = "/x"\n{source}{section}')


def test_an_unknown_backend_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="bind"):
        config_text("tinydns")
