"""Every target on its seeds, on what was found before, and on some thousand changed inputs."""

import time
from itertools import islice
from pathlib import Path

import pytest

from tests.fuzz.mutation import mutations
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

_INPUTS = 3000
_SECONDS = 6.0
"""What a slow target may take here; `make fuzz` takes longer."""


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_seeds_keep_the_promises(target: Target) -> None:
    seeds = list(target.seeds())
    assert len(seeds) > 1
    for data in seeds:
        target.check(data)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param(target, path, id=f"{target.name}/{path.name}")
        for target in TARGETS.values()
        for path in target.cases()
    ],
)
def test_what_was_found_stays_mended(target: Target, path: Path) -> None:
    target.check(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_changed_inputs_keep_the_promises(target: Target) -> None:
    seeds = [seed[: target.max_bytes] for seed in target.seeds()]
    end = time.monotonic() + _SECONDS
    for number, data in enumerate(islice(mutations(seeds, 1, target.max_bytes), _INPUTS)):
        if time.monotonic() > end:
            break
        try:
            target.check(data)
        except Exception as error:  # noqa: BLE001 (whatever comes is the finding)
            pytest.fail(f"{target.name}, input {number}: {data!r}: {error!r}")


def test_make_fuzz_knows_every_target() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    (line,) = (line for line in makefile.splitlines() if line.startswith("FUZZ_TARGETS ?= "))
    assert line.removeprefix("FUZZ_TARGETS ?= ").split() == list(TARGETS)
