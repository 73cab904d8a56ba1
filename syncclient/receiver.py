"""Objects as they come out of a stream: verified, and staged in the replica's batch.

Nothing is believed: each chunk is hashed, each object's digest, size and CRC-32 are compared with what its
head says. What does not fit raises VerificationFailed before anything is visible.
"""

from zlib import crc32

from syncclient.newfolder import NewFolder, Piece
from syncd.content.chunks import MAX_CHUNK_BYTES
from syncd.content.compression import compress, decompress, decompress_against
from syncd.content.messages import BlockReader, Gone, Head, Opening
from syncd.content.splices import Splice, apply_splices, dictionary_range
from syncd.content.tokens import Token
from syncd.content.versions import Version, chunk_digest, object_digest
from syncd.errors import ProtocolViolation, VerificationFailed
from syncd.store import ReplicaBatch, View
from syncd.types import data_type


def version_of(head: Head, chunks: bytes) -> Version:
    """Return the version that a head describes, with its chunks. Raises VerificationFailed."""
    if object_digest(chunks) != head.digest:
        raise VerificationFailed(f"{head.type} {head.name}: its chunks have not the stated digest")
    return Version(
        head.type, head.name, head.seq, head.mtime, head.size, head.lines, head.crc32, head.digest,
        head.attributes, chunks,
    )  # fmt: skip


class BootstrapReceiver:
    """Takes the blocks of `getall`, and of `chunks` with `inline=`: heads, each with all its chunks."""

    def __init__(
        self,
        batch: ReplicaBatch,
        partial: Version | None = None,
        *,
        zones: NewFolder | None = None,
    ) -> None:
        self._batch = batch
        self._zones = zones
        self._pieces: list[Piece] = []
        self._reader = BlockReader()
        self._resumed = partial
        self._head: Head | None = None
        self._digests: list[bytes] = []
        self._missing = 0
        self._size = self._lines = self._crc32 = 0
        self.token: Token | None = None
        self.total = 0
        self.received = 0
        """Objects complete so far."""
        self.listed: list[Head] = []
        """Heads that came with digests instead of chunks: the caller fetches these."""
        self.gone: list[Gone] = []

    def take(self, block: bytes) -> None:
        """Take one block. Raises VerificationFailed, ProtocolViolation."""
        for element in self._reader.read(block):
            if isinstance(element, bytes):
                self._take_chunk(element)
            elif isinstance(element, Head):
                self._begin(element)
            elif isinstance(element, Gone):
                self.gone.append(element)
            else:
                self._open(element)
        if self._zones is not None:
            self._zones.take(self._pieces)
            self._pieces = []
        self._batch.keep_partial(self._partial())

    def finish(self) -> None:
        """Check that the stream did not end inside an object."""
        if self._missing:
            raise ProtocolViolation(f"the stream ends with {self._missing} chunks missing")

    def _open(self, opening: Opening) -> None:
        self.token, self.total = Token.parse(opening.token), opening.count
        if self._batch.copies is None:
            self._batch.copies = self.token
        elif self._batch.copies != self.token:
            raise VerificationFailed(f"the source sends {self.token}, not {self._batch.copies}")

    def _begin(self, head: Head) -> None:
        if self._missing:
            raise ProtocolViolation(f"{head.name} begins before the object before it ended")
        if head.chunks is not None:
            self.listed.append(head)
            return
        if head.bodies is None:
            raise ProtocolViolation(f"{head.name} comes as a change where it should come whole")
        self._head, self._missing = head, head.bodies
        self._digests = []
        self._size = self._lines = self._crc32 = 0
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            if (resumed.type, resumed.name, resumed.digest) != (head.type, head.name, head.digest):
                raise VerificationFailed(f"{head.name} is not where the bootstrap was interrupted")
            self._digests = resumed.chunk_digests()
            self._size, self._lines = resumed.size, resumed.lines
            self._crc32 = resumed.crc32
        if not self._missing:
            self._end(head)

    def _take_chunk(self, body: bytes) -> None:
        head = self._head
        if head is None or not self._missing:
            raise ProtocolViolation("a chunk that belongs to no object")
        content = decompress(body, MAX_CHUNK_BYTES)
        digest = chunk_digest(content)
        self._digests.append(digest)
        self._batch.add_chunk(digest, len(content), body)
        self._size += len(content)
        self._crc32 = crc32(content, self._crc32)
        if self._zones is not None and head.type == "zones":
            self._pieces.append((head.name, content))
        if head.lines:
            self._lines += content.count(b"\n")
        self._missing -= 1
        if not self._missing:
            self._end(head)

    def _end(self, head: Head) -> None:
        if (self._size, self._crc32, self._lines) != (head.size, head.crc32, head.lines):
            raise VerificationFailed(
                f"{head.type} {head.name}: size, lines or CRC-32 are not those stated"
            )
        self._head = None
        self._batch.keep_partial(None)
        self._batch.add_version(version_of(head, b"".join(self._digests)))
        self.received += 1

    def _partial(self) -> Version | None:
        """Return the first part of the object under way, its digest being that of the whole."""
        head = self._head
        if head is None or not self._digests:
            return None
        return Version(
            head.type, head.name, head.seq, head.mtime, self._size, self._lines, self._crc32,
            head.digest, head.attributes, b"".join(self._digests),
        )  # fmt: skip


