"""A replica: follows the source through everything, and is looked at after each of its commits."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import trio

from syncclient.client import Client
from syncclient.exchange import Take
from syncclient.newfolder import NewFolder
from syncclient.replica import Outcome, Path, Replica
from syncclient.zonesdir import ZonesDir
from syncd.content.tokens import Token
from syncd.errors import (
    Busy,
    ConnectionFailed,
    LargeChangeRefused,
    ProtocolViolation,
    StoreError,
    SyncError,
    TokenLost,
    VerificationFailed,
    ViewGone,
)
from syncd.protocol.events import Reply
from syncd.store import Clock, ReplicaBatch
from syncd.store import batch as store_batch
from syncd.types.zone_files import zone_file_name
from tests.running import PASSWORD
from tests.simulation.constants import LARGEST_OBJECT_BYTES
from tests.simulation.disk import Node
from tests.simulation.model import Seen, difference, look, of_types
from tests.simulation.writers import ADDRESS

if TYPE_CHECKING:
    from tests.simulation.world import World

_PATIENCE_S = 120.0
"""How long a synchronisation may take, in the simulation's time, before it counts as hung."""


class Follower:
    """A replica's machine: a store, a folder of zones, and `syncclient watch`."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.node = Node(world, world.disks.slot(f"replica{number}"), self._committed)
        self.types = world.random.choice((None, None, "*", "zones", "files,zones"))
        self.has_folder = world.random.random() < 0.4
        self.folder = self.node.folder / "zones"
        self.allow_large_change = False
        self.converged = False
        self.since = 0
        """The generation of the source that was present when this synchronisation began."""
        self.of = 0
        """The generation whose view the replica holds, or the one before that."""
        self.loses_token = False
        self.last = look(self.node.probe)

    async def run(self) -> None:
        """Live until converged, coming back after crashes."""
        while not self.converged:
            with self.node.living():
                await self._follow()
            if not self.converged:
                self.world.counts["replica crashed"] += 1
                self._look_after_crash()
                await trio.sleep(self.world.random.choice((0.01, 2.0)))
        self.node.close_probe()

    def _look_after_crash(self) -> None:
        seen = look(self.node.probe)
        same = (seen.epoch, seen.seq, seen.state) == (
            self.last.epoch, self.last.seq, self.last.state,
        )  # fmt: skip
        self.world.check(same, f"{self.node.name} came back at another commit than it stood at")

    async def _follow(self) -> None:
        world = self.world
        while not self.converged:
            try:
                async with Client.connect(ADDRESS, PASSWORD) as client:
                    await self._follow_on(client)
            except (ConnectionFailed, Busy, ViewGone, TokenLost, VerificationFailed) as error:
                world.trace(self.node.name, type(error).__name__)
                await trio.sleep(world.random.choice((0.01, 0.5, 3.0)))
            except LargeChangeRefused:
                world.counts["large change refused"] += 1
                self.allow_large_change = True
            except SyncError as error:
                text = f"{self.node.name}: {type(error).__name__}: {error}"
                world.check(world.faults.flip > 0 and world.faulty_lately, text)
                await trio.sleep(1.0)

    async def _follow_on(self, client: Client) -> None:
        world = self.world
        while True:
            await self._disturb()
            quiet = world.quiet
            outcome = await self._synchronise(client)
            if outcome is None:
                raise ConnectionFailed("interrupted")
            await self._bring_files()
            if quiet and outcome.path is Path.NOTHING:
                await self._end()
                return
            types = self.types or self.last.types or "*"
            await client.wait_for_commit(types, outcome.token, world.random.choice((0.5, 5.0)))

    async def _disturb(self) -> None:
        """What an operator may do at a replica."""
        world = self.world
        if not world.faulty or self.last.source is None:
            return
        if world.random.random() < 0.06:
            self.loses_token = True
            await trio.to_thread.run_sync(self.node.store.renew_epoch)
            self.loses_token = False
        if world.random.random() < 0.1:
            await trio.to_thread.run_sync(lambda: self.node.store.collect(keep_seq=self.last.seq))
        if world.random.random() < 0.03:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _synchronise(self, client: Client) -> Outcome | None:
        """Synchronise once; None if it was interrupted, by somebody or by the source being slow."""
        world = self.world
        self.since = world.model.generation
        interrupted = world.faulty and world.random.random() < 0.1
        limit_s = world.random.choice((0.0, 0.01, 1.0)) if interrupted else _PATIENCE_S
        with trio.move_on_after(limit_s):
            outcome = await _Watched(
                self,
                client,
                new_folder=self._new_folder(),
            ).synchronise()
            world.trace(self.node.name, outcome.path.name, outcome.token, outcome.changed)
            world.counts[outcome.path.value] += 1
            self.allow_large_change = False
            return outcome
        world.check(interrupted or world.faulty_lately, f"{self.node.name} hangs")
        return None

    def _new_folder(self) -> Callable[[], NewFolder] | None:
        if not self.has_folder or self.folder.exists():
            return None
        return lambda: _Folder(self)

    async def _bring_files(self) -> None:
        if not self.has_folder:
            return
        store = self.node.store
        await trio.to_thread.run_sync(lambda: ZonesDir(self.folder).bring_to(store, store.view()))
        zones = {
            zone_file_name(name): content
            for (kind, name), content in self.last.state.items()
            if kind == "zones"
        }
        files = {path.name: path.read_bytes() for path in self.folder.glob("*.zone")}
        self.world.check(files == zones, f"{self.node.name}: the folder is not its store's zones")

    async def _end(self) -> None:
        """With no faults left, and nothing new: one round trip says so."""
        world = self.world
        async with Client.connect(ADDRESS, PASSWORD) as client:
            outcome = await _Watched(self, client).synchronise()
        name = self.node.name
        world.check(outcome.path is Path.NOTHING, f"{name}: {outcome.path.value} with nothing new")
        world.check(outcome.round_trips == 1, f"{name}: {outcome.round_trips} round trips")
        present = world.model.present
        at_head = (self.last.epoch, self.last.seq) == (present.epoch, present.seq)
        world.check(at_head, f"{name} ends at {self.last.seq}, the source at {present.seq}")
        damage = list(self.node.store.fsck())
        world.check(not damage, f"fsck of {name}: {damage[:3]}")
        self.converged = True

    # What must hold

    def _committed(self) -> None:
        """After each commit: where the replica was, or exactly a commit of the source."""
        seen, last, name = look(self.node.probe), self.last, self.node.name
        self.last = seen
        at = f"{seen.epoch}:{seen.seq}"
        if seen.state == last.state and (
            self.loses_token or (seen.epoch, seen.seq) == (last.epoch, last.seq)
        ):
            return
        self.world.trace(name, "stands at", at)
        self._check_view(seen, at)
        if seen.epoch == last.epoch and self.world.model.generation == self.of:
            self.world.check(seen.seq >= last.seq, f"{name} went back from {last.seq} to {at}")
        self.of = self.since

    def _check_view(self, seen: Seen, at: str) -> None:
        name = self.node.name
        possible = [
            of_types(state, seen.types)
            for state in self.world.model.possible(seen.epoch, seen.seq, self.since)
        ]
        self.world.check(bool(possible), f"{name} stands at {at}, where the source never stood")
        if possible and seen.state not in possible:
            differs = difference(seen.state, possible[-1])
            self.world.fail(f"{name} at {at} is not the source's view: {differs}")


class _Folder(NewFolder):
    """A folder whose machine may die between the store's commit and the folder's rename."""

    def __init__(self, follower: Follower) -> None:
        super().__init__(follower.folder)
        self._node = follower.node

    def put_in_place(self, *state: Any) -> None:
        self._node.point("before the folder's rename")
        super().put_in_place(*state)
        self._node.point("after the folder's rename")


class _Watched(Replica):
    """A replica of which is asked why a delta was none."""

    def __init__(
        self,
        follower: Follower,
        client: Client,
        new_folder: Callable[[], NewFolder] | None = None,
    ) -> None:
        super().__init__(
            follower.node.store,
            client,
            source=ADDRESS,
            types=follower.types,
            allow_large_change=follower.allow_large_change,
            new_folder=new_folder,
        )
        self._follower = follower

    async def _receive(self, batch: ReplicaBatch, argument: str, take: Take) -> Reply:
        """See that what is held before it is written stays within its limit."""

        def watched_take(index: int, block: bytes) -> None:
            take(index, block)
            held_bytes = batch._held_bytes
            within = held_bytes <= store_batch._FLUSH_BYTES + LARGEST_OBJECT_BYTES
            self._follower.world.check(within, f"a batch holds {held_bytes} bytes")

        return await super()._receive(batch, argument, watched_take)

    async def _delta(self, clock: Clock, types: str) -> Outcome:
        try:
            return await super()._delta(clock, types)
        except (TokenLost, ViewGone) as error:
            self._check_lost(clock.token, str(error))
            raise
        except (VerificationFailed, StoreError, ProtocolViolation) as error:
            follower = self._follower
            world = follower.world
            if follower.of == world.model.generation and not world.faults.flip:
                world.fail(f"{follower.node.name}: the delta was partial or wrong: {error}")
            raise

    def _check_lost(self, token: Token, error: str) -> None:
        """A token of this history, at the floor or above it, is good."""
        world = self._follower.world
        present = world.model.present
        good = (
            token.epoch == present.epoch
            and present.floor <= token.seq
            and token.seq in present.states
            and self._follower.of == world.model.generation
        )
        world.check(not good, f"{self._follower.node.name}: {token} was refused: {error}")
