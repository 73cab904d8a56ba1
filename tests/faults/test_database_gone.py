"""The database under a daemon, and under a replica that watches, goes away and comes back: nobody
has to be started again."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from syncd.store import Store
from tests.cli.commands import Serving, add_admin, start
from tests.databases import Databases, on_every_server
from tests.running import put, wait_until
from tests.server.line_client import LineClient
from tests.store.objects import content_of, new_store, store_url

pytestmark = on_every_server
_LIMIT_S = 30


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Serving]:
    with new_store(tmp_path, "source") as store:
        add_admin(store)
        put(store, "files", "a", "before")
    with Serving(store_url(tmp_path, "source")) as serving:
        yield serving


@pytest.fixture
def log_in(daemon: Serving) -> Iterator[Callable[[], LineClient]]:
    with ExitStack() as stack:

        def connect() -> LineClient:
            client = stack.enter_context(closing(LineClient("127.0.0.1", daemon.port)))
            assert client.line() == "200 syncd ready"
            assert client.log_in("root").startswith("200 ")
            return client

        yield connect


def answers(client: LineClient) -> bool:
    return client.ask("SYNC files|verify").startswith("200 ")


def test_sessions_go_on_when_the_database_is_back(
    databases: Databases, log_in: Callable[[], LineClient]
) -> None:
    assert databases.server is not None
    watcher, writer = log_in(), log_in()
    watcher.ask("ASYN 1")
    watcher.ask("SYNC files|watch")
    databases.server.stop()
    try:
        answer = writer.ask("SYNC files|verify")
        assert answer.startswith("5")
        assert "store " in answer
        assert writer.ask("ECHO still here") == "200 still here"
    finally:
        databases.server.start()
    wait_until(lambda: answers(writer), _LIMIT_S)
    assert writer.put_bytes("SYNC files|put|a", b"after").startswith("200 ")
    assert watcher.line().startswith("902 commit|")


@pytest.mark.parametrize("whose", ["both", "the source's"])
def test_a_watching_replica_follows_again_when_the_database_is_back(
    databases: Databases,
    daemon: Serving,
    log_in: Callable[[], LineClient],
    tmp_path: Path,
    whose: str,
) -> None:
    """Whether or not it has its own on the same server, it says once what is wrong."""
    assert databases.server is not None
    beside = f"sqlite:///{tmp_path}/replica.db"
    replica = store_url(tmp_path, "replica") if whose == "both" else beside
    watching = start("syncclient", "resync", daemon.url(), "--store", replica, "--watch")
    try:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert watching.stdout.readline().startswith("bootstrap: ")
        writer = log_in()
        assert writer.put_bytes("SYNC files|put|b", b"now").startswith("200 ")
        databases.server.stop()
        assert "; trying again every 5 s" in watching.stderr.readline()
        databases.server.start()
        wait_until(lambda: answers(writer), _LIMIT_S)
        assert writer.put_bytes("SYNC files|put|a", b"after").startswith("200 ")
        with Store.open(replica) as store:
            wait_until(lambda: content_of(store.view(), "a") == b"after", _LIMIT_S)
    finally:
        watching.terminate()
        _, err = watching.communicate()
    assert err.count("\n") <= 1, err
