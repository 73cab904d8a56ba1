"""Bringing a replica to its source: bootstrap, delta or repair, whichever is right, with no
operator needed.

empty store             bootstrap, resumed where an earlier one was interrupted
token good              delta
token lost, or the      repair by digests, up to three times, which re-uses every chunk
result does not add up
                        the last of them, or any if asked to, hashes the store first
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

import trio

from syncclient.answers import parse_proof
from syncclient.client import Client, sync_request
from syncclient.exchange import Take, exchange
from syncclient.folderstate import FolderState
from syncclient.guards import check_replica, check_share
from syncclient.newfolder import NewFolder
from syncclient.receiver import BootstrapReceiver, DeltaReceiver
from syncclient.repair import Repair
from syncd.content.tokens import Proof, Token
from syncd.errors import (
    ConnectionFailed,
    ContentLost,
    ProtocolViolation,
    TokenLost,
    VerificationFailed,
    ViewGone,
)
from syncd.protocol.events import Reply
from syncd.store import Clock, Damaged, ReplicaBatch, Store, Totals
from syncd.types import EVERY_TYPE

REPAIR_ATTEMPTS = 3

Progress = Callable[[int, int], None]
"""Called with (objects done, objects in all; 0 if that is not known)."""


class Path(Enum):
    """How a replica came to where it stands."""

    NOTHING = "nothing to do"
    BOOTSTRAP = "bootstrap"
    RESUMED = "bootstrap, resumed"
    DELTA = "delta"
    REPAIR = "repair"


@asynccontextmanager
async def synchronising(store: Store) -> AsyncIterator[None]:
    """Hold the store's lock of synchronisations: a database may take its time for that.

    Raises Busy if another process has it, FileFailed, StoreError.
    """
    lock = store.synchronising()
    await trio.to_thread.run_sync(lock.__enter__)
    try:
        yield
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(lock.__exit__, None, None, None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one synchronisation did."""

    path: Path
    token: Token
    count: int
    fingerprint: int
    changed: int
    gone: int
    bytes_up: int = 0
    bytes_down: int = 0
    round_trips: int = 0
    seconds: float = 0.0


