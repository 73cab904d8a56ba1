"""Repair: finding where two stores differ by digests, and fetching only that. protocol.md,
"Repair".

Sums of buckets, then the objects of the buckets that differ, then chunk lists, then the chunks
that are missing: four round trips after the refused delta, bytes in proportion to the difference.
"""

from collections.abc import Callable, Collection, Iterator
from functools import partial

import trio

from syncclient.answers import parse_proof
from syncclient.client import Client, sync_request
from syncclient.exchange import exchange
from syncclient.receiver import BootstrapReceiver
from syncclient.verification import ContentCheck, version_of
from syncd.content.buckets import (
    MARK_BYTES,
    add_mark,
    bits_for,
    bucket_of,
    buckets_text,
    differing_buckets,
    short_mark,
)
from syncd.content.compression import decompress
from syncd.content.messages import BlockReader, Head
from syncd.content.tokens import Proof
from syncd.content.versions import chunk_digest, split_digests
from syncd.errors import (
    HigherAccessRequired,
    IllegalValue,
    ProtocolViolation,
    VerificationFailed,
)
from syncd.output import counted
from syncd.protocol.limits import MAX_CHUNK_BYTES, MAX_LINE_BYTES
from syncd.protocol.packing import unpack
from syncd.store import Damaged, Store, View
from syncd.types import EVERY_TYPE, data_type

"""Stands for all types that the login may read."""

_INLINE_BYTES = 4096
"""Objects up to this size come whole: their chunk list would cost as much."""
_GROUP_LINES = 4
"""Commands sent at once: 64 KiB, which the server takes in even while its answers are not read
yet."""
_LINE_BUDGET = MAX_LINE_BYTES - 256
MAX_LIST_BYTES = 64 * 1024 * 1024
"""Names of one block of a list, unpacked."""

Key = tuple[str, str]


