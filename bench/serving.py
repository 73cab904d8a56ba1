"""From a change at the source to the answer of a name server behind an agent, beside the same
server as a secondary by NOTIFY, AXFR and IXFR with its delays set to zero.
"""

import random
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import dns.message
import dns.query
import dns.rcode
import dns.update
import trio

from bench import bind, knot, ours
from bench.datasets import Dataset, DatasetFile, dataset, zone_files
from bench.dns_queries import ask_every_soa, ask_serial
from bench.figures import Bench
from bench.measure import BenchmarkError, Figure, Stopwatch, free_port
from bench.peers import Answers
from bench.served import KINDS
from bench.table import Row, ratio_row
from syncclient import Client

_CHANGES = 50
_MANY_LIMIT_S = 300.0
"""BIND takes over four minutes for 100,000 zones."""
_WARM_UP = 3
_CHANGE_S = 30.0
_LOOK_S = 0.0005
_PAUSE_S = 0.002
_SOME_ZONES, _CHANGED_ZONES = 4_000, 1_000  # more than 30 % would be refused
_BETWEEN_S = 0.05
_SERIAL = b" 2018020901 "
_EDITED = "branch1.example.net"

_PRIMARIES: dict[str, Any] = {bind.NAME: bind, knot.NAME: knot}


class _Answering(Protocol):
    port: int

    def start(self) -> None: ...
    def check_running(self) -> None: ...


def wait_until_answered(side: _Answering, zones: Sequence[str], limit_s: float) -> float | None:
    """Start a side and return the seconds until it answers for every zone; None if it does not."""
    answers = Answers(side.port, zones)
    try:
        watch = Stopwatch()
        side.start()
        while answers.seconds is None:
            if watch.seconds > limit_s:
                return None
            answers.look(watch)
            time.sleep(_PAUSE_S)
            side.check_running()
        seconds = answers.seconds
        while ask_every_soa(side.port, zones).answered < len(zones):
            if watch.seconds > limit_s:
                return None
            seconds = watch.seconds
    finally:
        answers.close()
    return seconds


