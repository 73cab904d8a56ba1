"""Database servers of the tests' own: in a temporary folder, from Debian's packages, for a while.

A server runs as an unprivileged user where the tests run as root, listens on a socket of its folder
and on loopback, ends when its `with` block or its parent process does, and leaves nothing behind.
Both are set up to be difficult where that is what operators have: databases whose own order of text
is not that of its octets, and whose own character set is not UTF-8.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import psycopg
import pymysql

from tests.disks import SmallDisk

_NOBODY = 65534
_START_S = 60.0
_numbers = iter(range(10**9))
PASSWORD = "of-the-database"
USER = "syncd"


class Server(ABC):
    """A database server. Without `durable` it flushes nothing, which is much quicker.

    With a `disk` it has its data there, and nothing else.
    """

    name: ClassVar[str]

    def __init__(self, *, durable: bool = False, disk: SmallDisk | None = None) -> None:
        self._durable, self._disk = durable, disk
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix=f"syncd-{self.name}-"))
        self.folder.chmod(0o711)  # programs of other users come to its socket
        if os.geteuid() == 0 and self._disk is None:
            os.chown(self.folder, _NOBODY, _NOBODY)
        try:
            self._make()
            self.start()
            self._set_up()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._remove()

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._unprivileged("setpriv", "--pdeathsig=KILL", *self._command()),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start:\n{self.log_text()}")
            time.sleep(0.02)

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Pull the server's plug."""
        if self._process is not None:
            self._kill(self._process)
            self._process.wait(_START_S)
            self._process = None

    def _remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def log_text(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def _run(self, *command: str | Path, given: bytes = b"") -> bytes:
        done = subprocess.run(
            self._unprivileged(*command), input=given, capture_output=True, timeout=_START_S,
            cwd=self.folder, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode(errors="replace")
            raise RuntimeError(f"{command[0]} failed:\n{said}")
        return done.stdout

    @property
    def _data(self) -> Path:
        return (self._disk.path if self._disk else self.folder) / "data"

    def _unprivileged(self, *command: str | Path) -> list[str]:
        """Say how to run a command that refuses root, and which sees the data."""
        words = [str(word) for word in command]
        if self._disk is not None:
            return [*self._disk.within_as_nobody, *words]
        if os.geteuid() != 0:
            return words
        return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *words]

    @abstractmethod
    def url(self, database: str, *, password: str | None = None) -> str:
        """A database's URL: over the socket without a password, else over loopback."""

    @abstractmethod
    def execute(self, statement: str, database: str | None = None) -> None:
        """Run a statement as the server's administrator, in a database if it is about one."""

    def take(self) -> str:
        """Return the name of an empty database, for a while."""
        database = f"test_{os.getpid()}_{next(_numbers)}"
        self.create(database)
        return database

    def give_back(self, database: str) -> None:
        """Nobody needs it any more."""
        self.drop(database)

    def create(self, database: str) -> None:
        self.execute(f"CREATE DATABASE {database}")

    @abstractmethod
    def drop(self, database: str) -> None:
        """Drop a database, whoever is still connected to it."""

    @abstractmethod
    def dump(self, database: str) -> bytes:
        """A backup of a database, as its operator makes one."""

    @abstractmethod
    def load(self, database: str, dump: bytes) -> None:
        """Fill an empty database from a backup."""

    @abstractmethod
    def _make(self) -> None: ...

    @abstractmethod
    def _command(self) -> Sequence[str | Path]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    @abstractmethod
    def _set_up(self) -> None: ...

    @staticmethod
    @abstractmethod
    def _kill(process: "subprocess.Popen[bytes]") -> None: ...


class PostgreSQL(Server):
    """A cluster whose databases sort text as English dictionaries do."""

    name = "postgresql"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._spare: list[str] = []
        """Empty databases: making one takes seven times as long as emptying one."""

    def take(self) -> str:
        return self._spare.pop() if self._spare else super().take()

    def give_back(self, database: str) -> None:
        self.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
        )
        self.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", database)
        self._spare.append(database)

    def _make(self) -> None:
        self._run(
            _postgresql_bin() / "initdb", f"--pgdata={self._data}", f"--username={USER}",
            "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu",
            "--icu-locale=en-US", "--auth-local=trust", "--auth-host=scram-sha-256",
        )  # fmt: skip

    def _command(self) -> Sequence[str | Path]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [_postgresql_bin() / "postgres", "-D", self._data, *options]

    def _set_up(self) -> None:
        self.execute(f"ALTER USER {USER} PASSWORD '{PASSWORD}'")

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str, *, password: str | None = None) -> str:
        if password is None:
            where = f"{USER}@/{database}?host={self.folder}&port={self.port}"
        else:
            where = f"{USER}:{password}@127.0.0.1:{self.port}/{database}"
        return f"postgresql+psycopg://{where}"

    def execute(self, statement: str, database: str | None = None) -> None:
        where = {"host": str(self.folder), "port": self.port, "user": USER}
        with psycopg.connect(**where, dbname=database or "postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def create(self, database: str) -> None:
        # By default it is copied page by page through the log, which costs twice as much.
        self.execute(f"CREATE DATABASE {database} STRATEGY FILE_COPY")

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE {database} WITH (FORCE)")

    def dump(self, database: str) -> bytes:
        return self._run(*self._client("pg_dump", database), "--format=custom")

    def load(self, database: str, dump: bytes) -> None:
        self._run(*self._client("pg_restore", database), given=dump)

    def _client(self, program: str, database: str) -> list[str | Path]:
        where = (f"--host={self.folder}", f"--port={self.port}", f"--username={USER}")
        return [_postgresql_bin() / program, *where, f"--dbname={database}"]

    @staticmethod
    def _kill(process: "subprocess.Popen[bytes]") -> None:
        process.send_signal(3)  # SIGQUIT: at once, its children too


class MariaDB(Server):
    """A server whose databases are Latin 1, and ignore case."""

    name = "mariadb"

    def _make(self) -> None:
        self._run(
            "mariadb-install-db", "--no-defaults", f"--datadir={self._data}",
            "--auth-root-authentication-method=normal", "--skip-test-db", self._temporary(),
            "--innodb-flush-method=nosync", "--debug-no-sync", "--innodb-log-file-size=16M",
        )  # fmt: skip

    def _command(self) -> Sequence[str | Path]:
        quick = [
            "--innodb-flush-method=nosync", "--debug-no-sync", "--innodb-doublewrite=0",
            "--innodb-flush-log-at-trx-commit=2",
        ]  # fmt: skip
        return [
            "mariadbd", "--no-defaults", f"--datadir={self._data}",
            f"--socket={self._socket()}", f"--pid-file={self.folder}/pid", self._temporary(),
            "--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve",
            "--character-set-server=latin1", "--collation-server=latin1_swedish_ci",
            *([] if self._durable else [*quick, "--innodb-log-file-size=16M"]),
        ]  # fmt: skip

    def _temporary(self) -> str:
        """Say where temporary tables are: one that starts removes all it finds there, whosever."""
        return f"--tmpdir={self.folder}"

    def _socket(self) -> Path:
        return self.folder / "socket"

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as ours:  # PyMySQL would leave its own open
            if ours.connect_ex(str(self._socket())) != 0:
                return False
        try:
            self.execute("SELECT 1")
        except pymysql.OperationalError:
            return False
        return True

    def _set_up(self) -> None:
        for host, password in (("localhost", ""), ("127.0.0.1", PASSWORD)):
            self.execute(f"CREATE USER {USER}@{host!r} IDENTIFIED BY {password!r}")
            self.execute(f"GRANT ALL ON *.* TO {USER}@{host!r}")

    def url(self, database: str, *, password: str | None = None) -> str:
        if password is None:
            where = f"{USER}@/{database}?unix_socket={self._socket()}"
        else:
            where = f"{USER}:{password}@127.0.0.1:{self.port}/{database}"
        return f"mariadb+pymysql://{where}"

    def execute(self, statement: str, database: str | None = None) -> None:
        connection = pymysql.connect(
            unix_socket=str(self._socket()), user="root", database=database, autocommit=True,
            ssl_disabled=True,
        )  # fmt: skip
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE {database}")

    def dump(self, database: str) -> bytes:
        return self._run(*self._client("mariadb-dump"), "--hex-blob", database)

    def load(self, database: str, dump: bytes) -> None:
        self._run(*self._client("mariadb"), database, given=dump)

    def _client(self, program: str) -> list[str]:
        return [program, "--no-defaults", f"--socket={self._socket()}", "--user=root"]

    @staticmethod
    def _kill(process: "subprocess.Popen[bytes]") -> None:
        process.kill()


SERVERS: dict[str, Callable[[], Server]] = {kind.name: kind for kind in (PostgreSQL, MariaDB)}


def _postgresql_bin() -> Path:
    """Debian keeps a folder for each version of PostgreSQL; the newest is taken."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name)
    )
    if not found:
        raise RuntimeError("there is no PostgreSQL; `make packages` installs it")
    return found[-1]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
