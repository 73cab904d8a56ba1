"""A source made of three zone files, and `syncd serve` on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.ingest.zones import find_master_files, import_zones
from tests.cli.commands import Serving, add_admin, zone_text
from tests.store.objects import new_store, store_url


@pytest.fixture
def zones(tmp_path: Path) -> Path:
    """A folder with three zones."""
    folder = tmp_path / "zones"
    folder.mkdir()
    for name in ("example.com", "example.net", "2.0.192.in-addr.arpa"):
        (folder / f"{name}.zone").write_text(zone_text(1, "www 3600 IN A 192.0.2.80"))
    return folder


@pytest.fixture
def source(tmp_path: Path, zones: Path) -> str:
    """The URL of a store with an administrator and these zones."""
    with new_store(tmp_path, "source") as store:
        add_admin(store)
        import_zones(store, find_master_files([zones]), author="test")
    return store_url(tmp_path, "source")


@pytest.fixture
def server(source: str) -> Iterator[Serving]:
    with Serving(source) as serving:
        yield serving
