"""The tables of PowerDNS's generic SQL schema, as far as they are used here, and how they are
reached.

They belong to the name server: this is the one place beside the store that has SQL. The columns are
those that the schemas of SQLite, PostgreSQL and MariaDB have in common since PowerDNS 4.7.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.exc import SQLAlchemyError

from syncclient.backends.step import Stage
from syncd.errors import ConfigError, ServerFailed, SyncError
from syncd.store.servers import LOCK_TIMEOUT_S, open_server
from syncd.store.url import parse_url, shown_url

_WRITE = {"syncd_write": True}
_CACHE_KIB = 64 * 1024
"""Of SQLite, while it is written: indexes of some hundred thousand records."""

metadata = MetaData()

domains = Table(
    "domains",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("master", String(128)),
    Column("last_check", Integer),
    Column("type", String(8), nullable=False),
    Column("notified_serial", Integer),
    Column("account", String(40)),
    Column("options", Text),
    Column("catalog", String(255)),
)
records = Table(
    "records",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("domain_id", Integer),
    Column("name", String(255)),
    Column("type", String(10)),
    Column("content", String(64000)),
    Column("ttl", Integer),
    Column("prio", Integer),
    Column("disabled", Boolean),
    Column("ordername", String(255)),
    Column("auth", Boolean),
    Index("domain_and_name", "domain_id", "name"),
    Index("name_and_type", "name", "type"),
)
domainmetadata = Table(
    "domainmetadata",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain_id", Integer, nullable=False, index=True),
    Column("kind", String(32)),
    Column("content", Text),
)
comments = Table(
    "comments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain_id", Integer, nullable=False),
    Column("name", String(255)),
    Column("type", String(10)),
    Column("modified_at", Integer),
    Column("account", String(40)),
    Column("comment", Text),
)
cryptokeys = Table(
    "cryptokeys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("domain_id", Integer, nullable=False),
    Column("flags", Integer),
    Column("active", Boolean),
    Column("published", Boolean),
    Column("content", Text),
)
tsigkeys = Table(
    "tsigkeys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255)),
    Column("algorithm", String(50)),
    Column("secret", String(255)),
)
supermasters = Table(
    "supermasters",
    metadata,
    Column("ip", String(64)),
    Column("nameserver", String(255)),
    Column("account", String(40)),
)

_entry = MetaData()
# The same without `id`, which the database gives.
new_domains = Table("domains", _entry, Column("name", String(255)), Column("type", String(8)))
new_records = Table(
    "records",
    _entry,
    *(Column(column.name, column.type) for column in records.columns if column.name != "id"),
)
new_metadata = Table(
    "domainmetadata",
    _entry,
    Column("domain_id", Integer),
    Column("kind", String(32)),
    Column("content", Text),
)


class Database:
    """PowerDNS's database, connected to for each transaction: between two steps there may be days.

    What it refuses is ServerFailed, without any password.
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        """Raises ConfigError for a URL that cannot be used; it is not connected to yet."""
        self.shown = shown_url(url)
        try:
            parsed = parse_url(url, what="database")
            if password is not None:
                parsed = parsed.set(password=password)
            self._engine = _open(parsed, f"database {self.shown}")
        except SyncError as error:
            raise ConfigError(f"[powerdns] {error}") from None

    @contextmanager
    def reading(self, stage: Stage) -> Iterator[Connection]:
        """Give a connection that sees one snapshot. Raises ServerFailed."""
        with self._named(stage), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, stage: Stage) -> Iterator[Connection]:
        """Give a connection whose transaction is committed at the end of the block, or, if that
        fails, undone. Raises ServerFailed."""
        with self._named(stage):
            with self._engine.execution_options(**_WRITE).begin() as connection:
                yield connection

    @contextmanager
    def _named(self, stage: Stage) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise ServerFailed(
                stage.value,
                f"database {self.shown}: {driver_reason(error)}; is it there, and may this user "
                "write to PowerDNS's tables?",
            ) from None


def scratch_engine(file: Path) -> Engine:
    """Return an engine on a SQLite file of our own, with empty tables; what was in it is gone.

    Raises OSError, SQLAlchemyError.
    """
    file.unlink(missing_ok=True)  # whatever became of it: one that died may have left half of it
    engine = create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        for setting in ("journal_mode=MEMORY", "synchronous=OFF", f"cache_size=-{_CACHE_KIB}"):
            connection.execute(f"PRAGMA {setting}")

    metadata.create_all(engine)
    return engine


def _open(url: URL, what: str) -> Engine:
    if url.get_backend_name() != "sqlite":
        return open_server(url, what, poolclass=NullPool)
    file = Path(url.database or "")
    engine = create_engine(
        url,
        connect_args={"timeout": LOCK_TIMEOUT_S},
        hide_parameters=True,
        poolclass=NullPool,
    )

    @event.listens_for(engine, "do_connect")
    def refuse_to_make_one(*_: Any) -> None:
        try:
            file.stat()
        except FileNotFoundError:
            raise FileMissing(file) from None
        except OSError as error:
            raise SQLAlchemyError(f"{file}: {error.strerror}") from None

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say, see below
        connection.execute("PRAGMA journal_mode=WAL")  # else the server waits while we write
        connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("syncd_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


class FileMissing(SQLAlchemyError):
    """A SQLite file that is not there; SQLite itself would make an empty one."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"there is no file {file}; make it with PowerDNS's schema.sqlite3.sql")


def driver_reason(error: SQLAlchemyError) -> str:
    """Return what the driver says, on one line, without the statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    match cause.args:
        case int(), str(reason):  # PyMySQL's
            return " ".join(reason.split())
    return " ".join(str(cause).split())
