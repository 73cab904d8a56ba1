"""Every test that asks for `rig` runs with each backend's real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store import Store
from tests.store.objects import new_store
from tests.syncclient.backends.rigs import RIGS, Rig


@pytest.fixture(params=RIGS, ids=lambda kind: kind.kind.name)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with request.param(tmp_path) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path, "replica") as made:
        yield made
