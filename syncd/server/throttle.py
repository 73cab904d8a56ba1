"""How many failed logins are borne, per address and per user, in bounded memory.

Every guess is paid for before it is looked at, and given back if it was right: a thousand guesses
at once find no more room than one after the other. What was spent comes back with time only, so
that nobody clears the count by logging in as somebody else in between.

A user who logged in from an address before has a count of its own there: strangers who guess, at
that address or elsewhere, cannot lock it out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil

from syncd.errors import PasswordRequired, Throttled


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many failures at once, and one more every `regain_s` seconds."""

    failures: int
    regain_s: float


PER_ADDRESS = Allowance(20, 10.0)
"""Several people and machines may share one address; still 8,640 guesses a day are far too few to
find any password that is not on a short list."""
PER_USER = Allowance(10, 60.0)
"""However many addresses guess: 1,440 a day, and a person who mistypes ten times has a minute."""
MAX_KEYS = 10_000
"""Addresses, users and pairs remembered, of each kind: some 2 MB in all."""

Key = tuple[str, ...]


class LoginThrottle:
    """Counts failed logins. `now` is a clock that never steps back, in seconds."""

    def __init__(
        self,
        now: Callable[[], float],
        *,
        per_address: int = PER_ADDRESS.failures,
        per_user: int = PER_USER.failures,
        max_keys: int = MAX_KEYS,
    ) -> None:
        """`per_address` and `per_user` failures are borne at once."""
        self._known: dict[Key, None] = {}
        self._max_keys = max_keys
        of_user = replace(PER_USER, failures=per_user)
        self._addresses = _Spent(replace(PER_ADDRESS, failures=per_address), now, max_keys)
        self._users = _Spent(of_user, now, max_keys)
        self._pairs = _Spent(of_user, now, max_keys)

    def check(self, user: str, address: str) -> None:
        """Raise Throttled if a guess would not be looked at now."""
        for spent, key in self._counts(user, address):
            wait_s = spent.wait_s(key)
            if wait_s > 0:
                raise Throttled(f"too many failed logins; try again in {ceil(wait_s)} s")

    def charge_address(self, address: str) -> None:
        """Count one failure that was no guess at a user's password: a name that is not there."""
        self._addresses.spend((address,))

    @contextmanager
    def attempt(self, user: str, address: str) -> Iterator[None]:
        """Look at a guess in the context, which ends in PasswordRequired if it was wrong.

        Raises Throttled instead of entering it.
        """
        self.check(user, address)
        counts = self._counts(user, address)
        for spent, key in counts:
            spent.spend(key)
        try:
            yield
        except PasswordRequired:
            raise
        except BaseException:  # nothing was learned about the password
            self._give_back(counts)
            raise
        self._give_back(counts)
        self._remember((user, address))

    def _counts(self, user: str, address: str) -> "list[tuple[_Spent, Key]]":
        if (user, address) in self._known:
            return [(self._pairs, (user, address))]
        return [(self._addresses, (address,)), (self._users, (user,))]

    @staticmethod
    def _give_back(counts: "list[tuple[_Spent, Key]]") -> None:
        for spent, key in counts:
            spent.give_back(key)

    def _remember(self, pair: Key) -> None:
        self._known.pop(pair, None)
        self._known[pair] = None  # the last one now
        if len(self._known) > self._max_keys:
            del self._known[next(iter(self._known))]


class _Spent:
    """What keys have spent of one allowance; kept as the time at which it is whole again."""

    def __init__(self, allowance: Allowance, now: Callable[[], float], max_keys: int) -> None:
        self._allowance = allowance
        self._now = now
        self._max_keys = max_keys
        self._whole_at: dict[Key, float] = {}

    def __len__(self) -> int:
        return len(self._whole_at)

    def wait_s(self, key: Key) -> float:
        """Return the seconds until one failure is allowed; 0 or less: now."""
        spent_s = self._whole_at.get(key, 0.0) - self._now()
        return spent_s - (self._allowance.failures - 1) * self._allowance.regain_s

    def spend(self, key: Key) -> None:
        """Count a failure."""
        now = self._now()
        self._whole_at[key] = max(now, self._whole_at.get(key, now)) + self._allowance.regain_s
        if len(self._whole_at) > self._max_keys:
            self._forget(now)

    def give_back(self, key: Key) -> None:
        """Undo one `spend`."""
        if key in self._whole_at:
            self._whole_at[key] -= self._allowance.regain_s
            if self._whole_at[key] <= self._now():
                del self._whole_at[key]

    def _forget(self, now: float) -> None:
        """Make room for a tenth: those that spent least go first, so a flood of new keys cannot
        wash out the one that is guessed at."""
        worst = sorted(self._whole_at.items(), key=lambda item: item[1], reverse=True)
        kept = worst[: self._max_keys - self._max_keys // 10]
        self._whole_at = {key: whole_at for key, whole_at in kept if whole_at > now}
