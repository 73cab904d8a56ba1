"""The folder of zone files where links are refused: the way back is there all the same."""

import os
from pathlib import Path
from typing import Any

import pytest

from syncclient.backends import ServerSettings
from syncclient.backends.files import Files, FilesSettings
from syncd.errors import ServerFailed
from syncd.store import Store
from tests.syncclient.backends.test_contract import Replica, put_zone

ZONES = ("a.example.", "b.example.")


def files_with(tmp_path: Path, command: str) -> Files:
    folder = tmp_path / "agent"
    folder.mkdir(exist_ok=True)
    return Files(FilesSettings(command=(command,)), ServerSettings(), folder)


def served(tmp_path: Path) -> dict[str, str]:
    """The serial in each file that a server would read."""
    found = (tmp_path / "agent" / "zones").glob("*.zone")
    return {file.name.removesuffix("zone"): file.read_text().split()[6] for file in found}


def test_a_step_that_fails_is_undone_although_no_file_can_be_linked(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for zone in ZONES:
        put_zone(store, zone, 1)
    Replica(store, files_with(tmp_path, "true")).apply()

    def refuse(source: str, _: str, *, src_dir_fd: int, **__: Any) -> None:
        os.stat(source, dir_fd=src_dir_fd)  # as the kernel: what is not there is told first
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for zone in (*ZONES, "c.example."):
        put_zone(store, zone, 2)
    with pytest.raises(ServerFailed):
        Replica(store, files_with(tmp_path, "false")).apply()
    assert served(tmp_path) == dict.fromkeys(ZONES, "1")
    Replica(store, files_with(tmp_path, "true")).apply()
    assert served(tmp_path) == dict.fromkeys((*ZONES, "c.example."), "2")
