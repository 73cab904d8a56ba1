"""Two consecutive versions of the signed root zone, as published: large, real, and awkward.

They lie in the folder that SYNCD_ROOT_ZONES names, or else beside the repository. Where they are
not, there is nothing to test; but where somebody counts on them it is an error.
"""

import lzma
import os
from functools import lru_cache
from pathlib import Path

import pytest

from syncd.content.chunks import cut_lines, recut
from syncd.content.textdiff import diff_lines, parse_diff
from syncd.content.zone import master_file
from syncd.content.zone.lexer import LogicalRecord, lex_record
from syncd.content.zone.patch import ZonePatch
from tests.content.zone.bind_judge import by_bind, our_lines, records
from tests.content.zone.test_patch import Content, cut

NAMED = os.environ.get("SYNCD_ROOT_ZONES")
FOLDER = Path(NAMED or Path(__file__).parents[4] / "shared" / "data")
FILES = sorted(FOLDER.glob("root-*.zone.xz"))[:2]


@lru_cache
def text(index: int) -> bytes:
    assert len(FILES) == 2, f"there are no two root zones (root-*.zone.xz) in {FOLDER}"
    return lzma.decompress(FILES[index].read_bytes())


@lru_cache
def lines(index: int) -> list[str]:
    return our_lines(text(index), zone=".")


class TestRootZones:
    __test__ = NAMED is not None or len(FILES) == 2

    def test_they_have_the_records_that_bind_reads(self) -> None:
        assert records(lines(1)) == by_bind(text(1), zone=".")

    def test_all_paths_read_the_same(self) -> None:
        assert our_lines(text(0), zone=".", fast=False) == lines(0)
        assert our_lines(text(0), zone=".", window_bytes=5000, run_rrsets=700) == lines(0)

    def test_canonical_lines_read_again_stay_as_they_are(self) -> None:
        assert our_lines("".join(f"{line}\n" for line in lines(0)).encode(), zone=".") == lines(0)

    def test_the_fast_path_takes_them_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slow: list[tuple[str, ...]] = []

        def noting(text: str, position: int, *, final: bool) -> LogicalRecord:
            record = lex_record(text, position, final=final)
            slow.append(record.fields)
            return record

        monkeypatch.setattr(master_file, "lex_record", noting)
        our_lines(text(0), zone=".")
        # The root is the one owner whose name is no label; all other records are plain.
        assert {fields[0] for fields in slow if fields} == {"."}

    def test_the_diff_of_one_makes_the_other_of_it(self) -> None:
        for old, new in ((lines(0), lines(1)), (lines(1), lines(0))):
            diff = parse_diff(diff_lines(old, new))
            patch = ZonePatch(".", diff, Content(cut(old)))
            chunks = list(recut(patch.parts(), head_lines=1))
            assert chunks == list(cut_lines([f"{line}\n".encode() for line in new], head_lines=1))
            assert len(set(chunks) - set(cut(old))) < 80
