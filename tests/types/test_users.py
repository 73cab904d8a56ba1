"""Users: a role and an Argon2id hash, never a clear password."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import IllegalValue, InvalidContent
from syncd.types.users import USERS, hash_password, password_matches

HASH = (
    "$argon2id$v=19$m=8,t=1,p=1$c3luY2QgdGVzdCBzYWx0Lg$eGBxpx8h5d/krDRjXPj4fWW7kEkH+6pQWHHNqNm8OFc"
)


def test_a_password_matches_its_hash_and_no_other_does() -> None:
    stored = hash_password("correct horse")
    assert password_matches(stored, "correct horse")
    assert not password_matches(stored, "correct horse ")
    assert not password_matches(stored, "")
    assert "correct" not in stored


def test_the_same_password_never_has_the_same_hash() -> None:
    assert hash_password("secret") != hash_password("secret")


def test_what_is_no_hash_matches_nothing() -> None:
    assert not password_matches("secret", "secret")


def test_an_empty_password_is_refused() -> None:
    with pytest.raises(IllegalValue, match="at least one character"):
        hash_password("")


def test_a_hash_is_taken_as_one_line() -> None:
    prepared = USERS.prepare("Alice", BytesIO(HASH.encode() + b"\r\n"), {"role": "ADMIN"})
    assert prepared.name == "alice"
    assert prepared.attributes == {"role": "admin"}
    assert b"".join(prepared.chunks) == HASH.encode() + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        "secret", "", "\n", HASH + "\n" + HASH, HASH.replace("argon2id", "argon2i"), HASH[:40],
        HASH.replace("m=8", "m=1000000"), HASH.replace("$c3", "$ c3"), "\u00fc", HASH + "x" * 600,
        "$1$salt$2y2oFHmTkqpuRGYBvJXsZ.", "{CLEAR}secret",
    ],
)  # fmt: skip
def test_what_is_not_one_argon2id_hash_is_refused_without_repeating_it(content: str) -> None:
    with pytest.raises(InvalidContent) as refused:
        USERS.prepare("alice", BytesIO(content.encode()), {"role": "reader"})
    assert not content.strip() or content.strip() not in str(refused.value)


@given(st.text(max_size=100))
def test_no_clear_password_is_ever_taken(password: str) -> None:
    with pytest.raises(InvalidContent):
        USERS.prepare("alice", BytesIO(password.encode("utf-8", "replace")), {"role": "reader"})


def test_a_user_without_a_role_is_refused() -> None:
    with pytest.raises(IllegalValue, match="role= is missing"):
        USERS.prepare("alice", BytesIO(HASH.encode()), {})


@pytest.mark.parametrize("name", ["alice", "a", "0", "ns1.example.com", "a_b-c@d", "x" * 64])
def test_usual_names_are_taken_in_lower_case(name: str) -> None:
    assert USERS.check_name(name.upper()) == name


@pytest.mark.parametrize(
    "name", ["", ".a", "-a", "_a", "@a", "a b", "a/b", "../a", "a\n", "a|b", "x" * 65, "\u00fc"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(IllegalValue, match="a user's name has up to 64"):
        USERS.check_name(name)
