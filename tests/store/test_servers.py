"""PostgreSQL and MariaDB: what is waited for has an end, and what fails says so in one line."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text, update

from syncd.errors import AlreadyExists, Busy, StoreError
from syncd.store import Store
from syncd.store.clock import lock_clock, read_clock
from syncd.store.engine import WRITE
from syncd.store.schema import clock, tally
from tests.databases import Databases, on_every_server
from tests.databaseservers import PASSWORD
from tests.store.objects import assert_sound, content_of, new_store, put, store_url

pytestmark = on_every_server


@pytest.fixture
def url(databases: Databases, tmp_path: Path) -> str:
    """The URL of a store over loopback, with its password."""
    assert databases.server is not None
    plain = databases.url(tmp_path, "store")
    Store.create(plain).close()
    name = create_engine(plain).url.database
    assert name is not None
    return databases.server.url(name, password=PASSWORD)


def test_the_password_of_a_url_is_used_and_never_shown(url: str) -> None:
    with Store.open(url) as store:
        put(store, "a", b"x")
    with pytest.raises(AlreadyExists, match="is a store already") as known:
        Store.create(url)
    with pytest.raises(StoreError, match=r"authentication failed|Access denied") as refused:
        Store.open(url.replace(PASSWORD, "wrong-one"))
    for error in (known.value, refused.value):
        assert "***" in str(error)
        assert PASSWORD not in str(error)
        assert "wrong-one" not in str(error)
        assert "\n" not in str(error)


def test_a_server_that_is_away_is_said_to_be_and_found_again(
    databases: Databases, url: str
) -> None:
    assert databases.server is not None
    with Store.open(url) as store:
        put(store, "a", b"before")
        databases.server.stop()
        try:
            for _ in range(2):
                with pytest.raises(StoreError, match=r"store [a-z+]*://syncd:\*\*\*@"):
                    store.clock()
        finally:
            databases.server.start()
        assert content_of(store.view(), "a") == b"before"
        put(store, "a", b"after")
        databases.server.stop()
        databases.server.start()
        put(store, "a", b"after a restart that nobody saw")
        assert_sound(store)


def test_a_writer_that_waits_too_long_for_another_is_told_to_try_again(
    tmp_path: Path, store: Store
) -> None:
    with Store.open(f"{store_url(tmp_path)}&timeout=1") as impatient:
        with store.engine.execution_options(**WRITE).begin() as connection:
            lock_clock(connection)
            with pytest.raises(Busy, match="another process keeps it locked; nothing was changed"):
                put(impatient, "a", b"x")
        put(impatient, "a", b"x")


@pytest.mark.parametrize("value", ["0", "soon", "-1", "1.5", "901", "1&timeout=2"])
def test_how_long_to_wait_is_a_number_of_seconds(tmp_path: Path, store: Store, value: str) -> None:
    with pytest.raises(StoreError, match=r"timeout is how many seconds to wait .*, 1 to 900"):
        Store.open(f"{store_url(tmp_path)}&timeout={value}")


def test_a_write_that_the_database_breaks_off_is_made_again(tmp_path: Path, store: Store) -> None:
    """Somebody else takes rows in the other order; the database ends one of the two."""
    put(store, "a", b"0")
    held, waits = threading.Event(), threading.Event()

    def crosses() -> None:
        with Store.open(store_url(tmp_path)) as other:
            for _ in range(3):
                try:
                    with other.engine.execution_options(**WRITE).begin() as connection:
                        connection.execute(update(tally).values(count=tally.c.count))
                        held.set()
                        waits.wait(0.05)
                        lock_clock(connection)
                except Busy:
                    pass

    thread = threading.Thread(target=crosses)
    thread.start()
    assert held.wait(20)
    for number in range(20):
        put(store, "a", b"%d" % (number + 1))
    thread.join()
    assert content_of(store.view(), "a") == b"20"
    assert store.clock().seq == 21
    assert_sound(store)


def test_a_reader_sees_one_commit_however_long_it_looks(store: Store) -> None:
    put(store, "a", b"0")
    with store.engine.connect() as connection:
        before = read_clock(connection).seq
        put(store, "a", b"1")
        assert read_clock(connection).seq == before
        assert connection.execute(tally.select()).one().count == 1
    assert store.clock().seq == before + 1


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match=r"read-only transaction|READ ONLY transaction"):
        with store.engine.begin() as connection:
            connection.execute(update(clock).values(seq=99))
    assert store.clock().seq == 0


def test_a_store_whose_making_was_interrupted_can_be_made(tmp_path: Path) -> None:
    engine = create_engine(store_url(tmp_path))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
    engine.dispose()
    with pytest.raises(StoreError, match="making was interrupted; `syncd init` ends it"):
        Store.open(store_url(tmp_path))
    with new_store(tmp_path) as store:
        put(store, "a", b"x")
        assert_sound(store)


def test_a_driver_that_is_missing_is_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncd.store.url.find_spec", lambda name: None)
    extra = store.engine.dialect.name
    with pytest.raises(StoreError, match=rf"is not installed; `pip install 'syncd\[{extra}\]'`"):
        Store.open(str(store.engine.url))


def test_a_store_in_sqlite_loads_nothing_of_other_databases(tmp_path: Path) -> None:
    program = (
        "import sys; from syncd.store import Store; "
        f"Store.create('sqlite:///{tmp_path}/store.db').clock(); "
        "print([name for name in sys.modules if name.startswith(('psycopg', 'pymysql', "
        "'sqlalchemy.dialects.postgresql', 'sqlalchemy.dialects.mysql', 'alembic'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_clocks_are_compared_with_the_databases(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        assert abs(store.clock_is_ahead_s()) < 2
        store.now = lambda: time.time() - 3600
        assert store.clock_is_ahead_s() == pytest.approx(-3600, abs=2)


def test_a_lock_of_synchronisation_outlives_the_time_that_connections_may_be_idle(
    databases: Databases, url: str
) -> None:
    admin = create_engine(url).execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        if connection.dialect.name == "postgresql":
            name = connection.engine.url.database
            setting = text(f'ALTER DATABASE "{name}" SET idle_session_timeout = 500')
            undo = text(f'ALTER DATABASE "{name}" RESET idle_session_timeout')
        else:
            setting, undo = (text(f"SET GLOBAL wait_timeout = {seconds}") for seconds in (1, 28800))
        connection.execute(setting)
    try:
        with Store.open(url) as store, Store.open(url) as other:
            with store.synchronising():
                time.sleep(2.5)
                with pytest.raises(Busy, match="another bootstrap or resync"):
                    with other.synchronising():
                        pass
    finally:
        with admin.connect() as connection:
            connection.execute(undo)
        admin.dispose()
