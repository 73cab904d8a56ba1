"""Tokens are read back as they were written, and nothing else is a token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.tokens import Token
from syncd.errors import IllegalValue

epochs = st.integers(0, (1 << 64) - 1).map(lambda number: f"{number:016x}")


@given(epochs, st.integers(0, 10**18 - 1))
def test_a_token_is_read_back_as_it_was_written(epoch: str, seq: int) -> None:
    assert Token.parse(str(Token(epoch, seq))) == Token(epoch, seq)


@pytest.mark.parametrize(
    "text",
    [
        "", "0123456789abcdef", ":1", "0123456789abcdef:", "0123456789ABCDEF:1",
        "0123456789abcdef:-1", "0123456789abcdef:01", "0123456789abcde:1", "0123456789abcdef:1 ",
        "0123456789abcdef:1\n", "0123456789abcdef:" + "9" * 19, "0123456789abcdef:\u0661",
    ],
)  # fmt: skip
def test_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(IllegalValue, match="is not a token"):
        Token.parse(text)
