"""Zones read ahead in another process: what arrives is what reading here gives, errors included."""

import pickle
from collections.abc import Iterator
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import FileFailed, InvalidContent
from syncd.ingest import readahead
from syncd.ingest.masterfiles import MasterFile, find_master_files, read_master_file
from syncd.types.zones import ReadZone

HEAD = "$TTL 300\n@ SOA ns.other. hm 1 2 3 4 5\n@ NS ns.other.\n"
BODIES = [
    "".join(f"h{number} A 192.0.2.1\n" for number in range(3000)),
    "a A 192.0.2.1\na 60 A 192.0.2.2\n",
    "a CNAME b\na A 192.0.2.1\n",
    "a A 192.0.2.256\n",
    "",
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[MasterFile]:
    """A large zone, one with a warning, one bad at its end, one bad at once, and a plain one."""
    folder = tmp_path_factory.mktemp("zones")
    for number, body in enumerate(BODIES):
        (folder / f"z{number}.example.zone").write_text(HEAD + body)
    return find_master_files([folder])


def arrivals(files: list[MasterFile], message_bytes: int) -> readahead._Arrivals:
    before, readahead._MESSAGE_BYTES = readahead._MESSAGE_BYTES, message_bytes
    try:
        messages = [pickle.dumps(events) for events in readahead._messages(files, None)]
    finally:
        readahead._MESSAGE_BYTES = before
    return readahead._Arrivals(BytesIO(b"".join(messages)))


def taken(zone: ReadZone, lines: Iterator[bytes]) -> tuple[object, ...]:
    try:
        return zone.name, list(lines), zone.warnings
    except InvalidContent as error:
        return zone.name, str(error)


def here(file: MasterFile) -> tuple[object, ...]:
    try:
        zone = read_master_file(file)
    except InvalidContent as error:
        return (str(error),)
    return taken(zone, zone.lines())


@given(
    order=st.lists(st.integers(0, len(BODIES) - 1), max_size=6),
    late=st.sets(st.integers(0, 5)),
    message_bytes=st.sampled_from([1, 1000, 1 << 20]),
)
def test_zones_arrive_as_they_are_read_here_whenever_their_lines_are_taken(
    files: list[MasterFile], order: list[int], late: set[int], message_bytes: int
) -> None:
    wanted = [files[number] for number in order]
    read = arrivals(wanted, message_bytes)
    found: list[tuple[object, ...]] = []
    waiting: list[tuple[int, ReadZone]] = []
    for place, file in enumerate(wanted):
        found.append(())
        try:
            zone = read(file)
        except InvalidContent as error:
            found[-1] = (str(error),)
            continue
        if place in late:
            waiting.append((place, zone))
        else:
            found[-1] = taken(zone, zone.lines())
    for place, zone in waiting:
        found[place] = taken(zone, zone.lines())
    assert found == [here(file) for file in wanted]


def test_a_reader_that_ends_early_is_told(files: list[MasterFile]) -> None:
    whole = pickle.dumps(next(readahead._messages(files, None)))
    zone = readahead._Arrivals(BytesIO(whole))(files[0])
    with pytest.raises(FileFailed, match=r"z0.example.: the process that reads the files"):
        list(zone.lines())
    with pytest.raises(FileFailed, match=r"z1.example.zone: the process"):
        readahead._Arrivals(BytesIO())(files[1])


def test_little_is_read_here(files: list[MasterFile]) -> None:
    with readahead.reading_ahead(files, None) as read:
        assert not isinstance(read, readahead._Arrivals)
        zone = read(files[0])
        assert taken(zone, zone.lines()) == here(files[0])
