"""A folder of zone files that is compared as a whole holds exactly what the view has."""

import os
from pathlib import Path

import pytest

from syncclient import zonesdir
from syncclient.zonesdir import ZonesDir
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
