"""A folder of zone files that is compared as a whole holds exactly what the view has."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from syncclient import zonesdir
from syncclient.zonesdir import ZonesDir
from syncd.errors import FileFailed
from tests.databases import on_every_engine
from tests.running import put
from tests.store.objects import new_store

pytestmark = on_every_engine

ZONE = "{zone} 3600 IN SOA a. b. 1 2 3 4 5\n{zone} 3600 IN NS ns.other.\n"
ZONES = ("a.example.", "b%.example.", "root.", ".")
FILES = {"a.example.zone", "b%25.example.zone", "%72oot.zone", "root.zone"}
STRAYS = ("old.zone", "A.example.zone", "%61.example.zone", "%00.zone", ".x.zone", "\udcff.zone")


@pytest.mark.parametrize("page_files", [1, 500])
def test_what_is_no_zones_file_goes_and_what_is_missing_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_files: int
) -> None:
    monkeypatch.setattr(zonesdir, "_PAGE_FILES", page_files)
    folder = tmp_path / "zones"
    with new_store(tmp_path, "store") as store:
        for zone in ZONES:
            put(store, "zones", zone, ZONE.format(zone=zone))
        ZonesDir(folder).bring_to(store, store.view())
        assert {name for name in os.listdir(folder) if name.endswith(".zone")} == FILES
        for name in (*STRAYS, "notes.txt"):
            (folder / name).write_text("x")
        (folder / "a.example.zone").unlink()
        files = ZonesDir(folder)
        files.bring_to(store, store.view(), compare=True)
    assert (files.written, files.removed) == (1, len(STRAYS))
    assert set(os.listdir(folder)) == FILES | {"notes.txt", ".syncd-state"}


def fail_after(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """Have the disk be full once so many files are written."""
    left = iter(range(files))
    real = zonesdir.write_zone_file

    def write(*arguments: Any, **options: Any) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments, **options)

    monkeypatch.setattr(zonesdir, "write_zone_file", write)


def test_what_an_interrupted_first_filling_left_goes_and_what_was_there_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zonesdir, "_GROUP_FILES", 1)
    folder = tmp_path / "zones"
    folder.mkdir()
    for stray in ("theirs.zone", "\udcff.zone"):
        (folder / stray).write_text("theirs")
    with new_store(tmp_path, "store") as store:
        for zone in ("a.", "b.", "c.", "theirs-later."):
            put(store, "zones", zone, ZONE.format(zone=zone))
        with monkeypatch.context() as context:
            fail_after(context, 2)
            with pytest.raises(FileFailed):
                ZonesDir(folder).bring_to(store, store.view())
        assert (folder / "b.zone").exists()
        store.remove("zones", "b.", author="test")
        ZonesDir(folder).bring_to(store, store.view())
        assert zone_files(folder) == {
            "a.zone", "c.zone", "theirs-later.zone", "theirs.zone", "\udcff.zone"
        }  # fmt: skip
        put(store, "zones", "theirs.", ZONE.format(zone="theirs."))
        (folder / "lost.zone").write_text("x")
        ZonesDir(folder).bring_to(store, store.view(), compare=True)
        assert zone_files(folder) == {
            "a.zone", "c.zone", "theirs-later.zone", "theirs.zone", "\udcff.zone"
        }  # fmt: skip
        assert (folder / "theirs.zone").read_text() != "theirs"
        store.remove("zones", "theirs.", author="test")
        ZonesDir(folder).bring_to(store, store.view(), compare=True)
        assert zone_files(folder) == {"a.zone", "c.zone", "theirs-later.zone", "\udcff.zone"}


def zone_files(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if name.endswith(".zone")}
