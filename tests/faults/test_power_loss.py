"""The power goes at any point: the store and the zones folder come up at a commit, and go on."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import pytest

from syncclient.folderstate import FolderState
from syncd.store import Store
from syncd.types.zone_files import zone_file_name
from tests.cli.commands import (
    Serving,
    add_admin,
    assert_folder_holds,
    assert_replicates,
    fingerprint_of,
    run,
    zone_text,
)
from tests.faults.power import Disk, trace
from tests.store.objects import assert_sound, new_store

ZONES = 40
CUTS = 16
"""Moments at which the power is cut, of one run of a program."""
Check = Callable[[Path], None]


def write_zones(folder: Path, serial: int, every: int) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(0, ZONES, every):
        noise = random.Random(number * 100 + serial)
        texts = (f'r{at} 60 IN TXT "{noise.randbytes(50).hex()}"' for at in range(30))
        (folder / f"z{number}.example.zone").write_text(zone_text(serial, *texts))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder on the disk whose power goes, with a source of forty zones."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with new_store(folder, "source") as store:
        add_admin(store)
    import_zones(folder, tmp_path, serial=1, every=1)
    return folder


def import_zones(folder: Path, tmp_path: Path, *, serial: int, every: int) -> None:
    files = write_zones(tmp_path / f"master{serial}", serial, every)
    run("syncd", "import", "zones", files, "--store", url(folder, "source"))


def url(folder: Path, name: str) -> str:
    return f"sqlite:///{folder}/{name}.db"


def cut_at_any_point(
    root: Path, tmp_path: Path, check: Check, at_end: Check, *arguments: str | Path
) -> None:
    """Run a program, and have what is left looked at after power cuts at some of its points."""
    disk = Disk(root)
    calls = trace(tmp_path, *arguments)
    chance = random.Random(str(arguments[1]))
    writing = [at for at, call in enumerate(calls) if call.name != "openat" or call.opened]
    points = sorted({*chance.sample(writing, CUTS), *range(len(calls) - 4, len(calls))})
    for at, call in enumerate(calls):
        disk.do(call)
        if at in points:
            for seed in (1, 2):
                left = tmp_path / f"left-{at}-{seed}"
                disk.cut_power(random.Random(at * 10 + seed), left)
                (at_end if at == len(calls) - 1 else check)(left)
                shutil.rmtree(left)


def state_of(store: Store) -> tuple[str, str]:
    assert_sound(store)
    return str(store.clock().token), fingerprint_of(store)


def stands_at(*states: tuple[str, str]) -> Check:
    """Return a check that the source is sound and at one of these commits."""

    def check(left: Path) -> None:
        with Store.open(url(left, "source")) as store:
            assert state_of(store) in states

    return check


def test_an_import_is_there_or_not(root: Path, tmp_path: Path) -> None:
    with Store.open(url(root, "source")) as store:
        before = state_of(store)
    shutil.copytree(root, tmp_path / "undisturbed")
    import_zones(tmp_path / "undisturbed", tmp_path, serial=2, every=2)
    with Store.open(url(tmp_path / "undisturbed", "source")) as store:
        after = state_of(store)
    cut_at_any_point(
        root, tmp_path, stands_at(before, after), stands_at(after),
        "syncd", "import", "zones", tmp_path / "master2", "--store", url(root, "source"),
    )  # fmt: skip


def test_gc_loses_nothing_that_is_to_be_kept(root: Path, tmp_path: Path) -> None:
    import_zones(root, tmp_path, serial=2, every=2)
    with Store.open(url(root, "source")) as store:
        state = state_of(store)
    cut_at_any_point(
        root, tmp_path, stands_at(state), stands_at(state),
        "syncd", "gc", "--keep-commits", "1", "--store", url(root, "source"),
    )  # fmt: skip


class Replicated:
    """A server whose source stands in a folder of its own, and checks of replicas of it."""

    def __init__(self, serving: Serving, source: str) -> None:
        self.serving, self.source = serving, source

    def command(self, verb: str, folder: Path) -> tuple[str | Path, ...]:
        return (
            "syncclient", verb, self.serving.url(), "--store", url(folder, "replica"),
            "--zones-dir", folder / "out", "--allow-large-change",
        )  # fmt: skip

    def comes_up(self, left: Path) -> None:
        """The store is at a commit, every file is that of one; the next run makes it all right.

        A replica whose making was interrupted is made as the client makes it.
        """
        with (
            Store.create(url(left, "replica"), exist_ok=True) as replica,
            Store.open(self.source) as source,
        ):
            assert_sound(replica)
            if seq := replica.clock().seq:
                assert fingerprint_of(replica) == fingerprint_of(source, seq)
        self._check_folder(left / "out")
        run(*self.command("resync", left))
        assert_replicates(url(left, "replica"), self.source)
        assert_folder_holds(left / "out", url(left, "replica"))

    def _check_folder(self, out: Path) -> None:
        state = FolderState.read(out)
        with Store.open(self.source) as source:
            views = [source.view(seq) for seq in range(1, source.clock().seq + 1)]
            known: dict[str, set[int]] = {}
            for view in views:
                for version in view.versions(["zones"]):
                    known.setdefault(zone_file_name(version.name), set()).add(version.crc32)
            for file in out.glob("*.zone"):
                assert crc32(file.read_bytes()) in known[file.name], file
            if state is not None and state.token == views[-1].token:
                for version in views[-1].versions(["zones"]):
                    content = (out / zone_file_name(version.name)).read_bytes()
                    assert crc32(content) == version.crc32

    def is_done(self, left: Path) -> None:
        """All is there, with no further run."""
        assert_replicates(url(left, "replica"), self.source)
        assert_folder_holds(left / "out", url(left, "replica"))


@pytest.fixture
def replicated(root: Path, tmp_path: Path) -> Iterator[Replicated]:
    (tmp_path / "elsewhere").mkdir()
    source = (root / "source.db").rename(tmp_path / "elsewhere" / "source.db")
    with Serving(f"sqlite:///{source}") as serving:
        yield Replicated(serving, f"sqlite:///{source}")


def test_a_bootstrap_is_made_good(root: Path, tmp_path: Path, replicated: Replicated) -> None:
    command = replicated.command("bootstrap", root)
    cut_at_any_point(root, tmp_path, replicated.comes_up, replicated.is_done, *command)


@pytest.mark.parametrize("every", [10, 2])
def test_a_resync_is_made_good(
    root: Path, tmp_path: Path, replicated: Replicated, every: int
) -> None:
    """With few files, each flushed by itself, and with more, flushed together."""
    run(*replicated.command("bootstrap", root))
    import_zones(tmp_path / "elsewhere", tmp_path, serial=2, every=every)
    for number in (1, 3):
        run("syncclient", "delete", replicated.serving.url(), f"z{number}.example.")
    command = replicated.command("resync", root)
    cut_at_any_point(root, tmp_path, replicated.comes_up, replicated.is_done, *command)
