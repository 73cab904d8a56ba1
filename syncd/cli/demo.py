"""`syncd demo`: the main job, step by step, with the real commands in a temporary folder.

Every step runs the command that it shows, in a process of its own over a real socket, so what one
sees is what one gets; the only thing done behind the scenes is to make the replica forget where it
stands.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from syncd.errors import SyncError
from syncd.output import bytes_text, print_table
from syncd.store import Store

_PATCH = "+demo.example.com. 300 IN A 192.0.2.99\n"
_TIMEOUT_S = 60
_COLUMNS = ("path", "objects", "changed", "round trips", "sent", "received", "sync", "command")


class DemoFailed(SyncError):
    """A step of the demo did not do what it should."""


def run_demo(*, keep: bool) -> None:
    """Run all steps. Raises DemoFailed with the output of the step that failed."""
    folder = Path(tempfile.mkdtemp(prefix="syncd-demo-"))
    try:
        _Demo(folder).run(_example_zones())
    finally:
        if keep:
            click.echo(f"\neverything is left in {folder}")
        else:
            shutil.rmtree(folder)


def _example_zones() -> Path:
    """Return the example zones: of the checkout that this runs from, or those that were
    installed."""
    package = Path(__file__).parents[1]
    checkout = package.parent / "examples" / "zones"
    return checkout if checkout.is_dir() else package / "example_zones"


class _Demo:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._source = f"sqlite:///{folder}/source.db"
        self._replica = f"sqlite:///{folder}/replica.db"
        self._zones_dir = folder / "zones"
        self._password = secrets.token_urlsafe(12)
        self._step = 0

    def run(self, zones: Path) -> None:
        self._title("Make a source: a store, zones, a user for the replica and one who may edit")
        self._syncd("init", "--store", self._source)
        self._say(self._syncd("import", "zones", str(zones), "--store", self._source))
        for name, role in (("replica1", "replica"), ("alice", "operator")):
            arguments = ("user", "add", name, "--role", role, "--password-stdin")
            self._syncd(*arguments, "--store", self._source, stdin=f"{self._password}\n")
        with self._served() as address:
            self._replicate(address)

    def _replicate(self, address: str) -> None:
        replica = f"syncd://replica1@{address}"
        self._title("Bootstrap a replica; the source stands still meanwhile (SNGL ... ESNG)")
        self._synchronise("bootstrap", replica, "--freeze")
        self._title("Resync: nothing has changed, one round trip says so")
        self._synchronise("resync", replica)
        self._title("Change one record at the source")
        self._say(
            self._syncclient("patch", f"syncd://alice@{address}", "example.com", stdin=_PATCH)
        )
        self._say(self._syncclient("diff", "--text", replica, "--store", self._replica, status=10))
        self._title("Resync: only the difference travels")
        self._synchronise("resync", replica)
        self._title("Break the replica's token on purpose; the resync finds and repairs it")
        self._syncclient("patch", f"syncd://alice@{address}", "example.net", stdin=_NET_PATCH)
        with Store.open(self._replica) as store:
            store.renew_epoch()
        self._synchronise("resync", replica)
        self._title("Verify: both sides count and hash everything again")
        self._say(self._syncclient("verify", replica, "--store", self._replica))
        self._say(self._syncd("fsck", "--store", self._replica))
        self._compare_files()

    def _synchronise(self, command: str, address: str, *options: str) -> None:
        begun = time.perf_counter()
        output = self._syncclient(
            command, address, "--store", self._replica, "--zones-dir", str(self._zones_dir),
            *options, "--json", shown=(command, address, *options),
        )  # fmt: skip
        command_s = time.perf_counter() - begun
        result: dict[str, Any] = json.loads(output)
        row = (
            result["path"], result["count"], result["changed"], result["round_trips"],
            bytes_text(result["bytes_up"]), bytes_text(result["bytes_down"]),
            f"{result['seconds'] * 1000:.0f} ms", f"{command_s * 1000:.0f} ms",
        )  # fmt: skip
        print_table(_COLUMNS, [row], as_json=False)

    def _compare_files(self) -> None:
        """Compare the replica's zone files with what the source exports."""
        exported = self._folder / "exported"
        self._syncd("export", "zones", str(exported), "--store", self._source)
        for file in sorted(exported.iterdir()):
            if (self._zones_dir / file.name).read_bytes() != file.read_bytes():
                raise DemoFailed(f"{file.name} of the replica is not that of the source")
        count = len(list(exported.iterdir()))
        click.echo(f"all {count} zone files of the replica are byte for byte those of the source")

    @contextmanager
    def _served(self) -> Iterator[str]:
        """Run the daemon; give its host and port."""
        command = _command("syncd", "serve", "--quiet", "--port", "0", "--store", self._source)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
            try:
                assert daemon.stdout is not None
                line = daemon.stdout.readline()
                if "syncd://" not in line:
                    raise DemoFailed("the daemon did not start")
                self._say(line)
                yield line.strip().rsplit("syncd://", 1)[1]
            finally:
                daemon.terminate()

    def _syncd(self, *arguments: str, stdin: str = "") -> str:
        return self._run("syncd", arguments, arguments, stdin, 0)

    def _syncclient(
        self, *arguments: str, stdin: str = "", status: int = 0, shown: Sequence[str] = ()
    ) -> str:
        return self._run("syncclient", arguments, shown or arguments, stdin, status)

    def _run(
        self, program: str, arguments: Sequence[str], shown: Sequence[str], stdin: str, status: int
    ) -> str:
        brief = [part for part in shown if part not in ("--store", self._source, self._replica)]
        line = f"$ {program} {' '.join(brief)}"
        click.echo(line.replace(str(self._folder), ".").replace(f"{Path.cwd()}/", ""))
        done = subprocess.run(
            _command(program, *arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env=os.environ | {"SYNC_PASSWORD": self._password},
            check=False,
        )
        if done.returncode != status:
            raise DemoFailed(f"{program} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout + done.stderr

    def _title(self, text: str) -> None:
        self._step += 1
        click.echo(f"\n{self._step}. {text}")

    @staticmethod
    def _say(text: str) -> None:
        for line in text.splitlines():
            click.echo(f"  {line}")


_NET_PATCH = "+demo.example.net. 300 IN A 198.51.100.99\n"


def _command(program: str, *arguments: str) -> list[str]:
    package = {"syncd": "syncd.cli", "syncclient": "syncclient.cli"}[program]
    return [sys.executable, "-c", f"from {package} import main; main()", *arguments]
