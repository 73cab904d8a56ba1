"""Importing zones: all of them in one commit or none, and nothing from outside the folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncd.content.tokens import Token
from syncd.errors import Frozen, InvalidContent, MovedOn
from syncd.ingest.zones import Imported, find_master_files, import_zones
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import assert_sound, content_of, held, new_store

pytestmark = on_every_engine

GOOD = """\
@ 3600 IN SOA ns1 hostmaster {serial} 7200 3600 1209600 300
@ 3600 IN NS ns1
ns1 3600 IN A 192.0.2.1
{records}
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three good zones."""
    path = tmp_path / "zones"
    path.mkdir()
    for name in ("a", "b", "c"):
        write(path, name)
    return path


def write(folder: Path, name: str, records: str = "", *, serial: int = 1) -> Path:
    path = folder / f"{name}.example.zone"
    path.write_text(GOOD.format(serial=serial, records=records))
    return path


def names(store: Store) -> list[str]:
    return [version.name for version in store.view().versions(["zones"])]


def run(store: Store, *paths: Path, **options: Any) -> Imported:
    return import_zones(
        store,
        find_master_files(paths),
        author="test",
        comment="",
        **options,
    )


def test_a_folder_becomes_zones_in_one_commit(store: Store, folder: Path) -> None:
    result = run(store, folder)
    assert (result.objects, result.changed, result.removed) == (3, 3, 0)
    assert result.token == Token(store.clock().epoch, 1)
    assert names(store) == ["a.example.", "b.example.", "c.example."]
    assert_sound(store)


def test_files_in_folders_below_and_named_by_other_customs_are_found(
    store: Store, folder: Path
) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    write(folder / "deep" / "er", "d")
    write(folder, "e").rename(folder / "db.e.example")
    write(folder, "f").rename(folder / "f.example.db")
    (folder / "README").write_text("no zone")
    assert run(store, folder).objects == 6


def test_what_is_imported_again_unchanged_makes_no_commit(store: Store, folder: Path) -> None:
    run(store, folder)
    result = run(store, folder)
    assert (result.objects, result.changed, result.token) == (3, 0, None)
    assert store.clock().seq == 1


def test_only_what_changed_makes_a_version(store: Store, folder: Path) -> None:
    run(store, folder)
    write(folder, "b", "www 3600 IN A 192.0.2.9")
    result = run(store, folder)
    assert (result.changed, result.warnings) == (1, ["b.example.: serial 1 advanced to 2"])
    assert store.view().version("zones", "a.example.").seq == 1
    assert store.view().version("zones", "b.example.").seq == 2


def test_one_bad_file_stops_everything_and_is_named_by_line(store: Store, folder: Path) -> None:
    bad = write(folder, "b", "www 3600 IN A 192.0.2.999")
    with pytest.raises(InvalidContent, match=rf"^{bad}:4: .*192\.0\.2\.999"):
        run(store, folder)
    assert names(store) == []
    assert store.clock().seq == 0
    assert store.collect(keep_seq=0).chunks == 0, "nothing was even staged"


def test_one_bad_file_among_thousands_stops_everything(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the files before it were written to the database already."""
    monkeypatch.setattr("syncd.ingest.staging._GROUP_ZONES", 1)
    monkeypatch.setattr("syncd.store.batch._FLUSH_BYTES", 1)
    write(folder, "z", "www 3600 IN A nonsense")
    with pytest.raises(InvalidContent):
        run(store, folder)
    assert names(store) == []
    assert_sound(store)


def test_told_to_keep_going_the_good_are_taken_and_the_bad_listed(
    store: Store, folder: Path
) -> None:
    write(folder, "b", "www 3600 IN A 192.0.2.999")
    result = run(store, folder, keep_going=True)
    assert names(store) == ["a.example.", "c.example."]
    assert [Path(error.path or "").name for error in result.failed] == ["b.example.zone"]
    assert result.failed[0].line == 4


def test_told_to_keep_going_a_zone_that_does_not_fit_what_is_there_is_listed(
    store: Store, folder: Path
) -> None:
    signature = (
        "@ 3600 IN RRSIG SOA 8 2 3600 20300101000000 20200101000000 1 b.example. "
        "AwEAAcUlFV1vhmqx6NSOUOq2R/dsR7Xm3upJj7IommWSpJABVfW8Q0rOvXdM6kzt"
    )
    write(folder, "b", signature)
    run(store, folder)
    write(folder, "b", f"{signature}\nwww 3600 IN A 192.0.2.9")
    write(folder, "c", "www 3600 IN A 192.0.2.9")
    result = run(store, folder, keep_going=True)
    assert [error.path for error in result.failed] == [str(folder / "b.example.zone")]
    assert result.changed == 1
    with pytest.raises(InvalidContent, match=rf"{folder}/b.example.zone: .*is signed"):
        run(store, folder)


