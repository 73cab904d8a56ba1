"""The configuration file: documented by itself, and strict."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from syncd.errors import ConfigError
from syncd.server.config import Config
from syncd.server.limits import Limits


def test_an_empty_file_gives_the_defaults() -> None:
    assert Config.parse("", "x") == Config()


def test_the_file_that_is_printed_gives_the_configuration_it_was_printed_from() -> None:
    assert Config.parse(Config().text(), "x") == Config()
    other = Config.parse(
        '[store]\nurl = "a\\"b\\\\c\\u007f"\n[limits]\nidle_s = 5\nuncounted_networks = []\n', "x"
    )
    assert other.store.url == 'a"b\\c\x7f'
    assert (other.limits.idle_s, other.limits.uncounted_networks) == (5.0, ())
    assert Config.parse(other.text(), "x") == other


def test_every_key_stands_in_the_printed_file_behind_its_help() -> None:
    text = Config().text()
    tables = tomllib.loads(text)
    for section in fields(Config):
        declared = fields(getattr(Config(), section.name))
        assert list(tables[section.name]) == [each.name for each in declared]
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# "), line
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[limit]\n",
            "syncd.toml: [limit]: no such section; there are [store], [listen], [tls], [login]",
        ),
        ("limits = 5\n", "syncd.toml: [limits]: write it as a table"),
        (
            "[limits]\nmax_session = 5\n",
            "[limits] max_session: no such key; there are max_",
        ),
        ("[limits]\nmax_sessions = 0\n", "[limits] max_sessions = 0: write a whole number from 1"),
        ("[limits]\nmax_sessions = 1.5\n", "[limits] max_sessions = 1.5: write a whole number"),
        ("[limits]\nmax_sessions = true\n", "[limits] max_sessions = true: write a whole number"),
        ('[limits]\nidle_s = "long"\n', '[limits] idle_s = "long": write a number from 0.1 to'),
        ("[limits]\nidle_s = nan\n", "[limits] idle_s = nan: write a number"),
        ("[limits]\nidle_s = inf\n", "[limits] idle_s = inf: write a number"),
        ("[limits]\nuncounted_networks = [1]\n", "uncounted_networks = [1]: write a list of texts"),
        ('[limits]\nuncounted_networks = ["x"]\n', 'uncounted_networks = ["x"]: write a list of'),
        ('[limits]\nuncounted_networks = "::1"\n', 'uncounted_networks = "::1": write a list of'),
        ("[listen]\nport = 65536\n", "[listen] port = 65536: write a whole number from 0 to 65535"),
        ("[listen]\nhost = 1\n", "[listen] host = 1: write a text"),
        ('[log]\nlevel = "loud"\n', '[log] level = "loud": write one of "debug", "info"'),
        ("[log\n", "syncd.toml: is not TOML: "),
    ],
)
def test_what_is_wrong_is_named_with_file_section_key_and_what_is_allowed(
    text: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.parse(text, "syncd.toml")
    assert "syncd.toml" in str(caught.value)
    assert says in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file"):
        Config.load(tmp_path / "none.toml")
    (tmp_path / "latin1.toml").write_bytes(b"# \xe4\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        Config.load(tmp_path / "latin1.toml")


def test_whole_numbers_are_taken_for_seconds() -> None:
    assert Config.parse("[limits]\nlogin_s = 3\n", "x").limits == Limits(login_s=3.0)


def test_a_url_that_may_hold_a_password_is_not_shown() -> None:
    with pytest.raises(ConfigError, match=r"url = \.\.\.: write a text") as caught:
        Config.parse('[store]\nurl = ["postgresql+psycopg://u:hidden@h/db"]\n', "syncd.toml")
    assert "hidden" not in str(caught.value)
