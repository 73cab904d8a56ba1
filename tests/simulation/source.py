"""The source: a daemon that comes back after crashes, and what goes on at its machine.

After each of its commits the database is read past the product and compared with the model: one
commit more, what the writer said it would do, nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from syncd.errors import Busy, IllegalValue, MovedOn, SyncError, ViewGone
from syncd.server import Daemon
from syncd.types import Prepared
from tests.simulation.disk import Node
from tests.simulation.model import History, State, difference, last_comment, look

if TYPE_CHECKING:
    from tests.simulation.world import World

_MODE = 0o644
FILES = [f"f{number}" for number in range(9)]


class Source:
    """The one that others copy."""

    def __init__(self, world: World) -> None:
        self.world = world
        slot = world.disks.slot("source")
        self.node = Node(world, slot, self._committed)
        self._backup: tuple[Path, History] | None = None
        self._begins_full = world.random.random() < 0.7
        self._new_epoch = True
        """Whether the next life begins with a new epoch, as after a restore by the book."""

    async def run(self) -> None:
        """Live, again and again, until cancelled."""
        while True:
            with self.node.living():
                await self._live()
            self.world.network.go_down()
            self.world.counts["source crashed"] += 1
            await trio.sleep(self.world.random.choice((0.01, 1.0)))

    async def _live(self) -> None:
        if self._new_epoch:
            await trio.to_thread.run_sync(self.node.store.renew_epoch)
            self._new_epoch = False
        if self._backup is None:
            await trio.to_thread.run_sync(self._back_up)
        if self._begins_full:
            await trio.to_thread.run_sync(self._import, FILES)
            self._begins_full = False
        daemon = Daemon(self.node.store)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: daemon.run(None, 5040, ready=lambda listeners: None))
            nursery.start_soon(self._work)

    def _committed(self) -> None:
        world, model = self.world, self.world.model
        seen, present = look(self.node.probe), model.present
        world.trace("source at", seen.epoch, seen.seq, "floor", seen.floor)
        if seen.epoch != present.epoch:
            world.check(self._new_epoch, "the source's epoch changed by itself")
            model.go_on_from(History(seen.epoch, present.seq, present.floor, present.states))
        if seen.seq != model.present.seq:
            number, word = last_comment(self.node.probe)
            follows = seen.seq == number == present.seq + 1
            world.check(follows, f"commit {number} of {seen.seq} comes after {present.seq}")
            world.check(word in model.intents, f"commit {number} is nobody's: {word!r}")
            if world.violation is None:
                model.commit(word)
        model.present.floor = seen.floor
        differs = difference(seen.state, model.head)
        world.check(not differs, f"the source at {seen.seq} is not what was written: {differs}")

    # What goes on at the machine itself

    async def _work(self) -> None:
        world = self.world
        works: list[Callable[[], None]] = [
            self._import_some, self._import_some, self._import_some, self._collect, self._collect,
            self._back_up, self._restore,
        ]  # fmt: skip
        while world.take_turn():
            await trio.sleep(world.random.expovariate(0.25))
            work = world.random.choice(works)
            try:
                await trio.to_thread.run_sync(work)
            except (Busy, MovedOn, ViewGone) as error:
                world.trace("source:", work.__name__, type(error).__name__)
            except SyncError as error:
                world.fail(f"{work.__name__} at the source: {type(error).__name__}: {error}")

    def _import_some(self) -> None:
        chance = self.world.random
        self._import(chance.sample(FILES, chance.randint(1, len(FILES))))

    def _import(self, names: list[str]) -> None:
        """Many objects in one commit, cut in chunks as chance has it."""
        chance, store = self.world.random, self.node.store
        wanted: dict[str, list[bytes] | None] = {
            name: None if chance.random() < 0.25 else some_chunks(self.world) for name in names
        }

        present = store.view().find("files", names)
        staged: list[str] = []

        def intent(state: State) -> None:
            for name in staged:
                chunks, key = wanted[name], ("files", name)
                if chunks is not None:
                    state[key] = b"".join(chunks)
                else:
                    del state[key]

        word = self.world.model.intend(intent)
        with store.batch() as batch:
            for name, chunks in wanted.items():
                if chunks is not None:
                    prepared = Prepared(name, iter(chunks), {"mode": _MODE})
                    if batch.put("files", prepared, present.get(name)):
                        staged.append(name)
                elif name in present:
                    batch.delete(present[name])
                    staged.append(name)
            if batch.publish("import", word) is not None:
                self.world.counts["import"] += 1

    def _collect(self) -> None:
        keep = self.world.random.choice((0, 0, 1, 3))
        clock = self.node.store.clock()
        keep_seq = max(clock.floor, clock.seq - keep)
        try:
            self.node.store.collect(keep_seq=keep_seq)
        except IllegalValue:
            if self.node.store.clock().seq >= keep_seq:
                raise
            self.world.trace("source: _collect met a restore")
            return
        self.world.counts["gc"] += 1

    def _back_up(self) -> None:
        path = self.node.folder.with_name("backup.db")
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as target:
            self.node.probe.backup(target)
        target.close()
        self._backup = path, self.world.model.present.copy()

    def _restore(self) -> None:
        """Put the backup in place; not everybody who does so thinks of a new epoch."""
        if self._backup is None:
            return
        path, history = self._backup
        self._new_epoch = self.world.random.random() < 0.5
        self.world.counts["restored" if self._new_epoch else "restored silently"] += 1
        self.node.crash("for a restore", image=path)
        self.world.model.go_on_from(history.copy())


def some_chunks(world: World) -> list[bytes]:
    """Return a file's content in chunks, of few kinds, so that files share some."""
    chance = world.random
    return [
        b"%d:" % chance.randrange(12) + bytes(chance.randrange(40))
        for _ in range(chance.choice((0, 1, 1, 2, 5)))
    ]
