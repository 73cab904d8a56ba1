"""Each figure of the table: ours and the peers in turn, repetition by repetition.

A side that fails costs its own value only: the reason stands in the results, and the rest goes on.
"""

import lzma
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median

from bench import bind, compilezone, knot, load, ours, peers, rsync
from bench.datasets import Dataset, dataset
from bench.measure import BenchmarkError, Figure
from bench.table import (
    NOT_MEASURED,
    Row,
    ratio_row,
    seconds_text,
    traffic_ratio,
    traffic_text,
)
from bench.zone_edit import differing_copy

_DIFFERING_ZONES = 100
_ROOT_IMPORT_S = 1.0
_PEAK_KIB = 100_000
_AVAILABLE: dict[str, Callable[[], bool]] = {
    ours.NAME: ours.available,
    knot.NAME: knot.available,
    bind.NAME: bind.available,
    rsync.NAME: rsync.available,
    compilezone.NAMED: partial(compilezone.available, compilezone.NAMED),
    compilezone.KZONECHECK: partial(compilezone.available, compilezone.KZONECHECK),
}
SIDES = tuple(_AVAILABLE)


@dataclass(frozen=True)
class Measured:
    figure: str
    side: str
    value: Figure | None
    error: str = ""


@dataclass
class Bench:
    """What a run was asked for, and everything it has measured so far."""

    data: Path
    work: Path
    repeat: int
    limit_s: float
    root_zone: Path | None
    without: frozenset[str]
    measured: list[Measured] = field(default_factory=list)

    def has(self, side: str) -> bool:
        return side not in self.without and _AVAILABLE[side]()

    def attempt(self, figure: str, side: str, measure: Callable[[], Figure]) -> None:
        """Measure once, and keep the value or the reason why there is none."""
        # What the runs before have left to be written must not be written at this one's cost.
        os.sync()
        try:
            value = measure()
        except (BenchmarkError, OSError) as error:
            reason = str(error) or type(error).__name__
            self.measured.append(Measured(figure, side, None, reason))
            print(f"{figure}: {side}: {reason}", file=sys.stderr, flush=True)
        else:
            self.measured.append(Measured(figure, side, value))
            print(f"{figure}: {side}: {seconds_text(value)}", file=sys.stderr, flush=True)

    def result(self, figure: str, side: str) -> Figure | None:
        """Return the last value, its seconds replaced by the median of all repetitions."""
        values = [
            one.value
            for one in self.measured
            if (one.figure, one.side) == (figure, side) and one.value is not None
        ]
        if not values:
            return None
        seconds = [value.seconds for value in values if value.seconds is not None]
        return replace(values[-1], seconds=median(seconds) if seconds else None)

    def peak_kib(self, side: str, *, agents: bool = False) -> int | None:
        """Return the highest peak of any process of a side in any figure, or of any agent of
        it."""
        values = [
            one.value
            for one in self.measured
            if one.side.split(",")[0] == side
            and one.side.endswith(" behind") == agents
            and one.value
        ]
        pairs = [(value.peak_kib_primary, value.peak_kib_secondary) for value in values]
        peaks = [peak for pair in pairs for peak in pair if peak is not None]
        return max(peaks, default=None)


def nothing_changed(bench: Bench) -> list[Row]:
    figure = "nothing-changed"
    data = dataset("many", bench.data)
    zones = [file.zone for file in data.files()]
    queries = f"{knot.NAME}, SOA queries"

    def with_ours() -> Figure:
        with ours.Source(data.folder, bench.work / "source") as source:
            replica = ours.Replica(bench.work / "replica")
            replica.bootstrap(source.address(), bench.limit_s)
            return ours.nothing_changed(source, replica, bench.repeat)

    if bench.has(ours.NAME):
        bench.attempt(figure, ours.NAME, with_ours)
    if bench.has(rsync.NAME):
        with rsync.RsyncDaemon(data.folder, bench.work / "rsync") as daemon:
            copies = bench.work / "copies"
            bench.attempt("bootstrap-many", rsync.NAME, lambda: _rsync(daemon, copies, bench))
            for _ in range(bench.repeat):
                bench.attempt(figure, rsync.NAME, lambda: _rsync(daemon, copies, bench))
    if bench.has(knot.NAME):
        with knot.Primary(bench.work / "knot", zones, data.folder) as primary:
            for _ in range(bench.repeat):
                run = partial(peers.measure_nothing_changed, primary, zones)
                bench.attempt(figure, queries, run)
    mine = bench.result(figure, ours.NAME)
    met = None
    if mine is not None:
        most = max(mine.bytes_sent or 0, mine.bytes_received or 0)
        met = mine.round_trips == 1 and most <= 150
    goal = "1 round trip, at most 150 B each way"
    return [
        _traffic_row("nothing changed, many", mine, side, bench.result(figure, side), goal, met)
        for side in (rsync.NAME, queries)
    ]


