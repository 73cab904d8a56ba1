"""Disks to fill, zones that take room, and a source made of them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.commands import add_admin
from tests.disks import Disk, LimitedFiles, SmallDisk, namespaces_are_allowed, small_disk
from tests.faults.sources import write_zones
from tests.store.objects import new_store, store_url


def _kinds() -> list[str]:
    with TemporaryDirectory() as folder:
        return ["limit", "tmpfs"] if namespaces_are_allowed(Path(folder)) else ["limit"]


KINDS = _kinds()


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A disk that can be full: of every kind that this machine allows."""
    if request.param == "limit":
        yield LimitedFiles(tmp_path / "disk")
    else:
        with small_disk(tmp_path / "disk") as disk:
            yield disk


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of its own."""
    with small_disk(tmp_path / "disk") as disk:
        assert disk.works, (
            "a user may not make mount namespaces here: sysctl user.max_mnt_namespaces"
        )
        yield disk


@pytest.fixture
def zones(tmp_path: Path) -> Path:
    """A folder with three zones that do not get smaller by compression."""
    return write_zones(tmp_path / "master", serial=1)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """The URL of a store with an administrator and nothing else."""
    with new_store(tmp_path, "source") as store:
        add_admin(store)
    return store_url(tmp_path, "source")
