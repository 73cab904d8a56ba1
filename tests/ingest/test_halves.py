"""Files of which another process reads half: the zones are what one reader alone makes of them."""

import os
import pickle
import signal
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from syncd.errors import InvalidContent
from syncd.ingest import halves
from syncd.ingest.halves import reading_halves
from syncd.ingest.masterfiles import HalfOf, MasterFile, find_master_files, nobody, read_master_file

HEAD = "@ 3600 IN SOA ns.other. hm {serial} 2 3 4 5\n@ 3600 IN NS ns.other.\n"


def canonical(zone: str, count: int = 400) -> str:
    return "".join(f"h{number}.{zone} 60 IN A 192.0.2.1\n" for number in range(count))


BODIES: dict[str, Callable[[str], str]] = {
    "canonical.example.": canonical,
    "small.example.": lambda zone: canonical(zone, 5),
    "relative.example.": lambda zone: canonical(zone).replace(f".{zone}", ""),
    "bad-at-once.example.": lambda zone: "x A 192.0.2.256\n" + canonical(zone),
    "bad-later.example.": lambda zone: canonical(zone) + "x A 192.0.2.256\n",
    "conflict.example.": lambda zone: canonical(zone) + f"h7.{zone} 60 IN CNAME other.\n",
    "last.example.": lambda zone: canonical(zone) + "more A 192.0.2.2\n" + canonical(zone),
}
READ_APART = BODIES.keys() - {"small.example.", "relative.example."}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[MasterFile]:
    monkeypatch.setattr(halves, "LEAST_BYTES", 2000)
    for zone, body in BODIES.items():
        write(tmp_path, zone, body(zone))
    return find_master_files([tmp_path])


def write(folder: Path, zone: str, body: str, serial: int = 1) -> None:
    fresh = folder / "fresh"
    fresh.write_text(HEAD.format(serial=serial) + body)
    fresh.rename(folder / f"{zone}zone")


def named(files: list[MasterFile], zone: str) -> MasterFile:
    return next(file for file in files if Path(file.path).name == f"{zone}zone")


def read(file: MasterFile, half_of: HalfOf = nobody) -> tuple[object, ...]:
    try:
        zone = read_master_file(file, half_of=half_of)
        return zone.name, list(zone.lines()), zone.warnings
    except InvalidContent as error:
        return (str(error),)


def test_each_zone_is_what_one_reader_alone_makes_of_it(files: list[MasterFile]) -> None:
    with reading_halves(files) as half_of:
        assert [read(file, half_of) for file in files] == [read(file) for file in files]


def test_half_of_the_large_files_is_read_apart(files: list[MasterFile]) -> None:
    apart: set[str] = set()
    with reading_halves(files) as half_of:
        for file in files:
            with open(file.path, "rb") as stream:
                ahead = half_of(file, stream)
                assert stream.tell() == 0
            if ahead is not None and (stretch := ahead.take()) is not None:
                assert file.size_bytes() // 2 < ahead.begin < stretch.end <= file.size_bytes()
                apart.add(Path(file.path).name.removesuffix("zone"))
    assert apart == READ_APART


def test_who_does_not_take_a_half_gets_the_next_ones(files: list[MasterFile]) -> None:
    last = named(files, "last.example.")
    with reading_halves(files) as half_of:
        for file in files:
            with open(file.path, "rb") as stream:
                ahead = half_of(file, stream)
            if file == last:
                assert ahead is not None
                assert ahead.take() is not None


def test_no_half_of_a_file_that_was_replaced_is_taken(
    files: list[MasterFile], tmp_path: Path
) -> None:
    file = named(files, "canonical.example.")
    sent = b"".join(map(pickle.dumps, halves._read_halves([file])))
    write(tmp_path, "canonical.example.", canonical("canonical.example."), serial=2)
    late = halves._Halves([file], BytesIO(sent))
    with open(file.path, "rb") as stream:
        ahead = late(file, stream)
    assert ahead is not None
    assert ahead.take() is None


def test_a_second_process_that_is_killed_is_done_without(
    files: list[MasterFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        halves, "read_stretch", lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    )
    with reading_halves(files) as half_of:
        assert [read(file, half_of) for file in files] == [read(file) for file in files]


def test_small_files_have_no_second_process(files: list[MasterFile]) -> None:
    with reading_halves([named(files, "small.example.")]) as half_of:
        assert half_of is nobody
