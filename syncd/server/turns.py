"""Turns at one object: those who write it do so one after another.

Otherwise each would begin anew whenever another was faster, and of many at once some would never be
the last.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


class Turns:
    """The turns of one daemon's sessions; another daemon's on the same store may come between."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], trio.Lock] = {}

    @asynccontextmanager
    async def of(self, type_name: str, name: str) -> AsyncIterator[None]:
        """Wait for the turn at an object, and have it inside the context."""
        key = (type_name, name)
        lock = self._taken.setdefault(key, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._taken.pop(key, None)