def test_zones_that_no_file_holds_go_when_asked_to(store: Store, folder: Path) -> None:
    run(store, folder)
    (folder / "b.example.zone").unlink()
    assert run(store, folder).removed == 0
    assert run(store, folder, delete_others=True).removed == 1
    assert names(store) == ["a.example.", "c.example."]


def test_a_zone_does_not_go_because_its_file_is_bad(store: Store, folder: Path) -> None:
    run(store, folder)
    write(folder, "b", "www 3600 IN A 192.0.2.999")
    (folder / "c.example.zone").unlink()
    result = run(store, folder, keep_going=True, delete_others=True)
    assert len(result.failed) == 1
    assert "b.example." in names(store)
    assert result.removed == 0
    assert any("nothing was deleted" in text for text in result.warnings)


def test_a_zone_in_two_files_is_refused_with_both(store: Store, folder: Path) -> None:
    (folder / "deep").mkdir()
    write(folder / "deep", "a")
    with pytest.raises(InvalidContent, match=r"zone a\.example\. stands in .* as well"):
        run(store, folder)


def test_paths_that_hold_no_zones_are_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InvalidContent, match="no such file or folder"):
        find_master_files([folder, tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidContent, match="no master files"):
        find_master_files([tmp_path / "empty"])


def test_what_cannot_be_seen_is_not_taken_for_gone(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "deep").mkdir()
    write(folder / "deep", "d")
    run(store, folder)
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InvalidContent, match="deep: Permission denied"):
        run(store, folder, keep_going=True, delete_others=True)
    assert "d.example." in names(store)


@pytest.mark.parametrize("target", ["gone/d.example.zone", "d.example.zone", "a.example.zone/x"])
def test_a_zone_file_that_is_a_link_and_leads_nowhere_fails(
    store: Store, folder: Path, target: str
) -> None:
    write(folder, "d")
    run(store, folder)
    (folder / "d.example.zone").unlink()
    (folder / "d.example.zone").symlink_to(target)
    with pytest.raises(InvalidContent, match=r"d\.example\.zone: (No such|Too many|Not a)"):
        run(store, folder, delete_others=True)
    done = run(store, folder, keep_going=True, delete_others=True)
    assert (len(done.failed), done.removed) == (1, 0)


def test_a_link_to_a_folder_is_followed_once_and_one_that_leads_nowhere_refused(
    store: Store, folder: Path
) -> None:
    (folder.parent / "other").mkdir()
    write(folder.parent / "other", "d")
    (folder / "linked").symlink_to("../other")
    (folder / "round").symlink_to("..")
    (folder / ".#lock").symlink_to("somebody@somewhere")
    assert run(store, folder).objects == 4
    (folder.parent / "other").rename(folder.parent / "away")
    with pytest.raises(InvalidContent, match="linked: is a link that leads nowhere"):
        find_master_files([folder])


def test_a_file_whose_name_can_be_no_zones_is_named(store: Store, folder: Path) -> None:
    (folder / "a..b.zone").write_text(GOOD.format(serial=1, records=""))
    done = run(store, folder, keep_going=True)
    assert [str(error) for error in done.failed] == [
        f"{folder}/a..b.zone: the name 'a..b.' has an empty label"
    ]


def test_a_pipe_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "p.zone")
    with pytest.raises(InvalidContent, match=r"p\.zone: is no regular file"):
        find_master_files([folder])