def _rsync(daemon: rsync.RsyncDaemon, target: Path, bench: Bench) -> Figure:
    return rsync.copy(daemon, target, bench.limit_s)


def _traffic_row(
    figure: str, mine: Figure | None, side: str, theirs: Figure | None, goal: str, met: bool | None
) -> Row:
    ratio = traffic_ratio(mine, theirs)
    return Row(figure, traffic_text(mine), side, traffic_text(theirs), ratio, goal, met)


def one_record(bench: Bench) -> list[Row]:
    figure = "one-record"
    data = dataset("one", bench.data)
    transaction = f"{knot.NAME}, by knotc transaction"
    watching = f"{ours.NAME}, watching"
    runs: dict[str, tuple[str, Callable[[Dataset, Path, int, float], Figure]]] = {
        ours.NAME: (ours.NAME, ours.change_one_record),
        watching: (ours.NAME, ours.change_while_watching),
        knot.NAME: (knot.NAME, knot.change_one_record),
        transaction: (knot.NAME, knot.change_by_transaction),
        bind.NAME: (bind.NAME, bind.change_one_record),
    }
    for number, (label, (side, run)) in enumerate(runs.items()):
        if bench.has(side):
            work = bench.work / f"change-{number}"
            bench.attempt(figure, label, partial(run, data, work, bench.repeat, bench.limit_s))
    mine = bench.result(figure, ours.NAME)
    moved = mine.bytes_received if mine else None  # as of the peer: what the change itself takes
    rows = [
        ratio_row(
            "one record changed", mine, f"{knot.NAME}, reload", bench.result(figure, knot.NAME), 0.5
        ),
        ratio_row("the same", mine, transaction, bench.result(figure, transaction), None),
        ratio_row("the same", mine, bind.NAME, bench.result(figure, bind.NAME), None),
        ratio_row(
            "the same, watching replica",
            bench.result(figure, watching),
            f"{knot.NAME}, reload",
            bench.result(figure, knot.NAME),
            0.5,
        ),
    ]
    theirs = bench.result(figure, knot.NAME)
    transfer = f"{theirs.bytes_received} B" if theirs else NOT_MEASURED
    met = None if moved is None else moved <= 300
    text = NOT_MEASURED if moved is None else f"{moved} B"
    return [
        *rows,
        Row(
            "the same, bytes received",
            text,
            "Knot, IXFR alone",
            transfer,
            None,
            "at most 300 B",
            met,
        ),
    ]


def token_lost(bench: Bench) -> list[Row]:
    figure = "token-lost"
    data = dataset("many", bench.data)
    zones = [file.zone for file in data.files()]
    everything = f"{knot.NAME}, AXFR of everything"
    other_zones = bench.work / "differing"
    difference = differing_copy(data.folder, other_zones, _DIFFERING_ZONES)
    content_bytes = difference.content_bytes

    def with_ours() -> Figure:
        with (
            ours.Source(data.folder, bench.work / "source") as source,
            ours.Source(other_zones, bench.work / "other") as other,
        ):
            replica = bench.work / "replica"
            return ours.token_lost(source, other, replica, difference, bench.limit_s)

    if bench.has(ours.NAME):
        bench.attempt(figure, ours.NAME, with_ours)
    if bench.has(knot.NAME):
        with knot.Primary(bench.work / "knot", zones, data.folder) as primary:
            bench.attempt(figure, everything, partial(peers.measure_transfers, primary, zones))
    mine = bench.result(figure, ours.NAME)
    met = None
    if mine is not None:
        moved = (mine.bytes_sent or 0) + (mine.bytes_received or 0)
        met = (mine.round_trips or 0) <= 5 and moved - content_bytes <= 100_000
    goal = f"at most 5 round trips, 100 KB beside {content_bytes:,} B of content"
    label = f"token lost, {_DIFFERING_ZONES} of {data.zones:,} zones differ"
    return [_traffic_row(label, mine, everything, bench.result(figure, everything), goal, met)]


