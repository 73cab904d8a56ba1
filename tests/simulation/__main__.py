"""`make simulate`: seeds until interrupted, for a time, or one again."""

import random
import sys
import time
from collections import Counter

import click

from tests.simulation.disk import Disks
from tests.simulation.world import simulate


@click.command()
@click.option("--seed", type=int, help="replay this seed, its events printed")
@click.option("--first", type=int, help="begin with this seed and count up; else at random")
@click.option("--seconds", type=float, help="stop after so long; else when interrupted")
@click.option("--count", type=int, help="stop after so many seeds")
def main(seed: int | None, first: int | None, seconds: float | None, count: int | None) -> None:
    """Run the simulation; ends with status 1 at the first seed that fails."""
    disks = Disks()
    try:
        if seed is not None:
            result = simulate(seed, disks, echo=True)
            print(f"seed {seed}: {result.violation or 'good'}, trace {result.trace}")
            sys.exit(result.violation is not None)
        _run_on(disks, first, seconds, count)
    finally:
        disks.close()


def _run_on(disks: Disks, first: int | None, seconds: float | None, count: int | None) -> None:
    started = time.monotonic()
    seed = random.SystemRandom().randrange(1_000_000_000) if first is None else first
    done = 0
    counts: Counter[str] = Counter()
    try:
        while (seconds is None or time.monotonic() < started + seconds) and done != count:
            result = simulate(seed, disks)
            if result.violation is not None:
                print(result.report())
                sys.exit(1)
            done, seed = done + 1, seed + 1
            counts += result.counts
    except KeyboardInterrupt:
        print()
    passed_s = time.monotonic() - started
    print(f"{done} seeds without a violation in {passed_s:.0f} s, the last {seed - 1}")
    for what, times in sorted(counts.items()):
        print(f"{times:8} {what}")


if __name__ == "__main__":
    main()
