"""Measures syncd and its peers in one run, and prints one table: python -m bench.run

Data sets are made on first use, below --data. The raw measurements go to --out as JSON.
"""

import argparse
import datetime
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from bench.bootstraps import FIGURES as FIGURES_OF_BOOTSTRAPS
from bench.databases import bootstraps
from bench.figures import FIGURES as FIGURES_OF_PEERS
from bench.figures import SIDES, Bench
from bench.lost_queries import FIGURES as FIGURES_OF_LOSSES
from bench.measure import BenchmarkError
from bench.serving import FIGURES as FIGURES_OF_SERVERS
from bench.table import Row, table

# Memory comes last: it is that of all figures before it.
_LAST = "peak-memory"
FIGURES = {
    "databases": bootstraps,
    **FIGURES_OF_BOOTSTRAPS,
    **FIGURES_OF_PEERS,
    **FIGURES_OF_SERVERS,
    **FIGURES_OF_LOSSES,
}
FIGURES[_LAST] = FIGURES.pop(_LAST)


def main() -> int:
    arguments = _arguments()
    # An end from outside must unwind as Ctrl-C does, so that no server is left behind.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    rows: list[Row] = []
    # Beside the data sets, never in /tmp: ours and the peers write to the same, roomy file system.
    # No run's files are removed before the end: for minutes, ext4 looks at every inode that was
    # given up before it makes a file, so whoever came next would pay for it, several times over.
    arguments.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=arguments.data.resolve()) as parent:
        bench = Bench(
            data=arguments.data.resolve(),
            work=Path(parent),
            repeat=arguments.repeat,
            limit_s=arguments.limit_s,
            root_zone=arguments.root_zone,
            without=frozenset(arguments.without),
        )
        failed = False
        for name in dict.fromkeys(arguments.only or FIGURES):
            bench.work = Path(parent) / name
            bench.work.mkdir()
            try:
                rows += FIGURES[name](bench)
            except BenchmarkError as error:
                failed = True
                print(f"{name}: {error}", file=sys.stderr)
        # Before the folder goes: removing some 100,000 files may take longer than one waits.
        print(table(rows), flush=True)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(_results(rows, bench), indent=2) + "\n")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    root_zone = os.environ.get("SYNCD_ROOT_ZONE")
    parser = argparse.ArgumentParser(
        prog="python -m bench.run", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "--only", nargs="+", choices=FIGURES, metavar="FIGURE", help=f"any of: {', '.join(FIGURES)}"
    )
    parser.add_argument(
        "--without",
        nargs="+",
        choices=SIDES,
        default=[],
        metavar="SIDE",
        help=f"sides to leave out: {', '.join(SIDES)}",
    )
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, of which the median")
    parser.add_argument(
        "--data", type=Path, default=Path("bench/data"), help="folder of the data sets"
    )
    parser.add_argument(
        "--limit-s", type=float, default=120.0, help="seconds after which a bootstrap is given up"
    )
    parser.add_argument(
        "--root-zone",
        type=Path,
        default=Path(root_zone) if root_zone else None,
        help="the signed root zone, plain or .xz (or in SYNCD_ROOT_ZONE)",
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results.json"))
    return parser.parse_args()


def _results(rows: Sequence[Row], bench: Bench) -> dict[str, object]:
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "repeat": bench.repeat,
        "limit_s": bench.limit_s,
        "table": [asdict(row) for row in rows],
        "measurements": [asdict(one) for one in bench.measured],
    }


def _machine() -> dict[str, object]:
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":", 1)[1].strip() for line in facts if line.startswith("model name")]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_mib": pages // 2**20,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {
            found.metadata["Name"]: found.version
            for found in sorted(metadata.distributions(), key=lambda one: one.metadata["Name"])
        },
    }


if __name__ == "__main__":
    sys.exit(main())
