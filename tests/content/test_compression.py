"""zstd frames are opened to what went in, and never to more than the caller allows."""

import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.compression import (
    MAX_WINDOW_BYTES,
    compress,
    compress_against,
    decompress,
    decompress_against,
    decompress_all,
)
from syncd.errors import VerificationFailed

LIMIT_BYTES = 1 << 20


@given(st.binary(max_size=5000))
def test_what_was_compressed_is_opened_to_the_same(data: bytes) -> None:
    assert decompress(compress(data), LIMIT_BYTES) == data


@given(st.binary(max_size=5000), st.binary(max_size=5000))
def test_what_was_compressed_against_a_dictionary_is_opened_with_it(
    data: bytes, dictionary: bytes
) -> None:
    assert decompress_against(compress_against(data, dictionary), dictionary, LIMIT_BYTES) == data


def test_a_chunk_against_the_one_it_replaces_costs_a_few_bytes() -> None:
    old = b"".join(b"host%d A 192.0.2.%d\n" % (n, n) for n in range(128))
    assert len(compress_against(old.replace(b"host7 ", b"host7x "), old)) < 60


def test_the_wrong_dictionary_does_not_give_the_content() -> None:
    old, new = b"a" * 1000 + b"b" * 1000, b"a" * 1000 + b"b" * 999 + b"c"
    frame = compress_against(new, old)
    with suppress(VerificationFailed):
        assert decompress_against(frame, b"z" * 2000, LIMIT_BYTES) != new


def test_a_frame_that_opens_to_more_than_the_limit_is_refused_unopened() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 30))
    assert len(bomb) < 100_000
    with pytest.raises(VerificationFailed, match="claims 1073741824 bytes"):
        decompress(bomb, LIMIT_BYTES)
    with pytest.raises(VerificationFailed, match="claims 1073741824 bytes"):
        decompress_against(bomb, b"dictionary", LIMIT_BYTES)


def test_a_frame_that_claims_less_than_it_holds_is_refused() -> None:
    frame = bytearray(compress(bytes(200)))
    assert frame[5] == 200  # one byte of content size follows magic number and descriptor
    frame[5] = 100
    with pytest.raises(VerificationFailed):
        decompress(bytes(frame), LIMIT_BYTES)


def test_a_frame_that_does_not_say_its_size_is_refused() -> None:
    endless = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    frame = endless.compress(bytes(1000)) + endless.flush()
    with pytest.raises(VerificationFailed, match="claims -1 bytes"):
        decompress(frame, LIMIT_BYTES)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(compress(b"one") + compress(b"two"), id="two frames"),
        pytest.param(compress(b"one") + b"more", id="a frame and something else"),
        pytest.param(compress(b"") + b"more", id="an empty frame and something else"),
        pytest.param(b"\x50\x2a\x4d\x18\x04\0\0\0four", id="a frame to be skipped"),
        pytest.param(b"\x50\x2a\x4d\x18\xff\xff\xff\x7f", id="2 GiB to be skipped"),
    ],
)
def test_only_one_whole_frame_is_opened(frame: bytes) -> None:
    with pytest.raises(VerificationFailed):
        decompress(frame, LIMIT_BYTES)
    with pytest.raises(VerificationFailed):
        decompress_against(frame, b"dictionary", LIMIT_BYTES)


def test_a_frame_that_claims_to_be_empty_and_is_not_is_refused() -> None:
    frame = bytearray(compress(bytes(200)))
    frame[5] = 0
    with pytest.raises(VerificationFailed, match="claims to be empty"):
        decompress(bytes(frame), LIMIT_BYTES)


@pytest.mark.parametrize("open_frame", [decompress, partial(decompress_against, dictionary=b"d")])
def test_a_window_of_gibibytes_is_not_given(open_frame: Callable[..., bytes]) -> None:
    """A frame that is cut short makes the decoder set up its window, small as its content is."""
    for bits in range(10, 42):
        header = b"\x28\xb5\x2f\xfd\x80" + bytes([(bits - 10) << 3]) + struct.pack("<I", 1 << 20)
        with pytest.raises(VerificationFailed) as refused:
            open_frame(header + b"\x02", limit_bytes=LIMIT_BYTES)
        if 1 << bits > MAX_WINDOW_BYTES:
            assert "memory" in str(refused.value) or "content size" in str(refused.value)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_frame_are_refused_as_such(garbage: bytes) -> None:
    for opened in (
        lambda: decompress(garbage, LIMIT_BYTES),
        lambda: decompress_against(garbage, b"dictionary", LIMIT_BYTES),
    ):
        try:
            opened()
        except VerificationFailed:
            continue
        assert garbage.startswith(zstandard.FRAME_HEADER)


@given(st.data())
def test_a_flipped_byte_is_refused_or_gives_other_content_but_no_other_error(
    data: st.DataObject,
) -> None:
    content = b"".join(b"host%d A 192.0.2.%d\n" % (n, n) for n in range(40))
    frame = bytearray(compress(content))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    with suppress(VerificationFailed):
        decompress(bytes(frame), LIMIT_BYTES)


@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(0, 61), st.integers(0, 200))
def test_many_frames_are_opened_at_once_within_both_limits(
    contents: list[bytes], limit_bytes: int, total_bytes: int
) -> None:
    frames = list(map(compress, contents))
    sizes = list(map(len, contents))
    if all(0 < size <= limit_bytes for size in sizes) and sum(sizes) <= total_bytes:
        assert decompress_all(frames, limit_bytes, total_bytes) == contents
    else:
        with pytest.raises(VerificationFailed, match="of no content, of more than"):
            decompress_all(frames, limit_bytes, total_bytes)


@given(st.data())
def test_one_bad_frame_among_many_is_refused_if_it_is_by_itself(data: st.DataObject) -> None:
    frame = bytearray(compress(b"".join(b"host%d A 192.0.2.%d\n" % (n, n) for n in range(40))))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    damaged = bytes(frame) + data.draw(st.binary(max_size=2))
    try:
        alone = decompress(damaged, LIMIT_BYTES)
    except VerificationFailed:
        with pytest.raises(VerificationFailed):
            decompress_all([compress(b"a"), damaged], LIMIT_BYTES, LIMIT_BYTES)
    else:
        assert decompress_all([compress(b"a"), damaged], LIMIT_BYTES, LIMIT_BYTES)[1] == alone


def test_frames_can_be_made_and_opened_in_several_threads_at_once() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for n in range(200):
            content = b"%d:%d " % (number, n) * 500
            if decompress(compress(content), LIMIT_BYTES) != content:
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
