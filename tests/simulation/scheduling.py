"""Everything that happens happens in an order that the seed gives.

Work that the product gives to threads runs in greenlets of the one thread there is. They pause
where a database would let others go first, at the borders of transactions, for as long as the seed
says; so two threads interleave in every way that matters, and the same way every time.
"""

import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, TypeVar
from unittest.mock import patch

import greenlet
import outcome
import trio
from trio._core import _run

T = TypeVar("T")

Wait = Callable[[], Awaitable[object]]

_EVENTS_KEPT = 60


class Trace:
    """What happened, in order: a hash over everything, and the last events as text."""

    def __init__(self, *, echo: bool = False) -> None:
        self._hash = sha256()
        self._echo = echo
        self.last: deque[str] = deque(maxlen=_EVENTS_KEPT)
        self.events = 0

    def add(self, time_s: float, *parts: object, minor: bool = False) -> None:
        """Add one event; a minor one is shown only when all are."""
        line = f"{time_s:10.4f} " + " ".join(map(str, parts))
        self._hash.update(line.encode())
        self.events += 1
        if not minor:
            self.last.append(line)
        if self._echo:
            print(line)

    def digest(self) -> str:
        """Return the hash of all events so far."""
        return self._hash.hexdigest()[:16]


def pause(wait: Wait) -> None:
    """Let others run until `wait` is over. Does nothing outside `run_in_greenlet`, where others
    cannot run."""
    parent = greenlet.getcurrent().parent
    if parent is not None:
        parent.switch(wait)


def can_pause() -> bool:
    """Say whether `pause` would let others run."""
    return greenlet.getcurrent().parent is not None


async def run_in_greenlet(
    function: Callable[..., T],
    *arguments: object,
    limiter: trio.CapacityLimiter | None = None,
    **options: object,
) -> T:
    """Stand in for trio.to_thread.run_sync: not cancelled once it began, like a thread."""
    await trio.lowlevel.checkpoint_if_cancelled()
    if limiter is not None:
        await limiter.acquire_on_behalf_of(holder := object())
    try:
        with trio.CancelScope(shield=True):
            worker = greenlet.greenlet(lambda: outcome.capture(function, *arguments))
            result: Any = worker.switch()
            while not worker.dead:
                await result()
                result = worker.switch()
            await trio.lowlevel.checkpoint()
            unwrapped: T = result.unwrap()
            return unwrapped
    finally:
        if limiter is not None:
            limiter.release_on_behalf_of(holder)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Have trio, threads and what the product draws at random go by the seed."""
    entropy = random.Random(f"entropy {seed}")

    def token_hex(size_bytes: int) -> str:
        return entropy.randbytes(size_bytes).hex()

    with (
        patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True),
        patch.object(_run, "_r", random.Random(f"scheduling {seed}")),
        patch.object(trio.to_thread, "run_sync", run_in_greenlet),
        patch.object(secrets, "token_hex", token_hex),
        patch.object(random, "uniform", entropy.uniform),
    ):
        yield
