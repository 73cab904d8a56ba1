"""PowerDNS: `with running_powerdns(folder, PowerDnsData.sqlite(folder)) as server: ...`.

On SQLite, or on a database of one of the servers in tests/databases.py, with the schema that
Debian's packages bring.
"""

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, make_url

from tests.databaseservers import MariaDB, PostgreSQL, Server
from tests.nameservers.server import NameServer

_SCHEMAS = {
    "sqlite": Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql"),
    "postgresql": Path("/usr/share/doc/pdns-backend-pgsql/schema.pgsql.sql"),
    "mariadb": Path("/usr/share/doc/pdns-backend-mysql/schema.mysql.sql"),
}


@dataclass(frozen=True)
class PowerDnsData:
    """A database with PowerDNS's tables: how we reach it, and how PowerDNS does."""

    url: str
    config: str

    @classmethod
    def sqlite(cls, folder: Path) -> "PowerDnsData":
        """Make a SQLite file in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "pdns.sqlite3"
        connection = sqlite3.connect(file)
        connection.executescript(_SCHEMAS["sqlite"].read_text())
        connection.close()
        config = f"launch=gsqlite3\ngsqlite3-database={file}\ngsqlite3-dnssec=yes\n"
        return cls(f"sqlite:///{file}", config)

    @classmethod
    def on(cls, server: Server, url: str) -> "PowerDnsData":
        """Fill an empty database of a server."""
        engine = create_engine(url)
        with engine.begin() as connection:
            for statement in _statements(_SCHEMAS[server.name]):
                connection.exec_driver_sql(statement)
        engine.dispose()
        parsed = make_url(url)
        if isinstance(server, PostgreSQL):
            lines = {
                "launch": "gpgsql", "gpgsql-dbname": parsed.database, "gpgsql-user": "syncd",
                "gpgsql-host": server.folder, "gpgsql-port": server.port, "gpgsql-dnssec": "yes",
            }  # fmt: skip
        else:
            assert isinstance(server, MariaDB)
            lines = {
                "launch": "gmysql", "gmysql-dbname": parsed.database, "gmysql-user": "syncd",
                "gmysql-socket": parsed.query["unix_socket"], "gmysql-dnssec": "yes",
            }  # fmt: skip
        return cls(url, "".join(f"{name}={value}\n" for name, value in lines.items()))


def _statements(schema: Path) -> list[str]:
    text = re.sub(r"--.*", "", schema.read_text())
    return [part for part in text.split(";") if part.strip()]


def running_powerdns(folder: Path, data: PowerDnsData, *, config: str = "") -> "PowerDns":
    """Return a pdns_server to enter with `with`; `config` stands below the rest of pdns.conf."""
    return PowerDns(folder, data, config)


class PowerDns(NameServer):
    """A pdns_server on a database."""

    name = "pdns"

    def __init__(self, folder: Path, data: PowerDnsData, config: str) -> None:
        super().__init__(folder, {})
        self.data = data
        self._config = config

    @property
    def control_socket(self) -> Path:
        return self.run_folder / "pdns.controlsocket"

    def control(self, *words: str) -> str:
        """Run a control command and return what it prints. Raises ControlFailed."""
        return self._control(
            "pdns_control", f"--config-dir={self.folder}", f"--socket-dir={self.run_folder}", *words
        )

    def pdnsutil(self, *words: str) -> str:
        """Run pdnsutil on the server's database. Raises ControlFailed."""
        return self._control("pdnsutil", f"--config-dir={self.folder}", *words)

    def _configure(self) -> None:
        self.config.write_text(
            f"{self.data.config}"
            f"local-address=127.0.0.1\nlocal-port={self.port}\nsocket-dir={self.run_folder}\n"
            "daemon=no\nguardian=no\nsecurity-poll-suffix=\n"
            f"zone-cache-refresh-interval=0\nloglevel=4\n{self._config}"
        )

    def _command(self) -> Sequence[str]:
        return ["pdns_server", f"--config-dir={self.folder}"]

    def _takes_commands(self) -> bool:
        return self._takes(
            "pdns_control", f"--config-dir={self.folder}", f"--socket-dir={self.run_folder}",
            "rping",
        )  # fmt: skip
