"""Knot's control protocol: what is packed is read again however it arrives, and ends are told."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from syncclient.backends.knotcontrol import (
    MAX_ITEM_BYTES,
    Item,
    Unit,
    control,
    errors_of,
    packed_item,
    refusal_text,
    unpacked,
)
from syncclient.backends.step import Stage
from syncd.errors import ServerFailed

units = st.dictionaries(
    st.sampled_from(Item), st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=300)
)


def _packed(answer: list[dict[Item, str]]) -> bytes:
    parts = [
        b"\1" + b"".join(packed_item(item, text) for item, text in unit.items()) for unit in answer
    ]
    return b"".join(parts) + b"\3"


@given(st.lists(units, max_size=5), st.integers(1, 50), st.binary(max_size=3))
def test_an_answer_is_read_however_it_is_cut(
    answer: list[dict[Item, str]], cut: int, behind: bytes
) -> None:
    sent = _packed(answer) + behind
    read: list[Unit] = []
    waiting, at, ended = b"", 0, False
    while not ended:
        waiting += sent[at : at + cut]
        at += cut
        found, waiting, ended = unpacked(waiting)
        read += found
    assert read == answer
    assert waiting + sent[at:] == behind


@pytest.mark.parametrize("wrong", [b"\0", b"\x07", b"\x10\0\1x", b"\1\x7f\0\1x"])
def test_what_is_no_answer_is_told(wrong: bytes) -> None:
    with pytest.raises(EOFError):
        unpacked(wrong)


@pytest.mark.parametrize("text", ["x" * (MAX_ITEM_BYTES + 1), "a\0b"])
def test_what_no_item_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="DATA"):
        packed_item(Item.DATA, text)


def test_a_refusal_names_what_was_refused() -> None:
    answer: list[Unit] = [{Item.ZONE: "a."}, {Item.ZONE: "b.", Item.ERROR: "no such zone found"}]
    assert refusal_text("zone-reload", errors_of(answer)) == "zone-reload b.: no such zone found"


def _ask(path: Path, timeout_s: float = 5.0) -> None:
    async def ask() -> None:
        async with control(path, timeout_s=timeout_s, stage=Stage.ACTIVATE) as knotd:
            await knotd.ask("status")

    trio.run(ask)


@pytest.fixture
def listener(tmp_path: Path) -> Any:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s"))
        made.listen()
        yield made


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="is knotd running"):
        _ask(tmp_path / "s")


def test_a_server_that_hangs_is_given_up_on(listener: Any, tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"no answer in 0\.2 s"):
        _ask(tmp_path / "s", 0.2)


def test_a_server_that_ends_in_the_middle_is_told(listener: Any, tmp_path: Path) -> None:
    def end() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100)
            connection.sendall(b"\1\x10\0")

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(ServerFailed, match="in the middle of an answer"):
        _ask(tmp_path / "s")
    thread.join()