def test_an_include_that_goes_round_in_circles_is_named(store: Store, folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    write(folder, "d", records="$INCLUDE loop")
    with pytest.raises(InvalidContent, match=r"d\.example\.zone:4: .*loop: there is no such file"):
        run(store, folder / "d.example.zone")


def test_a_file_that_is_gone_by_the_time_it_is_read_is_named(store: Store, folder: Path) -> None:
    files = find_master_files([folder])
    Path(files[1].path).unlink()
    with pytest.raises(InvalidContent, match=r"b\.example\.zone: No such file"):
        import_zones(store, files, author="test")


def test_a_freeze_stops_an_import(store: Store, folder: Path) -> None:
    store.freeze("bob", 100)
    with pytest.raises(Frozen):
        run(store, folder)
    assert names(store) == []


def test_a_zone_that_somebody_else_changes_meanwhile_stops_the_import(
    store: Store, folder: Path
) -> None:
    run(store, folder)
    write(folder, "a", "www 3600 IN A 192.0.2.9")
    write(folder, "b", "www 3600 IN A 192.0.2.9")

    def change_a(done: int) -> None:
        store.remove("zones", "a.example.", author="somebody else")

    with pytest.raises(MovedOn, match=r"a\.example\. was changed by somebody else"):
        import_zones(store, find_master_files([folder]), author="test", progress=change_a)
    assert store.view().version("zones", "b.example.").seq == 1


# $INCLUDE


def test_a_file_includes_others_of_its_folder(store: Store, folder: Path) -> None:
    (folder / "hosts").mkdir()
    (folder / "hosts" / "list").write_text("www 3600 IN A 192.0.2.9\n")
    write(folder, "a", "$INCLUDE hosts/list")
    run(store, folder)
    assert b"www.a.example. 3600 IN A 192.0.2.9" in content_of(store.view(), "a.example.", "zones")


def test_an_included_file_includes_others_from_where_it_stands(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, record in (("hosts", "right"), ("elsewhere", "wrong")):
        (folder / place).mkdir()
        (folder / place / "inner").write_text(f"www 3600 IN TXT {record}\n$INCLUDE deep/last\n")
    (folder / "hosts" / "list").write_text("$INCLUDE inner\n")
    (folder / "hosts" / "deep").mkdir()
    (folder / "hosts" / "deep" / "last").write_text("$INCLUDE list\n")
    (folder / "hosts" / "deep" / "list").write_text("deep 3600 IN TXT x\n")
    write(folder, "a", "$INCLUDE hosts/list")
    monkeypatch.chdir(folder / "elsewhere")
    run(store, folder)
    content = content_of(store.view(), "a.example.", "zones")
    assert b'www.a.example. 3600 IN TXT "right"' in content
    assert b'deep.a.example. 3600 IN TXT "x"' in content


def test_what_is_not_beside_the_file_that_names_it_is_looked_for_in_the_folder(
    store: Store, folder: Path
) -> None:
    (folder / "hosts").mkdir()
    (folder / "hosts" / "list").write_text("$INCLUDE shared\n")
    (folder / "shared").write_text("www 3600 IN A 192.0.2.9\n")
    write(folder, "a", "$INCLUDE hosts/list")
    run(store, folder)
    assert b"www.a.example. 3600 IN A 192.0.2.9" in content_of(store.view(), "a.example.", "zones")


def test_an_error_in_an_included_file_names_where_it_stands(store: Store, folder: Path) -> None:
    (folder / "hosts").mkdir()
    (folder / "hosts" / "list").write_text("www A 192.0.2.1\nwww A 192.0.2.256\n")
    write(folder, "a", "$INCLUDE hosts/list")
    with pytest.raises(InvalidContent, match=rf"{folder}/hosts/list:2: "):
        run(store, folder)


@pytest.mark.parametrize("how", ["absolute", "relative", "link", "sibling"])
def test_a_file_includes_nothing_from_outside_its_folder(
    store: Store, folder: Path, tmp_path: Path, how: str
) -> None:
    (tmp_path / "secret").write_text("secret 3600 IN TXT secret\n")
    (tmp_path / "zones-other").mkdir()
    (tmp_path / "zones-other" / "x").write_text("secret 3600 IN TXT secret\n")
    (folder / "link").symlink_to(tmp_path / "secret")
    target = {
        "absolute": str(tmp_path / "secret"),
        "relative": "../secret",
        "link": "link",
        "sibling": "../zones-other/x",
    }[how]
    write(folder, "a", f"$INCLUDE {target}")
    with pytest.raises(InvalidContent, match="is not below"):
        run(store, folder)
    assert held(store.view()) == {}


def test_an_included_file_that_is_not_there_is_named(store: Store, folder: Path) -> None:
    write(folder, "a", "$INCLUDE nothing")
    with pytest.raises(InvalidContent, match=r"a\.example\.zone.*\$INCLUDE nothing"):
        run(store, folder)


def test_files_that_include_each_other_are_refused(store: Store, folder: Path) -> None:
    (folder / "one").write_text("$INCLUDE two\n")
    (folder / "two").write_text("$INCLUDE one\n")
    write(folder, "a", "$INCLUDE one")
    with pytest.raises(InvalidContent):
        run(store, folder)


def test_a_store_that_stands_in_the_folder_is_not_taken_for_a_zone(
    store: Store, folder: Path
) -> None:
    (folder / "syncd.db").write_bytes(b"SQLite format 3\0" + bytes(100))
    assert not any(file.path.endswith("syncd.db") for file in find_master_files([folder]))