class _Secondary:
    """A server as an empty secondary."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.port: int = server.port

    def start(self) -> None:
        self._server.start()

    def check_running(self) -> None:
        self._server.daemon.check_running()


def serve(
    bench: Bench, name: str, server: str, goal: float, least_limit_s: float = 0.0
) -> list[Row]:
    """From nothing to every zone answered; neither side is given up before `least_limit_s`."""
    limit_s = max(bench.limit_s, least_limit_s)
    figure = f"serve-{name}-{server}"
    data = dataset(name, bench.data)
    zones = [file.zone for file in data.files()]
    peer = f"{server}, AXFR"
    mine = f"{ours.NAME}, {server} behind"
    kind = _PRIMARIES[server]
    with ExitStack() as stack:
        source = stack.enter_context(ours.Source(data.folder, bench.work / "source"))
        primary = stack.enter_context(kind.Primary(bench.work / "primary", zones, data.folder))

        def with_ours(work: Path) -> Figure:
            with KINDS[server](work, source) as served:
                return _answered(served, served.agent_peak, zones, limit_s)

        def with_peer(work: Path) -> Figure:
            with kind.secondary_of(work, zones, primary.port, free_port()) as secondary:
                side = _Secondary(secondary)
                return _answered(side, lambda: secondary.daemon.peak_kib, zones, limit_s)

        for number in range(bench.repeat):
            for side, run in ((mine, with_ours), (peer, with_peer)):
                if number and bench.result(figure, side) is None:
                    continue  # what did not come in time once takes too long for a second try
                work = bench.work / f"{side}-{number}".replace(" ", "-").replace(",", "")
                bench.attempt(figure, side, partial(run, work))
    return [
        ratio_row(
            f"empty replica to answering, {name}, {server} behind",
            bench.result(figure, mine),
            peer,
            bench.result(figure, peer),
            goal,
        )
    ]


def _answered(
    side: _Answering, peak_kib: Callable[[], int | None], zones: Sequence[str], limit_s: float
) -> Figure:
    seconds = wait_until_answered(side, zones, limit_s)
    done = 1.0
    if seconds is None:
        done = ask_every_soa(side.port, zones).answered / len(zones)
    return Figure(seconds=seconds, fraction_done=done, peak_kib_secondary=peak_kib())


def change(bench: Bench, server: str) -> list[Row]:
    """One record of `large` changed at the source to the new answer at the replica."""
    figure = f"change-large-{server}"
    data = dataset("large", bench.data)
    mine, peer = f"{ours.NAME}, {server} behind", f"{server}, NOTIFY and IXFR"
    bench.attempt(figure, mine, lambda: _change_ours(bench, data, server))
    bench.attempt(figure, peer, lambda: _change_peer(bench, data, server))
    rows = [bench.result(figure, side) for side in (mine, peer)]
    worst = [None if one is None else Figure(seconds=max(one.samples_seconds)) for one in rows]
    label = f"one record of large to the answer, {server} behind"
    return [
        ratio_row(f"{label}, median of {_CHANGES}", rows[0], peer, rows[1], 1.0),
        ratio_row(f"{label}, worst", worst[0], peer, worst[1], 1.0),
    ]


def _change_ours(bench: Bench, data: Dataset, server: str) -> Figure:
    zones = [file.zone for file in data.files()]
    with (
        ours.Source(data.folder, bench.work / f"source-{server}") as source,
        KINDS[server](bench.work / f"served-{server}", source) as served,
    ):
        if wait_until_answered(served, zones, bench.limit_s) is None:
            raise BenchmarkError("the replica does not answer")
        samples = trio.run(_patches, source.address("editor"), served.port)
        return _of_samples(samples, served.agent_peak())


async def _patches(address: str, port: int) -> list[float]:
    samples: list[float] = []
    async with Client.connect(address, ours.PASSWORD) as client:
        for number in range(_WARM_UP + _CHANGES):
            await trio.sleep(_BETWEEN_S)
            row = (await client.info("zones", f"{_EDITED}.")).rows[0]
            serial = int(row["serial"]) + 1
            record = f"+new{number}.{_EDITED}. 3600 IN A 10.254.0.{number}\n".encode()
            watch = Stopwatch()
            await client.patch("zones", f"{_EDITED}.", [record], digest=row["digest"])
            _wait_for_answer(port, _EDITED, serial)
            samples.append(watch.seconds)
    return samples[_WARM_UP:]


def _change_peer(bench: Bench, data: Dataset, server: str) -> Figure:
    kind = _PRIMARIES[server]
    zones = [file.zone for file in data.files()]
    copies = bench.work / f"copies-{server}"
    shutil.copytree(data.folder, copies)
    port = free_port()
    with (
        kind.Primary(
            bench.work / f"primary-{server}", zones, copies, port, takes_updates=True
        ) as primary,
        kind.secondary_of(bench.work / f"secondary-{server}", zones, primary.port, port) as other,
    ):
        if wait_until_answered(_Secondary(other), zones, bench.limit_s) is None:
            raise BenchmarkError("the secondary does not answer")
        samples: list[float] = []
        for number in range(_WARM_UP + _CHANGES):
            time.sleep(_BETWEEN_S)
            serial = (ask_serial(primary.port, _EDITED) or 0) + 1
            update = dns.update.UpdateMessage(_EDITED)
            update.add(f"new{number}", 3600, "A", f"10.254.0.{number}")
            watch = Stopwatch()
            said = dns.query.udp(update, "127.0.0.1", _CHANGE_S, primary.port)
            if said.rcode() != dns.rcode.NOERROR:
                raise BenchmarkError(
                    f"{server} refuses an update: {dns.rcode.to_text(said.rcode())}"
                )
            kind.notify(primary, _EDITED)
            _wait_for_answer(port, _EDITED, serial)
            samples.append(watch.seconds)
        return _of_samples(samples[_WARM_UP:], other.daemon.peak_kib)


def _of_samples(samples: Sequence[float], peak_kib: int | None) -> Figure:
    return Figure(
        seconds=median(samples), samples_seconds=tuple(samples), peak_kib_secondary=peak_kib
    )


def _wait_for_answer(port: int, zone: str, serial: int) -> None:
    watch = Stopwatch()
    while ask_serial(port, zone) != serial:
        if watch.seconds > _CHANGE_S:
            raise BenchmarkError(f"{zone}: serial {serial} not answered after {_CHANGE_S} s")
        time.sleep(_LOOK_S)


def change_many(bench: Bench, server: str) -> list[Row]:
    """1,000 zones of 4,000 changed at once, until all of them are answered."""
    figure = f"change-1000-{server}"
    mine, peer = f"{ours.NAME}, {server} behind", f"{server}, NOTIFY and IXFR"
    for number in range(bench.repeat):
        for side, run in ((mine, _change_many_ours), (peer, _change_many_peer)):
            work = bench.work / f"many-{number}-{side}".replace(" ", "-").replace(",", "")
            folder, files = _some_zones(bench, work)
            bench.attempt(figure, side, partial(run, bench, work, server, folder, files))
    theirs = bench.result(figure, peer)
    after_commit = [
        one.value.after_commit_seconds
        for one in bench.measured
        if (one.figure, one.side) == (figure, mine) and one.value is not None
    ]
    seconds = median(filter(None, after_commit)) if any(after_commit) else None
    what = f"{_CHANGED_ZONES:,} zones changed to all answered, {server} behind"
    return [
        ratio_row(f"{what}, from the files", bench.result(figure, mine), peer, theirs, None),
        ratio_row(f"{what}, from the commit", Figure(seconds=seconds), peer, theirs, 0.5),
    ]


def _some_zones(bench: Bench, work: Path) -> tuple[Path, list[DatasetFile]]:
    folder = work / "some-zones"
    folder.mkdir(parents=True)
    for file in dataset("many", bench.data).files()[:_SOME_ZONES]:
        shutil.copy(file.path, folder)
    return folder, zone_files(folder)


def _edit(files: Sequence[DatasetFile]) -> list[str]:
    """Give every second zone another record and the next serial; return their names."""
    changed = files[:: _SOME_ZONES // _CHANGED_ZONES]
    for file in changed:
        text = file.path.read_bytes().replace(_SERIAL, b" 2018020902 ")
        file.path.write_bytes(text.replace(b"v=spf1 mx -all", b"v=spf1 a mx -all"))
    return [file.zone for file in changed]


def _wait_for_serials(port: int, zones: Sequence[str], watch: Stopwatch, limit_s: float) -> float:
    """Return the seconds until all zones are answered with the next serial."""
    order = list(zones)
    random.Random(1).shuffle(order)
    while order:
        if ask_serial(port, order[-1]) == 2018020902:
            order.pop()
            continue
        if watch.seconds > limit_s:
            raise BenchmarkError(f"{len(order)} zones are not answered after {limit_s} s")
        time.sleep(_PAUSE_S)
    return watch.seconds


def _change_many_ours(
    bench: Bench, work: Path, server: str, folder: Path, files: list[DatasetFile]
) -> Figure:
    """From the exec of `syncd import zones`, and from its commit.

    The peer's primary answers with what is new as soon as it has read the files, some tens of
    milliseconds behind the command that its figure begins with.
    """
    with (
        ours.Source(folder, work / "source") as source,
        KINDS[server](work / "served", source) as served,
    ):
        if wait_until_answered(served, [file.zone for file in files], bench.limit_s) is None:
            raise BenchmarkError("the replica does not answer")
        changed, before = _edit(files), source.seq()
        watch = Stopwatch()
        with ThreadPoolExecutor(1) as pool:
            importing = pool.submit(source.import_again)
            while source.seq() == before and not importing.done():
                time.sleep(_PAUSE_S)
            commit_s = watch.seconds
            seconds = _wait_for_serials(served.port, changed, watch, bench.limit_s)
            importing.result()
        return Figure(
            seconds=seconds,
            after_commit_seconds=seconds - commit_s,
            peak_kib_secondary=served.agent_peak(),
        )


def _change_many_peer(
    bench: Bench, work: Path, server: str, folder: Path, files: list[DatasetFile]
) -> Figure:
    """From the exec of the command that has the primary reload everything."""
    kind = _PRIMARIES[server]
    zones = [file.zone for file in files]
    port = free_port()
    with (
        kind.Primary(work / "primary", zones, folder, port) as primary,
        kind.secondary_of(work / "secondary", zones, primary.port, port) as secondary,
    ):
        if wait_until_answered(_Secondary(secondary), zones, bench.limit_s) is None:
            raise BenchmarkError("the secondary does not answer")
        changed = _edit(files)
        watch = Stopwatch()
        primary.control(kind.RELOAD_ALL)
        seconds = _wait_for_serials(port, changed, watch, bench.limit_s)
        return Figure(seconds=seconds, peak_kib_secondary=secondary.daemon.peak_kib)


FIGURES: dict[str, Callable[[Bench], Sequence[Row]]] = {
    "serve-large-bind": partial(serve, name="large", server=bind.NAME, goal=0.5),
    "serve-large-knot": partial(serve, name="large", server=knot.NAME, goal=1.0),
    "serve-many-bind": partial(
        serve, name="many", server=bind.NAME, goal=0.25, least_limit_s=_MANY_LIMIT_S
    ),
    "change-large-knot": partial(change, server=knot.NAME),
    "change-large-bind": partial(change, server=bind.NAME),
    "change-1000-knot": partial(change_many, server=knot.NAME),
    "change-1000-bind": partial(change_many, server=bind.NAME),
}
