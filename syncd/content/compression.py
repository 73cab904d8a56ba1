"""The one door for zstd: stored chunks, and chunks sent against a dictionary.

A frame never comes out larger than the caller allows: the size that it states is checked before
memory is given, and the decompressor holds it to that, so a bomb costs nothing. What is opened is
one whole frame and nothing behind it.
"""

import threading
from collections.abc import Sequence

import zstandard

from syncd.errors import VerificationFailed

LEVEL = 1
"""Measured on the lines of zones: higher levels take longer and save nothing, or a hundredth."""

MAX_WINDOW_BYTES = 8 * 1024 * 1024
"""What every decoder should support (RFC 8878 section 3.1.1.1.2); no frame of ours needs more."""

_DICTIONARY_LEVEL = 9
"""A delta's few chunks are worth more effort: bytes there are what a resync costs."""


class _Contexts(threading.local):
    """zstd contexts are costly to make and not safe to share between threads."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(
            level=LEVEL, write_checksum=False, write_content_size=True
        )
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)


_contexts = _Contexts()
_NOTHING = _contexts.compressor.compress(b"")
"""The one frame of no bytes."""


def compress(data: bytes) -> bytes:
    """Return `data` as one zstd frame."""
    frame = _contexts.compressor.compress(data)
    return memoryview(frame).tobytes()  # the original keeps all the memory the worst case needs


def decompress(frame: bytes, limit_bytes: int) -> bytes:
    """Return what `frame` holds, at most `limit_bytes`.

    Raises VerificationFailed for a damaged frame or one that holds more.
    """
    try:
        return _decompress(_contexts.decompressor, frame, limit_bytes)
    except zstandard.ZstdError as error:
        raise VerificationFailed(f"damaged zstd frame: {error}") from None


def decompress_all(frames: Sequence[bytes], limit_bytes: int, total_bytes: int) -> list[bytes]:
    """Return what many frames hold: each something, at most `limit_bytes`, together at most
    `total_bytes`.

    Raises VerificationFailed without saying which of them is not so.
    """
    try:
        sizes = list(map(zstandard.frame_content_size, frames))
        if all(0 < size <= limit_bytes for size in sizes) and sum(sizes) <= total_bytes:
            opened = _contexts.decompressor.decompress
            return [opened(frame, allow_extra_data=False) for frame in frames]
    except zstandard.ZstdError as error:
        raise VerificationFailed(f"damaged zstd frame: {error}") from None
    raise VerificationFailed(
        f"zstd frames of no content, of more than {limit_bytes} bytes, or of {total_bytes} in all"
    )


def compress_against(data: bytes, dictionary: bytes) -> bytes:
    """Return `data` as one zstd frame that `decompress_against` opens with the same dictionary."""
    prefix = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(
        level=_DICTIONARY_LEVEL,
        dict_data=prefix,
        write_checksum=False,
        write_content_size=True,
        write_dict_id=False,
    ).compress(data)


def decompress_against(frame: bytes, dictionary: bytes, limit_bytes: int) -> bytes:
    """Inverse of `compress_against`; errors as for `decompress`."""
    prefix = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    decompressor = zstandard.ZstdDecompressor(dict_data=prefix, max_window_size=MAX_WINDOW_BYTES)
    try:
        return _decompress(decompressor, frame, limit_bytes)
    except zstandard.ZstdError as error:
        raise VerificationFailed(f"damaged zstd frame: {error}") from None


def _decompress(decompressor: zstandard.ZstdDecompressor, frame: bytes, limit_bytes: int) -> bytes:
    size_bytes = zstandard.frame_content_size(frame)
    if not 0 <= size_bytes <= limit_bytes:
        raise VerificationFailed(
            f"a zstd frame claims {size_bytes} bytes where at most {limit_bytes} may be"
        )
    if size_bytes == 0 and frame != _NOTHING:  # such a frame zstandard does not even look into
        raise VerificationFailed("a zstd frame that claims to be empty and is not")
    return decompressor.decompress(frame, max_output_size=limit_bytes, allow_extra_data=False)
