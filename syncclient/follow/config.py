"""The configuration of an agent, `syncclient follow --config FILE`: TOML.

[agent] [replica] [server] [log]   sections, each with defaults
[[source]]                         one for each source, in order of preference
[bind], [knot], ...                exactly one: which name server is behind the agent
"""

import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncclient.access import PASSWORD_VARIABLE, Access
from syncclient.address import Address, parse_pin
from syncclient.backends import Backend, ServerSettings, backend_names, backend_of
from syncclient.dns import DnsServer
from syncclient.tls import ClientTls
from syncd.errors import ConfigError, IllegalValue, SyncError
from syncd.secretfiles import refuse_shared
from syncd.settings import (
    load_tables,
    read_section,
    read_sections,
    secret_texts,
    section_text,
    setting,
)
from syncd.store.url import holds_password

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_DAY_S = 24 * 3600


@dataclass(frozen=True)
class AgentSection:
    """Section [agent]."""

    name: str = setting(
        "",
        "What the agent is called in the table of servers at the source: letters, digits, dots "
        'and dashes. "" is the name of this host.',
    )
    folder: str = setting(
        "",
        "Folder of its own, in which it keeps its store, its state, and what the name server "
        "reads. The name server must be able to read it.",
    )

    @property
    def shown_name(self) -> str:
        """The name, the host's if none is given."""
        return self.name or socket.gethostname()


@dataclass(frozen=True)
class SourceSection:
    """Section [[source]]."""

    url: str = setting(
        "", "Address of the source: syncd://USER@HOST:PORT, or syncds://.", secret=True
    )
    password_file: str = setting(
        "",
        "File with the password, for its owner only (mode 600); else the variable SYNC_PASSWORD.",
    )
    ca_file: str = setting("", "CA of the server's certificate, PEM; else the system's.")
    pin: str = setting("", "sha256:HEX, the server's certificate, instead of a CA.")
    cert_file: str = setting("", "Certificate to log in with, PEM.")
    key_file: str = setting(
        "",
        "Its key, if it is not in the same file. The file with the key is for its owner, and its "
        "group to read (mode 640 or less).",
    )
    starttls: bool = setting(False, "Whether TLS is demanded on a loopback address too.")
    allow_clear_password: bool = setting(
        False, "Whether to go on without TLS to other machines, where others can read the password."
    )

    def access(self) -> Access:
        """Return how to reach the source. Raises ConfigError."""
        address = Address.parse(self.url)
        if address.user is None:
            raise ConfigError(f"{self.url}: say as whom to log in: syncd://USER@HOST:PORT")
        if not (self.password_file or self.cert_file or PASSWORD_VARIABLE in os.environ):
            raise ConfigError(
                f"{self.url}: no password_file and no cert_file, and {PASSWORD_VARIABLE} is not "
                "set: an agent cannot be asked for a password"
            )
        tls = ClientTls(
            _path(self.ca_file),
            parse_pin(self.pin) if self.pin else None,
            _path(self.cert_file),
            _path(self.key_file),
            self.starttls,
            self.allow_clear_password,
        )
        return Access(address, tls, _path(self.password_file))


@dataclass(frozen=True)
class ReplicaSection:
    """Section [replica]."""

    store: str = setting(
        "",
        'Database of the store, as SQLAlchemy writes it; "" is SQLite in the agent\'s folder. With '
        "a password in it this file is for its owner, and its group to read (mode 640 or less).",
        secret=True,
    )
    types: str = setting(
        "zones",
        'Types to copy, with commas; "*" for all that the user may read, which makes of this '
        "replica one that can become the source. The name server is given the zones.",
    )
    poll_s: float = setting(
        30.0,
        "Seconds after which the source is asked and told how it is here, even if nothing "
        "changed: a lost notice costs as much at most.",
        low=0.1,
        high=3600,
    )
    return_s: float = setting(
        300.0,
        "Seconds after which an agent that is not at the first of its sources tries those before "
        "again.",
        low=0.1,
        high=_DAY_S,
    )
    longest_wait_s: float = setting(
        60.0,
        "Longest time between two attempts when no source can be reached, or the name server "
        "cannot be worked with; it begins with a tenth of a second and doubles.",
        low=0.1,
        high=3600,
    )
    audit_s: float = setting(
        3600.0,
        "Seconds after which the name server is asked for every zone's serial, and given again "
        "what differs; at the start it is asked too. 0 for only then.",
        low=0,
        high=30 * _DAY_S,
    )
    keep_days: float = setting(
        7.0,
        "Days for which the store keeps what was, so that others can resync from this replica in "
        "increments.",
        low=0,
        high=3650,
    )
    allow_large_change: bool = setting(
        False,
        "Whether a change that touches over 30 % of the zones is applied; set it, and send "
        "SIGHUP, to let one pass.",
    )


