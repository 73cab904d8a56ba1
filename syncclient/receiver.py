"""Objects as they come out of a stream: verified, and staged in the replica's batch.

Nothing is believed: each chunk is hashed, each object's digest, size, lines and CRC-32 are
compared with what its head says. What does not fit raises VerificationFailed before anything is
visible.
"""

from functools import cached_property

from syncclient.newfolder import NewFolder, Piece
from syncclient.verification import ContentCheck, check_run, version_of
from syncd.content.compression import compress, decompress, decompress_against
from syncd.content.messages import BlockReader, Element, Gone, Head, Opening, Run
from syncd.content.splices import Splice, apply_splices, dictionary_range
from syncd.content.tokens import Token
from syncd.content.versions import Version, chunk_digest
from syncd.errors import IllegalValue, ProtocolViolation, VerificationFailed
from syncd.protocol.limits import MAX_CHUNK_BYTES
from syncd.store import ReplicaBatch, Store, View
from syncd.store.held import HeldBodies
from syncd.store.view import FEW_CHUNKS, GROUP_OBJECTS
from syncd.types import data_type


class BootstrapReceiver:
    """Takes the blocks of `getall`, and of `chunks` with `inline=`: heads, each with all its
    chunks. `total` is how many objects were asked for; of `getall` its opening says it."""

    def __init__(
        self,
        batch: ReplicaBatch,
        partial: Version | None = None,
        *,
        zones: NewFolder | None = None,
        total: int = 0,
    ) -> None:
        self._batch = batch
        self._zones = zones
        self._pieces: list[Piece] = []
        self._reader = BlockReader()
        self._resumed = partial
        self._head: Head | None = None
        self._check: ContentCheck | None = None
        self._digests: list[bytes] = []
        self._missing = 0
        self._last = ("", "")
        self.token: Token | None = None
        self.total = total
        self.received = 0
        """Objects complete so far."""
        self.listed: list[Head] = []
        """Heads that came with digests instead of chunks: the caller fetches these."""
        self.gone: list[Gone] = []

    def take(self, block: bytes) -> None:
        """Take one block. Raises VerificationFailed, ProtocolViolation."""
        for element in self._reader.read_runs(block):
            if isinstance(element, Run):
                self._take_run(element)
            else:
                self._take(element)
        if self._zones is not None:
            self._zones.take(self._pieces)
            self._pieces = []

    def _take(self, element: Element) -> None:
        if isinstance(element, bytes):
            self._take_chunk(element)
        elif isinstance(element, Head):
            self._begin(element)
        elif isinstance(element, Gone):
            self._expect_more()
            self._expect_no_bootstrap(element)
            self.gone.append(element)
        else:
            self._open(element)

    def finish(self) -> None:
        """Check that the stream did not end inside an object."""
        if self._missing:
            raise ProtocolViolation(f"the stream ends with {self._missing} chunks missing")

    def _open(self, opening: Opening) -> None:
        try:
            self.token, self.total = Token.parse(opening.token), opening.count
        except IllegalValue as error:
            raise ProtocolViolation(f"the bootstrap opens with no token: {error}") from None
        if self._batch.copies is None:
            self._batch.copies = self.token
        elif self._batch.copies != self.token:
            raise VerificationFailed(f"the source sends {self.token}, not {self._batch.copies}")

    def _expect_more(self) -> None:
        """Raise ProtocolViolation for an object more than there should be."""
        if self.received + len(self.listed) + len(self.gone) >= self.total:
            raise ProtocolViolation(f"more than the {self.total} objects come that should")

    def _expect_no_bootstrap(self, element: Head | Gone) -> None:
        """Raise ProtocolViolation for what only an answer to a list of names may hold."""
        if self.token is not None:
            raise ProtocolViolation(f"{element.name} does not come whole in a bootstrap")

    def _begin(self, head: Head) -> None:
        if self._missing:
            raise ProtocolViolation(f"{head.name} begins before the object before it ended")
        self._expect_more()
        if (head.type, head.name) <= self._last:
            raise ProtocolViolation(f"{head.type} {head.name} comes out of its order, or twice")
        self._last = (head.type, head.name)
        if head.chunks is not None:
            self._expect_no_bootstrap(head)
            self.listed.append(head)
            return
        if head.bodies is None:
            raise ProtocolViolation(f"{head.name} comes as a change where it should come whole")
        self._head, self._missing = head, head.bodies
        self._digests = []
        self._check = ContentCheck(head)
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            if (resumed.type, resumed.name, resumed.digest) != (head.type, head.name, head.digest):
                raise VerificationFailed(f"{head.name} is not where the bootstrap was interrupted")
            self._digests = resumed.chunk_digests()
            self._check.go_on_from(resumed)
        if not self._missing:
            self._end(head)

    def _take_run(self, run: Run) -> None:
        """Take many objects at once, or else one by one, which says what is wrong with them."""
        done = self.received + len(self.listed) + len(self.gone)
        fits = (
            self._missing == 0
            and self._resumed is None
            and done + len(run.names) <= self.total
            and (run.type, run.names[0]) > self._last
        )
        checked = check_run(run) if fits else None
        if checked is None:
            for element in run.elements():
                self._take(element)
            return
        self._last = (run.type, run.names[-1])
        if self._zones is not None and run.type == "zones":
            self._pieces += zip(run.names, checked.contents, strict=True)
        columns = [
            run.names, run.seqs, run.mtimes, run.sizes, run.lines, run.crc32s, run.digests,
            run.attributes, checked.chunks,
        ]  # fmt: skip
        self._batch.add_versions(run.type, columns, checked.rows)
        self.received += len(run.names)

    def _take_chunk(self, body: bytes) -> None:
        head = self._head
        if head is None or self._check is None:
            raise ProtocolViolation("a chunk that belongs to no object")
        content = decompress(body, MAX_CHUNK_BYTES)
        digest = chunk_digest(content)
        self._digests.append(digest)
        self._check.add(content)
        self._missing -= 1
        if self._zones is not None and head.type == "zones":
            self._pieces.append((head.name, content))
        self._batch.add_chunk(digest, len(content), body)
        if not self._missing:
            self._end(head)

    def _end(self, head: Head) -> None:
        assert self._check is not None
        self._check.finish()
        self._head = self._check = None
        self._batch.add_version(version_of(head, b"".join(self._digests)))
        self.received += 1

    def partial(self) -> Version | None:
        """Return the first part of the object under way, its digest being that of the whole."""
        head, check = self._head, self._check
        if head is None or check is None or not self._digests:
            return None
        return Version(
            head.type, head.name, head.seq, head.mtime, check.size, check.lines, check.crc32,
            head.digest, head.attributes, b"".join(self._digests),
        )  # fmt: skip