class Repair:
    """One attempt to bring a store to its source by comparing digests.

    What is `damaged` in the store is fetched whatever its digest says.
    """

    def __init__(
        self,
        store: Store,
        client: Client,
        types: str,
        progress: Callable[[int, int], None],
        damaged: Damaged | None = None,
    ) -> None:
        self._store = store
        self._client = client
        self._types = types
        self._progress = progress
        self._damaged = damaged
        self.batch = store.replica_batch()
        if damaged is not None:
            self.batch.rotten = damaged.chunks
        self.gone: dict[str, int] = {}
        self.replaced: dict[str, int] = {}
        self.changed = 0
        self._ours: dict[Key, bytes] = {}

    async def stage(self) -> Proof:
        """Stage everything that differs; return the proof that the result has to stand."""
        await trio.to_thread.run_sync(self.batch.discard)
        view = await trio.to_thread.run_sync(self._store.view)
        held = await trio.to_thread.run_sync(self._store.held_types)
        count = (await trio.to_thread.run_sync(view.totals, held)).count
        bits = bits_for(count)
        sums, proof = await self._ask_sums(bits)
        buckets = await trio.to_thread.run_sync(self._differing, held, bits, sums)
        theirs = await self._ask_lists(bits, buckets, proof) if buckets else {}
        wanted = {key for key, mark in theirs.items() if self._ours.get(key) != mark}
        gone = self._ours.keys() - theirs.keys()
        for kind, _ in gone:
            self.gone[kind] = self.gone.get(kind, 0) + 1
        await trio.to_thread.run_sync(self._stage_gone, gone)
        await self._refuse_hidden_types(view)
        for key in wanted:
            if key in self._ours:
                self.replaced[key[0]] = self.replaced.get(key[0], 0) + 1
        if self._damaged is not None:
            wanted |= self._damaged.objects - gone
        self.changed = len(wanted)
        await self._fetch(sorted(wanted), proof)
        return proof

    def _stage_gone(self, gone: Collection[Key]) -> None:
        for kind, name in gone:
            self.batch.add_gone(kind, name)

    async def _refuse_hidden_types(self, view: View) -> None:
        """Raise HigherAccessRequired if a type is gone because the login may not read it any more.

        `*` stands for the types that it may read. Of one that nothing would be left of, asking for
        it by its name tells.
        """
        if self._types != EVERY_TYPE:
            return
        for kind, gone in self.gone.items():
            present = await trio.to_thread.run_sync(view.totals, [kind])
            if gone < present.count:
                continue
            request = sync_request(kind, "digest", bits=0, format="msgpack")
            try:
                await exchange(self._client, [request], lambda index, block: None)
            except HigherAccessRequired as error:
                raise HigherAccessRequired(
                    f"{error}; all {counted(present.count, 'object')} of it would go: give the "
                    "login its role again, or say with --types which types the replica is to have"
                ) from None

    async def _ask_sums(self, bits: int) -> tuple[bytes, Proof]:
        blocks: list[bytes] = []

        def take(index: int, block: bytes) -> None:
            if blocks:
                raise ProtocolViolation("the sums of buckets are not one block")
            blocks.append(block)

        (final,) = await exchange(
            self._client, [sync_request(self._types, "digest", bits=bits, format="msgpack")], take
        )
        sums = unpack(blocks[0]) if blocks else None
        if not isinstance(sums, bytes):
            raise ProtocolViolation("the sums of buckets are not one block of bytes")
        return sums, parse_proof(final.text)

    def _differing(self, held: list[str], bits: int, theirs: bytes) -> list[int]:
        """Return the buckets that differ; remembers what is ours in them.

        Our objects are read twice, so that of a million no more is held than what may differ.
        """
        view = self._store.view()
        sums = [0] * (1 << bits)
        for kind, name, mark in view.marks(held):
            number = bucket_of(kind, name, bits)
            sums[number] = add_mark(sums[number], mark)
        try:
            buckets = differing_buckets(sums, theirs)
        except ValueError as error:
            raise ProtocolViolation(f"digest: {error}") from None
        if buckets:
            wanted = frozenset(buckets)
            self._ours = {
                (kind, name): short_mark(mark)
                for kind, name, mark in view.marks(held)
                if bucket_of(kind, name, bits) in wanted
            }
        return buckets

    async def _ask_lists(self, bits: int, buckets: list[int], proof: Proof) -> dict[Key, bytes]:
        """Return name and mark of every object of the source in these buckets."""
        theirs: dict[Key, bytes] = {}

        def take(index: int, block: bytes) -> None:
            theirs.update(read_list(block))
            if len(theirs) > proof.count:
                raise ProtocolViolation(f"more than the {proof.count} objects are listed")

        for text in _bucket_lines(buckets, 1 << bits):
            request = sync_request(
                self._types, "digest", bits=bits, buckets=text, at=proof.token.seq, format="msgpack"
            )
            await exchange(self._client, [request], take)
        return theirs

    async def _fetch(self, wanted: list[Key], proof: Proof) -> None:
        done = 0
        for group in _groups(wanted):
            receiver = BootstrapReceiver(self.batch, total=sum(len(names) for _, names in group))
            requests = [
                sync_request(kind, "chunks", names, inline=_INLINE_BYTES, at=proof.token.seq)
                for kind, names in group
            ]
            await exchange(self._client, requests, partial(_take_from_any, receiver))
            receiver.finish()
            if receiver.gone:
                raise VerificationFailed(f"{receiver.gone[0].name} is listed and not there")
            await self._fetch_listed(receiver.listed)
            done += sum(len(names) for _, names in group)
            self._progress(done, len(wanted))

    async def _fetch_listed(self, heads: list[Head]) -> None:
        """Stage these objects, and fetch the chunks of theirs that the store does not have."""
        if not heads:
            return
        missing = await trio.to_thread.run_sync(self._stage_listed, heads)
        for kind in sorted(set(missing.values())):
            digests = [digest for digest, own in missing.items() if own == kind]
            lines = [
                digests[at : at + _DIGESTS_PER_LINE]
                for at in range(0, len(digests), _DIGESTS_PER_LINE)
            ]
            for at in range(0, len(lines), _GROUP_LINES):
                await self._fetch_chunks(kind, lines[at : at + _GROUP_LINES])
        await trio.to_thread.run_sync(self._check_listed, heads)

    def _stage_listed(self, heads: list[Head]) -> dict[bytes, str]:
        """Return the chunks that are missing, with the type to ask for them under.

        The objects are staged before it is looked up: so gc takes none of the chunks that are
        there.
        """
        for head in heads:
            self.batch.add_version(version_of(head, head.chunks or b""))
        self.batch.flush()
        missing: dict[bytes, str] = {}
        contents = [head.chunks or b"" for head in heads]
        for head, digests in zip(heads, self.batch.missing(contents), strict=True):
            missing |= dict.fromkeys(digests, head.type)
        return missing

    def _check_listed(self, heads: list[Head]) -> None:
        self.batch.flush()
        view = self._store.view()
        for head in heads:
            check = ContentCheck(head)
            for content in view.chunk_contents(split_digests(head.chunks or b"")):
                check.add(content)
            check.finish()

    async def _fetch_chunks(self, kind: str, lines: list[list[bytes]]) -> None:
        asked = [iter(digests) for digests in lines]
        requests = [
            sync_request(kind, "chunks", digest=",".join(digest.hex() for digest in digests))
            for digests in lines
        ]
        await exchange(
            self._client, requests, lambda index, block: self._take_chunks(block, asked[index])
        )
        if any(next(remaining, None) is not None for remaining in asked):
            raise ProtocolViolation("fewer chunks came than were asked for")

    def _take_chunks(self, block: bytes, asked: Iterator[bytes]) -> None:
        for body in BlockReader().read(block):
            if not isinstance(body, bytes):
                raise ProtocolViolation("an object where chunks were asked for")
            content = decompress(body, MAX_CHUNK_BYTES)
            digest = chunk_digest(content)
            if digest != next(asked, None):
                raise VerificationFailed("a chunk has not the digest it was asked for by")
            self.batch.add_chunk(digest, len(content), body)


