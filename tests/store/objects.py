"""What the tests put into stores, and how they look at what is in them."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, Pool, create_engine, event

from syncd.content.tokens import Token
from syncd.store import Store, View
from syncd.types import Prepared
from tests.databases import present_databases

TYPES = ["files", "users", "zones"]
MODE = 0o644


@dataclass(frozen=True)
class Held:
    """All that is known of an object at a commit, its content included."""

    content: bytes
    seq: int
    mtime: int
    size: int
    lines: int
    crc32: int
    digest: bytes
    attributes: bytes


def leave_flushing_to_the_system() -> None:
    """No test in this process pulls a plug, and without flushes they take a third of the time."""

    @event.listens_for(Pool, "checkout")
    def set_up(connection: Any, record: Any, proxy: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous=OFF")


def store_url(folder: Path, name: str = "store") -> str:
    """The URL of a database of the test's, on the engine that the test is run with."""
    return present_databases().url(folder, name)


def new_store(folder: Path, name: str = "store") -> Store:
    return Store.create(store_url(folder, name))


@contextmanager
def past_the_store(url: str) -> Iterator[Connection]:
    """A transaction of somebody else's, who changes what is in a database or keeps it locked."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def prepared(name: str, *chunks: bytes, mode: int = MODE, mtime: int | None = None) -> Prepared:
    """A file that is cut as the test says."""
    return Prepared(name, iter(chunks), {"mode": mode}, mtime)


def put(
    store: Store, name: str, *chunks: bytes, mode: int = MODE, digest: str | None = None
) -> Token | None:
    token, _ = store.write(
        "files",
        name,
        lambda present: prepared(name, *chunks, mode=mode),
        author="test",
        digest=digest,
    )
    return token


def put_all(store: Store, contents: dict[str, Sequence[bytes]]) -> Token | None:
    """Put files in one commit."""
    view = store.view()
    present = view.find("files", list(contents))
    with store.batch() as batch:
        for name, chunks in contents.items():
            batch.put("files", prepared(name, *chunks), present.get(name))
        return batch.publish("test")


def content_of(view: View, name: str, kind: str = "files") -> bytes:
    return b"".join(view.content(view.version(kind, name)))


def held(view: View, types: Iterable[str] = TYPES) -> dict[tuple[str, str], Held]:
    """Everything a view shows."""
    return {
        (version.type, version.name): Held(
            b"".join(contents), version.seq, version.mtime, version.size, version.lines,
            version.crc32, version.digest, version.attributes,
        )
        for version, contents in view.contents(view.versions(list(types)))
    }  # fmt: skip


def assert_sound(store: Store) -> None:
    assert list(store.fsck()) == []
    view = store.view()
    assert view.totals(TYPES) == view.recount(TYPES)
