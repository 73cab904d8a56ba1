"""How PostgreSQL and MariaDB are talked to: transactions, time limits, what is checked first.

Readers see one snapshot (REPEATABLE READ, read only). Writers run at READ COMMITTED and take the
clock's row first: what they read after that is what the writer before them left.

Every wait has an end. A lock is waited for as long as on SQLite; a statement may take longer than
any does here; a transaction whose client is gone without a word ends by itself, and so gives the
clock back.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event

from syncd.errors import Busy, StoreError
from syncd.store.copying import set_up_copying

LOCK_TIMEOUT_S = 60
"""How long a writer waits for another: an import's last transaction may take some seconds."""
LOCK_OPTION = "timeout"
"""Of a URL, which says otherwise; it is SQLite's name for it."""
_STATEMENT_TIMEOUT_S = 900
"""gc of some ten million chunks takes minutes; nothing takes longer."""
_IDLE_TRANSACTION_S = 600
"""Between two statements of a transaction there is some work here, but never minutes of it."""
_IDLE_S = 31_536_000
"""MariaDB's longest: a replica's lock stands on a connection that says nothing meanwhile."""
_CONNECT_TIMEOUT_S = 10
_SILENCE_S = 60
"""After so much silence, a host that should have acknowledged something is gone."""

_MANY_CHANGES = 5_000
"""Looking at the tables takes half a second then, and writing so many objects several."""

_SERVER_TIME = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT UNIX_TIMESTAMP(NOW(6))",
    "mariadb": "SELECT UNIX_TIMESTAMP(NOW(6))",
}
"""Seconds since 1970."""

_SCHEMA_LOCK = 0x73796E636474
"""Of PostgreSQL's advisory locks, that of a store's tables: `syncdt`."""

_POSTGRESQL_SETTINGS = (
    f"SET statement_timeout = '{_STATEMENT_TIMEOUT_S}s'; "
    f"SET idle_in_transaction_session_timeout = '{_IDLE_TRANSACTION_S}s'; "
    "SET client_min_messages = error; "
    # A replica's lock stands on a connection that says nothing meanwhile. (PostgreSQL 14 and later
    # have the setting.)
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"
)
_POSTGRESQL_ARGUMENTS = {
    "application_name": "syncd",
    "client_encoding": "utf8",
    "connect_timeout": _CONNECT_TIMEOUT_S,
    "keepalives_idle": _SILENCE_S // 2,
    "keepalives_interval": _SILENCE_S // 6,
    "keepalives_count": 3,
    "tcp_user_timeout": _SILENCE_S * 1000,
}

_MARIADB_SETTINGS = (
    "SET SESSION tx_isolation = 'REPEATABLE-READ', sql_mode = 'TRADITIONAL', "
    f"max_statement_time = {_STATEMENT_TIMEOUT_S}, "
    f"idle_transaction_timeout = {_IDLE_TRANSACTION_S}, "
    f"wait_timeout = {_IDLE_S}"
)
_MARIADB_ARGUMENTS = {
    "charset": "utf8mb4",
    "connect_timeout": _CONNECT_TIMEOUT_S,
    "read_timeout": _STATEMENT_TIMEOUT_S + _SILENCE_S,
    "write_timeout": _SILENCE_S,
}


def open_server(url: URL, what: str, **pool: Any) -> Engine:
    """Return an engine that connects, and begins transactions, as the top of this file says.

    What the URL says itself goes first. `what` it is goes into messages, `pool` to SQLAlchemy.
    Raises StoreError, and ValueError for what a driver does not take.
    """
    lock_s = lock_timeout_s(url, what)
    postgresql = url.get_backend_name() == "postgresql"
    arguments: Mapping[str, object] = _POSTGRESQL_ARGUMENTS if postgresql else _MARIADB_ARGUMENTS
    engine = create_engine(
        url.difference_update_query([LOCK_OPTION]),
        connect_args={name: arguments[name] for name in arguments if name not in url.query},
        hide_parameters=True,  # they may be password hashes
        **pool,
    )
    if postgresql:
        _set_up_postgresql(engine, lock_s)
    else:
        _set_up_mariadb(engine, lock_s)
    return engine


