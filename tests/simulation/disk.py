"""Stores on a disk of memory: every border of a transaction is a place to pause, and to crash.

A crash takes an image of the node's folder as it is at that moment, lets nothing that the dying
process still does count, and brings the image back: what was not committed is gone.

Engines live as long as the process (compiled statements are most of what a short life costs); a
seed gets fresh files under them.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from sqlalchemy import Connection, event

from syncd.store import Store
from tests.running import PASSWORD_HASH, put
from tests.simulation.scheduling import can_pause, pause

if TYPE_CHECKING:
    from tests.simulation.world import World

USER = "root"
_MEMORY = Path("/dev/shm")
_PAUSES_S = (0.0, 0.0, 0.001, 0.03, 0.7)


class Crashed(BaseException):
    """The machine is dead: whatever still runs on it must end, and do nothing more."""


class Slot:
    """A folder with a store, whose engine is used by one node of every seed."""

    def __init__(self, name: str, template: Path) -> None:
        self.folder = template.parent / name
        self.folder.mkdir()
        self.template = template
        self.node: Node | None = None
        self.file = self.folder / "store.db"
        shutil.copy(template, self.file)
        self.store = Store.open(f"sqlite:///{self.file}")
        engine = self.store.engine
        event.listen(engine, "begin", self._begin_reading)
        event.listen(engine, "before_cursor_execute", self._execute)
        event.listen(engine, "commit", self._commit)
        event.listen(engine.pool, "checkin", self._checkin)

    def reset(self, image: Path) -> None:
        """Give the store the files of `image`, a folder or a database."""
        self.store.engine.dispose()
        shutil.rmtree(self.folder)
        if image.is_dir():
            shutil.copytree(image, self.folder)
        else:
            self.folder.mkdir()
            shutil.copy(image, self.file)

    def _begin_reading(self, connection: Connection) -> None:
        """A transaction that reads has begun; what it sees is fixed by the first thing it reads."""
        if self.node is not None and "syncd_write" not in connection.get_execution_options():
            self.node.point("before a read")

    def _execute(self, connection: Connection, cursor: Any, statement: str, *rest: Any) -> None:
        if self.node is not None and statement == "BEGIN IMMEDIATE":
            self.node.begin_writing(connection.connection.dbapi_connection)

    def _commit(self, connection: Connection) -> None:
        if self.node is not None:
            self.node.before_commit(connection.connection.dbapi_connection)

    def _checkin(self, connection: Any, record: Any) -> None:
        if self.node is not None:
            self.node.given_back(connection)


class Disks:
    """The slots of this process, made when they are first needed."""

    def __init__(self) -> None:
        self._root = tempfile.TemporaryDirectory(
            prefix="syncd-simulation-", dir=_MEMORY if _MEMORY.is_dir() else None
        )
        self.folder = Path(self._root.name)
        self._slots: dict[str, Slot] = {}
        self._empty, self._source = self.folder / "empty.db", self.folder / "first.db"
        for file in (self._empty, self._source):
            with Store.create(f"sqlite:///{file}") as store:
                if file == self._source:
                    put(store, "users", USER, PASSWORD_HASH, role="admin")

    def slot(self, name: str) -> Slot:
        """Return the slot of a node, with a store that is as new."""
        slot = self._slots.get(name)
        if slot is None:
            template = self._source if name == "source" else self._empty
            slot = self._slots[name] = Slot(name, template)
        slot.node = None
        slot.reset(slot.template)
        return slot

    def close(self) -> None:
        """Remove everything."""
        for slot in self._slots.values():
            slot.store.close()
        self._root.cleanup()


class Node:
    """A machine with a store: lives, dies at the border of a transaction, and lives on."""

    def __init__(self, world: World, slot: Slot, committed: Callable[[], None]) -> None:
        self.world = world
        self.name = slot.folder.name
        self.folder = slot.folder
        self.slot = slot
        self.dead = False
        self.crashes_left = 0
        self.image: Path | None = None
        self._committed = committed
        self._scope = trio.CancelScope()
        self._writer: Any = None
        self._commits = False
        self._free = trio.Event()
        self._probe: sqlite3.Connection | None = None
        slot.node = self
        self.store = Store(slot.store.engine, world.now)

    @contextmanager
    def living(self) -> Iterator[None]:
        """One life: ended by a crash, after which the disk is as it was at that moment."""
        self.dead, self.image = False, None
        self._writer, self._commits, self._free = None, False, trio.Event()
        try:
            with trio.CancelScope() as self._scope:
                yield
        except* Crashed:
            pass
        if self.dead:
            self.close_probe()
            image = self.image
            assert image is not None
            self.slot.reset(image)
            if image.is_dir():
                shutil.rmtree(image)

    def crash(self, where: str, image: Path | None = None) -> None:
        """Die now; come back with `image`, or with the disk as it is."""
        if self.dead:
            return
        self.world.trace(self.name, "crashes", where)
        self.dead = True
        if image is None:
            image = self.folder.with_name(f"{self.name}.image")
            shutil.copytree(self.folder, image, ignore=shutil.ignore_patterns("*-shm"))
        self.image = image
        self._scope.cancel()

    def point(self, where: str) -> None:
        """A place where others may go first, or where the machine may die."""
        if self.dead:
            raise Crashed
        world = self.world
        if world.faulty and self.crashes_left and world.random.random() < world.crash_share:
            self.crashes_left -= 1
            self.crash(where)
            raise Crashed
        if can_pause():
            for_s = world.random.choice(_PAUSES_S) if world.faulty else 0.0
            pause(lambda: trio.sleep(for_s))
            if self.dead:
                raise Crashed

    # What the engine tells

    def begin_writing(self, connection: Any) -> None:
        """A transaction that writes is about to begin; it waits for its turn."""
        self.point("before a transaction")
        while self._writer is not None:
            if not can_pause():
                raise AssertionError(f"{self.name}: the event loop waits for a database lock")
            pause(self._free.wait)
            if self.dead:
                raise Crashed
        self._writer, self._commits = connection, False

    def before_commit(self, connection: Any) -> None:
        """Everything is written, nothing is committed."""
        if connection is self._writer:
            self.point("before a commit")
            self._commits = True

    def given_back(self, connection: Any) -> None:
        """A connection is done with its transaction."""
        if connection is not self._writer:
            return
        commits, self._writer = self._commits, None
        self._free.set()
        self._free = trio.Event()
        if self.dead or not commits:
            return
        self._committed()
        world = self.world
        if world.faulty and self.crashes_left and world.random.random() < world.crash_share:
            self.crashes_left -= 1
            self.crash("after a commit")

    # Looking at the database from beside

    @property
    def probe(self) -> sqlite3.Connection:
        """A connection that the product knows nothing of."""
        if self._probe is None:
            self._probe = sqlite3.connect(self.slot.file, isolation_level=None)
        return self._probe

    def close_probe(self) -> None:
        """Let go of the file."""
        if self._probe is not None:
            self._probe.close()
            self._probe = None
