"""Stores for the tests of the store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store import Store
from tests.store.objects import new_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made


# How long an example may take says nothing on a machine with other work to do.
