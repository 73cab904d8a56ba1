"""What a repair asks for fits the lines of the protocol, whatever the names and numbers are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncclient.client import sync_request
from syncclient.repair import _bucket_lines, _groups, read_list
from syncd.content.buckets import MARK_BYTES, parse_buckets
from syncd.content.compression import compress
from syncd.errors import ProtocolViolation, VerificationFailed
from syncd.protocol.fields import split_options
from syncd.protocol.limits import MAX_LINE_BYTES
from syncd.protocol.packing import pack

names = st.text(
    st.sampled_from("ab.|%=/\u20ac\U0001f600") | st.characters(exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=700,
)


@given(st.lists(st.tuples(st.sampled_from(["files", "zones"]), names), max_size=80))
def test_every_name_is_asked_for_once_in_lines_that_are_taken(
    wanted: list[tuple[str, str]],
) -> None:
    asked = []
    for group in _groups(wanted):
        assert 1 <= len(group) <= 4
        for kind, part in group:
            line = "SYNC " + sync_request(kind, "chunks", part, inline=4096, at=(1 << 62) - 1)
            assert len(line.encode()) + 1 <= MAX_LINE_BYTES
            values, _ = split_options(line.removeprefix("SYNC ").split("|")[2:])
            asked += [(kind, name) for name in values]
    assert asked == wanted


@given(st.integers(0, 12), st.data())
def test_every_bucket_that_differs_is_asked_for_in_lines_that_are_taken(
    bits: int, data: st.DataObject
) -> None:
    buckets = sorted(data.draw(st.sets(st.integers(0, (1 << bits) - 1), min_size=1)))
    asked: set[int] = set()
    for text in _bucket_lines(buckets, 1 << bits):
        assert len(text) <= MAX_LINE_BYTES - 200
        asked |= parse_buckets(text, bits)
    assert asked >= set(buckets)
    if len(buckets) <= (1 << bits) // 2:
        assert asked == set(buckets)


def test_very_many_buckets_that_differ_are_asked_for_in_several_lines() -> None:
    buckets = list(range(0, 60_000, 3))
    lines = list(_bucket_lines(buckets, 1 << 16))
    assert len(lines) > 1
    assert set().union(*(parse_buckets(text, 16) for text in lines)) == set(buckets)


def test_a_list_is_read_as_names_and_marks() -> None:
    block = pack([["files", compress(b"a\nb"), b"1" * MARK_BYTES + b"2" * MARK_BYTES]])
    assert dict(read_list(block)) == {
        ("files", "a"): b"1" * MARK_BYTES,
        ("files", "b"): b"2" * MARK_BYTES,
    }


@pytest.mark.parametrize(
    "value",
    [
        {}, [1], [["files", b"x"]], [["files", "x", b"y"]], [[1, compress(b"a"), bytes(8)]],
        [["files", compress(b"a\nb"), bytes(8)]], [["files", compress(b"\xff"), bytes(8)]],
        [["files", b"no frame", bytes(8)]],
    ],
)  # fmt: skip
def test_a_list_of_another_form_is_refused(value: object) -> None:
    with pytest.raises((ProtocolViolation, VerificationFailed)):
        list(read_list(pack(value)))


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_a_list_or_refused(block: bytes) -> None:
    try:
        dict(read_list(block))
    except (ProtocolViolation, VerificationFailed):
        return
