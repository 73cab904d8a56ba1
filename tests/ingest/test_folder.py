"""What changes in the folder becomes one commit; what is broken leaves the zone as it was."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.errors import Frozen
from syncd.ingest.folder import MEMORY, FolderSettings, Look, WatchedFolder
from syncd.store import Store
from tests.databases import on_every_engine
from tests.running import put, wait_until
from tests.store.objects import content_of, new_store

pytestmark = on_every_engine

GOOD = """\
@ 3600 IN SOA ns1 hostmaster {serial} 7200 3600 1209600 300
@ 3600 IN NS ns1
ns1 3600 IN A 192.0.2.{serial}
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "zones"
    path.mkdir()
    return path


@pytest.fixture
def settings(folder: Path) -> FolderSettings:
    """Every look takes what differs: settling is tested with the scan."""
    return FolderSettings(path=str(folder), settle_s=0.0)


@pytest.fixture
def watched(store: Store, settings: FolderSettings) -> WatchedFolder:
    return WatchedFolder(store, settings)


def write(folder: Path, name: str, serial: int = 1, more: str = "") -> Path:
    path = folder / f"{name}.zone"
    path.write_text(GOOD.format(serial=serial) + more)
    return path


def zones(store: Store) -> dict[str, int]:
    versions = store.view().versions(["zones"])
    return {version.name: version.attribute("serial") for version in versions}


def no_look_reads(watched: WatchedFolder) -> None:
    assert replace(watched.look(), scan_s=0.0) == Look()


