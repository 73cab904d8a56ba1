"""A new folder of zone files: whole, in its place at once, or not there at all."""

import errno
import io
import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncclient import filewriter, newfolder
from syncclient.folderstate import STATE, FolderState
from syncclient.newfolder import NewFolder, fresh_path
from syncd.content.tokens import Token
from syncd.errors import FileFailed

STATE_THEN = FolderState(Token("0123456789abcdef", 7), 42)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    folder = NewFolder(tmp_path / "zones")
    folder.take([("a.example.", b"1\n"), ("a.example.", b"2\n"), ("b/c.example.", b"")])
    folder.take([("b/c.example.", b"3\n"), (".", b"4\n")])
    assert not (tmp_path / "zones").exists()
    folder.put_in_place(STATE_THEN)
    assert files_in(tmp_path / "zones") == {
        "a.example.zone": b"1\n2\n",
        "b%2Fc.example.zone": b"3\n",
        "root.zone": b"4\n",
        STATE: (tmp_path / "zones" / STATE).read_bytes(),
    }
    assert FolderState.read(tmp_path / "zones") == STATE_THEN
    assert folder.written == 3
    assert not fresh_path(tmp_path / "zones").exists()


def test_a_folder_that_is_thrown_away_leaves_nothing(tmp_path: Path) -> None:
    folder = NewFolder(tmp_path / "zones")
    folder.take([("a.", b"x" * 1_000_000)])
    folder.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_ended_is_flushed_and_waits_to_be_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = threading.Event()
    monkeypatch.setattr(newfolder, "flush_file_system", lambda folder: flushed.set())
    folder = NewFolder(tmp_path / "zones")
    folder.take([("a.", b"1\n")])
    folder.end()
    assert flushed.wait(10)
    assert not (tmp_path / "zones").exists()
    folder.put_in_place(STATE_THEN)
    assert set(files_in(tmp_path / "zones")) == {"a.zone", STATE}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_folder_whose_feeder_has_died_is_not_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int, content: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(filewriter, "write_all", fail)
    folder = NewFolder(tmp_path / "zones")
    folder.take([("a.", b"1\n")])
    with pytest.raises(FileFailed, match="has failed"):
        folder.put_in_place(STATE_THEN)
    folder.discard()
    assert list(tmp_path.iterdir()) == []


def test_files_that_cannot_be_flushed_are_not_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(newfolder, "flush_file_system", fail)
    folder = NewFolder(tmp_path / "zones")
    folder.take([("a.", b"1\n")])
    with pytest.raises(FileFailed, match="No space left"):
        folder.put_in_place(STATE_THEN)
    assert not (tmp_path / "zones").exists()
    folder.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_run_left_is_not_taken_over(tmp_path: Path) -> None:
    left = fresh_path(tmp_path / "zones")
    left.mkdir()
    (left / "old.zone").write_text("old")
    folder = NewFolder(tmp_path / "zones")
    folder.put_in_place(STATE_THEN)
    assert set(files_in(tmp_path / "zones")) == {STATE}


def test_a_file_that_cannot_be_made_is_an_error_with_its_reason(tmp_path: Path) -> None:
    folder = NewFolder(tmp_path / "zones")
    folder.take([("a" * 300, b"x")])  # longer than a file's name may be
    folder.take([("b.", b"x")])
    with pytest.raises(FileFailed, match="too long"):
        folder.put_in_place(STATE_THEN)
    folder.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_was_killed_is_an_error(tmp_path: Path) -> None:
    folder = NewFolder(tmp_path / "zones")
    os.kill(folder._writer.pid, signal.SIGKILL)
    for _ in range(50):
        folder.take([("a.", b"x" * 100_000)])
    with pytest.raises(FileFailed, match="has failed"):
        folder.put_in_place(STATE_THEN)
    folder.discard()
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.tuples(st.text("ab\xe9", min_size=1, max_size=4), st.binary(max_size=20))))
@settings(deadline=None)
def test_pieces_come_out_of_the_pipe_as_they_went_in(pieces: list[tuple[str, bytes]]) -> None:
    packed = b"".join(
        filewriter.piece_head(name, len(content)) + content for name, content in pieces
    )
    assert list(filewriter._pieces(io.BytesIO(packed))) == pieces
    if pieces:
        assert list(filewriter._pieces(io.BytesIO(packed[:-1]))) in (pieces[:-1], pieces)
