"""A seed goes the same way every time: in one process, and in another with other hash seeds."""

import os
import re
import subprocess
import sys

import pytest

from tests.simulation.disk import Disks
from tests.simulation.scheduling import Trace
from tests.simulation.world import Result, World, simulate


@pytest.mark.parametrize("seed", range(20, 26))
def test_a_seed_that_is_run_again_leaves_the_same_trace(disks: Disks, seed: int) -> None:
    first, again = simulate(seed, disks), simulate(seed, disks)
    assert (first.trace, first.events, first.counts) == (again.trace, again.events, again.counts)
    assert first.events > 20


def test_different_seeds_go_different_ways(disks: Disks) -> None:
    assert len({simulate(seed, disks).trace for seed in range(5)}) == 5


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_command_replays_a_seed_in_another_process(disks: Disks, hash_seed: str) -> None:
    here = simulate(47, disks)
    there = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", "47"],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert re.findall(r"trace (\w+)", there.stdout)[-1] == here.trace
    assert "seed 47: good" in there.stdout
    assert len(there.stdout.splitlines()) == here.events + 1


def test_a_violation_is_reported_with_the_command_that_replays_it(
    disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at_once(world: World) -> bool:
        world.fail("something is wrong")
        return False

    monkeypatch.setattr(World, "take_turn", fail_at_once)
    result = simulate(7, disks)
    assert result.violation == "something is wrong"
    assert "seed 7: something is wrong" in result.report()
    assert result.report().endswith("make simulate SEED=7")


def test_events_are_part_of_the_trace_whether_they_are_shown_or_not() -> None:
    shown, hidden, other = Trace(), Trace(), Trace()
    shown.add(0.5, "a", 1)
    hidden.add(0.5, "a", 1, minor=True)
    other.add(0.5, "a", 2)
    assert shown.digest() == hidden.digest() != other.digest()
    assert (list(shown.last), list(hidden.last)) == (["    0.5000 a 1"], [])


def test_a_result_says_what_happened(disks: Disks) -> None:
    result = simulate(3, disks)
    assert isinstance(result, Result)
    assert result.violation is None, result.report()
    assert result.counts["bootstrap"] + result.counts["repair"] > 0
