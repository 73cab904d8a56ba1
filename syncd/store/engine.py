"""Opening a database: the engine, its settings, and the schema brought up to date.

What PostgreSQL and MariaDB need stands in `servers.py`. On SQLite every write transaction begins
with BEGIN IMMEDIATE, so that it waits for its turn at the start and never fails halfway; the
journal is a write-ahead log, so readers and the writer do not wait for each other, and every commit
that shows something is flushed to disk, with all before it.
"""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    ExceptionContext,
    QueuePool,
    create_engine,
    event,
    inspect,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from syncd.errors import StoreError, SyncError
from syncd.store.failures import failure_of
from syncd.store.schema import metadata
from syncd.store.servers import (
    LOCK_OPTION,
    check_server,
    lock_timeout_s,
    open_server,
    schema_lock,
)
from syncd.store.sqlite_file import watch_file
from syncd.store.url import connected, not_taken, parse_url, shown_url

SCHEMA_REVISION = "0004"
"""The newest migration; `schema.py` is what it leaves."""

_CACHE_KIB, _WRITE_CACHE_KIB = 512, 8 * 1024
"""Of a connection, until it writes and from then on: a daemon has one for each of its threads."""
_KEPT_CONNECTIONS = 10
"""More than a daemon has threads. Those beyond are closed after each use: opening one anew, and
reading its cache again, costs more than keeping it."""
_CHECKPOINT_PAGES = 8 * 1024
"""The log is copied into the database at 32 MiB: every 4 MiB, the default, costs a bootstrap a
third."""

WRITE = {"syncd_write": True}
"""Execution option of a connection that will write."""
_UNFINISHED = "the database is a store whose making was interrupted; `syncd init` ends it"

WRITE_UNSEEN = WRITE | {"syncd_unseen": True}
"""Of one that will write what nobody sees yet: it need not be on disk before what shows it is."""


def open_engine(url: str, *, create: bool) -> Engine:
    """Return an engine on the database at `url`, its schema up to date.

    Raises StoreError if there is none and `create` is False, or if it cannot be used.
    """
    parsed, shown = parse_url(url), shown_url(url)
    new_file: str | None = None
    if parsed.get_backend_name() == "sqlite":
        if parsed.host or parsed.username:
            raise StoreError(
                f"store {shown!r}: no database URL that can be used: a file has no host; it is "
                "sqlite:///FILE, or sqlite:////FILE from the root"
            )
        file = parsed.database
        if not file or file == ":memory:":
            raise StoreError(f"store {shown}: names no file; it is sqlite:///FILE")
        lock_s = lock_timeout_s(parsed, f"store {shown}")
        path = parsed.difference_update_query([LOCK_OPTION])
        if path.query:
            raise StoreError(not_taken(f"store {shown}"))
        engine = create_engine(
            path,
            connect_args={"timeout": lock_s},
            hide_parameters=True,
            poolclass=QueuePool,
            pool_size=_KEPT_CONNECTIONS,
            pool_use_lifo=True,  # the one whose cache is warm; the others take no memory then
        )
        if not create and not Path(file).exists():
            raise StoreError(
                f"store {shown}: there is no such file; `syncd init` makes a "
                "source's store, `syncclient bootstrap` a replica's"
            )
        _set_up_sqlite(engine)
        if Path(file).exists():
            watch_file(engine, file, shown)
        else:
            new_file = file
    else:
        try:
            engine = open_server(
                parsed,
                f"store {shown}",
                pool_pre_ping=True,  # a database that was restarted is found again
                pool_size=_KEPT_CONNECTIONS,
                max_overflow=-1,  # whoever starts threads limits them
                pool_use_lifo=True,
            )
        except ValueError:
            raise StoreError(not_taken(f"store {shown}")) from None
    _name_failures(engine, shown)
    try:
        connected(engine, parsed, f"store {shown}").close()
        if not _is_up_to_date(engine, shown):
            with engine.execution_options(**WRITE).begin() as connection:
                with schema_lock(connection):
                    _bring_up_to_date(connection, shown, create=create)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"store {shown}: cannot be opened: {error}") from None
    except SyncError:
        engine.dispose()
        raise
    if new_file is not None:
        engine.dispose()  # what made it does not know which file it is
        watch_file(engine, new_file, shown)
    return engine


def _is_up_to_date(engine: Engine, shown: str) -> bool:
    """Say whether there is nothing to write: a store that others keep locked, or that may only be
    read, can be opened then."""
    with engine.connect() as connection:
        check_server(connection, shown)
        if "alembic_version" not in inspect(connection).get_table_names():
            return False
        return _revision(connection) == SCHEMA_REVISION


def _revision(connection: Connection) -> str | None:
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if revision is None else str(revision)


def _name_failures(engine: Engine, shown: str) -> None:
    """Have whatever the database refuses (a full disk, a file that may only be read) raise what
    `failure_of` makes of it."""

    @event.listens_for(engine, "handle_error")
    def name_failure(context: ExceptionContext) -> None:
        if isinstance(context.sqlalchemy_exception, DBAPIError) and not context.is_pre_ping:
            raise failure_of(shown, context.original_exception) from None


def _set_up_sqlite(engine: Engine) -> None:
    # The driver takes bytes as they are, but first asks each value in vain for another form, unless
    # somebody has said which: a third of an INSERT's time.
    sqlite3.register_adapter(bytes, bytes)

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say, see below
        cursor = connection.cursor()
        for setting in (
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
        options = connection.get_execution_options()
        # What cannot go wrong goes straight to the driver: every transaction begins with it.
        cursor = connection.connection.cursor()
        if not options.get("syncd_write"):
            cursor.execute("BEGIN")
            return
        synchronous = "NORMAL" if options.get("syncd_unseen") else "FULL"
        cursor.execute(f"PRAGMA synchronous={synchronous}")
        cursor.execute(f"PRAGMA cache_size=-{_WRITE_CACHE_KIB}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _bring_up_to_date(connection: Connection, shown: str, *, create: bool) -> None:
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        present = _revision(connection)
        if present is None:  # where DDL ends a transaction, the making may stop halfway
            if not create:
                raise StoreError(f"store {shown}: {_UNFINISHED}")
            _make_tables(connection, tables)
        elif present != SCHEMA_REVISION:
            _migrate_known(connection, shown, present)
    elif tables:
        raise StoreError(f"store {shown}: the database holds other tables; give it one of its own")
    elif not create:
        raise StoreError(f"store {shown}: the database is empty; make it a store with `syncd init`")
    else:
        connection.exec_driver_sql(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
        )
        _make_tables(connection, tables)


def _make_tables(connection: Connection, present: set[str]) -> None:
    missing = [table for table in metadata.sorted_tables if table.name not in present]
    metadata.create_all(connection, missing, checkfirst=False)
    connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{SCHEMA_REVISION}')")


def _migrate_known(connection: Connection, shown: str, present: str) -> None:
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
