"""How long to wait before the next attempt: longer each time, and not all agents at once."""

import random
from collections.abc import Callable

_FIRST_S = 0.1
_LEAST_SHARE = 0.5


class BackOff:
    """Waits that double from a tenth of a second up to `longest_s`, each cut by chance by up to a
    half, so that a fleet whose source comes back does not come back as one."""

    def __init__(self, longest_s: float, chance: Callable[[], float] = random.random) -> None:
        self._longest_s = longest_s
        self._chance = chance
        self.reset()

    def reset(self) -> None:
        """Begin anew: something went well."""
        self._next_s = min(_FIRST_S, self._longest_s)

    def wait_s(self) -> float:
        """Return how long to wait now."""
        full_s, self._next_s = self._next_s, min(2 * self._next_s, self._longest_s)
        return full_s * (_LEAST_SHARE + (1 - _LEAST_SHARE) * self._chance())
