"""Databases of the tests: SQLite files, or on a server, for as long as the test takes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.databaseservers import SERVERS, Server

ENGINES = ("sqlite", *SERVERS)
on_every_engine = pytest.mark.parametrize("databases", ENGINES, indirect=True)
"""Of a test, or of a file's `pytestmark`: it is run with each; without it, with SQLite."""
on_every_server = pytest.mark.parametrize("databases", tuple(SERVERS), indirect=True)


class Databases:
    """The databases of one test: taken when they are first asked for, given back in the end.

    They go by folder and name, as files would: those of a folder that is gone go as well.
    """

    def __init__(self, server: Server | None) -> None:
        self.server = server
        self._made: dict[Path, str] = {}

    def url(self, folder: Path, name: str) -> str:
        """The URL of a database; without a server, that of a SQLite file."""
        path = folder / f"{name}.db"
        if self.server is None:
            return f"sqlite:///{path}"
        self._give_back([made for made in self._made if not made.parent.is_dir()])
        if path not in self._made:
            self._made[path] = self.server.take()
        return self.server.url(self._made[path])

    def back_up(self, url: str) -> bytes:
        """A backup of a database; nobody uses it meanwhile."""
        database = _name_in(url)
        return self.server.dump(database) if self.server else Path(database).read_bytes()

    def restore(self, url: str, backup: bytes) -> None:
        """Replace a database by a backup, whoever is still connected to it."""
        database = _name_in(url)
        if self.server is not None:
            self.server.drop(database)
            self.server.create(database)
            self.server.load(database, backup)
            return
        fresh = Path(f"{database}-fresh")
        fresh.write_bytes(backup)
        for part in ("-wal", "-shm"):
            Path(f"{database}{part}").unlink(missing_ok=True)
        fresh.rename(database)

    def give_back(self) -> None:
        """Give back all of them."""
        self._give_back(list(self._made))

    def _give_back(self, paths: Sequence[Path]) -> None:
        for path in paths:
            if self.server is not None:
                self.server.give_back(self._made.pop(path))


def _name_in(url: str) -> str:
    """A database's name on its server, or its file."""
    name = make_url(url).database
    assert name is not None
    return name


_present = Databases(None)


def present_databases() -> Databases:
    """The databases of the test that runs; SQLite files if it does not say otherwise."""
    return _present


@contextmanager
def databases_on(server: Server | None) -> Iterator[Databases]:
    """Have the databases of a test on a server, and give them back in the end."""
    global _present
    before, _present = _present, Databases(server)
    try:
        yield _present
    finally:
        _present.give_back()
        _present = before
