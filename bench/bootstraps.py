"""Bootstraps: from nothing to a verified, durable copy with its zone files, ours and the peers'."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import bind, knot, ours, peers, resident
from bench.datasets import dataset
from bench.figures import Bench, Measured
from bench.measure import BenchmarkError, Figure
from bench.table import Row, ratio_row

_BOOTSTRAP_GOALS = {"one": 0.35, "large": 0.4, "many": 0.2}


def bootstrap(bench: Bench, name: str) -> list[Row]:
    figure = f"bootstrap-{name}"
    data = dataset(name, bench.data)
    zones = [file.zone for file in data.files()]
    with ExitStack() as stack:
        runs: dict[str, Callable[[Path], Figure]] = {}

        def start(side: str, run: Callable[[], Callable[[Path], Figure]]) -> None:
            if bench.has(side):
                try:
                    runs[side] = run()
                except BenchmarkError as error:
                    bench.measured.append(Measured(figure, side, None, str(error)))

        def with_ours() -> Callable[[Path], Figure]:
            source = stack.enter_context(ours.Source(data.folder, bench.work / "source"))
            return lambda work: ours.bootstrap(source, data, work, bench.limit_s)

        def with_knot() -> Callable[[Path], Figure]:
            primary = knot.Primary(bench.work / "knot", zones, data.folder)
            stack.enter_context(primary)
            return lambda work: knot.bootstrap(primary, data, work, bench.limit_s)

        def with_bind() -> Callable[[Path], Figure]:
            primary = bind.Primary(bench.work / "bind", zones, data.folder)
            stack.enter_context(primary)
            return lambda work: bind.bootstrap(primary, data, work, bench.limit_s)

        start(ours.NAME, with_ours)
        start(knot.NAME, with_knot)
        start(bind.NAME, with_bind)
        for number in range(bench.repeat):
            for side, run in runs.items():
                # BIND does not finish `many` in any sensible time: one failure tells it all.
                if name == "many" and side == bind.NAME and number > 0:
                    continue
                bench.attempt(figure, side, partial(run, bench.work / f"{side}-{number}"))
    mine = bench.result(figure, ours.NAME)
    return [
        ratio_row(f"bootstrap, {name}", mine, side, bench.result(figure, side), goal)
        for side, goal in ((knot.NAME, _BOOTSTRAP_GOALS[name]), (bind.NAME, None))
    ]


def bootstrap_running(bench: Bench, name: str) -> list[Row]:
    """The same where both secondaries run already: without the start of either program."""
    figure = f"resident-{name}"
    data = dataset(name, bench.data)
    zones = [file.zone for file in data.files()]
    with (
        ours.Source(data.folder, bench.work / "source") as source,
        knot.Primary(bench.work / "knot", zones, data.folder) as primary,
    ):

        def with_ours(work: Path) -> Figure:
            done = resident.bootstrap(source.address(), work, ours.PASSWORD, bench.limit_s)
            peers.check_complete(work / "zones", data)
            return done

        runs: dict[str, Callable[[Path], Figure]] = {
            ours.NAME: with_ours,
            knot.NAME: lambda work: knot.bootstrap_running(primary, data, work, bench.limit_s),
        }
        for number in range(bench.repeat):
            for side, run in runs.items():
                bench.attempt(figure, side, partial(run, bench.work / f"{side}-{number}"))
    mine, theirs = bench.result(figure, ours.NAME), bench.result(figure, knot.NAME)
    goal = _BOOTSTRAP_GOALS[name]
    return [ratio_row(f"bootstrap, {name}, both running", mine, knot.NAME, theirs, goal)]


FIGURES: dict[str, Callable[[Bench], Sequence[Row]]] = {
    "bootstrap-one": partial(bootstrap, name="one"),
    "bootstrap-large": partial(bootstrap, name="large"),
    "bootstrap-many": partial(bootstrap, name="many"),
    "resident-one": partial(bootstrap_running, name="one"),
    "resident-large": partial(bootstrap_running, name="large"),
}
