"""What a daemon does when looking at its folder fails in a way that nobody has thought of."""

from pathlib import Path

import pytest
import trio

from syncd.errors import StoreError
from syncd.ingest.folder import FolderSettings, Look, WatchedFolder
from syncd.server import Daemon
from syncd.server.folderwatch import FolderWatch
from syncd.store import Store


def test_whatever_goes_wrong_is_logged_once_and_ends_nothing(
    source_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fault, away, other = ZeroDivisionError("fault"), StoreError("away"), StoreError("other")
    results: list[Exception | Look] = [fault, fault, away, away, other, Look()]

    def look(self: WatchedFolder, check: object) -> Look:
        match results.pop(0):
            case Look() as result:
                return result
            case Exception() as error:
                raise error

    monkeypatch.setattr(WatchedFolder, "look", look)

    async def run() -> None:
        watch = FolderWatch(Daemon(source_store), FolderSettings(path=str(tmp_path)))
        while results:
            await watch.look()

    with caplog.at_level("INFO"):
        trio.run(run)
    events = [record.getMessage().split()[0] for record in caplog.records]
    assert events == ["folder_not_taken"] * 3 + ["folder_is_taken_again"]
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [fault]
