"""Export is the inverse of import, at any commit, and each file is whole or not there."""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from zlib import crc32

import pytest
from sqlalchemy import delete

from syncd.content.versions import chunk_digest
from syncd.errors import StoreError, ViewGone
from syncd.ingest.export import export_objects
from syncd.ingest.files import import_files
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.store.schema import chunk
from syncd.types import Prepared
from syncd.types.zones import ZONES
from tests.databases import on_every_engine
from tests.store.objects import held, new_store, put

pytestmark = on_every_engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made


def put_zone(store: Store, zone: str, serial: int) -> None:
    text = f"{zone} 60 IN SOA ns1.{zone} h.{zone} {serial} 2 3 4 5\n{zone} 60 IN NS ns1.{zone}\n"

    def make(present: object) -> Prepared:
        return ZONES.prepare(zone, BytesIO(text.encode()), {})

    store.write("zones", zone, make, author="test")


def test_exported_files_are_those_that_were_imported(store: Store, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    for name, mode in (("a", 0o600), ("deep/b", 0o755)):
        (folder / name).write_bytes(name.encode() * 1000)
        (folder / name).chmod(mode)
        os.utime(folder / name, (5, 1_234_567_890))
    import_files(store, folder, author="test")
    assert export_objects(store, "files", out) == 2
    for name in ("a", "deep/b"):
        assert (out / name).read_bytes() == (folder / name).read_bytes()
        assert (out / name).stat().st_mode == (folder / name).stat().st_mode
        assert (out / name).stat().st_mtime == 1_234_567_890
    with new_store(tmp_path, "again") as again:
        import_files(again, out, author="test")
        assert again.view().totals(["files"]) == store.view().totals(["files"])


def test_an_exported_zone_has_the_checksum_that_listings_show(store: Store, tmp_path: Path) -> None:
    put_zone(store, "example.com.", 1)
    put_zone(store, "0/25.2.0.192.in-addr.arpa.", 1)
    export_objects(store, "zones", tmp_path / "out")
    checksums = {file.name: crc32(file.read_bytes()) for file in (tmp_path / "out").iterdir()}
    assert checksums == {
        "example.com.zone": store.view().version("zones", "example.com.").crc32,
        "0%2F25.2.0.192.in-addr.arpa.zone": store.view()
        .version("zones", "0/25.2.0.192.in-addr.arpa.")
        .crc32,
    }


def test_an_earlier_commit_is_exported_as_it_was(store: Store, tmp_path: Path) -> None:
    put_zone(store, "example.com.", 1)
    put_zone(store, "example.com.", 2)
    put_zone(store, "example.net.", 1)
    export_objects(store, "zones", tmp_path / "first", at=1)
    assert [file.name for file in (tmp_path / "first").iterdir()] == ["example.com.zone"]
    assert " 1 2 3 4 5" in (tmp_path / "first" / "example.com.zone").read_text()
    with pytest.raises(ViewGone):
        export_objects(store, "zones", tmp_path / "none", at=4)


def test_an_export_that_fails_leaves_the_old_file_as_it_was(store: Store, tmp_path: Path) -> None:
    put(store, "a", b"1" * 1000, b"2" * 1000)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("old")
    with store.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(delete(chunk).where(chunk.c.digest == chunk_digest(b"2" * 1000)))
    with pytest.raises(StoreError, match="is missing"):
        export_objects(store, "files", tmp_path / "out")
    assert (tmp_path / "out" / "a").read_text() == "old"
    assert len(held(store.view(0))) == 0


def test_what_a_folder_cannot_hold_keeps_nothing_else_from_it(store: Store, tmp_path: Path) -> None:
    for name in ("a", "a/b", "a/c", "z"):
        put(store, name, name.encode())
    put(store, "a/b", *(b"%d" % number for number in range(2000)))
    with pytest.raises(OSError, match="and 1 more that the folder cannot hold; 2 are written"):
        export_objects(store, "files", tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["a", "z"]
    assert (tmp_path / "out" / "z").read_bytes() == b"z"


def test_nothing_is_written_through_a_link_in_the_folder(store: Store, tmp_path: Path) -> None:
    put_zone(store, "a.", 1)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".syncd-part").symlink_to(victim)
    assert export_objects(store, "zones", tmp_path / "out") == 1
    assert victim.read_text() == "mine"
    assert not (tmp_path / "out" / "a.zone").is_symlink()
