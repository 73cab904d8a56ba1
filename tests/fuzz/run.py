"""Runs one target for a while: `python -m tests.fuzz.run TARGET SECONDS`, as `make fuzz` does.

With atheris the fuzzer is led by what code it reaches; without, inputs are changed blindly. What is
found is left in tests/fuzz/cases/TARGET, where every run of the tests replays it.
"""

import hashlib
import importlib.util
import sys
import time
import traceback
from pathlib import Path

_CORPUS = Path(__file__).parents[2] / ".fuzz"
"""What led to new code in earlier runs; not kept in the repository."""
_INPUT_S = 20
"""An input that takes longer is a finding."""


def main(name: str, seconds: int) -> int:
    """Fuzz one target; return the exit status: 0, or another if something was found."""
    if importlib.util.find_spec("atheris") is None:
        print(f"{name}: atheris is not installed; inputs are changed without its guidance")
        return _run_blindly(name, seconds)
    return _run_guided(name, seconds)


def _run_guided(name: str, seconds: int) -> int:
    import atheris

    with atheris.instrument_imports(include=["syncd", "syncclient"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    corpus = _CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (corpus / hashlib.sha1(seed).hexdigest()).write_bytes(seed[: target.max_bytes])
    found = target.folder
    found.mkdir(exist_ok=True)
    atheris.Setup(
        [
            sys.argv[0], str(corpus), str(found), f"-artifact_prefix={found}/",
            f"-max_total_time={seconds}", f"-max_len={target.max_bytes}", f"-timeout={_INPUT_S}",
            "-rss_limit_mb=1024", "-print_final_stats=1", "-verbosity=0",
        ],
        target.check,
    )  # fmt: skip
    atheris.Fuzz()  # ends the process
    return 0


def _run_blindly(name: str, seconds: int) -> int:
    from tests.fuzz.mutation import mutations
    from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    end = time.monotonic() + seconds
    seeds = [seed[: target.max_bytes] for seed in target.seeds()]
    for data in mutations(seeds, time.time_ns(), target.max_bytes):
        if time.monotonic() > end:
            break
        try:
            target.check(data)
        except Exception:  # noqa: BLE001 (whatever comes is the finding)
            target.folder.mkdir(exist_ok=True)
            path = target.folder / f"crash-{hashlib.sha1(data).hexdigest()}"
            path.write_bytes(data)
            traceback.print_exc()
            print(f"{name}: kept as {path}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