class Replica:
    """A store that copies a source through a client's session.

    With `new_folder`, a bootstrap writes the zones' files into what it returns, as they come in.
    With `verify`, the whole store is hashed first, and what is damaged is fetched again.
    """

    def __init__(
        self,
        store: Store,
        client: Client,
        *,
        source: str,
        types: str | None = None,
        allow_large_change: bool = False,
        verify: bool = False,
        new_folder: Callable[[], NewFolder] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._store = store
        self._client = client
        self._source = source
        self._asked_types = types and ",".join(dict.fromkeys(types.split(",")))
        self._allow_large_change = allow_large_change
        self._verify = verify
        self._new_folder = new_folder
        self._progress = progress or (lambda done, total: None)

    async def synchronise(self) -> Outcome:
        """Bring the store to the source's last commit, verified, in one visible step.

        Raises LargeChangeRefused, ReadOnly, VerificationFailed, and what the client raises.
        """
        started = time.perf_counter()
        clock = await trio.to_thread.run_sync(self._store.clock)
        check_replica(clock)
        connection = self._client.connection
        before = connection.bytes_up, connection.bytes_down, connection.round_trips
        if clock.source is None:
            outcome = await self._bootstrap(self._asked_types or EVERY_TYPE)
            if outcome.path is Path.RESUMED:
                outcome = await self._catch_up(outcome)
        else:
            outcome = await self._resync(clock)
        return replace(
            outcome,
            bytes_up=connection.bytes_up - before[0],
            bytes_down=connection.bytes_down - before[1],
            round_trips=connection.round_trips - before[2],
            seconds=time.perf_counter() - started,
        )

    async def _resync(self, clock: Clock) -> Outcome:
        types = self._asked_types or clock.types or EVERY_TYPE
        damaged = await self._find_damaged() if self._verify else None
        if types != clock.types or damaged is not None:
            return await self._repair(types, damaged)
        try:
            return await self._delta(clock, types)
        except (TokenLost, ViewGone, VerificationFailed, ContentLost):
            return await self._repair(types)

    # Bootstrap

    async def _bootstrap(self, types: str) -> Outcome:
        batch = await trio.to_thread.run_sync(self._store.replica_batch)
        view = await trio.to_thread.run_sync(batch.resume)
        if view is None:  # what may be staged is of no one view: an interrupted repair left it
            await trio.to_thread.run_sync(batch.discard)
        try:
            path = Path.BOOTSTRAP if view is None else Path.RESUMED
            return await self._receive_everything(batch, view, types, path)
        except ProtocolViolation:  # what is staged came from who does not keep to the protocol
            await trio.to_thread.run_sync(batch.discard)
            raise
        except (ViewGone, VerificationFailed, TokenLost) as error:
            if view is None and not isinstance(error, ViewGone):
                raise
            return await self._repair(types)

    async def _catch_up(self, resumed: Outcome) -> Outcome:
        """Go on to the source's last commit from the view that an earlier run had begun to copy."""
        clock = await trio.to_thread.run_sync(self._store.clock)
        later = await self._resync(clock)
        path = Path.REPAIR if later.path is Path.REPAIR else Path.RESUMED
        return replace(later, path=path, changed=resumed.changed + later.changed)

    async def _receive_everything(
        self, batch: ReplicaBatch, view: Token | None, types: str, path: Path
    ) -> Outcome:
        after = await trio.to_thread.run_sync(batch.last_staged)
        interrupted = await trio.to_thread.run_sync(batch.partial)
        argument = sync_request(
            types,
            "getall",
            at=None if view is None else view.seq,
            after=None if after is None else "/".join(after),
            skip=None if interrupted is None else len(interrupted.chunk_digests()),
        )
        zones = None if view is not None or self._new_folder is None else self._new_folder()
        receiver = BootstrapReceiver(batch, interrupted, zones=zones)
        batch.keep_partial(receiver.partial)

        def take(index: int, block: bytes) -> None:
            receiver.take(block)
            self._progress(receiver.received, receiver.total)

        try:
            final = await self._receive(batch, argument, take)
            await trio.to_thread.run_sync(receiver.finish)
            proof = parse_proof(final.text)
            if proof.token != batch.copies:
                raise ProtocolViolation(f"the bootstrap ends at {proof.token}, not {batch.copies}")
            if zones is not None:
                await trio.to_thread.run_sync(zones.end)
            await trio.to_thread.run_sync(
                lambda: batch.publish_copy(proof, source=self._source, types=types, advance=False)
            )
            if zones is not None:
                await trio.to_thread.run_sync(self._put_in_place, zones)
        except BaseException:
            if zones is not None:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(zones.discard)
            raise
        return _outcome(path, proof, changed=receiver.received)

    def _put_in_place(self, zones: NewFolder) -> None:
        view = self._store.view()
        zones.put_in_place(FolderState(view.token, view.totals(["zones"]).fingerprint))

    async def _receive(self, batch: ReplicaBatch, argument: str, take: Take) -> Reply:
        """Have a bootstrap's blocks taken; what came before it was cut short is kept."""
        try:
            (final,) = await exchange(self._client, [argument], take)
        except (ConnectionFailed, KeyboardInterrupt, trio.Cancelled):
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(batch.flush)
            raise
        return final

    # Delta

    async def _delta(self, clock: Clock, types: str) -> Outcome:
        argument = sync_request(types, "delta", [str(clock.token)], format="msgpack")
        receiver = DeltaReceiver(self._store)

        def publish(proof: Proof) -> None:
            if not self._allow_large_change:
                check_share(self._store, receiver.gone, receiver.replaced)
            receiver.batch.publish_copy(proof, source=self._source, types=types, advance=True)

        def totals() -> Totals:
            return receiver.view.totals(self._store.held_types())

        try:
            (final,) = await exchange(
                self._client, [argument], lambda index, block: receiver.take(block)
            )
            proof = parse_proof(final.text)
            receiver.finish()
            if proof.token == clock.token and not receiver.changes:
                here = await trio.to_thread.run_sync(totals)
                if (here.count, here.fingerprint) != (proof.count, proof.fingerprint):
                    raise VerificationFailed(f"at {proof.token} the fingerprints differ")
                return _outcome(Path.NOTHING, proof)
            await trio.to_thread.run_sync(publish, proof)
        except BaseException:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(lambda: receiver.batch.discard())
            raise
        gone = sum(receiver.gone.values())
        return _outcome(Path.DELTA, proof, changed=receiver.changes - gone, gone=gone)

    # Repair

    async def _find_damaged(self) -> Damaged | None:
        return await trio.to_thread.run_sync(self._store.find_damaged)

    async def _repair(self, types: str, damaged: Damaged | None = None) -> Outcome:
        for attempt in range(1, REPAIR_ATTEMPTS + 1):
            if attempt == REPAIR_ATTEMPTS and damaged is None:
                damaged = await self._find_damaged()  # what is here may be why it does not add up
            repair = Repair(self._store, self._client, types, self._progress, damaged)
            try:
                proof = await repair.stage()
                if not self._allow_large_change:
                    await trio.to_thread.run_sync(
                        check_share, self._store, repair.gone, repair.replaced
                    )
                publish = partial(
                    repair.batch.publish_copy,
                    proof,
                    source=self._source,
                    types=types,
                    advance=False,
                )
                await trio.to_thread.run_sync(publish)
            except (VerificationFailed, ViewGone, ContentLost):
                await trio.to_thread.run_sync(repair.batch.discard)
                if attempt == REPAIR_ATTEMPTS:
                    raise
                continue
            except BaseException:
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(repair.batch.discard)
                raise
            return _outcome(
                Path.REPAIR,
                proof,
                changed=repair.changed,
                gone=sum(repair.gone.values()),
            )
        raise AssertionError("unreachable")


def _outcome(path: Path, proof: Proof, *, changed: int = 0, gone: int = 0) -> Outcome:
    return Outcome(path, proof.token, proof.count, proof.fingerprint, changed, gone)
