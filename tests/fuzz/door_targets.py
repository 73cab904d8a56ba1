"""What takes binary data from another machine: the doors of msgpack and zstd, blocks, lists."""

from collections.abc import Iterator
from typing import Any

from syncclient.repair import read_list
from syncd.content.compression import compress, compress_against, decompress, decompress_against
from syncd.content.messages import (
    BlockReader,
    Element,
    Gone,
    Head,
    Opening,
    write_blocks,
)
from syncd.content.splices import Splice, SpliceShape, apply_splices, dictionary_range
from syncd.errors import NotSupported, ProtocolViolation, VerificationFailed
from syncd.protocol.packing import MAX_NESTING, pack, unpack
from tests.fuzz.target import Target

_LIMIT_BYTES = 4096
_DICTIONARY = b"".join(b"host%d.example. 300 IN A 192.0.2.%d\n" % (n, n) for n in range(40))
_OLD = [bytes([number]) * 32 for number in range(5)]
_TEXT_OF_AN_ERROR = 1100


def _size(value: Any, depth: int = 0) -> int:
    """Return how many values there are in one, itself included."""
    if isinstance(value, dict):
        return 1 + sum(1 + _size(inner, depth + 1) for inner in value.values())
    if isinstance(value, list):
        assert depth < MAX_NESTING
        return 1 + sum(_size(inner, depth + 1) for inner in value)
    return 1


def _check_msgpack(data: bytes) -> None:
    try:
        value = unpack(data)
    except ProtocolViolation as error:
        assert len(str(error)) < _TEXT_OF_AN_ERROR
        return
    assert _size(value) <= len(data)
    assert pack(unpack(pack(value))) == pack(value)


def _msgpack_seeds() -> Iterator[bytes]:
    yield pack([None, True, 1, -1, 1 << 40, 1.5, "text", b"bytes", [], {}, {"serial": 1}])
    yield pack({"mode": 0o644, "mtime": -5, "x": "y" * 40, "z": b"b" * 300, 7: [[[[1]]]]})
    yield pack([[0] * 20, "x" * 70000, {str(n): n for n in range(20)}])
    yield b"\x91" * MAX_NESTING + b"\xc0"
    yield b"\xdd\x00\x00\x00\x02\xcf" + bytes(8) + b"\xd9\x01a"


def _check_zstd(data: bytes) -> None:
    for dictionary in (None, _DICTIONARY):
        try:
            opened = (
                decompress(data, _LIMIT_BYTES)
                if dictionary is None
                else decompress_against(data, dictionary, _LIMIT_BYTES)
            )
        except VerificationFailed:
            continue
        assert len(opened) <= _LIMIT_BYTES
        assert decompress(compress(opened), _LIMIT_BYTES) == opened


def _zstd_seeds() -> Iterator[bytes]:
    for content in (b"", b"a", _DICTIONARY, bytes(_LIMIT_BYTES), bytes(range(256))):
        yield compress(content)
        yield compress_against(content, _DICTIONARY)
    yield compress(bytes(_LIMIT_BYTES + 1))


def _check_blocks(data: bytes) -> None:
    try:
        elements = list(BlockReader().read(data))
    except ProtocolViolation as error:
        assert len(str(error)) < _TEXT_OF_AN_ERROR
        return
    for element in elements:
        if isinstance(element, Head) and element.splices is not None:
            _check_splices(element.splices)
    written = list(write_blocks(elements))
    reader = BlockReader()
    assert [element for block in written for element in reader.read(block)] == elements


def _check_splices(shapes: tuple[SpliceShape, ...]) -> None:
    for shape in shapes:
        assert min(shape.keep, shape.drop, shape.inserted) >= 0
        if shape.inserted:
            low, high = dictionary_range(shape.drop, shape.inserted, shape.inserted - 1)
            assert 0 <= low <= high <= shape.drop
            assert high - low <= 3
    if sum(shape.inserted for shape in shapes) > 100:
        return
    splices = [Splice(shape.keep, shape.drop, (b"x",) * shape.inserted) for shape in shapes]
    try:
        new = apply_splices(_OLD, splices)
    except VerificationFailed:
        return
    assert len(new) <= len(_OLD) + sum(shape.inserted for shape in shapes)


def _block_seeds() -> Iterator[bytes]:
    token, digest = "5eed5eed5eed5eed:7", bytes(32)
    attributes = pack({"serial": 1})
    splices = (SpliceShape(1, 1, 2), SpliceShape(0, 3, 0))
    head = ("zones", "example.com.", 6, 1767225600, 100, 3, 0xFFFFFFFF, digest, attributes)
    elements: list[Element] = [
        Opening(token, 3), Head(*head, bodies=2), compress(b"one"), compress(b"two"),
        Gone("zones", "example.net."), Head(*head, chunks=digest * 2),
        Head(*head, splices=splices), compress(b"one"), compress_against(b"two", b"two"),
    ]  # fmt: skip
    yield pack(["zones", ["a", 1, 2, 3, 4, 5, digest, attributes, [[-1, 0, 0]]]])
    yield from write_blocks(elements)
    for element in elements:
        yield from write_blocks([element])


def _check_lists(data: bytes) -> None:
    try:
        listed = list(read_list(data))
    except (ProtocolViolation, VerificationFailed, NotSupported) as error:
        assert len(str(error)) < _TEXT_OF_AN_ERROR
        return
    assert len(listed) <= len(data)
    for (kind, name), mark in listed:
        assert len(mark) == 8
        assert "\n" not in kind + name


def _list_seeds() -> Iterator[bytes]:
    names = compress(b"example.com.\nexample.net.")
    yield pack([["zones", names, bytes(16)], ["files", compress(b"etc/motd"), bytes(8)]])
    yield pack([])


TARGETS = [
    Target("msgpack", _check_msgpack, _msgpack_seeds),
    Target("zstd", _check_zstd, _zstd_seeds),
    Target("blocks", _check_blocks, _block_seeds),
    Target("lists", _check_lists, _list_seeds),
]
