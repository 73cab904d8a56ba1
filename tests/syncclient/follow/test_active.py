"""What the agent knows of its name server comes back from the file, or nothing does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncclient.follow.active import ACTIVE, Active, Refusal
from syncd.content.tokens import Token

REFUSALS = st.builds(
    Refusal,
    stage=st.sampled_from(["check", "confirm"]),
    message=st.text(),
    wanted=st.sampled_from(["", "ab" * 32]),
    active=st.sampled_from(["", "cd" * 32]),
    serial=st.none() | st.integers(0, 2**32 - 1),
    since=st.integers(0, 2**40),
)


@given(st.dictionaries(st.text(), REFUSALS, max_size=3), st.integers(0, 2**256 - 1))
def test_it_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, refused: dict[str, Refusal], fingerprint: int
) -> None:
    folder = tmp_path_factory.mktemp("agent")
    active = Active(Token("5eed5eed5eed5eed", 7), fingerprint, 3, refused)
    active.write(folder)
    assert Active.read(folder) == active


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"token": 1}', "\0\0\0\0"])
def test_a_file_that_is_none_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / ACTIVE).write_text(text)
    assert Active.read(tmp_path) is None


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert Active.read(tmp_path) is None
