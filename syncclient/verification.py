"""What an object from another store must be before it is staged: nothing that its head says is
believed."""

from functools import lru_cache
from zlib import crc32

from syncd.content.messages import Head
from syncd.content.versions import Version, object_digest
from syncd.errors import IllegalValue, ProtocolViolation, VerificationFailed
from syncd.protocol.packing import unpack
from syncd.types import data_type


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


def version_of(head: Head, chunks: bytes) -> Version:
    """Return the version that a head describes, with its chunks.

    Raises VerificationFailed for another digest, a name that the type would not take (so that no
    file can be written outside its folder), or attributes that are none; NotSupported for an
    unknown type.
    """
    if object_digest(chunks) != head.digest:
        raise VerificationFailed(f"{head.type} {head.name}: its chunks have not the stated digest")
    try:
        if data_type(head.type).check_name(head.name) != head.name:
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
