"""One seed, from an empty world to one in which all have converged."""

from __future__ import annotations

import gc
import logging
import random
from collections import Counter
from dataclasses import dataclass
from unittest.mock import patch

import trio
import trio.testing

from syncd.server import clockwatch
from syncd.store import Store
from tests.running import NOON
from tests.simulation.constants import extreme
from tests.simulation.disk import Disks
from tests.simulation.model import Model, look
from tests.simulation.network import Faults, Network
from tests.simulation.replica import Follower
from tests.simulation.scheduling import Trace, seeded
from tests.simulation.source import Source
from tests.simulation.writers import write

_END_S = 3600.0
"""By then everybody must have converged, in the simulation's time."""
_MAX_EVENTS = 60_000
"""More than any seed needs: so that what goes round in circles ends."""
_WATCH_S = 4.0
"""As often as a daemon looks at its clock by itself, a sixth of all work would be to find nothing
new."""


@dataclass(frozen=True)
class Result:
    """How a seed went."""

    seed: int
    violation: str | None
    trace: str
    events: int
    last_events: tuple[str, ...]
    counts: Counter[str]

    def report(self) -> str:
        """Return what somebody who has to find the cause needs."""
        return "\n".join(
            (
                *self.last_events,
                f"seed {self.seed}: {self.violation}",
                f"events: {self.events}, trace {self.trace}",
                f"replay: make simulate SEED={self.seed}",
            )
        )


class World:
    """What all parts of one seed share."""

    def __init__(self, seed: int, disks: Disks, *, echo: bool) -> None:
        self.random = random.Random(f"world {seed}")
        self.disks = disks
        self.clock = trio.testing.MockClock(autojump_threshold=0)
        self._trace = Trace(echo=echo)
        self.counts: Counter[str] = Counter()
        self.violation: str | None = None
        self.quiet = False
        chance = self.random
        self.faults = Faults(
            cut=chance.choice((0.0, 0.2, 0.6)),
            delay=chance.choice((0.0, 0.05, 0.3)),
            flip=chance.choice((0.0, 0.0, 0.6)),
        )
        self.crash_share = chance.choice((0.0, 0.003, 0.02))
        self._turns = chance.randint(2, chance.choice((6, 6, 6, 20)))
        self._quiet_at = 0.0
        self._scope = trio.CancelScope()
        self.network = Network(self)
        self.source = Source(self)
        first = look(self.source.node.probe)
        self.model = Model(first.epoch, first.seq)
        self.source.node.crashes_left = 2
        self.followers = [
            Follower(self, number) for number in range(chance.choice((1, 1, 1, 1, 2, 3)))
        ]
        for follower in self.followers:
            follower.node.crashes_left = 2

    def now(self) -> float:
        """Return the time, as everybody's clock has it."""
        return NOON + self.clock.current_time()

    @property
    def faulty(self) -> bool:
        """Whether anything may still go wrong."""
        return not self.quiet

    @property
    def faulty_lately(self) -> bool:
        """Whether what goes wrong now may come from a fault of some time ago."""
        return not self.quiet or self.clock.current_time() < self._quiet_at + 200

    def take_turn(self) -> bool:
        """Say whether there is something left to be done by those who write."""
        self._turns -= 1
        return self._turns >= 0

    def trace(self, *parts: object, minor: bool = False) -> None:
        """Note an event; minor ones come by the thousand."""
        self._trace.add(self.clock.current_time(), *parts, minor=minor)
        if self._trace.events > _MAX_EVENTS:
            self.fail(f"no end after {_MAX_EVENTS} events")

    def check(self, holds: bool, text: str) -> None:
        """An invariant."""
        if not holds:
            self.fail(text)

    def fail(self, text: str) -> None:
        """Note that an invariant does not hold, and end."""
        if self.violation is None:
            self.violation = text
            self._trace.add(self.clock.current_time(), "VIOLATION", text)
            self._scope.cancel()

    async def live(self) -> None:
        """Let everything happen."""
        with trio.move_on_after(_END_S) as end, self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self.source.run)
                async with trio.open_nursery() as replicas:
                    for follower in self.followers:
                        replicas.start_soon(follower.run)
                    async with trio.open_nursery() as writers:
                        writers.start_soon(write, self)
                        writers.start_soon(write, self)
                    self.quiet = True
                    self._quiet_at = self.clock.current_time()
                    self.trace("no more faults")
                damage = list(self.source.node.store.fsck())
                self.check(not damage, f"fsck of the source: {damage[:3]}")
                nursery.cancel_scope.cancel()
        if end.cancelled_caught:
            waiting = [one.node.name for one in self.followers if not one.converged]
            self.fail(f"never converged: {waiting}")

    def result(self, seed: int) -> Result:
        """Return how it went."""
        trace = self._trace
        return Result(
            seed, self.violation, trace.digest(), trace.events, tuple(trace.last), self.counts
        )

    def close(self) -> None:
        """Let go of the files."""
        for node in (self.source.node, *(follower.node for follower in self.followers)):
            node.close_probe()
            node.slot.node = None


class _Complaints(logging.Handler):
    """A daemon that logs an error has met something that nobody thought of."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info is not None and record.exc_info[1] is not None:
            text += f": {record.exc_info[1]!r}"
        self._world.fail(f"logged: {text}")


def simulate(seed: int, disks: Disks, *, echo: bool = False) -> Result:
    """Run one seed."""
    logger = logging.getLogger("syncd")
    gc.disable()  # what it finalises, and when, is no part of the seed
    with seeded(seed), extreme(random.Random(f"constants {seed}")):
        world = World(seed, disks, echo=echo)
        complaints = _Complaints(world)
        logger.addHandler(complaints)
        try:
            with (
                patch.object(trio, "open_tcp_listeners", world.network.listen),
                patch.object(trio, "open_tcp_stream", world.network.dial),
                patch.object(Store, "file_marks", lambda store: None),  # the system's clock
                patch.object(clockwatch, "WATCH_S", _WATCH_S),
            ):
                trio.run(world.live, clock=world.clock)
        except Exception as error:  # noqa: BLE001 (whatever ends a seed is its result)
            world.fail(f"ended by {error!r}")
        finally:
            logger.removeHandler(complaints)
            world.close()
            gc.enable()
    return world.result(seed)
