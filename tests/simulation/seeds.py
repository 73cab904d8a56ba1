"""Seeds run by the tests, in two halves so that two processes share the work."""

from collections import Counter

import pytest

from syncclient.replica import Path
from tests.simulation.disk import Disks
from tests.simulation.world import simulate

SEEDS = 1000
HAPPENINGS = (
    *(path.value for path in Path), "source crashed", "replica crashed", "restored",
    "restored silently", "large change refused", "import", "gc", "put_file", "put_zone", "patch",
    "delete", "freeze", "cut", "half-closed", "flipped",
)  # fmt: skip
"""What must come up now and then: a simulation in which nothing happens proves nothing."""


def run_seeds(disks: Disks, first: int, after: int) -> None:
    """Fail at the first seed with a violation, and if something never happened in any."""
    counts: Counter[str] = Counter()
    for seed in range(first, after):
        result = simulate(seed, disks)
        if result.violation is not None:
            pytest.fail(result.report(), pytrace=False)
        counts += result.counts
    assert [what for what in HAPPENINGS if not counts[what]] == []
