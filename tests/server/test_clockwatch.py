"""What other processes do to the store is noticed by its file, before the clock is looked at."""

import time

import pytest

from syncd.server import clockwatch
from syncd.store import Store
from tests.conftest import StartDaemon
from tests.running import EPOCH, put
from tests.server.conftest import Connect


def test_a_commit_of_another_process_is_told_of_as_soon_as_the_database_file_shows_it(
    monkeypatch: pytest.MonkeyPatch,
    start_daemon: StartDaemon,
    connect: Connect,
    source_store: Store,
) -> None:
    watcher = connect("bob", start_daemon())
    watcher.ask("ASYN 1")
    watcher.ask("SYNC zones|watch")
    before_s = clockwatch.WATCH_S
    monkeypatch.setattr(clockwatch, "WATCH_S", 3600)
    time.sleep(4 * before_s)  # the last look by the clock is over
    put(source_store, "files", "a", b"x")
    assert watcher.line() == f"902 commit|{EPOCH}:8"
