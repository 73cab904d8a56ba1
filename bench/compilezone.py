"""The zone compilers beside which an import is measured, and the comparison of what came out.

Both read the file, check it and write it out in canonical form, as an import must.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.measure import Figure, ProcessMeasurement, measure_command

NAMED = "named-compilezone"
KZONECHECK = "kzonecheck"
# The default, "full", looks up names outside the zone in the DNS: a measure of the resolver.
_CHECKS = ("-i", "local")
_LIMIT_S = 300.0


def available(program: str) -> bool:
    return shutil.which(program) is not None


def compile_zone(zone: str, path: Path, repeat: int = 1) -> Figure:
    """Compile a zone file with named-compilezone; the median of `repeat` runs."""
    with tempfile.TemporaryDirectory() as work:
        argv = [NAMED, "-q", *_CHECKS, "-o", f"{work}/out", zone, str(path)]
        return of_runs([measure_command(argv, timeout_s=_LIMIT_S) for _ in range(repeat)], NAMED)


def check_zone(zone: str, path: Path, repeat: int = 1) -> Figure:
    """Check a zone file with kzonecheck, which reads it and writes nothing."""
    argv = [KZONECHECK, "-o", zone, str(path)]
    return of_runs([measure_command(argv, timeout_s=_LIMIT_S) for _ in range(repeat)], KZONECHECK)


def of_runs(runs: Sequence[ProcessMeasurement], what: str) -> Figure:
    """Return the median seconds and the highest peak of several runs of one command.

    Raises BenchmarkError if one of them failed.
    """
    samples = tuple(run.checked(what).seconds for run in runs)
    return Figure(
        seconds=median(samples),
        peak_kib_primary=max(run.peak_kib for run in runs),
        samples_seconds=samples,
    )


def canonical_records(zone: str, path: Path) -> list[str]:
    """Return a zone file's records as named-compilezone writes them, in order."""
    argv = [NAMED, "-q", *_CHECKS, "-s", "full", "-o", "-", zone, str(path)]
    done = measure_command(argv, timeout_s=_LIMIT_S).checked(f"{NAMED} of {path}")
    return sorted(" ".join(line.split()) for line in done.stdout.decode().splitlines())
