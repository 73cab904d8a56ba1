"""Section [powerdns] of an agent's configuration."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from syncclient.access import password_from_file
from syncd.errors import ConfigError, PasswordRequired
from syncd.settings import setting

PASSWORD_VARIABLE = "POWERDNS_PASSWORD"
_MARK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class PowerDnsSettings:
    """Where PowerDNS's database and its control socket are, and what is taken from others."""

    database: str = setting(
        "sqlite:////var/lib/powerdns/pdns.sqlite3",
        "PowerDNS's own database (gsqlite3, gpgsql or gmysql), as SQLAlchemy writes it: "
        "sqlite:////FILE, postgresql+psycopg://USER@HOST/DATABASE or "
        "mariadb+pymysql://USER@HOST/DATABASE. The password belongs elsewhere, see password_file.",
        secret=True,
    )
    password_file: str = setting(
        "",
        "File with the database's password, for its owner only (mode 600); else the variable "
        "POWERDNS_PASSWORD, or what the database's client reads, as ~/.pgpass.",
    )
    control_socket: str = setting(
        "/var/run/pdns/pdns.controlsocket",
        "Socket that pdns_control uses: pdns.controlsocket in PowerDNS's socket-dir.",
    )
    pdnsutil: str = setting("pdnsutil", "Program that checks zones.", filled=True)
    mark: str = setting(
        "syncd",
        "Word by which this agent knows the zones that are its own in the database (metadata "
        "X-SYNCD-DIGEST). Agents that share a database need different ones.",
    )
    adopt: bool = setting(
        False,
        "Whether to take over zones that somebody else has put into the database, if the source "
        "has them too; else they are left alone, and reported as refused.",
    )
    odd_names: str = setting(
        "refuse",
        "What becomes of zones with names that PowerDNS never answers (SERVFAIL): those with "
        'other characters than letters, digits, blanks, "-_.*/:@" and backslashes.',
        choices=("refuse", "take"),
    )

    def password(self) -> str | None:
        """Return the database's password, None if none is given. Raises ConfigError."""
        if self.password_file:
            try:
                return password_from_file(Path(self.password_file))
            except PasswordRequired as error:
                raise ConfigError(f"[powerdns] password_file: {error}") from None
        return os.environ.get(PASSWORD_VARIABLE)

    def check(self) -> None:
        """Raise ConfigError for a mark that cannot be one, or a password that nobody asks for."""
        if self.password_file and self.database.startswith("sqlite"):
            raise ConfigError("[powerdns] password_file: a SQLite file has no password")
        if _MARK.fullmatch(self.mark) is None:
            raise ConfigError(
                f"[powerdns] mark = {self.mark!r:.80}: write up to 63 letters, digits, dots and "
                "dashes"
            )
