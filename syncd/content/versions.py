"""What an object is at a commit, and the digests that prove it.

    chunk digest   SHA-256 of the chunk's bytes
    object digest  SHA-256 of its chunk digests, in order
    mark           SHA-256 of type, name, object digest and attributes
    fingerprint    sum modulo 2^256 of the marks of a type's live objects

Sums can be kept up to date by adding and subtracting, in any order, and those of several types add
up to that of all of them. protocol.md, "What is proven".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from syncd.protocol.packing import pack, unpack

DIGEST_BYTES = 32
_MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Version:
    """An object as one commit left it."""

    type: str
    name: str
    seq: int
    """The commit that made it so."""
    mtime: int
    """When its content was last changed, seconds since 1970."""
    size: int
    """Bytes of content."""
    lines: int
    """Lines of content; 0 for a type that is not made of lines."""
    crc32: int
    """CRC-32 of the whole content."""
    digest: bytes
    attributes: bytes
    """A msgpack map, keys in order: what the type keeps beside the content."""
    chunks: bytes
    """The chunk digests, one after another."""

    @property
    def mark(self) -> bytes:
        """What this object adds to the fingerprint of its type."""
        return object_mark(self.type, self.name, self.digest, self.attributes)

    def chunk_digests(self) -> list[bytes]:
        """Return the digests of the chunks, in order."""
        return split_digests(self.chunks)

    def attribute(self, key: str) -> Any:
        """Return one attribute, or None."""
        return unpack(self.attributes).get(key)


class ContentReader(Protocol):
    """Reads the content of one version, chunk by chunk."""

    def chunk(self, index: int) -> bytes:
        """Return the bytes of one chunk."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of all chunks, in order."""

    def __len__(self) -> int:
        """Return the number of chunks."""


def pack_attributes(attributes: dict[str, Any]) -> bytes:
    """Return the one encoding that equal attributes have."""
    return pack(dict(sorted(attributes.items())))


def split_digests(chunks: bytes) -> list[bytes]:
    """Return the digests that were put one after another."""
    return [chunks[at : at + DIGEST_BYTES] for at in range(0, len(chunks), DIGEST_BYTES)]


def chunk_digest(content: bytes) -> bytes:
    """Return the SHA-256 of a chunk's bytes."""
    return sha256(content).digest()


def object_digest(chunks: bytes) -> bytes:
    """Return the digest of an object from its chunk digests, put one after another."""
    return sha256(chunks).digest()


def object_mark(type_name: str, name: str, digest: bytes, attributes: bytes) -> bytes:
    """Return what an object adds to a fingerprint; neither type nor name can hold a NUL."""
    return sha256(
        b"%b\0%b\0%b%b" % (type_name.encode(), name.encode(), digest, attributes)
    ).digest()


def add_marks(fingerprint: int, *, gained: int = 0, lost: int = 0) -> int:
    """Return a fingerprint with sums of marks put in and taken out."""
    return (fingerprint + gained - lost) % _MODULUS


def mark_number(mark: bytes) -> int:
    """Return a mark as the number that is summed."""
    return int.from_bytes(mark, "big")


def fingerprint_text(fingerprint: int) -> str:
    """Return a fingerprint as 64 hex digits."""
    return f"{fingerprint:064x}"
