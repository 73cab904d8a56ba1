"""Notices (9xx) that wait until a session is between two answers."""

import trio


class Notices:
    """The queue of one session; a newer notice takes the place of those that it outdates."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._added = trio.Event()

    def add(self, text: str, *, replaces: tuple[str, ...]) -> None:
        """Queue a notice, in place of those still queued that begin with `replaces`."""
        self._texts = [queued for queued in self._texts if not queued.startswith(replaces)]
        self._texts.append(text)
        self._added.set()

    def drop(self) -> None:
        """Forget what is queued."""
        self._texts.clear()

    async def wait(self) -> None:
        """Return once there may be something to send."""
        await self._added.wait()

    def take(self) -> list[str]:
        """Return what is queued, and forget it."""
        taken, self._texts = self._texts, []
        self._added = trio.Event()
        return taken
