"""Opening a database: the engine, its settings, and the schema brought up to date.

On SQLite every write transaction begins with BEGIN IMMEDIATE, so that it waits for its turn at the
start and never fails halfway; the journal is a write-ahead log, so readers and the writer do not
wait for each other, and every commit is flushed to disk.
"""

import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from syncd.errors import StoreError
from syncd.store.schema import metadata

SCHEMA_REVISION = "0001"
"""The newest migration; `schema.py` is what it leaves."""

_BUSY_TIMEOUT_MS = 60_000
"""How long a writer waits for another: an import's last transaction may take some seconds."""
_CACHE_KIB, _WRITE_CACHE_KIB = 1024, 8 * 1024
"""Of a connection, until it writes and from then on: a daemon has one for each of its threads."""
_CHECKPOINT_PAGES = 8 * 1024
"""The log is copied into the database at 32 MiB: every 4 MiB, the default, costs a bootstrap a
third."""

_PASSWORD = re.compile(r":[^:@]*@")
"""Of a text that is no URL: it is not shown either."""

WRITE = {"syncd_write": True}
"""Execution option of a connection that will write."""


def open_engine(url: str, *, create: bool) -> Engine:
    """Return an engine on the database at `url`, its schema up to date.

    Raises StoreError if there is none and `create` is False, or if it cannot be used.
    """
    try:
        parsed = make_url(url)
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        shown = _PASSWORD.sub(":***@", url)
        raise StoreError(f"store {shown!r}: no database URL that can be used: {error}") from None
    shown = parsed.render_as_string(hide_password=True)
    if engine.dialect.name == "sqlite":
        file = parsed.database
        if file and not create and not Path(file).exists():
            raise StoreError(f"store {shown}: there is no such file; make it with `syncd init`")
        _set_up_sqlite(engine)
    _name_failures(engine, shown)
    try:
        with engine.execution_options(**WRITE).begin() as connection:
            _bring_up_to_date(connection, shown, create=create)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"store {shown}: cannot be opened: {error}") from None
    except StoreError:
        engine.dispose()
        raise
    return engine


def _name_failures(engine: Engine, shown: str) -> None:
    """Have whatever the database refuses (a full disk, a file that may only be read) raise
    StoreError."""

    @event.listens_for(engine, "handle_error")
    def name_failure(context: ExceptionContext) -> None:
        if isinstance(context.sqlalchemy_exception, DBAPIError):
            raise StoreError(f"store {shown}: {context.original_exception}") from None


def _set_up_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say, see below
        cursor = connection.cursor()
        for setting in (
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"cache_size=-{_CACHE_KIB}",
            "temp_store=MEMORY",
            f"wal_autocheckpoint={_CHECKPOINT_PAGES}",
        ):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("syncd_write")
        if writes:
            connection.exec_driver_sql(f"PRAGMA cache_size=-{_WRITE_CACHE_KIB}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bring_up_to_date(connection: Connection, shown: str, *, create: bool) -> None:
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        present = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        if present != SCHEMA_REVISION:
            _migrate_known(connection, shown, present)
    elif tables:
        raise StoreError(f"store {shown}: the database holds other tables; give it one of its own")
    elif not create:
        raise StoreError(f"store {shown}: the database is empty; make it a store with `syncd init`")
    else:
        metadata.create_all(connection)
        connection.exec_driver_sql(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
        )
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{SCHEMA_REVISION}')")


def _migrate_known(connection: Connection, shown: str, present: str | None) -> None:
    from alembic.util import CommandError

    try:
        migrate(connection)
    except CommandError:
        raise StoreError(
            f"store {shown}: its schema {present!r} is not known here: a newer syncd made it, or "
            "it is no store"
        ) from None


def migrate(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to `revision` inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
