"""How many questions go out a second: a token bucket on trio's clock.

In no span of time do more go out than `rate` times its seconds, and the few that the bucket holds.
"""

_BURST_S = 0.02
"""What the bucket holds: so that a timer which is late by this much costs nothing."""


class Pace:
    """Grants `rate` turns a second. Times are seconds of one clock, never backwards."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate * _BURST_S)
        self._held = 1.0
        self._at = now

    def take(self, now: float) -> bool:
        """Take one turn, if there is one."""
        self._held = min(self._most, self._held + (now - self._at) * self._rate)
        self._at = now
        if self._held < 1.0:
            return False
        self._held -= 1.0
        return True

    def next_turn(self) -> float:
        """Return when there will be a turn again."""
        return self._at + max(0.0, 1.0 - self._held) / self._rate