@dataclass(frozen=True)
class LogSection:
    """Section [log]. The log goes to standard error."""

    level: str = setting(
        "info", "Least level of what is logged.", choices=("debug", "info", "warning", "error")
    )
    format: str = setting(
        "text",
        "One line an event, as key=value pairs or as JSON objects.",
        choices=("text", "json"),
    )


@dataclass(frozen=True)
class _Sections:
    """The sections that every agent has."""

    agent: AgentSection = field(default_factory=AgentSection)
    replica: ReplicaSection = field(default_factory=ReplicaSection)
    server: ServerSettings = field(default_factory=ServerSettings)
    log: LogSection = field(default_factory=LogSection)


@dataclass(frozen=True)
class AgentConfig:
    """All of it, checked."""

    agent: AgentSection
    replica: ReplicaSection
    server: ServerSettings
    log: LogSection
    sources: tuple[Access, ...]
    backend_kind: type[Backend]
    backend_settings: Any

    @property
    def folder(self) -> Path:
        """The agent's folder."""
        return Path(self.agent.folder)

    @property
    def store_url(self) -> str:
        """The store's database."""
        return self.replica.store or f"sqlite:///{self.folder / 'replica.db'}"

    def backend(self) -> Backend:
        """Return the name server. Raises ConfigError."""
        return self.backend_kind(self.backend_settings, self.server, self.folder)

    @classmethod
    def load(cls, path: Path) -> "AgentConfig":
        """Return what a file says. Raises ConfigError, with file, section and key."""
        tables, file = load_tables(path), str(path)
        sources = _read_sources(tables.pop("source", None), file)
        kind, settings = _read_backend(tables, file)
        sections = read_sections(_Sections, tables, file)
        secrets = (*secret_texts(sections), *secret_texts(settings))
        if any(map(holds_password, secrets)):
            refuse_shared(path, "password", group_may_read=True)
        if not sections.agent.folder:
            raise ConfigError(f"{file}: [agent] folder: say where the agent keeps what it needs")
        if _NAME.fullmatch(sections.agent.shown_name) is None:
            raise ConfigError(
                f"{file}: [agent] name = {sections.agent.shown_name!r:.80}: write up to 63 "
                "letters, digits, dots and dashes"
            )
        config = cls(
            sections.agent, sections.replica, sections.server, sections.log, sources, kind, settings
        )
        try:
            DnsServer.parse(config.server.address)
        except IllegalValue as error:
            raise ConfigError(f"{file}: [server] address: {error}") from None
        try:
            config.backend()
        except SyncError as error:
            raise ConfigError(f"{file}: {error}") from None
        return config


def config_text(backend: str) -> str:
    """Return a commented configuration with all defaults. Raises ConfigError."""
    kind = backend_of(backend).settings_kind
    sections = _Sections()
    parts = [
        "# Configuration of `syncclient follow --config FILE`.\n"
        "# A key that is left out has its default.\n",
        section_text("agent", sections.agent),
        section_text("source", SourceSection(), heading="[[{}]]"),
        section_text(backend, kind()),
        section_text("server", sections.server),
        section_text("replica", sections.replica),
        section_text("log", sections.log),
    ]
    return "\n".join(parts)


def _read_sources(tables: object, file: str) -> tuple[Access, ...]:
    if not isinstance(tables, list) or not tables:
        raise ConfigError(f"{file}: no [[source]]: say whom to follow, each as a [[source]]")
    sources = []
    for number, table in enumerate(tables, 1):
        name = f"source {number}"
        section = read_section(SourceSection, table, file=file, name=name)
        try:
            sources.append(section.access())
        except ConfigError as error:
            raise ConfigError(f"{file}: [{name}]: {error}") from None
    return tuple(sources)


def _read_backend(tables: dict[str, Any], file: str) -> tuple[type[Backend], Any]:
    known = backend_names()
    named = [name for name in known if name in tables]
    if len(named) != 1:
        there = " and ".join(f"[{name}]" for name in named) or "none of them"
        raise ConfigError(
            f"{file}: one section says which name server is behind the agent: "
            f"{', '.join(f'[{name}]' for name in known)}; there is {there}"
        )
    kind = backend_of(named[0])
    table = tables.pop(named[0])
    settings: object = read_section(kind.settings_kind, table, file=file, name=named[0])
    return kind, settings


def _path(text: str) -> Path | None:
    return Path(text) if text else None