def refresh_statistics(connection: Connection, changes: int) -> None:
    """Have PostgreSQL look at its tables if a transaction has changed many objects.

    It would do so within a minute. Until then it takes a table that was just filled for a small
    one, and sorts all of it for every page of a bootstrap.
    """
    if connection.dialect.name == "postgresql" and changes >= _MANY_CHANGES:
        connection.exec_driver_sql("ANALYZE version, chunk")


def ahead_of_server_s(engine: Engine, now_s: float) -> float:
    """Return by how much a clock, which says `now_s`, is ahead of that of the database's machine; 0
    where that is this one."""
    statement = _SERVER_TIME.get(engine.dialect.name)
    if statement is None:
        return 0.0
    with engine.connect() as connection:
        return now_s - float(connection.exec_driver_sql(statement).scalar_one())


def lock_timeout_s(url: URL, what: str) -> int:
    """Return how long a store's URL says to wait for a lock. Raises StoreError."""
    text = url.query.get(LOCK_OPTION, str(LOCK_TIMEOUT_S))
    if isinstance(text, str) and text.isdecimal() and 0 < int(text) <= _STATEMENT_TIMEOUT_S:
        return int(text)
    raise StoreError(
        f"{what}: {LOCK_OPTION} is how many seconds to wait for whoever keeps it locked, "
        f"1 to {_STATEMENT_TIMEOUT_S}"
    )


def _set_up_postgresql(engine: Engine, lock_s: int) -> None:
    from psycopg import IsolationLevel

    from syncd.store.postgresql import BinaryCursor, DriverConnection

    set_up_copying(engine)

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Any, record: Any, words: Any, named: Any) -> DriverConnection:
        return DriverConnection.connect(*words, **named)

    @event.listens_for(engine, "connect")
    def set_up(connection: DriverConnection, record: Any) -> None:
        connection.execute(f"SET lock_timeout = '{lock_s}s'; {_POSTGRESQL_SETTINGS}".encode())
        connection.commit()
        connection.cursor_factory = BinaryCursor

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = _writes(connection)
        if writes is None:
            return
        driver = cast(DriverConnection, connection.connection.driver_connection)
        if driver.read_only is not (not writes):
            level = IsolationLevel.READ_COMMITTED if writes else IsolationLevel.REPEATABLE_READ
            driver.isolation_level = level
            driver.read_only = not writes


def _set_up_mariadb(engine: Engine, lock_s: int) -> None:
    locks = f"innodb_lock_wait_timeout = {lock_s}, lock_wait_timeout = {lock_s}"

    @event.listens_for(engine, "do_connect")
    def set_up(dialect: Any, record: Any, positional: Any, named: dict[str, Any]) -> None:
        named.setdefault("init_command", f"{_MARIADB_SETTINGS}, {locks}")
        if "unix_socket" in named and not any(name.startswith("ssl") for name in named):
            # Nobody listens there; and reading the certificates takes longer than connecting.
            named["ssl_disabled"] = True

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = _writes(connection)
        if writes:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            connection.exec_driver_sql("START TRANSACTION READ WRITE")
        elif writes is not None:
            connection.exec_driver_sql("START TRANSACTION READ ONLY")


def _writes(connection: Connection) -> bool | None:
    """Say whether a transaction is to write; None if there is to be none."""
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return None
    return bool(options.get("syncd_write"))


def check_server(connection: Connection, shown: str) -> None:
    """Raise StoreError for a server that cannot hold a store."""
    if connection.dialect.name == "postgresql":
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            raise StoreError(
                f"store {shown}: the database's encoding is {encoding}; make it with "
                "`CREATE DATABASE ... ENCODING UTF8 TEMPLATE template0`"
            )


@contextmanager
def schema_lock(connection: Connection) -> Iterator[None]:
    """Have one process at a time make or change the tables; SQLite's writers take turns anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
        yield
    elif connection.dialect.name == "sqlite":
        yield
    else:  # here, DDL ends a transaction: the lock is the session's
        name = "CONCAT('syncd schema ', MD5(DATABASE()))"
        taken = connection.exec_driver_sql(f"SELECT GET_LOCK({name}, {LOCK_TIMEOUT_S})").scalar()
        if taken != 1:
            raise Busy("another process is changing the database's tables; try again")
        try:
            yield
            connection.exec_driver_sql("COMMIT")  # seen by whoever takes the lock next
        finally:
            connection.exec_driver_sql(f"SELECT RELEASE_LOCK({name})")
