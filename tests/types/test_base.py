"""The register of types, and what any type asks of a name."""

from typing import Any

import pytest

from syncd.errors import IllegalValue, NotSupported
from syncd.types import all_types, data_type
from syncd.types.base import MAX_NAME_BYTES, MAX_NAME_CHARACTERS, check_plain_name, register
from syncd.types.files import Files


def test_a_type_is_found_by_its_name() -> None:
    assert [kind.name for kind in all_types()] == ["files", "users", "zones"]
    assert all(data_type(kind.name) is kind for kind in all_types())


def test_a_type_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(NotSupported, match="no such type: 'rooms'; there are files, users, zones"):
        data_type("rooms")


def test_a_name_is_given_to_one_type_only() -> None:
    with pytest.raises(ValueError, match="'files' is registered already"):
        register(Files())


@pytest.mark.parametrize(
    "name",
    ["a", "a" * MAX_NAME_CHARACTERS, "zwei Wörter", "\u20ac", "\U0001f600" * (MAX_NAME_BYTES // 4)],
)
def test_names_that_can_be_shown_are_taken(name: str) -> None:
    assert check_plain_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * (MAX_NAME_CHARACTERS + 1),
        "\U0001f600" * (MAX_NAME_BYTES // 4 + 1),
        "a\nb",
        "a\0b",
        "a\x1b[2J",
        "a\x7f",
        "\u202e",
        "\udc80",
    ],
)
def test_names_that_are_too_long_or_cannot_be_shown_are_refused(name: str) -> None:
    with pytest.raises(IllegalValue):
        check_plain_name(name)


def test_a_type_that_has_no_patch_or_serial_says_so() -> None:
    files: Any = data_type("files")
    with pytest.raises(NotSupported, match="files cannot be patched"):
        files.patch(None, None)
    with pytest.raises(NotSupported, match="files have no serial"):
        files.is_at(None, "1")
