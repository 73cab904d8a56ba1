"""Disks of memory for the simulation's stores."""

from collections.abc import Iterator

import pytest

from tests.simulation.disk import Disks


@pytest.fixture(scope="module")
def disks() -> Iterator[Disks]:
    """Engines that the seeds of a module share."""
    made = Disks()
    yield made
    made.close()
