"""Fingerprints add up in any order, and no two different states are likely to have the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.versions import (
    Version,
    add_marks,
    chunk_digest,
    fingerprint_text,
    mark_number,
    object_digest,
    object_mark,
    pack_attributes,
    split_digests,
)

names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
marks = st.lists(st.binary(min_size=32, max_size=32), max_size=20)


@given(marks, st.randoms(use_true_random=False))
def test_a_fingerprint_does_not_depend_on_the_order_of_what_was_gained(
    gained: list[bytes], random: object
) -> None:
    shuffled = sorted(gained, key=lambda mark: getattr(random, "random")())  # noqa: B009
    assert _sum(gained) == _sum(shuffled)


def _sum(gained: list[bytes]) -> int:
    fingerprint = 0
    for mark in gained:
        fingerprint = add_marks(fingerprint, gained=mark_number(mark))
    return fingerprint


@given(marks, marks)
def test_what_was_gained_and_lost_again_leaves_the_fingerprint_as_it_was(
    kept: list[bytes], passing: list[bytes]
) -> None:
    fingerprint = _sum(kept + passing)
    for mark in passing:
        fingerprint = add_marks(fingerprint, lost=mark_number(mark))
    assert fingerprint == _sum(kept)


@given(marks, marks)
def test_the_fingerprints_of_two_types_add_up_to_that_of_both(
    zones: list[bytes], users: list[bytes]
) -> None:
    assert add_marks(_sum(zones), gained=_sum(users)) == _sum(zones + users)


def test_a_fingerprint_never_leaves_64_hex_digits() -> None:
    highest = b"\xff" * 32
    assert fingerprint_text(_sum([highest])) == "f" * 64
    assert fingerprint_text(_sum([highest, highest])) == "f" * 63 + "e"
    assert fingerprint_text(add_marks(0, lost=1)) == "f" * 64


_PARTS = ("zones", "example.", bytes(32), pack_attributes({"serial": 1}))


@pytest.mark.parametrize(
    "other",
    [
        ("files", *_PARTS[1:]),
        ("zones", "example", *_PARTS[2:]),
        (*_PARTS[:2], b"\1" * 32, _PARTS[3]),
        (*_PARTS[:3], pack_attributes({"serial": 2})),
    ],
)
def test_a_mark_depends_on_type_name_digest_and_attributes(
    other: tuple[str, str, bytes, bytes],
) -> None:
    assert object_mark(*_PARTS) != object_mark(*other)


@given(names, names, names, names)
def test_type_and_name_cannot_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    same = object_mark(a, b, bytes(32), b"") == object_mark(c, d, bytes(32), b"")
    assert same == ((a, b) == (c, d))


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_the_digest_of_an_object_is_that_of_its_chunk_digests(contents: list[bytes]) -> None:
    digests = [chunk_digest(content) for content in contents]
    chunks = b"".join(digests)
    assert split_digests(chunks) == digests
    present = Version("files", "a", 1, 0, 0, 0, 0, object_digest(chunks), b"\x80", chunks)
    assert present.chunk_digests() == digests
    assert present.mark == object_mark("files", "a", present.digest, b"\x80")


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 1 << 40), max_size=6))
def test_equal_attributes_have_one_encoding(attributes: dict[str, int]) -> None:
    turned = dict(reversed(attributes.items()))
    assert pack_attributes(turned) == pack_attributes(attributes)
    present = Version("files", "a", 1, 0, 0, 0, 0, b"", pack_attributes(attributes), b"")
    assert all(present.attribute(key) == value for key, value in attributes.items())
    assert present.attribute("there is no such key") is None
