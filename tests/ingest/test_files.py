"""Importing files: content, mode and time are kept, and no link leads out of the folder."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncd.errors import InvalidContent
from syncd.ingest.files import import_files
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import assert_sound, content_of, new_store

pytestmark = on_every_engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    (path / "etc").mkdir(parents=True)
    (path / "etc" / "motd").write_bytes(b"welcome\n")
    (path / "a.bin").write_bytes(bytes(range(256)) * 3000)
    (path / "empty").write_bytes(b"")
    return path


def names(store: Store) -> list[str]:
    return [version.name for version in store.view().versions(["files"])]


def test_a_folder_becomes_files_in_one_commit(store: Store, folder: Path) -> None:
    result = import_files(store, folder, author="test")
    assert (result.objects, result.changed) == (3, 3)
    assert names(store) == ["a.bin", "empty", "etc/motd"]
    for name in names(store):
        assert content_of(store.view(), name) == (folder / name).read_bytes()
    assert store.clock().seq == 1
    assert_sound(store)


@pytest.mark.parametrize("mode", [0o400, 0o644, 0o755, 0o4755])
def test_mode_and_time_are_kept_but_no_more_than_permissions(
    store: Store, folder: Path, mode: int
) -> None:
    (folder / "empty").chmod(mode)
    os.utime(folder / "empty", (1, 1_234_567_890))
    import_files(store, folder, author="test")
    version = store.view().version("files", "empty")
    assert version.attribute("mode") == mode & 0o777
    assert version.mtime == version.attribute("mtime") == 1_234_567_890


def test_a_new_time_alone_is_a_change_and_nothing_new_is_none(store: Store, folder: Path) -> None:
    import_files(store, folder, author="test")
    assert import_files(store, folder, author="test").token is None
    os.utime(folder / "empty", (1, 1_234_567_890))
    assert import_files(store, folder, author="test").changed == 1


def test_files_that_the_folder_does_not_have_go_when_asked_to(store: Store, folder: Path) -> None:
    import_files(store, folder, author="test")
    (folder / "empty").unlink()
    assert import_files(store, folder, author="test").removed == 0
    result = import_files(store, folder, author="test", delete_others=True)
    assert (result.removed, result.changed) == (1, 0)
    assert names(store) == ["a.bin", "etc/motd"]


def test_a_link_to_a_file_of_the_folder_is_followed(store: Store, folder: Path) -> None:
    (folder / "link").symlink_to("etc/motd")
    (folder / "etc" / "up").symlink_to("../empty")
    import_files(store, folder, author="test")
    assert content_of(store.view(), "link") == b"welcome\n"
    assert content_of(store.view(), "etc/up") == b""


def outside_link(folder: Path) -> None:
    (folder.parent / "secret").write_text("secret")
    (folder / "etc" / "bad").symlink_to("../../secret")


def absolute_link(folder: Path) -> None:
    (folder / "bad").symlink_to("/etc/passwd")


def link_over_a_sibling(folder: Path) -> None:
    sibling = folder.with_name(folder.name + "-other")
    sibling.mkdir()
    (sibling / "secret").write_text("secret")
    (folder / "bad").symlink_to(sibling / "secret")


def link_of_a_link(folder: Path) -> None:
    (folder / "first").symlink_to("bad")
    (folder / "bad").symlink_to("/etc/passwd")


def broken_link(folder: Path) -> None:
    (folder / "bad").symlink_to("nowhere")


def circle(folder: Path) -> None:
    (folder / "bad").symlink_to("bad")


def link_to_a_folder(folder: Path) -> None:
    (folder / "bad").symlink_to("etc")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "bad")


def bad_name(folder: Path) -> None:
    (folder / "bad\n").write_text("x")


def name_that_is_no_text(folder: Path) -> None:
    (folder / os.fsdecode(b"bad\xff")).write_text("x")


@pytest.mark.parametrize(
    "make",
    [
        outside_link, absolute_link, link_over_a_sibling, link_of_a_link, broken_link,
        circle, link_to_a_folder, pipe, bad_name, name_that_is_no_text,
    ],
)  # fmt: skip
def test_what_cannot_be_kept_stops_everything_and_is_named(
    store: Store, folder: Path, make: Callable[[Path], None]
) -> None:
    make(folder)
    with pytest.raises(InvalidContent) as refused:
        import_files(store, folder, author="test", delete_others=True)
    assert "bad" in str(refused.value.path) or "first" in str(refused.value.path)
    assert names(store) == []
    assert store.clock().seq == 0


def test_a_folder_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidContent, match="nowhere: there is no such folder"):
        import_files(store, tmp_path / "nowhere", author="test")


def test_a_folder_that_cannot_be_read_does_not_make_its_files_go(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_files(store, folder, author="test")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("etc"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InvalidContent, match="etc: Permission denied"):
        import_files(store, folder, author="test", delete_others=True)
    assert "etc/motd" in names(store)
