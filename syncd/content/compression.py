"""The one door for zstd: stored chunks, and chunks sent against a dictionary.

A frame never comes out larger than the caller allows: the limit is checked by the decompressor
before memory is given, so a bomb costs nothing.
"""

import threading

import zstandard

from syncd.errors import VerificationFailed

LEVEL = 3
"""Measured: higher levels save little on lines of one zone and cost more than the network does."""

_DICTIONARY_LEVEL = 9
"""A delta's few chunks are worth more effort: bytes there are what a resync costs."""


class _Contexts(threading.local):
    """zstd contexts are costly to make and not safe to share between threads."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(
            level=LEVEL, write_checksum=False, write_content_size=True
        )
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


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
    try:
        return _decompress(zstandard.ZstdDecompressor(dict_data=prefix), frame, limit_bytes)
    except zstandard.ZstdError as error:
        raise VerificationFailed(f"damaged zstd frame: {error}") from None


def _decompress(decompressor: zstandard.ZstdDecompressor, frame: bytes, limit_bytes: int) -> bytes:
    size_bytes = zstandard.frame_content_size(frame)
    if not 0 <= size_bytes <= limit_bytes:
        raise VerificationFailed(
            f"a zstd frame claims {size_bytes} bytes where at most {limit_bytes} may be"
        )
    return decompressor.decompress(frame, max_output_size=limit_bytes)