def import_one(bench: Bench) -> list[Row]:
    file = dataset("one", bench.data).files()[0]
    runs = _import_runs(bench, "import-one", file.zone, file.path)
    mine = runs.get(ours.NAME)
    return [
        ratio_row("import, one", mine, side, runs.get(side), goal)
        for side, goal in ((compilezone.NAMED, 0.5), (compilezone.KZONECHECK, None))
    ]


def import_root(bench: Bench) -> list[Row]:
    if bench.root_zone is None:
        raise BenchmarkError("import-root needs --root-zone: the signed root zone, .xz or plain")
    path = bench.work / "root.zone"
    packed = bench.root_zone.read_bytes()
    path.write_bytes(lzma.decompress(packed) if bench.root_zone.suffix == ".xz" else packed)
    figure = "import-root"
    runs = _import_runs(bench, figure, ".", path)
    mine = runs.get(ours.NAME)
    goal, same = f"at most {_ROOT_IMPORT_S} s, the same records", None
    if mine is not None:
        try:
            written = ours.exported(path, bench.work / "exported", bench.limit_s)
            expected = compilezone.canonical_records(".", path)
            same = expected == compilezone.canonical_records(".", written)
        except BenchmarkError as error:
            bench.measured.append(Measured(figure, ours.NAME, None, str(error)))
    met = None if mine is None else bool(same) and (mine.seconds or 0) <= _ROOT_IMPORT_S
    outcome = {
        True: ", the same records",
        False: ", OTHER RECORDS",
        None: ", records not compared",
    }[same]
    outcome = outcome if mine is not None else ""
    row = ratio_row(
        "import, signed root zone", mine, compilezone.NAMED, runs.get(compilezone.NAMED), None
    )
    return [replace(row, ours=row.ours + outcome, goal=goal, met=met)]


def _import_runs(bench: Bench, figure: str, zone: str, path: Path) -> Mapping[str, Figure]:
    for number in range(bench.repeat):
        work = bench.work / f"{figure}-{number}"
        runs = {
            ours.NAME: partial(ours.import_zone, path, work, 1),
            compilezone.NAMED: partial(compilezone.compile_zone, zone, path),
            compilezone.KZONECHECK: partial(compilezone.check_zone, zone, path),
        }
        for side, run in runs.items():
            if bench.has(side):
                bench.attempt(figure, side, run)
    results = {side: bench.result(figure, side) for side in SIDES}
    return {side: value for side, value in results.items() if value is not None}


def loaded(bench: Bench, what: str, count: int, label: str) -> list[Row]:
    """Very many clients of one server, which holds `large`, in one process beside it."""
    if not bench.has(ours.NAME):
        return []
    data = dataset("large", bench.data)
    loads: list[load.Load] = []

    def run() -> Figure:
        source = ours.Source(data.folder, bench.work / "source", serve_options=load.SERVE_OPTIONS)
        with source:
            loads.append(load.measure(source, what, count, bench.work))
        return Figure(
            seconds=loads[-1].fleet.slowest_s,
            peak_kib_primary=loads[-1].peak_kib,
            note=load.note(loads[-1]),
        )

    bench.attempt(f"load-{what}", f"{ours.NAME} under load", run)
    return [load.row(label, one) for one in loads]


def peak_memory(bench: Bench) -> list[Row]:
    """The highest peak of source and replica, and of an agent, in any figure of this run but
    those of load."""
    theirs = bench.peak_kib(bind.NAME)
    rows: list[Row] = []
    for label, agents in (("source or replica", False), ("an agent", True)):
        mine = bench.peak_kib(ours.NAME, agents=agents)
        texts = [NOT_MEASURED if kib is None else f"{kib / 1000:.0f} MB" for kib in (mine, theirs)]
        ratio = mine / theirs if mine and theirs else None
        goal = "" if agents else "at most 100 MB"
        met = None if mine is None or agents else mine <= _PEAK_KIB
        rows.append(Row(f"peak memory, {label}", texts[0], bind.NAME, texts[1], ratio, goal, met))
    return rows


FIGURES: dict[str, Callable[[Bench], Sequence[Row]]] = {
    "nothing-changed": nothing_changed,
    "one-record": one_record,
    "token-lost": token_lost,
    "import-one": import_one,
    "import-root": import_root,
    "load-bootstrap": partial(
        loaded, what="bootstrap", count=50, label="50 replicas bootstrap large at once"
    ),
    "load-resync": partial(
        loaded, what="resync", count=500, label="500 watching replicas resync after a commit"
    ),
    "load-watch": partial(
        loaded, what="watch", count=1000, label="1,000 idle watchers hear of a commit"
    ),
    "peak-memory": peak_memory,
}
