"""PowerDNS on a SQLite database of its own, that holds no zones at first.

It has the settings that docs/backends/powerdns.md asks for. It keeps no answers: one that it is
about to give while a change is committed is often kept for 20 seconds under load, and the change
is confirmed only then.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Self

from bench.daemon import Daemon
from bench.measure import BenchmarkError

NAME = "PowerDNS"
_SCHEMA = Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")


class PowerDnsServer:
    """One pdns_server, set up but not yet started; leaving the `with` block ends it."""

    def __init__(self, work: Path, port: int) -> None:
        self.port = port
        self._work = work
        self._log = work / "pdns.log"
        self._file = work / "pdns.sqlite3"
        self._daemon: Daemon | None = None
        work.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._file)) as connection:
            connection.executescript(_SCHEMA.read_text())
        (work / "pdns.conf").write_text(
            f"launch=gsqlite3\ngsqlite3-database={self._file}\ngsqlite3-dnssec=yes\n"
            f"local-address=127.0.0.1\nlocal-port={port}\nsocket-dir={work}\n"
            "daemon=no\nguardian=no\nsecurity-poll-suffix=\nzone-cache-refresh-interval=0\n"
            "cache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\nloglevel=4\n"
        )

    @property
    def database(self) -> str:
        """Its database, as SQLAlchemy writes it."""
        return f"sqlite:///{self._file}"

    @property
    def control_socket(self) -> Path:
        """Where it takes commands."""
        return self._work / "pdns.controlsocket"

    @property
    def daemon(self) -> Daemon:
        """Its process. Raises BenchmarkError before the start."""
        if self._daemon is None:
            raise BenchmarkError("pdns_server is used before it was started")
        return self._daemon

    def start(self) -> None:
        """Start it; it is ready a little later."""
        self._daemon = Daemon(["pdns_server", f"--config-dir={self._work}"], self._log)

    def stop(self) -> None:
        """End it; its database is thrown away."""
        if self._daemon is not None:
            self._daemon.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
