"""The other half of the seeds, see test_seeds."""

import pytest

from tests.simulation.disk import Disks
from tests.simulation.seeds import SEEDS, run_seeds


@pytest.mark.timeout(900)
def test_no_seed_of_the_other_half_breaks_an_invariant(disks: Disks) -> None:
    run_seeds(disks, SEEDS // 2, SEEDS)
