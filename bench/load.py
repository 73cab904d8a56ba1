"""Load: very many clients of one daemon at once, and what the daemon pays for each of them.

Memory a session: how much higher the server's peak is with all clients than with a few, divided by
how many more they are. Both are measured on a server that has served many before: what threads,
the database's cache and the interpreter take is paid once, and is in the peak that is shown. Few
and all are measured in turn, and the median counts.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.fleet import Fleet
from bench.measure import BenchmarkError, peak_kib
from bench.ours import PASSWORD, Source
from bench.table import Row

FEW = 8
"""As many clients as the server has threads for the store."""
SERVE_OPTIONS = ("--max-sessions", "1200")
"""1,000 watchers and the one who commits are over the default."""
_WARM, _WARM_FLEETS = 50, 3
"""Clients, and how often as many come, before anything is measured: until then the caches of each
thread's connection to the database still fill."""
_PAIRS = 3
_GOAL_KIB = 64
_LIMIT_S = 600.0


@dataclass(frozen=True)
class Load:
    """What `count` clients came to: the clients' side, and the server's."""

    count: int
    fleet: Fleet
    peak_kib: int
    kib_a_session: float
    """The median of `growths_kib`."""
    growths_kib: list[float]
    server_cpu_s: float


def measure(source: Source, what: str, count: int, work: Path) -> Load:
    """Run fleets against a warm server; what is told is that which did worst.

    Raises BenchmarkError if a fleet itself fails.
    """
    for number in range(_WARM_FLEETS):
        _run_fleet(source, what, min(count, _WARM), work / f"warm-{number}")
    growths_kib: list[float] = []
    peaks_kib: list[int] = []
    cpus_s: list[float] = []
    fleets: list[Fleet] = []
    for number in range(_PAIRS):
        _run_fleet(source, what, FEW, work / f"few-{number}")
        few_kib = _peak(source.pid)
        before_s = _cpu_s(source.pid)
        fleets.append(_run_fleet(source, what, count, work / f"all-{number}"))
        cpus_s.append(_cpu_s(source.pid) - before_s)
        all_kib = _peak(source.pid)
        growths_kib.append((all_kib - few_kib) / (count - FEW))
        peaks_kib += (all_kib, fleets[-1].gathering_peak_kib)
    slowest = max(fleets, key=lambda fleet: (fleet.failed, fleet.slowest_s))
    return Load(count, slowest, max(peaks_kib), median(growths_kib), growths_kib, median(cpus_s))


def row(figure: str, load: Load) -> Row:
    """Return the table's row; the goal is that no client fails and no session costs over 64 KB."""
    fleet = load.fleet
    ours = (
        f"login of all {fleet.gathering_s:.1f} s, then slowest client {fleet.slowest_s:.2f} s, "
        f"{fleet.failed} failed, "
        f"server {load.server_cpu_s:.1f} CPU s, {load.peak_kib / 1000:.0f} MB, "
        f"{max(0.0, load.kib_a_session):.0f} KiB a session"
    )
    met = fleet.failed == 0 and fleet.done == load.count and load.kib_a_session <= _GOAL_KIB
    goal = f"none failed, at most {_GOAL_KIB} KiB a session"
    return Row(figure, ours, "", "", None, goal, met)


def note(load: Load) -> str:
    """Return everything that was measured, for the results."""
    return json.dumps(asdict(load))


def _run_fleet(source: Source, what: str, count: int, work: Path) -> Fleet:
    work.mkdir(parents=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench.fleet", what, str(count), str(source.port)),
            *(str(work), str(source.pid)),
        ],
        env={**os.environ, "SYNC_PASSWORD": PASSWORD},
        capture_output=True,
        timeout=_LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise BenchmarkError(f"{count} clients to {what}: {said[-1000:]}")
    return Fleet(**json.loads(done.stdout))


def _peak(pid: int) -> int:
    peak = peak_kib(pid)
    if peak is None:
        raise BenchmarkError("the server has ended")
    return peak


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
