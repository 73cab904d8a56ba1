"""A client made from protocol.md alone: nothing of syncd is used but the server it talks to."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from zlib import crc32

import msgpack
import zstandard
from fastcdc.const import TABLE

from syncd.store import Store
from tests.running import EXAMPLE_COM, put
from tests.server.conftest import Connect
from tests.server.line_client import LineClient

Key = tuple[str, str]


@dataclass
class Copy:
    """What a client keeps: chunks by digest, and of each object its chunk list and attributes."""

    client: LineClient
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    objects: dict[Key, tuple[list[bytes], bytes]] = field(default_factory=dict)
    token: str = ""

    def elements(self, request: str) -> Iterator[Any]:
        """Yield a request's elements; ends by comparing the proof, if one is given."""
        self.client.send(f"SYNC {request}")
        blocks, final = self.client.blocks()
        assert final.startswith("200 "), final
        for block in blocks:
            yield from msgpack.unpackb(block)
        self.final = final.removeprefix("200 ").split("|")

    def take(self, request: str) -> None:
        """Apply a getall or delta, and compare count and fingerprint."""
        kind, elements = "", self.elements(request)
        for element in elements:
            if isinstance(element, str):
                kind = element
            elif len(element) == 1:
                del self.objects[kind, element[0]]
            elif len(element) == 9:
                self._take_object(kind, element, elements)
        self.token, count, fingerprint = self.final
        assert (int(count), int(fingerprint, 16)) == (len(self.objects), self.fingerprint())

    def _take_object(self, kind: str, head: list[Any], following: Iterator[Any]) -> None:
        name, _, _, size, lines, checksum, digest, attributes, how = head
        if isinstance(how, int):
            digests = [self._add(next(following), b"") for _ in range(how)]
        elif isinstance(how, bytes):
            digests = [how[at : at + 32] for at in range(0, len(how), 32)]
        else:
            old = self.objects.get((kind, name), ([], b""))[0]
            digests = self._splice(old, how, following)
        assert sha256(b"".join(digests)).digest() == digest
        self.objects[kind, name] = digests, attributes
        if all(known in self.chunks for known in digests):
            content = self.content(kind, name)
            assert (len(content), crc32(content)) == (size, checksum)
            assert lines == (0 if kind == "files" else content.count(b"\n"))

    def _splice(
        self, old: list[bytes], splices: list[list[int]], following: Iterator[Any]
    ) -> list[bytes]:
        new: list[bytes] = []
        position = 0
        for keep, drop, insert in splices:
            new += old[position : position + keep]
            dropped = old[position + keep : position + keep + drop]
            position += keep + drop
            for index in range(insert):
                dictionary = b""
                if drop:
                    first = max(0, min(index * drop // insert - 1, drop - 3))
                    last = min(drop, first + 3)
                    dictionary = b"".join(self.chunks[known] for known in dropped[first:last])
                new.append(self._add(next(following), dictionary))
        return new + old[position:]

    def _add(self, frame: bytes, dictionary: bytes) -> bytes:
        raw = zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        assert zstandard.frame_content_size(frame) <= 524_288
        content = zstandard.ZstdDecompressor(dict_data=raw if dictionary else None).decompress(
            frame
        )
        digest = sha256(content).digest()
        self.chunks[digest] = content
        return digest

    def content(self, kind: str, name: str) -> bytes:
        return b"".join(self.chunks[digest] for digest in self.objects[kind, name][0])

    def mark(self, kind: str, name: str) -> bytes:
        digests, attributes = self.objects[kind, name]
        digest = sha256(b"".join(digests)).digest()
        names = b"%b\0%b\0" % (kind.encode(), name.encode())
        return sha256(names + digest + attributes).digest()

    def fingerprint(self) -> int:
        return sum(int.from_bytes(self.mark(*key), "big") for key in self.objects) % (1 << 256)


def host_lines(numbers: Sequence[int]) -> str:
    return "".join(f"h{number:05}.example.com. 3600 IN A 192.0.2.7\n" for number in numbers)


def test_a_client_made_from_the_text_copies_everything_and_follows(
    connect: Connect, source_store: Store
) -> None:
    put(source_store, "zones", "example.com.", EXAMPLE_COM + host_lines(range(3000)))
    put(source_store, "files", "random", random.Random(1).randbytes(700_000))
    copy = Copy(connect("ns2"))
    copy.take("*|getall")
    assert len(copy.objects) == 8
    rng = random.Random(2)
    hosts = set(range(3000))
    for _ in range(15):
        at = rng.randrange(3000)
        hosts ^= set(range(at, at + rng.choice([1, 3, 200])))
        put(source_store, "zones", "example.com.", EXAMPLE_COM + host_lines(sorted(hosts)))
        copy.take(f"*|delta|{copy.token}|format=msgpack")
        copy.client.send("SYNC zones|get|example.com")
        assert b"".join(copy.client.blocks()[0]) == copy.content("zones", "example.com.")
    elsewhere = host_lines(sorted(hosts)).replace("192.0.2.7", "192.0.2.8")
    put(source_store, "zones", "example.com.", EXAMPLE_COM + elsewhere)
    copy.take(f"*|delta|{copy.token}|format=msgpack")
    source_store.remove("zones", "example.net.", author="test")
    put(source_store, "zones", "new.example.", EXAMPLE_COM.replace("example.com", "new.example"))
    copy.take(f"*|delta|{copy.token}|format=msgpack")
    assert ("zones", "example.net.") not in copy.objects


def test_a_client_made_from_the_text_repairs_itself(connect: Connect, source_store: Store) -> None:
    for number in range(300):
        put(source_store, "files", f"f{number}", b"%d" % number)
    copy = Copy(connect("ns2"))
    copy.take("*|getall")
    put(source_store, "files", "f7", b"other")
    put(source_store, "files", "new", bytes(300_000))
    source_store.remove("files", "f8", author="test")
    (theirs,) = [copy_sums(copy, 5)]
    buckets = [number for number, total in enumerate(our_sums(copy, 5)) if total != theirs[number]]
    assert 1 <= len(buckets) <= 3
    token = copy.final
    at = token[0].split(":")[1]
    repair_buckets(copy, 5, buckets, at)
    assert (len(copy.objects), copy.fingerprint()) == (int(token[1]), int(token[2], 16))


def copy_sums(copy: Copy, bits: int) -> list[int]:
    copy.client.send(f"SYNC *|digest|bits={bits}|format=msgpack")
    (block,), final = copy.client.blocks()
    copy.final = final.removeprefix("200 ").split("|")
    packed = msgpack.unpackb(block)
    return [int.from_bytes(packed[at : at + 8], "big") for at in range(0, len(packed), 8)]


def bucket(key: Key, bits: int) -> int:
    hashed = sha256(b"%b\0%b" % (key[0].encode(), key[1].encode())).digest()
    return int.from_bytes(hashed, "big") >> (256 - bits)


def our_sums(copy: Copy, bits: int) -> list[int]:
    sums = [0] * (1 << bits)
    for key in copy.objects:
        sums[bucket(key, bits)] += int.from_bytes(copy.mark(*key)[-8:], "big")
    return [total % (1 << 64) for total in sums]


def repair_buckets(copy: Copy, bits: int, buckets: list[int], at: str) -> None:
    numbers = ",".join(map(str, buckets))
    theirs: dict[Key, bytes] = {}
    for kind, names, marks in copy.elements(
        f"*|digest|bits={bits}|buckets={numbers}|at={at}|format=msgpack"
    ):
        listed = zstandard.ZstdDecompressor().decompress(names).decode().split("\n")
        for place, name in enumerate(listed):
            theirs[kind, name] = marks[8 * place : 8 * place + 8]
    for key in [key for key in copy.objects if bucket(key, bits) in buckets]:
        if key not in theirs:
            del copy.objects[key]
    wanted = [
        key
        for key, mark in theirs.items()
        if key not in copy.objects or copy.mark(*key)[-8:] != mark
    ]
    assert sorted(wanted) == [("files", "f7"), ("files", "new")]
    elements = copy.elements(f"files|chunks|f7|new|nosuch|inline=100|at={at}")
    assert next(elements) == "files"
    for element in elements:
        if len(element) == 9:
            copy._take_object("files", element, elements)
        else:
            assert element == ["nosuch"]
    missing = [
        digest
        for digests, _ in copy.objects.values()
        for digest in dict.fromkeys(digests)
        if digest not in copy.chunks
    ]
    asked = ",".join(digest.hex() for digest in missing)
    for frame, digest in zip(copy.elements(f"files|chunks|digest={asked}"), missing, strict=True):
        assert copy._add(frame, b"") == digest
    assert copy.content("files", "new") == bytes(300_000)


def cut_lines(text: bytes, head_lines: int) -> list[bytes]:
    """Section 10, types made of lines."""
    chunks: list[bytes] = []
    lines = text.splitlines(keepends=True)
    if lines and len(lines) < 128 and len(text) < 131_072:
        return [text]
    if head_lines:
        chunks.append(lines.pop(0))
    chunk: list[bytes] = []
    for line in lines:
        chunk.append(line)
        if (
            (len(chunk) >= 32 and crc32(line) & 0x7F == 0)
            or len(chunk) == 512
            or sum(map(len, chunk)) >= 131_072
        ):
            chunks.append(b"".join(chunk))
            chunk = []
    return [*chunks, b"".join(chunk)] if chunk else chunks


def cut_file(data: bytes) -> list[bytes]:
    """Section 10, files."""
    chunks: list[bytes] = []
    while data:
        p, i = 0, min(16_384, len(data))
        while i < min(262_144, len(data)):
            p = ((p >> 1) + TABLE[data[i]]) % (1 << 32)
            i += 1
            if p & (0x1FFFF if i - 1 < 40_960 else 0x7FFF) == 0:
                break
        chunks.append(data[:i])
        data = data[i:]
    return chunks


def digests_of(store: Store, kind: str, name: str) -> list[bytes]:
    return store.view().version(kind, name).chunk_digests()


def hashed(chunks: list[bytes]) -> list[bytes]:
    return [sha256(chunk).digest() for chunk in chunks]


def test_chunks_are_cut_as_the_text_says(source_store: Store) -> None:
    rng = random.Random(3)
    long = "".join(f'l{n:03}.example.com. 60 IN TXT "{"x" * 250}"\n' for n in range(600))
    for text in (EXAMPLE_COM, EXAMPLE_COM + host_lines(range(5000)) + long):
        put(source_store, "zones", "example.com.", text)
        content = b"".join(
            source_store.view().content(source_store.view().version("zones", "example.com."))
        )
        expected = hashed(cut_lines(content, 1))
        assert digests_of(source_store, "zones", "example.com.") == expected
    for size in (0, 1, 16_384, 16_385, 900_000):
        data = rng.randbytes(size)
        put(source_store, "files", "data", data)
        assert digests_of(source_store, "files", "data") == hashed(cut_file(data))
    put(source_store, "files", "data", bytes(600_000))
    assert digests_of(source_store, "files", "data") == hashed(cut_file(bytes(600_000)))
    assert (
        sha256(b"".join(number.to_bytes(4, "big") for number in TABLE)).hexdigest()
        == "29edae1cd4b21f672fb717bfaa130531b3e1bd869dd5c38da33c27c760e3c9de"
    )
