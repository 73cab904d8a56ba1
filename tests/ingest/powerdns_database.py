"""A database as PowerDNS has it: the schema that Debian ships, filled by pdnsutil or row by row."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, make_url, text

SCHEMAS = {
    "sqlite": "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql",
    "postgresql": "/usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql",
    "mariadb": "/usr/share/pdns-backend-mysql/schema/schema.mysql.sql",
}
Record = tuple[str, str, str | None]
"""Name, type and content."""


class PowerDnsDatabase:
    """One database; close it."""

    def __init__(self, url: str, *, schema: str | None = None) -> None:
        """`schema` is SQL in place of what Debian ships."""
        self.url = url
        self.engine: Engine = create_engine(url)
        statements = schema or Path(SCHEMAS[self.engine.dialect.name]).read_text()
        with self.engine.begin() as connection:
            for statement in re.sub(r"--[^\n]*", "", statements).split(";"):
                if statement.strip():
                    connection.exec_driver_sql(statement)

    def close(self) -> None:
        self.engine.dispose()

    def execute(self, statement: str, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def add_zone(self, name: str, records: Iterable[Record] = (), *, kind: str = "NATIVE") -> int:
        """Add a zone with an SOA and an NS record of its own, and these."""
        own: list[Record] = [
            (name, "SOA", "ns1.example.com hostmaster.example.com 1 7200 3600 1209600 300"),
            (name, "NS", "ns1.example.com"),
        ]
        number = self.add_bare_zone(name, kind=kind)
        for record in [*own, *records]:
            self.add_record(number, *record)
        return number

    def add_bare_zone(self, name: str, *, kind: str = "NATIVE") -> int:
        self.execute("INSERT INTO domains (name, type) VALUES (:name, :kind)", name=name, kind=kind)
        with self.engine.connect() as connection:
            statement = text("SELECT id FROM domains WHERE name = :name")
            return int(connection.execute(statement, {"name": name}).scalar_one())

    def add_record(
        self,
        zone: int,
        name: str,
        kind: str | None,
        content: str | None,
        ttl: int | None = 300,
        prio: int | None = None,
        **more: Any,
    ) -> None:
        values = {"domain_id": zone, "name": name, "type": kind, "content": content, "ttl": ttl}
        values |= {"prio": prio, **more}
        columns, places = ", ".join(values), ", ".join(f":{key}" for key in values)
        self.execute(f"INSERT INTO records ({columns}) VALUES ({places})", **values)

    def load(self, zone: str, file: Path, folder: Path) -> None:
        """Have PowerDNS itself put a master file into the database."""
        folder.mkdir(exist_ok=True)
        (folder / "pdns.conf").write_text("\n".join(self._settings()) + "\n")
        subprocess.run(
            ["pdnsutil", f"--config-dir={folder}", "load-zone", zone, str(file)],
            check=True,
            capture_output=True,
        )

    def _settings(self) -> list[str]:
        url = make_url(self.url)
        if url.get_backend_name() == "sqlite":
            return ["launch=gsqlite3", f"gsqlite3-database={url.database}"]
        launch = {"postgresql": "gpgsql", "mariadb": "gmysql"}[url.get_backend_name()]
        settings = {"dbname": url.database, "user": url.username}
        if launch == "gpgsql":
            settings |= {"host": url.query["host"], "port": url.query["port"]}
        else:
            settings |= {"socket": url.query["unix_socket"]}
        return [f"launch={launch}", *(f"{launch}-{key}={value}" for key, value in settings.items())]
