"""Queries lost while a name server behind an agent is given change after change: none may be.

The names asked for exist before, between and after all changes, in zones that change and in others.
Each change is made when the one before is answered: records, and zones that come and go again.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import IO

import trio

from bench import bind, knot, nsd, ours, powerdns
from bench.datasets import dataset
from bench.dns_queries import ask_serial
from bench.figures import Bench
from bench.measure import BenchmarkError, Figure, Stopwatch
from bench.served import KINDS
from bench.serving import wait_until_answered
from bench.steady_load import ANSWER_S, ASKING, Outcome
from bench.table import Row
from syncclient import Client

CHANGES = 100
RATE = 2_000
"""Questions a second."""
_ADD, _REMOVE = 4, 9
"""Of ten changes, which one adds a zone, and which removes it again."""
_EDITED_OF_A_KIND = 10
_CHANGE_S = 60.0
_LOOK_S = 0.002
_END_S = 60.0
_SETTLE_S = 1.0


@dataclass(frozen=True)
class Lost:
    """The load's outcome, and how long each change took to be answered."""

    outcome: Outcome
    changes_s: tuple[float, ...]

    @property
    def note(self) -> str:
        """Everything that was measured, for the results."""
        return json.dumps(asdict(self.outcome))


def lost(bench: Bench, server: str) -> list[Row]:
    """100 changes of `large` under a load of 2,000 queries a second."""
    found: list[Lost] = []

    def run() -> Figure:
        found.append(_measure(bench, server))
        changes_s = found[-1].changes_s
        return Figure(seconds=median(changes_s), samples_seconds=changes_s, note=found[-1].note)

    bench.attempt(f"lost-{server}", f"{ours.NAME}, {server} behind", run)
    return [_row(server, one.outcome) for one in found]


def _row(server: str, outcome: Outcome) -> Row:
    said = f"{outcome.lost:,} of {outcome.asked:,}"
    if outcome.lost:
        reasons = dict(sorted(outcome.wrong.items(), key=lambda item: -item[1])[:3])
        words = [f"{count:,} {reason:.60}" for reason, count in reasons.items()]
        if outcome.unanswered:
            words.append(
                f"{outcome.unanswered:,} not answered in {ANSWER_S:.0f} s, with "
                f"{outcome.server_drops:,} that found the server's buffer full"
            )
        said += f" ({', '.join(words)})"
    label = f"queries lost in {CHANGES} changes, {server} behind"
    return Row(label, said, "", "", None, "none", outcome.lost == 0)


def _measure(bench: Bench, server: str) -> Lost:
    data = dataset("large", bench.data)
    zones = [file.zone for file in data.files()]
    with (
        ours.Source(data.folder, bench.work / "source") as source,
        KINDS[server](bench.work / "served", source) as served,
    ):
        if wait_until_answered(served, zones, bench.limit_s) is None:
            raise BenchmarkError("the replica does not answer")
        with _load(data.folder, served.port) as load:
            changes_s = trio.run(_change, source.address("editor"), served.port, zones)
            served.check_running()
            outcome = load()
    if outcome.own_drops:
        raise BenchmarkError(
            f"{outcome.own_drops} answers did not fit into the buffers of the process that asks: "
            "nothing was measured"
        )
    if outcome.asked != outcome.right + outcome.lost:
        raise BenchmarkError(f"of {outcome.asked} questions {outcome.right + outcome.lost} ended")
    return Lost(outcome, changes_s)


@contextmanager
def _load(folder: Path, port: int) -> Iterator[Callable[[], Outcome]]:
    """Have another process ask; what is given ends it and returns what became of the questions."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.steady_load", str(folder), str(port), str(RATE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        _expect_asking(process.stdout, process)

        def end() -> Outcome:
            said, error = process.communicate(timeout=_END_S)
            if process.returncode != 0:
                raise BenchmarkError(f"the load ended: {error[-1000:]}")
            return Outcome(**json.loads(said))

        yield end
    finally:
        process.kill()
        process.wait()


def _expect_asking(stdout: IO[str], process: subprocess.Popen[str]) -> None:
    if stdout.readline().strip() != ASKING:
        process.kill()
        raise BenchmarkError(f"the load does not begin: {process.communicate()[1][-1000:]}")


async def _change(address: str, port: int, zones: Sequence[str]) -> tuple[float, ...]:
    """Make all changes, and return how long each took to be answered."""
    forward = [zone for zone in zones if not zone.endswith(".arpa")]
    reverse = [zone for zone in zones if zone.endswith(".arpa")]
    edited = [
        kind[number * len(kind) // _EDITED_OF_A_KIND]
        for number in range(_EDITED_OF_A_KIND)
        for kind in (forward, reverse)
    ]
    samples: list[float] = []
    async with Client.connect(address, ours.PASSWORD) as client:
        await trio.sleep(_SETTLE_S)
        for number in range(CHANGES):
            added = f"added{number // 10}.example.org"
            if number % 10 == _ADD:
                watch = Stopwatch()
                await client.put("zones", f"{added}.", _zone(added))
                await _wait_for_serial(port, added, 1, watch)
            elif number % 10 == _REMOVE:
                watch = Stopwatch()
                await client.delete("zones", f"{added}.")
                await _wait_for_serial(port, added, None, watch)
            else:
                zone = edited[number % len(edited)]
                row = (await client.info("zones", f"{zone}.")).rows[0]
                record = f"+change{number}.{zone}. 3600 IN TXT change\n".encode()
                watch = Stopwatch()
                await client.patch("zones", f"{zone}.", [record], digest=row["digest"])
                await _wait_for_serial(port, zone, int(row["serial"]) + 1, watch)
            samples.append(watch.seconds)
        await trio.sleep(_SETTLE_S)
    return tuple(samples)


def _zone(zone: str) -> list[bytes]:
    return [
        f"{zone}. 3600 IN SOA ns1.{zone}. hostmaster.{zone}. 1 14400 3600 1209600 3600\n".encode(),
        f"{zone}. 3600 IN NS ns1.{zone}.\nns1.{zone}. 3600 IN A 10.255.255.1\n".encode(),
    ]


async def _wait_for_serial(port: int, zone: str, serial: int | None, watch: Stopwatch) -> None:
    while ask_serial(port, zone) != serial:
        if watch.seconds > _CHANGE_S:
            raise BenchmarkError(
                f"{zone}: after {_CHANGE_S} s not answered "
                + ("as a zone that is gone" if serial is None else f"with serial {serial}")
            )
        await trio.sleep(_LOOK_S)


FIGURES: dict[str, Callable[[Bench], Sequence[Row]]] = {
    f"lost-{server.lower()}": partial(lost, server=server)
    for server in (bind.NAME, knot.NAME, nsd.NAME, powerdns.NAME)
}
