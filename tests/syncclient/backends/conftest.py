"""Every test that asks for `rig` runs with each backend's real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store import Store
from tests.syncclient.backends.rigs import RIGS, Rig


@pytest.fixture(params=RIGS, ids=lambda kind: kind.kind.name)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with request.param(tmp_path) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(f"sqlite:///{tmp_path / 'replica.db'}") as made:
        yield made