def test_what_changed_since_the_last_look_is_one_commit(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    for name in ("a", "b", "c"):
        write(folder, name)
    first = watched.look()
    assert (first.changed, first.failed, store.clock().seq) == (3, {}, 1)
    no_look_reads(watched)
    write(folder, "a", 2)
    write(folder, "b", 2)
    second = watched.look()
    assert (second.changed, store.clock().seq) == (2, 2)
    assert zones(store) == {"a.": 2, "b.": 2, "c.": 1}
    assert store.log(1)[0].author == "folder"


def test_a_file_that_was_touched_only_makes_no_commit(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    path = write(folder, "a")
    watched.look()
    os.utime(path)
    assert watched.look().zones == 0
    assert store.clock().seq == 1
    no_look_reads(watched)


def test_a_broken_file_leaves_its_zone_and_hinders_no_other(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    write(folder, "a")
    watched.look()
    write(folder, "a", 2, "x 300 IN A 192.0.2\n")
    write(folder, "b", 1)
    look = watched.look()
    assert look.failed.keys() == {"a.zone"}
    assert f"{folder}/a.zone:4: A address" in look.failed["a.zone"]
    assert zones(store) == {"a.": 1, "b.": 1}
    no_look_reads(watched)
    write(folder, "a", 3)
    assert watched.look().mended == ["a.zone"]
    assert zones(store) == {"a.": 3, "b.": 1}


def test_a_broken_file_is_read_again_when_who_may_read_it_changes(
    folder: Path, watched: WatchedFolder
) -> None:
    path = write(folder, "a", 1, "(")
    assert watched.look().failed.keys() == {"a.zone"}
    no_look_reads(watched)
    path.chmod(0o600)
    assert watched.look().failed.keys() == {"a.zone"}
    no_look_reads(watched)


def test_what_only_the_whole_zone_shows_is_reported_too(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    write(folder, "a", 1, "ns1 300 IN CNAME b\n")
    assert "a CNAME cannot stand beside" in watched.look().failed["a.zone"]
    no_look_reads(watched)
    assert zones(store) == {}


def test_a_restart_reads_only_what_changed_meanwhile(
    store: Store, folder: Path, settings: FolderSettings, watched: WatchedFolder
) -> None:
    for name in ("a", "b"):
        write(folder, name)
    write(folder, "broken", 1, "(")
    watched.look()
    put(store, "zones", "a.", GOOD.format(serial=5))  # by another way: it stays
    write(folder, "b", 2)
    look = WatchedFolder(store, settings).look()
    assert (look.zones, look.changed) == (1, 1)
    assert look.failed.keys() == {"broken.zone"}
    assert zones(store) == {"a.": 5, "b.": 2}


def test_a_store_that_was_set_back_is_brought_up_again(
    store: Store, folder: Path, settings: FolderSettings, watched: WatchedFolder, tmp_path: Path
) -> None:
    write(folder, "a")
    watched.look()
    with new_store(tmp_path, "other") as other:
        assert WatchedFolder(other, settings).look().changed == 1
        assert zones(other) == zones(store)


def test_what_cannot_be_remembered_is_taken_all_the_same(
    store: Store, folder: Path, settings: FolderSettings, tmp_path: Path
) -> None:
    write(folder, "a")
    look = WatchedFolder(store, replace(settings, state_file=str(tmp_path / "no/such"))).look()
    assert isinstance(look.unsaved, FileNotFoundError)
    assert zones(store) == {"a.": 1}
    assert not (folder / MEMORY).exists()


def test_what_cannot_be_written_anew_is_remembered_all_the_same(
    store: Store, folder: Path, settings: FolderSettings, watched: WatchedFolder
) -> None:
    write(folder, "a")
    watched.look()
    (folder / f"{MEMORY}.part").mkdir()
    look = WatchedFolder(store, settings).look()
    assert (look.zones, type(look.unsaved)) == (0, IsADirectoryError)


def test_a_folder_that_comes_later_is_remembered_as_it_was(
    store: Store, folder: Path, settings: FolderSettings, watched: WatchedFolder
) -> None:
    write(folder, "a")
    watched.look()
    folder.rename(folder.with_name("unmounted"))
    again = WatchedFolder(store, settings)
    with pytest.raises(FileNotFoundError):
        again.look()
    folder.with_name("unmounted").rename(folder)
    no_look_reads(again)


def test_a_zone_stays_when_its_file_goes(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    path = write(folder, "a")
    watched.look()
    path.unlink()
    watched.look()
    assert zones(store) == {"a.": 1}
    no_look_reads(watched)


def test_a_zone_goes_with_its_file_if_that_is_wanted(
    store: Store, folder: Path, settings: FolderSettings
) -> None:
    watched = WatchedFolder(store, replace(settings, delete=True))
    paths = [write(folder, name) for name in ("a", "b")]
    put(store, "zones", "c.", GOOD.format(serial=1))
    watched.look()
    paths[0].unlink()
    paths[1].rename(folder / "renamed.zone")
    (folder / "renamed.zone").write_text("$ORIGIN b.\n" + GOOD.format(serial=1))
    look = watched.look()
    assert (look.removed, look.failed) == (1, {})
    assert zones(store) == {"b.": 1, "c.": 1}


def test_a_folder_that_is_suddenly_empty_takes_no_zones_away(
    store: Store, folder: Path, settings: FolderSettings
) -> None:
    watched = WatchedFolder(store, replace(settings, delete=True))
    paths = [write(folder, f"z{number}") for number in range(10)]
    watched.look()
    for path in paths[:4]:
        path.unlink()
    assert str(watched.look().refused).startswith("4 zones without a file: too many went")
    assert len(zones(store)) == 10
    write(folder, "z0")
    assert str(watched.look().refused).startswith("3 zones without a file: too many went")
    assert len(zones(store)) == 10


def test_what_was_kept_once_stays_however_many_zones_there_are_later(
    store: Store, folder: Path, settings: FolderSettings
) -> None:
    settings = replace(settings, delete=True)
    watched = WatchedFolder(store, settings)
    paths = [write(folder, f"z{number}") for number in range(12)]
    watched.look()
    away = folder / "away"
    away.mkdir()
    for path in paths[:5]:
        path.rename(away / path.name)
    assert watched.look().refused is not None
    for number in range(20, 40):
        write(folder, f"z{number}")
    assert watched.look().removed == 0
    restarted = WatchedFolder(store, settings)
    assert restarted.look().removed == 0
    paths[11].unlink()
    assert restarted.look().removed == 1, "others go"
    assert len(zones(store)) == 31
    for path in paths[:5]:
        (away / path.name).rename(path)
    assert restarted.look().refused is None
    paths[0].unlink()
    assert restarted.look().removed == 1, "what has come back goes as any other"


@pytest.mark.parametrize("way", ["emptied", "replaced"])
def test_of_a_few_zones_not_all_go_at_once(
    store: Store, folder: Path, settings: FolderSettings, way: str
) -> None:
    watched = WatchedFolder(store, replace(settings, delete=True))
    paths = [write(folder, name) for name in ("a", "b", "c")]
    watched.look()
    if way == "emptied":
        for path in paths:
            path.unlink()
    else:
        folder.rename(folder.with_name("unmounted"))
        folder.mkdir()
    assert "too many went at once, or all" in str(watched.look().refused)
    assert len(zones(store)) == 3


def test_a_zone_goes_whose_file_holds_another_now(
    store: Store, folder: Path, settings: FolderSettings
) -> None:
    watched = WatchedFolder(store, replace(settings, delete=True))
    write(folder, "a")
    write(folder, "b")
    watched.look()
    (folder / "a.zone").write_text("$ORIGIN new.\n" + GOOD.format(serial=1))
    watched.look()
    assert watched.look().removed == 1
    assert zones(store) == {"b.": 1, "new.": 1}
    no_look_reads(watched)


def test_a_link_that_leads_nowhere_hinders_no_other_and_takes_no_zone_away(
    store: Store, folder: Path, settings: FolderSettings
) -> None:
    watched = WatchedFolder(store, replace(settings, delete=True))
    real = folder.with_name("real")
    real.mkdir()
    (folder / "a.zone").symlink_to(write(real, "a"))
    write(folder, "b")
    watched.look()
    real.rename(folder.with_name("gone"))
    (folder / "loop.zone").symlink_to("loop.zone")
    (folder / "under.zone").symlink_to("b.zone/x")
    (folder / "folder.zone").symlink_to("..")
    write(folder, "b", 2)
    look = watched.look()
    assert look.failed.keys() == {"a.zone", "loop.zone", "under.zone", "folder.zone"}
    assert "No such file" in look.failed["a.zone"]
    assert zones(store) == {"a.": 1, "b.": 2}
    no_look_reads(watched)


def test_who_may_read_a_file_or_how_many_names_it_has_is_no_change_of_its_zone(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    write(folder, "a")
    (folder / "common").write_text("www 300 IN A 192.0.2.80\n")
    path = write(folder, "b", 1, "$INCLUDE common\n")
    watched.look()
    for name in ("a.", "b."):
        put(store, "zones", name, GOOD.format(serial=9))
    (folder / "a.zone").chmod(0o640)
    (folder / "copy").hardlink_to(path)
    watched.look()
    assert zones(store) == {"a.": 9, "b.": 9}
    (folder / "common").write_text("www 300 IN A 192.0.2.81\n")
    watched.look()
    assert zones(store) == {"a.": 9, "b.": 10}


def test_what_a_new_file_includes_has_to_stand_still_too(
    store: Store, folder: Path, settings: FolderSettings
) -> None:
    watched = WatchedFolder(store, replace(settings, settle_s=0.3))
    common = folder / "common"
    common.write_text("w0 300 IN A 192.0.2.80\n")
    write(folder, "a", 1, "$INCLUDE common\n")
    for number in range(1, 8):
        watched.look()
        time.sleep(0.1)
        with common.open("a") as file:
            file.write(f"w{number} 300 IN A 192.0.2.80\n")
    assert zones(store) == {}
    wait_until(lambda: watched.look().changed == 1, 5)
    assert b"w7.a." in content_of(store.view(), "a.", "zones")


def test_a_file_takes_over_the_zone_of_one_that_is_gone(
    store: Store, folder: Path, settings: FolderSettings
) -> None:
    watched = WatchedFolder(store, replace(settings, delete=True))
    path = write(folder, "a")
    watched.look()
    (folder / "moved.zone").write_text("$ORIGIN a.\n" + GOOD.format(serial=2))
    assert "zone a. stands in" in watched.look().failed["moved.zone"]
    path.unlink()
    look = watched.look()
    assert (look.removed, look.mended) == (0, ["moved.zone"])
    assert zones(store) == {"a.": 2}
    no_look_reads(watched)


def test_a_file_takes_a_zone_that_another_has_given_up(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    path = write(folder, "a")
    watched.look()
    (folder / "b.zone").write_text("$ORIGIN a.\n" + GOOD.format(serial=2))
    watched.look()
    path.write_text("$ORIGIN c.\n" + GOOD.format(serial=1))
    watched.look()
    assert watched.look().mended == ["b.zone"]
    assert zones(store) == {"a.": 2, "c.": 1}


def test_no_zone_goes_while_a_new_file_cannot_be_taken(
    store: Store, folder: Path, settings: FolderSettings
) -> None:
    watched = WatchedFolder(store, replace(settings, delete=True))
    path = write(folder, "a")
    watched.look()
    path.rename(folder / "renamed.zone")
    (folder / "renamed.zone").write_text("$ORIGIN a.\n" + GOOD.format(serial=2) + "x A 192.0.2\n")
    for _ in range(2):
        look = watched.look()
        assert look.removed == 0
        assert "renamed.zone is not taken yet" in str(look.refused)
    (folder / "renamed.zone").write_text("$ORIGIN a.\n" + GOOD.format(serial=3))
    look = watched.look()
    assert (look.removed, look.refused) == (0, None)
    assert zones(store) == {"a.": 3}


def test_two_files_of_one_zone_are_not_taken_in_turn(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    write(folder, "a")
    watched.look()
    (folder / "b.zone").write_text("$ORIGIN a.\n" + GOOD.format(serial=9))
    assert "zone a. stands in" in watched.look().failed["b.zone"]
    assert zones(store) == {"a.": 1}


def test_while_the_store_is_frozen_nothing_is_taken_and_nothing_lost(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    store.freeze("somebody", 60)
    write(folder, "a")
    for _ in range(2):
        with pytest.raises(Frozen):
            watched.look()
    store.release("somebody")
    assert watched.look().changed == 1


def test_a_file_that_changes_while_it_is_read_is_not_taken(
    store: Store, folder: Path, watched: WatchedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from syncd.ingest import folder as module

    path = write(folder, "a")
    read = module.prepare_file

    def read_slowly(*arguments: Any, **options: Any) -> object:
        prepared = read(*arguments, **options)
        with path.open("a") as file:
            file.write("more 300 IN A 192.0.2.9\n")
        return prepared

    monkeypatch.setattr(module, "prepare_file", read_slowly)
    look = watched.look()
    assert (look.token, look.failed) == (None, {})
    monkeypatch.undo()
    assert watched.look().changed == 1
    assert b"more.a. 300 IN A 192.0.2.9" in content_of(store.view(), "a.", "zones")


def test_a_change_of_an_included_file_is_a_change(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    (folder / "common").write_text("www 300 IN A 192.0.2.80\n")
    write(folder, "a", 1, "$INCLUDE common\n")
    watched.look()
    no_look_reads(watched)
    (folder / "common").write_text("www 300 IN A 192.0.2.81 ; another\n")
    assert watched.look().changed == 1
    assert b"192.0.2.81" in content_of(store.view(), "a.", "zones")
    no_look_reads(watched)


def test_a_file_is_read_again_when_what_it_includes_has_come(
    store: Store, folder: Path, watched: WatchedFolder
) -> None:
    write(folder, "a", 1, "$INCLUDE sub/common\n")
    assert "there is no such file" in watched.look().failed["a.zone"]
    no_look_reads(watched)
    (folder / "sub").mkdir()
    (folder / "sub" / "common").write_text("www 300 IN A 192.0.2.80\n")
    assert watched.look().mended == ["a.zone"]
    assert b"192.0.2.80" in content_of(store.view(), "a.", "zones")
    no_look_reads(watched)
    (folder / "sub" / "common").unlink()
    assert watched.look().failed.keys() == {"a.zone"}
    (folder / "sub" / "common").write_text("www 300 IN A 192.0.2.81\n")
    assert watched.look().changed == 1


def test_what_ends_a_look_undoes_it(store: Store, folder: Path, watched: WatchedFolder) -> None:
    write(folder, "a")

    def end() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watched.look(end)
    assert store.clock().seq == 0
    assert watched.look().changed == 1
