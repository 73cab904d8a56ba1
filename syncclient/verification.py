"""What an object from another store must be before it is staged: nothing that its head says is
believed."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from operator import lt
from zlib import crc32

from syncd.content.compression import decompress_all
from syncd.content.messages import Head, Run
from syncd.content.versions import Version, chunk_digest, object_digest
from syncd.errors import IllegalValue, ProtocolViolation, VerificationFailed
from syncd.protocol.limits import MAX_CHUNK_BYTES
from syncd.protocol.packing import unpack
from syncd.types import data_type

_RUN_BYTES = 16 * 1024 * 1024
"""Content of a run that is checked as a whole; that of a block of zones is a tenth."""


class ContentCheck:
    """Size, lines and CRC-32 of content that comes chunk by chunk, against those that a head
    states."""

    def __init__(self, head: Head) -> None:
        self.size = self.lines = self.crc32 = 0
        self._head = head
        self._has_lines = data_type(head.type).has_lines

    def go_on_from(self, partial: Version) -> None:
        """Take the content for read as far as `partial` has it."""
        self.size, self.lines, self.crc32 = partial.size, partial.lines, partial.crc32

    def add(self, content: bytes) -> None:
        """Take the content of the next chunk.

        Raises VerificationFailed as soon as there is more than stated: who sends on and on is not
        listened to for longer.
        """
        head = self._head
        self.size += len(content)
        if not content or self.size > head.size:
            raise VerificationFailed(f"{head.type} {head.name}: an empty chunk, or one too many")
        self.crc32 = crc32(content, self.crc32)
        if self._has_lines:
            self.lines += content.count(b"\n")

    def finish(self) -> None:
        """Raise VerificationFailed unless the content is what the head says."""
        head = self._head
        if (self.size, self.lines, self.crc32) != (head.size, head.lines, head.crc32):
            raise VerificationFailed(
                f"{head.type} {head.name}: size, lines or CRC-32 are not those stated"
            )


@dataclass(frozen=True, slots=True)
class CheckedRun:
    """A run of objects that are what their heads say."""

    contents: list[bytes]
    """Of each object."""
    chunks: list[bytes]
    """The chunk digests of each object, put one after another."""
    rows: list[tuple[bytes, int, bytes]]
    """Of each chunk: its digest, size and body."""


def check_run(run: Run) -> CheckedRun | None:
    """Check a run as a whole; None if something is not what it says, or if it is very large.

    Then its objects must be taken one by one, which says what it is. Raises NotSupported for an
    unknown type.
    """
    kind = data_type(run.type)
    try:
        pieces = decompress_all(run.bodies, MAX_CHUNK_BYTES, _RUN_BYTES)
        if not all(map(kind.is_name, run.names)):
            return None
        for attributes in set(run.attributes):
            _check_attributes(run.type, attributes)
    except (IllegalValue, ProtocolViolation, VerificationFailed):
        return None
    digests = list(map(chunk_digest, pieces))
    contents = _joined(pieces, run.counts)
    chunks = _joined(digests, run.counts)
    lines = [content.count(b"\n") for content in contents] if kind.has_lines else [0] * len(chunks)
    if (
        all(map(lt, run.names, run.names[1:]))
        and list(map(len, contents)) == list(run.sizes)
        and lines == list(run.lines)
        and list(map(crc32, contents)) == list(run.crc32s)
        and list(map(object_digest, chunks)) == list(run.digests)
    ):
        sizes = map(len, pieces)
        return CheckedRun(contents, chunks, list(zip(digests, sizes, run.bodies, strict=True)))
    return None


def _joined(pieces: Iterable[bytes], counts: Iterable[int]) -> list[bytes]:
    remaining = iter(pieces)
    return [b"".join(islice(remaining, count)) for count in counts]


def version_of(head: Head, chunks: bytes) -> Version:
    """Return the version that a head describes, with its chunks.

    Raises VerificationFailed for another digest, a name that the type would not take (so that no
    file can be written outside its folder), or attributes that are none; NotSupported for an
    unknown type.
    """
    if object_digest(chunks) != head.digest:
        raise VerificationFailed(f"{head.type} {head.name}: its chunks have not the stated digest")
    try:
        if not data_type(head.type).is_name(head.name):
            raise VerificationFailed(f"{head.type} {head.name!r}: not the one form of this name")
        _check_attributes(head.type, head.attributes)
    except (IllegalValue, ProtocolViolation) as error:
        raise VerificationFailed(f"{head.type} {head.name!r:.80}: {error}") from None
    return Version(
        head.type, head.name, head.seq, head.mtime, head.size, head.lines, head.crc32, head.digest,
        head.attributes, chunks,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _check_attributes(type_name: str, attributes: bytes) -> None:
    """Raise IllegalValue, ProtocolViolation for attributes that the type does not know.

    Many objects have the same; only what is right is remembered, and that is short.
    """
    unpacked = unpack(attributes)
    if not isinstance(unpacked, dict):
        raise IllegalValue("its attributes are no map")
    data_type(type_name).check_attributes(unpacked)
