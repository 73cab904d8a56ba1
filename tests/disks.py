"""Disks that a test fills: a small file system of its own, or a limit on the size of files.

The small file system is a tmpfs in a mount namespace that ends with the process that holds it, so
nothing is left behind; it needs no rights but those to make a user namespace. Where that is not
allowed, and everywhere beside it, RLIMIT_FSIZE stands for the full disk: the kernel refuses to
write beyond it (EFBIG), in whatever file.
"""

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

_LIMIT_BYTES = 64 * 1024
"""Room for SQLite's shared memory and not for much more."""
_HOLD_S = "600"


class Disk(Protocol):
    """Where programs write; full between `fill` and `free`."""

    path: Path
    """As the programs see it."""
    within: list[str]
    """The command under which they are started."""

    def fill(self, *running: int) -> None:
        """Leave no room; `running` are the processes that are there already."""

    def free(self, *running: int) -> None:
        """Give the room back."""


class SmallDisk:
    """A file system of some megabytes."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path = path
        path.mkdir()
        script = 'mount -t tmpfs -o size="$2",mode=777 tmpfs "$1" && echo ready && exec sleep "$3"'
        self._holder = subprocess.Popen(
            [
                "unshare", "--user", "--map-root-user", "--mount",
                "sh", "-c", script, "sh", str(path), str(size_bytes), _HOLD_S,
            ],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        self.works = self._holder.stdout.readline() == "ready\n"
        self.within = [
            shutil.which("nsenter") or "nsenter", "--preserve-credentials", "--user", "--mount",
            "--target", str(self._holder.pid),
        ]  # fmt: skip

    @property
    def within_as_nobody(self) -> list[str]:
        """The same, for a program that refuses to be started by root."""
        return [*self.within, "unshare", "--user", "--map-user=65534", "--map-group=65534"]

    @property
    def seen_from_here(self) -> Path:
        """The same folder, for the test's own process."""
        return Path(f"/proc/{self._holder.pid}/root{self.path}")

    def fill(self, *running: int) -> None:
        with (self.seen_from_here / "filler").open("wb", buffering=0) as file:
            for size in (64 * 1024, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self, *running: int) -> None:
        (self.seen_from_here / "filler").unlink()

    def remount(self, option: str) -> None:
        """Have it mounted `ro` or `rw`."""
        subprocess.run(
            [*self.within, "/bin/mount", "-o", f"remount,{option}", str(self.path)], check=True
        )

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


class LimitedFiles:
    """A folder in which files cannot grow while the disk is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.within: list[str] = []

    def fill(self, *running: int) -> None:
        self.within = [shutil.which("prlimit") or "prlimit", f"--fsize={_LIMIT_BYTES}:unlimited"]
        for pid in running:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (_LIMIT_BYTES, resource.RLIM_INFINITY))

    def free(self, *running: int) -> None:
        self.within = []
        for pid in running:
            unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


@contextmanager
def small_disk(path: Path, size_bytes: int = 4 * 1024 * 1024) -> Iterator[SmallDisk]:
    """Give a small file system while the context lasts."""
    disk = SmallDisk(path, size_bytes)
    try:
        yield disk
    finally:
        disk.close()


def namespaces_are_allowed(folder: Path) -> bool:
    """Say whether this user may mount file systems of its own."""
    with small_disk(folder / "tried") as disk:
        return disk.works
