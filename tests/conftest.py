"""A source with some zones and users, and daemons that serve it on real sockets."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from syncd.store import Store
from tests.certificates import Certificates
from tests.databases import Databases, databases_on
from tests.databaseservers import SERVERS, Server
from tests.running import FixedClock, RunningDaemon, fill_source

StartDaemon = Callable[..., RunningDaemon]

# How long an example may take says nothing on a machine with other work to do. CI tries the same
# examples every time; whoever works on the code tries new ones.
settings.register_profile("syncd", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("syncd")

# What a shell runs in the background ignores SIGINT, and so does all that it starts: tests that
# press Ctrl-C would wait in vain there.
signal.signal(signal.SIGINT, signal.default_int_handler)


_LONGEST = ("simulation", "cli", "backends", "faults", "hostile", "ingest")
"""Folders of the files that take longest: they begin first, in this order, so that no worker is
left with one of them when the others have nothing to do any more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have what takes longest begin first."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    return next(
        (place for place, folder in enumerate(_LONGEST) if folder in item.path.parts), len(_LONGEST)
    )


@pytest.fixture
def clock() -> FixedClock:
    """The time that the source goes by; a test moves it."""
    return FixedClock()


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], Server | None]]:
    """The database servers, each started when the first test asks for it."""
    with ExitStack() as stack:
        started: dict[str, Server] = {}

        def server(engine: str) -> Server | None:
            if engine in SERVERS and engine not in started:
                started[engine] = stack.enter_context(SERVERS[engine]())
            return started.get(engine)

        yield server


@pytest.fixture(autouse=True)
def databases(
    request: pytest.FixtureRequest, servers: Callable[[str], Server | None]
) -> Iterator[Databases]:
    """The databases of the test, on the engine that it is run with: SQLite unless parametrised."""
    with databases_on(servers(getattr(request, "param", "sqlite"))) as made:
        yield made


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A CA, and what it issues."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def source_store(tmp_path: Path, clock: FixedClock, databases: Databases) -> Iterator[Store]:
    """A store with the epoch 5eed5eed5eed5eed, a user of each role, two zones and a file."""
    with Store.create(databases.url(tmp_path, "source")) as store:
        fill_source(store, clock)
        yield store


@pytest.fixture
def start_daemon(source_store: Store) -> Iterator[StartDaemon]:
    """Start daemons; they end with the test. Without a store, they serve `source_store`."""
    with ExitStack() as stack:

        def start(store: Store | None = None, **options: Any) -> RunningDaemon:
            return stack.enter_context(RunningDaemon(store or source_store, **options))

        yield start


@pytest.fixture
def running_daemon(start_daemon: StartDaemon) -> RunningDaemon:
    """A daemon that serves `source_store`."""
    return start_daemon()
