"""A file is taken once it stands still, and not again before it changes."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.tokens import Token
from syncd.ingest.foldermemory import FolderMemory
from syncd.ingest.folderscan import FolderScan, KnownFile, Scan, signature_of

SETTLE_S = 2.0
HERE = Token("5eed5eed5eed5eed", 7)


@pytest.fixture
def scan(tmp_path: Path) -> FolderScan:
    return FolderScan(tmp_path, "*.zone", SETTLE_S)


def take(scan: FolderScan, found: Scan) -> list[str]:
    """Take whatever settled."""
    for name, signature in found.settled.items():
        scan.known[name] = KnownFile(signature, name)
    for name in found.gone:
        del scan.known[name]
    return sorted([*found.settled, *found.gone])


def test_a_new_file_is_taken_once_it_stood_still(scan: FolderScan, tmp_path: Path) -> None:
    file = tmp_path / "a.zone"
    file.write_text("1")
    assert take(scan, scan.scan(0.0)) == []
    assert take(scan, scan.scan(1.9)) == []
    file.write_text("12")
    assert take(scan, scan.scan(2.0)) == []
    assert take(scan, scan.scan(3.9)) == []
    assert take(scan, scan.scan(4.0)) == ["a.zone"]
    assert take(scan, scan.scan(9.0)) == []


def test_a_file_that_is_moved_into_place_is_seen_by_its_inode(
    scan: FolderScan, tmp_path: Path
) -> None:
    for name in ("a.zone", "b"):
        (tmp_path / name).write_text("1")
        os.utime(tmp_path / name, (5, 5))
    for now in (0.0, 2.0):
        take(scan, scan.scan(now))
    (tmp_path / "b").rename(tmp_path / "a.zone")
    assert take(scan, scan.scan(4.0)) == []
    assert take(scan, scan.scan(6.0)) == ["a.zone"]


def test_a_file_that_is_gone_for_a_moment_is_not_gone(scan: FolderScan, tmp_path: Path) -> None:
    file = tmp_path / "a.zone"
    file.write_text("1")
    for now in (0.0, 2.0):
        take(scan, scan.scan(now))
    file.unlink()
    assert take(scan, scan.scan(3.0)) == []
    file.write_text("2")
    assert take(scan, scan.scan(5.0)) == []
    file.unlink()
    assert take(scan, scan.scan(6.0)) == []
    assert take(scan, scan.scan(8.0)) == ["a.zone"]
    assert scan.known == {}


def test_other_files_hidden_ones_and_folders_are_passed_over(
    scan: FolderScan, tmp_path: Path
) -> None:
    for name in ("a.txt", ".a.zone", "a.zone.part"):
        (tmp_path / name).write_text("1")
    (tmp_path / "d.zone").mkdir()
    os.mkfifo(tmp_path / "p.zone")
    scan.scan(0.0)
    assert scan.scan(9.0) == Scan()


def test_a_change_of_what_a_file_includes_counts(scan: FolderScan, tmp_path: Path) -> None:
    file, included = tmp_path / "a.zone", tmp_path / "common"
    file.write_text("1")
    included.write_text("1")
    scan.known["a.zone"] = KnownFile(
        signature_of(file.stat()) + signature_of(included.stat()),
        "a.",
        (str(included),),
    )
    scan.scan(0.0)
    assert scan.scan(2.0).settled == {}
    included.write_text("12")
    scan.scan(3.0)
    assert list(scan.scan(5.0).settled) == ["a.zone"]
    included.unlink()
    scan.scan(6.0)
    assert list(scan.scan(8.0).settled) == ["a.zone"]


NAMES = st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=5)
KNOWN = st.builds(
    KnownFile,
    st.lists(st.integers(0, 2**63), min_size=3, max_size=6).map(tuple),
    NAMES,
    st.lists(NAMES, max_size=2).map(tuple),
    st.text("0123456789abcdef", max_size=8),
    kept=st.booleans(),
)
STEPS = st.lists(st.tuples(st.dictionaries(NAMES, KNOWN, max_size=3), st.lists(NAMES, max_size=2)))


@given(STEPS)
def test_what_is_remembered_is_what_was_added(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[dict[str, KnownFile], list[str]]],
) -> None:
    path = tmp_path_factory.mktemp("memory") / "state"
    expected: dict[str, KnownFile] = {}
    for changed, gone in steps:
        expected |= changed
        for name in gone:
            expected.pop(name, None)
        FolderMemory(path).add(HERE, expected | changed, changed, gone)
    memory = FolderMemory(path)
    assert memory.load(HERE) == expected
    memory.begin(HERE, expected)
    assert memory.load(HERE) == expected
    assert len(path.read_text().splitlines()) == len(expected) + 1


def test_nothing_is_remembered_of_another_history_or_of_later_commits(tmp_path: Path) -> None:
    known = {"a.zone": KnownFile((1, 2, 3), "a.")}
    for present in (Token("0123456789abcdef", 7), Token(HERE.epoch, 6)):
        memory = FolderMemory(tmp_path / "state")
        memory.add(HERE, known, known, [])
        assert memory.load(present) == {}
        assert memory.load(HERE) == known


def test_files_that_change_for_ever_do_not_make_the_memory_grow_for_ever(tmp_path: Path) -> None:
    memory = FolderMemory(tmp_path / "state")
    for number in range(3000):
        known = {name: KnownFile((number, 2, 3), name) for name in ("a", "b")}
        memory.add(HERE, known, known, [])
        assert memory.load(HERE) == known or number % 500
    assert memory.load(HERE) == known
    assert len(memory.path.read_text().splitlines()) < 1100


@pytest.mark.parametrize(
    "line",
    [
        '{"file":"x.zone","seen":[1e999,1,1,1],"zone":"z","includes":[]}',
        '{"file":"x.zone","seen":[1,1,1,1],"zone":"z","includes":["a\\u0000b"]}',
        '{"file":"x.zone","seen":["1x"],"zone":"z","includes":[]}',
        '{"file":"x.zone","seen":[1,1,1,1],"zone":"z","includes":[5]}',
        '{"file":"x.zone"}',
        "[]",
    ],
)
def test_a_line_that_says_nothing_is_passed_over(tmp_path: Path, line: str) -> None:
    (tmp_path / "state").write_text(f'{line}\n{{"token":"{HERE}"}}\n')
    assert FolderMemory(tmp_path / "state").load(HERE) == {}


def test_a_torn_line_costs_no_more_than_itself(tmp_path: Path) -> None:
    memory = FolderMemory(tmp_path / "state")
    known = {name: KnownFile((1, 2, 3), name) for name in ("a", "b")}
    memory.add(HERE, known, known, [])
    text = memory.path.read_text()
    memory.path.write_text(text + '{"file": "c", "seen": [1,\n{"file": 1}\n[]\n' + text[-30:-3])
    assert memory.load(HERE) == known