def _take_from_any(receiver: BootstrapReceiver, index: int, block: bytes) -> None:
    receiver.take(block)


_DIGESTS_PER_LINE = _LINE_BUDGET // 65


def _bucket_lines(buckets: list[int], count: int) -> Iterator[str]:
    """Yield bucket numbers as texts that fit a line; of very many, all."""
    if len(buckets) > count // 2:
        yield f"0-{count - 1}"
        return
    per_line = _LINE_BUDGET // 6
    for at in range(0, len(buckets), per_line):
        yield buckets_text(buckets[at : at + per_line])


def read_list(block: bytes) -> Iterator[tuple[Key, bytes]]:
    """Yield (type, name) and mark from a block of `digest|buckets=`. Raises ProtocolViolation."""
    match unpack(block):
        case list(rows):
            for row in rows:
                match row:
                    case [str(kind), bytes(packed), bytes(marks)]:
                        names = _names(packed, len(marks) / MARK_BYTES)
                        check_name = data_type(kind).check_name
                        for at, name in enumerate(names):
                            _check_listed_name(check_name, name)
                            yield (kind, name), marks[at * MARK_BYTES : (at + 1) * MARK_BYTES]
                    case _:
                        raise ProtocolViolation("not a row of a bucket's list")
        case _:
            raise ProtocolViolation("not a bucket's list")


def _check_listed_name(check_name: Callable[[str], str], name: str) -> None:
    """Raise ProtocolViolation for a name that could not even be asked for."""
    try:
        if check_name(name) == name:
            return
    except IllegalValue as error:
        raise ProtocolViolation(f"a list has the name {name!r:.80}: {error}") from None
    raise ProtocolViolation(f"a list has the name {name!r:.80}, which is not in its one form")


def _names(packed: bytes, count: float) -> list[str]:
    try:
        names = decompress(packed, MAX_LIST_BYTES)
        if names.count(b"\n") != count - 1:
            raise ProtocolViolation("a list has other numbers of names and marks")
        return names.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise ProtocolViolation("names that are not UTF-8") from None


def _groups(wanted: list[Key]) -> Iterator[list[tuple[str, list[str]]]]:
    """Yield groups of (type, names), each of which fits a line, to be asked for at once."""
    group: list[tuple[str, list[str]]] = []
    size = _LINE_BUDGET
    for kind, name in wanted:
        cost = 3 * len(name.encode()) + 1 if "%" in name or "|" in name else len(name.encode()) + 4
        if not group or group[-1][0] != kind or size + cost > _LINE_BUDGET:
            if len(group) == _GROUP_LINES:
                yield group
                group = []
            group.append((kind, []))
            size = 0
        group[-1][1].append(name)
        size += cost
    if group:
        yield group
