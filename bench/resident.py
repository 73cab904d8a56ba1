"""A replica's process that runs already, as an agent does: it bootstraps by the library when it is
told to.

    python -m bench.resident ADDRESS FOLDER

opens an empty store, prints `ready`, waits for a line on standard input, and then prints one JSON
object: seconds from the line until store and zone files are verified and durable, as `syncclient
bootstrap` leaves them, and peak KiB. The password is in SYNC_PASSWORD.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import trio

from bench.measure import BenchmarkError, Figure, Stopwatch, peak_kib
from syncclient import Client
from syncclient.newfolder import NewFolder
from syncclient.replica import Replica
from syncclient.zonesdir import ZonesDir
from syncd.quickstart import few_collections
from syncd.store import Store

_READY = "ready\n"


def bootstrap(address: str, folder: Path, password: str, limit_s: float) -> Figure:
    """Have a process of its own bootstrap, and return what it measured."""
    folder.mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-m", "bench.resident", address, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SYNC_PASSWORD": password},
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != _READY:
                raise BenchmarkError(f"the replica does not start: {process.communicate()[1]}")
            said, complaint = process.communicate("\n", timeout=limit_s)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise BenchmarkError(f"the replica fails: {complaint.strip()[-2000:]}")
    done = json.loads(said)
    return Figure(seconds=done["seconds"], peak_kib_secondary=done["peak_kib"])


async def _bootstrap(store: Store, address: str, zones: Path) -> None:
    async with Client.connect(address, os.environ["SYNC_PASSWORD"]) as client:
        await Replica(
            store, client, source=address, new_folder=lambda: NewFolder(zones)
        ).synchronise()
    ZonesDir(zones).bring_to(store, store.view())


def main() -> None:
    address, folder = sys.argv[1], Path(sys.argv[2])
    with Store.create(f"sqlite:///{folder / 'replica.db'}") as store:
        print(_READY, end="", flush=True)
        sys.stdin.readline()
        watch = Stopwatch()
        trio.run(_bootstrap, store, address, folder / "zones")
        seconds = watch.seconds
    print(json.dumps({"seconds": seconds, "peak_kib": peak_kib(os.getpid())}))


if __name__ == "__main__":
    with few_collections():
        main()
