"""Whatever a seed makes happen, every replica is at each moment its source's view at its token."""

import pytest

from tests.simulation.disk import Disks
from tests.simulation.seeds import SEEDS, run_seeds


@pytest.mark.timeout(900)
def test_no_seed_of_the_first_half_breaks_an_invariant(disks: Disks) -> None:
    run_seeds(disks, 0, SEEDS // 2)
