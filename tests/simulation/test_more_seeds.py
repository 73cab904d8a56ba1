"""The other half of the thousand, see test_seeds."""

import pytest

from tests.simulation.disk import Disks
from tests.simulation.seeds import run_seeds


@pytest.mark.timeout(900)
def test_no_seed_of_the_next_five_hundred_breaks_an_invariant(disks: Disks) -> None:
    run_seeds(disks, 500, 1000)
