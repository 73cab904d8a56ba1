"""Names and keys, held against dnspython's names and their order."""

import dns.name
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from syncd.content.zone.names import (
    MAX_NAME_BYTES,
    BadNameError,
    is_below,
    key_owner,
    name_text,
    name_wire,
    origin_wire,
    owner_key,
    owner_range,
    qualify,
    type_order,
    zone_range,
)
from syncd.content.zone.record_types import TYPE_CODES

# Few octets, so that names are often equal, or each other's parents, or differ in case only.
OCTETS = st.sampled_from(
    [
        b"\0",
        b"\1",
        b"\2",
        b" ",
        b".",
        b"\\",
        b"A",
        b"a",
        b"b",
        b"Z",
        b"[",
        b"\xc0",
        b"\xe0",
        b"\xff",
    ]
)
LABELS = st.one_of(
    st.lists(OCTETS, min_size=1, max_size=3).map(b"".join), st.binary(min_size=1, max_size=63)
)


@st.composite
def names(draw: st.DrawFn) -> dns.name.Name:
    labels = draw(st.lists(LABELS, max_size=4))
    assume(sum(len(label) + 1 for label in labels) < 255)
    return dns.name.Name([*labels, b""])


def canonical(name: dns.name.Name) -> str:
    return name_text(name.to_wire() or b"")


@given(names())
def test_a_name_is_read_as_it_is_printed(name: dns.name.Name) -> None:
    text = canonical(name)
    assert name_wire(text, b"") == name.to_wire()
    assert qualify(text, "other.") == text
    assert text.isascii()
    assert " " not in text
    assert dns.name.from_text(text).labels == name.labels


@given(names(), names())
def test_the_order_of_keys_is_the_canonical_order_of_names(
    one: dns.name.Name, other: dns.name.Name
) -> None:
    first, second = owner_key(canonical(one)), owner_key(canonical(other))
    assert (first == second) == (one == other)
    for type_text in ("SOA", "A", "TYPE65535"):
        end = type_order(TYPE_CODES.get(type_text, 65535))
        assert (first + type_order(1) < second + end) == (
            one < other or (one == other and type_text == "TYPE65535")
        )


@given(names(), names())
def test_a_name_is_below_what_dnspython_says_it_is_below(
    one: dns.name.Name, other: dns.name.Name
) -> None:
    below = dns.name.Name([*one.labels[:-1], *other.labels]) if len(one.labels) < 3 else one
    for name in (one, below):
        assert is_below(canonical(name), canonical(other)) == name.is_subdomain(other)
        low, high = zone_range(canonical(other))
        key = owner_key(canonical(name)) + type_order(65535)
        assert (low <= key < high) == name.is_subdomain(other)


@given(names(), names(), st.integers(1, 65535))
def test_the_keys_of_an_owner_are_a_range(
    one: dns.name.Name, other: dns.name.Name, number: int
) -> None:
    low, high = owner_range(owner_key(canonical(one)))
    key = owner_key(canonical(other)) + type_order(number, 65535)
    assert (low <= key < high) == (one == other)
    assert key_owner(key) == owner_key(canonical(other))


def test_only_ascii_letters_are_equal_in_both_cases() -> None:
    assert owner_key("A.") == owner_key("a.") == owner_key(r"\065.")
    assert owner_key(r"\192.") != owner_key(r"\224.")


def test_a_dot_in_a_label_is_no_border_between_labels() -> None:
    assert not is_below(r"a\.example.", "example.")
    assert is_below("a.example.", "EXAMPLE.")
    assert not is_below("badexample.", "example.")


def test_soa_comes_first_and_signatures_stand_apart_by_what_they_cover() -> None:
    numbers = [*range(1, 300), 65535]
    assert sorted(numbers, key=type_order) == [6, *(n for n in numbers if n != 6)]
    for signature in (TYPE_CODES["SIG"], TYPE_CODES["RRSIG"]):
        covering = [type_order(signature, covered) for covered in (1, 2, 6, 300)]
        assert covering == sorted(set(covering))
        assert type_order(signature - 1) < covering[0]
        assert covering[-1] < type_order(signature + 1)


@pytest.mark.parametrize(
    ("text", "origin", "name"),
    [
        ("a", "Example.", "a.Example."), ("@", "Example.", "Example."), (".", "x.", "."),
        ("a.", "x.", "a."), (r"\097\.b", "x.", r"a\.b.x."), ("a b", "x.", r"a\032b.x."),
        (r"\@", "x.", r"\@.x."), ("@a", "x.", r"\@a.x."), ("\xe9", "x.", r"\233.x."),
        ("a", ".", "a."), ("@", ".", "."), (r"a\[b", ".", "a[b."), ("*", "x.", "*.x."),
    ],
)  # fmt: skip
def test_a_name_is_completed_by_the_origin(text: str, origin: str, name: str) -> None:
    assert qualify(text, origin) == name


@pytest.mark.parametrize(
    "text",
    ["", "..", ".a", "a..b", "a..", "l" * 64, ".".join(["l" * 63] * 4) + ".", r"\256", r"\1", "\\",
     r"a\12", r"\[x", "\u0100", "\\\u0100", r"\300."],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadNameError):
        qualify(text, "example.")


def test_the_longest_name_may_be_all_escapes() -> None:
    labels = [r"\255" * size for size in (63, 63, 63, 61)]
    longest = ".".join(labels) + "."
    assert len(name_wire(longest, b"")) == MAX_NAME_BYTES
    with pytest.raises(BadNameError, match="longer than 255 octets"):
        name_wire("a." + longest, b"")


@given(st.text())
def test_any_text_is_a_name_or_a_bad_name(text: str) -> None:
    try:
        name = qualify(text, "example.")
    except BadNameError:
        return
    assert qualify(name, ".") == name


@pytest.mark.parametrize("text", ["", "@", "a", "a.b"])
def test_an_origin_is_absolute(text: str) -> None:
    with pytest.raises(BadNameError):
        origin_wire(text)