class DeltaReceiver:
    """Takes the blocks of `delta`: what is gone, and splices over what the replica has."""

    def __init__(self, batch: ReplicaBatch, view: View) -> None:
        self._batch = batch
        self._view = view
        self._reader = BlockReader()
        self._head: Head | None = None
        self._old: list[bytes] = []
        self._splices: list[Splice] = []
        self._inserted: list[bytes] = []
        self.gone: dict[str, int] = {}
        self.replaced: dict[str, int] = {}
        self.added = 0

    @property
    def changes(self) -> int:
        """Objects that changed, are new or gone."""
        return self.added + sum(self.gone.values()) + sum(self.replaced.values())

    def take(self, block: bytes) -> None:
        """Take one block. Raises VerificationFailed, ProtocolViolation."""
        elements = list(self._reader.read(block))
        olds = self._find_olds([e for e in elements if isinstance(e, Head)])
        for element in elements:
            if isinstance(element, bytes):
                self._take_chunk(element)
            elif isinstance(element, Head):
                self._begin(element, olds.get((element.type, element.name)))
            elif isinstance(element, Gone):
                self.gone[element.type] = self.gone.get(element.type, 0) + 1
                self._batch.add_gone(element.type, element.name)
            else:
                raise ProtocolViolation("a bootstrap's opening inside a delta")

    def finish(self) -> None:
        """Check that the stream did not end inside an object."""
        if self._head is not None:
            raise ProtocolViolation(f"the delta ends inside {self._head.name}")

    def _find_olds(self, heads: list[Head]) -> dict[tuple[str, str], Version]:
        found: dict[tuple[str, str], Version] = {}
        for kind in {head.type for head in heads}:
            data_type(kind)
            names = [head.name for head in heads if head.type == kind]
            found |= {(kind, name): old for name, old in self._view.find(kind, names).items()}
        return found

    def _begin(self, head: Head, old: Version | None) -> None:
        if self._head is not None:
            raise ProtocolViolation(f"{head.name} begins before {self._head.name} ended")
        if head.splices is None:
            raise ProtocolViolation(f"{head.name} does not come as a change")
        if old is None:
            self.added += 1
        else:
            self.replaced[head.type] = self.replaced.get(head.type, 0) + 1
        self._head = head
        self._old = [] if old is None else old.chunk_digests()
        self._splices, self._inserted = [], []
        self._advance()

    def _advance(self) -> None:
        """Close every splice that has all its chunks; at the last one, the object is complete."""
        head = self._head
        assert head is not None
        assert head.splices is not None
        while len(self._splices) < len(head.splices):
            shape = head.splices[len(self._splices)]
            if len(self._inserted) < shape.inserted:
                return
            self._splices.append(Splice(shape.keep, shape.drop, tuple(self._inserted)))
            self._inserted = []
        chunks = b"".join(apply_splices(self._old, self._splices))
        self._batch.add_version(version_of(head, chunks))
        self._head = None

    def _take_chunk(self, body: bytes) -> None:
        head = self._head
        if head is None or head.splices is None:
            raise ProtocolViolation("a chunk that belongs to no object")
        shape = head.splices[len(self._splices)]
        position = sum(s.keep + s.drop for s in self._splices) + shape.keep
        low, high = dictionary_range(shape.drop, shape.inserted, len(self._inserted))
        dropped = self._old[position + low : position + high]
        if shape.drop:
            bodies = self._view.bodies(dropped)
            dictionary = b"".join(decompress(bodies[d], MAX_CHUNK_BYTES) for d in dropped)
            content = decompress_against(body, dictionary, MAX_CHUNK_BYTES)
            body = compress(content)
        else:
            content = decompress(body, MAX_CHUNK_BYTES)
        digest = chunk_digest(content)
        self._batch.add_chunk(digest, len(content), body)
        self._inserted.append(digest)
        self._advance()