class DeltaReceiver:
    """Takes the blocks of `delta`: what is gone, and splices over what the replica has."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reader = BlockReader()
        self._head: Head | None = None
        self._check: ContentCheck | None = None
        self._old: list[bytes] = []
        self._position = 0
        """Chunks of the old content that the splices so far have kept or dropped."""
        self._splices: list[Splice] = []
        self._inserted: list[bytes] = []
        self._last = ("", "")
        self._names_gone: set[tuple[str, str]] = set()
        self.gone: dict[str, int] = {}
        self.replaced: dict[str, int] = {}
        self.added = 0

    @cached_property
    def batch(self) -> ReplicaBatch:
        """What the changes are staged in. Made in the thread that takes the first block: until that
        comes, the source has its time."""
        batch = self._store.replica_batch()
        batch.discard()  # an interrupted repair, or bootstrap, may have left something
        return batch

    @cached_property
    def view(self) -> View:
        """What the replica has."""
        return self._store.view()

    @cached_property
    def _bodies(self) -> HeldBodies:
        return HeldBodies(self.view)

    @property
    def changes(self) -> int:
        """Objects that changed, are new or gone."""
        return self.added + sum(self.gone.values()) + sum(self.replaced.values())

    def take(self, block: bytes) -> None:
        """Take one block. Raises VerificationFailed, ProtocolViolation."""
        elements = list(self._reader.read(block))
        with self.view.snapshot():
            self._take(elements)

    def _take(self, elements: list[Element]) -> None:
        heads = [element for element in elements if isinstance(element, Head)]
        olds = self._find_olds(heads)
        begun = 0
        for element in elements:
            if isinstance(element, bytes):
                self._take_chunk(element)
            elif isinstance(element, Head):
                if begun % GROUP_OBJECTS == 0:
                    self._hold(heads[begun : begun + GROUP_OBJECTS], olds)
                begun += 1
                self._begin(element, olds.get((element.type, element.name)))
            elif isinstance(element, Gone):
                data_type(element.type)
                self._check_once(element)
                self._names_gone.add((element.type, element.name))
                self.gone[element.type] = self.gone.get(element.type, 0) + 1
                self.batch.add_gone(element.type, element.name)
            else:
                raise ProtocolViolation("a bootstrap's opening inside a delta")

    def finish(self) -> None:
        """Check that the stream did not end inside an object."""
        if self._head is not None:
            raise ProtocolViolation(f"the delta ends inside {self._head.name}")

    def _hold(self, heads: list[Head], olds: dict[tuple[str, str], Version]) -> None:
        """Read the chunks of the small objects that come next, as they were."""
        found = [olds.get((head.type, head.name)) for head in heads]
        digests = [old.chunk_digests() for old in found if old is not None]
        self._bodies.hold(d for own in digests if len(own) <= FEW_CHUNKS for d in own)

    def _find_olds(self, heads: list[Head]) -> dict[tuple[str, str], Version]:
        found: dict[tuple[str, str], Version] = {}
        for kind in {head.type for head in heads}:
            data_type(kind)
            names = [head.name for head in heads if head.type == kind]
            found |= {(kind, name): old for name, old in self.view.find(kind, names).items()}
        return found

    def _check_once(self, element: Gone | Head) -> None:
        """Raise ProtocolViolation for an object that comes twice."""
        if (element.type, element.name) in self._names_gone:
            raise ProtocolViolation(f"{element.type} {element.name} comes twice")

    def _begin(self, head: Head, old: Version | None) -> None:
        if self._head is not None:
            raise ProtocolViolation(f"{head.name} begins before {self._head.name} ended")
        if (head.type, head.name) <= self._last:
            raise ProtocolViolation(f"{head.type} {head.name} comes out of its order, or twice")
        self._last = (head.type, head.name)
        self._check_once(head)
        if head.splices is None:
            raise ProtocolViolation(f"{head.name} does not come as a change")
        if old is None:
            self.added += 1
        elif old.seq >= head.seq:
            raise VerificationFailed(f"{head.type} {head.name} is not newer than what is here")
        else:
            self.replaced[head.type] = self.replaced.get(head.type, 0) + 1
        self._head, self._check = head, ContentCheck(head)
        self._old = [] if old is None else old.chunk_digests()
        self._position = 0
        self._splices, self._inserted = [], []
        if old is not None and not head.splices:
            self._check.go_on_from(old)
        else:
            self._read_kept()
        self._advance()

    def _read_kept(self) -> None:
        """Check the content that stays, up to the next splice or to the end."""
        assert self._head is not None
        assert self._head.splices is not None
        assert self._check is not None
        coming = self._head.splices[len(self._splices) :]
        kept = self._old[self._position :]
        if coming:
            kept = kept[: coming[0].keep]
        for content in self._bodies.contents(kept):
            self._check.add(content)

    def _advance(self) -> None:
        """Close every splice that has all its chunks; at the last one, the object is complete."""
        head = self._head
        assert head is not None
        assert head.splices is not None
        assert self._check is not None
        while len(self._splices) < len(head.splices):
            shape = head.splices[len(self._splices)]
            if len(self._inserted) < shape.inserted:
                return
            self._splices.append(Splice(shape.keep, shape.drop, tuple(self._inserted)))
            self._inserted = []
            self._position += shape.keep + shape.drop
            self._read_kept()
        chunks = b"".join(apply_splices(self._old, self._splices))
        self._check.finish()
        self.batch.add_version(version_of(head, chunks))
        self._head = self._check = None

    def _take_chunk(self, body: bytes) -> None:
        head = self._head
        if head is None or head.splices is None or self._check is None:
            raise ProtocolViolation("a chunk that belongs to no object")
        shape = head.splices[len(self._splices)]
        if shape.drop:
            low, high = dictionary_range(shape.drop, shape.inserted, len(self._inserted))
            begin = self._position + shape.keep
            dictionary = b"".join(self._bodies.contents(self._old[begin + low : begin + high]))
            content = decompress_against(body, dictionary, MAX_CHUNK_BYTES)
            body = compress(content)
        else:
            content = decompress(body, MAX_CHUNK_BYTES)
        digest = chunk_digest(content)
        self._check.add(content)
        self.batch.add_chunk(digest, len(content), body)
        self._inserted.append(digest)
        self._advance()
