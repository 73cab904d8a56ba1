"""The configuration of `syncd serve`: a TOML file whose sections are dataclasses.

To add a section: a dataclass whose fields are declared with `setting`, and a field for it here.
"""

from dataclasses import dataclass, field
from pathlib import Path

from syncd.ingest.folder import FolderSettings
from syncd.protocol.ports import DEFAULT_PORT
from syncd.secretfiles import refuse_shared
from syncd.server.limits import Limits
from syncd.server.tls import TlsSettings
from syncd.settings import (
    load_tables,
    parse_tables,
    read_sections,
    secret_texts,
    sections_text,
    setting,
)
from syncd.store.url import holds_password

_HEAD = """\
# Configuration of `syncd serve --config FILE`. Options of the command line come before it.
# A key that is left out has its default.
"""


@dataclass(frozen=True)
class StoreSection:
    """Section [store]."""

    url: str = setting(
        "sqlite:///syncd.db",
        "Database of the store, as SQLAlchemy writes it; a relative path is relative to where "
        "the daemon is started. With a password in it this file is for its owner, and its group "
        "to read (mode 640 or less).",
        secret=True,
    )


@dataclass(frozen=True)
class Listen:
    """Section [listen]."""

    host: str = setting(
        "127.0.0.1",
        'Address or host name to listen on; "*" for all addresses. Unused if systemd hands over '
        "a socket.",
    )
    port: int = setting(DEFAULT_PORT, "TCP port; 0 picks a free one.", low=0, high=65535)


@dataclass(frozen=True)
class Login:
    """Section [login]."""

    hide_user_names: bool = setting(
        False,
        "Whether USER answers the same for names that there are not, so that nobody can try which "
        "there are. Citadel's clients expect to be told.",
    )


@dataclass(frozen=True)
class LogSection:
    """Section [log]. The log goes to standard error."""

    level: str = setting(
        "info",
        "Least level of what is logged.",
        choices=("debug", "info", "warning", "error"),
    )
    format: str = setting(
        "text",
        "One line an event, as key=value pairs or as JSON objects.",
        choices=("text", "json"),
    )
    slow_command_s: float = setting(
        10.0,
        "Commands that take longer than so many seconds are logged as slow.",
        low=0,
        high=86400,
    )


@dataclass(frozen=True)
class Ingest:
    """Sections [ingest.*]: what comes into the store by itself."""

    folder: FolderSettings = field(default_factory=FolderSettings)


@dataclass(frozen=True)
class Config:
    """All sections; a section that the file does not have has its defaults."""

    store: StoreSection = field(default_factory=StoreSection)
    listen: Listen = field(default_factory=Listen)
    tls: TlsSettings = field(default_factory=TlsSettings)
    login: Login = field(default_factory=Login)
    limits: Limits = field(default_factory=Limits)
    log: LogSection = field(default_factory=LogSection)
    ingest: Ingest = field(default_factory=Ingest)

    @classmethod
    def load(cls, path: Path) -> "Config":
        """Return what a file says. Raises ConfigError, with file, section and key."""
        config = read_sections(cls, load_tables(path), str(path))
        if any(map(holds_password, secret_texts(config))):
            refuse_shared(path, "password", group_may_read=True)
        return config

    @classmethod
    def parse(cls, text: str, file: str) -> "Config":
        """Return what the text of a file says. Raises ConfigError."""
        return read_sections(cls, parse_tables(text, file), file)

    def text(self) -> str:
        """Return the configuration as the commented file that gives it."""
        return "\n".join([_HEAD, *sections_text(self)])
