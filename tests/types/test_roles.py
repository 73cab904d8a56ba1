"""Roles: each may do all that those before it may."""

import pytest

from syncd.errors import IllegalValue
from syncd.types import Role


def test_roles_are_in_order() -> None:
    assert Role.READER < Role.REPLICA < Role.OPERATOR < Role.ADMIN


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_read_as_it_is_written_in_any_case(role: Role) -> None:
    assert Role.parse(role.label) is role
    assert Role.parse(role.label.upper()) is role


@pytest.mark.parametrize("text", ["", "root", "1", "reader "])
def test_another_word_is_refused_with_the_roles_that_there_are(text: str) -> None:
    with pytest.raises(IllegalValue, match="there are reader, replica, operator, admin"):
        Role.parse(text)
