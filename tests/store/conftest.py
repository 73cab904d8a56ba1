"""Stores for the tests of the store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store import Store
from tests.store.objects import leave_flushing_to_the_system, new_store

leave_flushing_to_the_system()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made
