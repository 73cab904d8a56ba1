"""How many questions go out a second: a token bucket on trio's clock, kept as one moment.

In no span of time do more go out than `rate` times its seconds, and the few that the bucket holds.
"""

_BURST_S = 0.02
"""What the bucket holds: so that a timer which is late by this much costs nothing."""


class Pace:
    """Grants `rate` turns a second. Times are seconds of one clock, never backwards."""

    def __init__(self, rate: float, now: float) -> None:
        self._interval_s = 1.0 / rate
        self.next_turn = now
        """When there is a turn (again)."""

    def take(self, now: float) -> bool:
        """Take one turn, if there is one."""
        if now < self.next_turn:
            return False
        # A moment and not a count: so it is the same number that is waited for and compared.
        self.next_turn = max(self.next_turn, now - _BURST_S) + self._interval_s
        return True
