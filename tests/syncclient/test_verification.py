"""What a head says is compared with what there is, each thing by itself."""

from dataclasses import replace
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncclient.verification import ContentCheck, version_of
from syncd.content.messages import Head
from syncd.content.versions import Version, chunk_digest, object_digest, pack_attributes
from syncd.errors import NotSupported, VerificationFailed
from syncd.protocol.packing import pack

CONTENT = [b"one\n", b"two\nthree\n"]
CHUNKS = b"".join(chunk_digest(content) for content in CONTENT)
WHOLE = b"".join(CONTENT)
HEAD = Head(
    "zones", "example.com.", 7, 0, len(WHOLE), 3, crc32(WHOLE), object_digest(CHUNKS),
    pack_attributes({"serial": 1}), bodies=2,
)  # fmt: skip


def test_a_head_that_is_right_becomes_a_version() -> None:
    version = version_of(HEAD, CHUNKS)
    assert (version.type, version.name, version.seq) == ("zones", "example.com.", 7)
    assert (version.digest, version.chunks) == (HEAD.digest, CHUNKS)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"digest": bytes(32)}, "its chunks have not the stated digest"),
        ({"name": "Example.com."}, "not the one form of this name"),
        ({"name": "a..b."}, "has an empty label"),
        ({"name": "../x", "type": "files"}, "has no empty, . or .. parts"),
        ({"attributes": pack([1])}, "its attributes are no map"),
        ({"attributes": b"\xc1"}, "not a msgpack value"),
        ({"attributes": pack({})}, "not the attributes of a zone"),
        ({"attributes": pack({"serial": "1"})}, "not the attributes of a zone"),
        ({"attributes": pack({"serial": 1 << 32})}, "not the attributes of a zone"),
        ({"attributes": pack({"serial": 1, "x": 1})}, "not the attributes of a zone"),
        ({"name": "x", "type": "files"}, "not the attributes of a file"),
        ({"name": "x", "type": "files", "attributes": pack({"mode": 0o4777})}, "only permissions"),
        ({"name": "x", "type": "users"}, "not the attributes of a user"),
        ({"name": "x", "type": "users", "attributes": pack({"role": "king"})}, "role"),
    ],
)
def test_a_head_that_is_wrong_is_refused(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(VerificationFailed, match=says):
        version_of(replace(HEAD, **changed), CHUNKS)


def test_a_type_that_is_not_known_is_refused() -> None:
    with pytest.raises(NotSupported, match="no such type: 'rooms'"):
        version_of(replace(HEAD, type="rooms"), CHUNKS)
    with pytest.raises(NotSupported, match="no such type: 'rooms'"):
        ContentCheck(replace(HEAD, type="rooms"))


@pytest.mark.parametrize("field", ["size", "lines", "crc32"])
def test_content_that_is_not_what_the_head_says_is_refused(field: str) -> None:
    check = ContentCheck(replace(HEAD, **{field: getattr(HEAD, field) + 1}))
    for content in CONTENT:
        check.add(content)
    with pytest.raises(VerificationFailed, match="size, lines or CRC-32"):
        check.finish()


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=6), st.data())
def test_a_check_goes_on_from_a_part_as_if_it_had_seen_it(
    contents: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(contents)
    head = replace(HEAD, size=len(whole), lines=whole.count(b"\n"), crc32=crc32(whole))
    cut = data.draw(st.integers(0, len(contents)))
    begun, going_on = ContentCheck(head), ContentCheck(head)
    for content in contents[:cut]:
        begun.add(content)
    part = Version(
        "zones", "example.com.", 7, 0, begun.size, begun.lines, begun.crc32, b"", b"", b""
    )  # fmt: skip
    going_on.go_on_from(part)
    for content in contents[cut:]:
        going_on.add(content)
    going_on.finish()


def test_lines_are_counted_only_of_what_is_made_of_lines() -> None:
    check = ContentCheck(replace(HEAD, type="files", name="a", lines=0))
    for content in CONTENT:
        check.add(content)
    check.finish()
