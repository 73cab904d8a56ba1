"""Opening a store that is not there, or is something else, says in one sentence what is wrong."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.errors import StoreError
from syncd.store import Store
from syncd.store.engine import open_engine
from tests.store.objects import assert_sound, new_store, put, store_url


def test_a_store_that_is_not_there_is_not_made_by_opening_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"there is no such file; `syncd init` makes"):
        Store.open(store_url(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"just some text, and no database\n" * 50, "file is not a database"), (b"", "is empty")],
)
def test_a_file_that_is_no_store_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=rf"store sqlite:///.*store\.db: .*{reason}"):
        Store.open(store_url(tmp_path))
    if content:
        assert path.read_bytes() == content


def test_the_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()
    for opening in (Store.open, Store.create):
        with pytest.raises(StoreError, match="holds other tables"):
            opening(store_url(tmp_path))
    with sqlite3.connect(tmp_path / "store.db") as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
    connection.close()
    assert names == ["customers"]


def test_a_store_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    new_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match="schema '9999' is not known here: a newer syncd"):
        Store.open(store_url(tmp_path))


def test_a_store_whose_making_was_interrupted_is_refused_and_can_be_made(tmp_path: Path) -> None:
    open_engine(store_url(tmp_path), create=True).dispose()
    with pytest.raises(StoreError, match="`syncd init` did not end"):
        Store.open(store_url(tmp_path))
    with new_store(tmp_path) as store:
        assert_sound(store)


@pytest.mark.parametrize("url", ["", "store.db", "nosuch://host/db", "sqlite+nosuch:///x"])
def test_a_url_of_no_database_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="no database URL that can be used"):
        Store.open(url)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        Store.create(store_url(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://user:hidden@/tmp/store.db", "nosuch://user:hidden@host/db",
        "postgresql+nosuch://user:hidden@host/db", "user:hidden@host",
        "mysql+pymysql://:hidden@host:nonsense/db", "mysql+pymysql://u:it:is:hidden@h:nonsense/db",
        "mysql+pymysql://u:it@is@hidden@h:nonsense/db",
        "mysql+pymysql://u@h:nonsense/db?password=hidden",
    ],
)  # fmt: skip
def test_a_password_in_the_url_is_not_shown(url: str) -> None:
    with pytest.raises(StoreError, match="no database URL that can be used") as refused:
        Store.open(url)
    assert "hidden" not in str(refused.value)


@contextmanager
def without_write_permission(folder: Path) -> Iterator[None]:
    """Nobody, not even a test that runs as root, may write into the folder."""
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    parents = [parent for parent in folder.parents if parent.stat().st_uid == os.geteuid()]
    modes = [parent.stat().st_mode for parent in parents]
    for parent, mode in zip(parents, modes, strict=True):
        if not mode & 0o001:
            parent.chmod(mode | 0o055)
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)
        for parent, mode in zip(parents, modes, strict=True):
            if parent.stat().st_mode != mode:
                parent.chmod(mode)
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_file_that_may_only_be_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    new_store(folder).close()
    with without_write_permission(folder):
        with pytest.raises(StoreError, match=r"readonly database|unable to open"):
            Store.open(store_url(folder))
    Store.open(store_url(folder)).close()


def test_what_the_database_refuses_later_is_named_as_well(tmp_path: Path, store: Store) -> None:
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("DROP TABLE chunk")
    connection.close()
    with pytest.raises(StoreError, match=r"store sqlite:///.*: no such table: chunk"):
        put(store, "a", b"content")


def test_no_connection_stays_at_a_file_that_was_moved_away(tmp_path: Path) -> None:
    for name in ("store", "other"):
        new_store(tmp_path, name).close()
    with Store.open(store_url(tmp_path)) as store:
        with store.engine.connect(), store.engine.connect():
            pass
        assert store.engine.pool.checkedin() == 2
        for file in tmp_path.glob("store.db*"):
            file.rename(file.with_name(f"moved-{file.name}"))
        (tmp_path / "other.db").rename(tmp_path / "store.db")
        store.clock()
        assert store.engine.pool.checkedin() == 1
        assert_sound(store)


def test_what_made_a_store_does_not_go_on_in_a_file_that_was_moved_away(tmp_path: Path) -> None:
    with Store.create(f"sqlite:///{tmp_path / 'store.db'}") as store:
        put(store, "a", b"x")
        for file in list(tmp_path.iterdir()):
            file.rename(file.with_name(f"moved-{file.name}"))
        with pytest.raises(StoreError, match="there is no such file"):
            store.clock()
        for file in list(tmp_path.iterdir()):
            file.rename(file.with_name(file.name.removeprefix("moved-")))
        put(store, "b", b"x")
