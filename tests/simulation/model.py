"""What the source holds at each of its commits, as plain bytes, kept without the source's help.

Whoever writes says beforehand what its commit will do, under a word that travels as the commit's
comment. When the source has committed, the model does it too. Restoring a backup begins another
history; a replica that was asking meanwhile may still come to a commit of the one before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import zstandard

from tests.running import PASSWORD_HASH
from tests.simulation.disk import USER

Key = tuple[str, str]
State = dict[Key, bytes]
Intent = Callable[[State], None]

FIRST_STATE: State = {("users", USER): PASSWORD_HASH.encode() + b"\n"}


@dataclass
class History:
    """One history of the source: what it held at each commit."""

    epoch: str
    seq: int
    floor: int
    states: dict[int, State] = field(default_factory=dict)

    def copy(self) -> History:
        """Return it as a backup keeps it."""
        return History(self.epoch, self.seq, self.floor, dict(self.states))


class Model:
    """All histories that the source has had; the last is the present one."""

    def __init__(self, epoch: str, seq: int) -> None:
        self.histories = [History(epoch, seq, 0, {seq: FIRST_STATE})]
        self.intents: dict[str, Intent] = {}
        self._words = 0

    @property
    def present(self) -> History:
        """The history that the source is in."""
        return self.histories[-1]

    @property
    def generation(self) -> int:
        """Number of the present history."""
        return len(self.histories) - 1

    @property
    def head(self) -> State:
        """What the source holds now."""
        return self.present.states[self.present.seq]

    def intend(self, intent: Intent) -> str:
        """Say what a commit will do; return the comment it has to carry."""
        self._words += 1
        word = f"w{self._words}"
        self.intents[word] = intent
        return word

    def commit(self, word: str) -> None:
        """The source has made the next commit."""
        present = self.present
        state = dict(self.head)
        self.intents[word](state)
        present.seq += 1
        present.states[present.seq] = state

    def go_on_from(self, history: History) -> None:
        """The source stands where `history` says, whatever came after."""
        self.histories.append(history)

    def possible(self, epoch: str, seq: int, since: int) -> list[State]:
        """Return what a replica may hold at a token, if it began to ask in generation `since`."""
        return [
            history.states[seq]
            for history in self.histories[since:]
            if history.epoch == epoch and seq in history.states
        ]


@dataclass(frozen=True)
class Seen:
    """What a database holds, read past the product."""

    epoch: str
    seq: int
    floor: int
    source: str | None
    types: str | None
    state: State


def look(probe: sqlite3.Connection) -> Seen:
    """Read clock and heads. A chunk that is missing or damaged shows as other content."""
    probe.execute("BEGIN")
    clock = probe.execute("SELECT epoch, seq, floor, source, types FROM clock").fetchone()
    bodies = dict(probe.execute("SELECT digest, body FROM chunk").fetchall())
    heads = probe.execute("SELECT type, name, chunks FROM version WHERE until IS NULL").fetchall()
    probe.execute("COMMIT")
    state = {
        (kind, name): b"".join(
            _content(bodies.get(chunks[at : at + 32])) for at in range(0, len(chunks), 32)
        )
        for kind, name, chunks in heads
    }
    return Seen(*clock, state)


def last_comment(probe: sqlite3.Connection) -> tuple[int, str]:
    """Return number and comment of the last commit."""
    seq, comment = probe.execute(
        'SELECT seq, comment FROM "commit" ORDER BY seq DESC LIMIT 1'
    ).fetchone()
    return seq, comment


@lru_cache(maxsize=20_000)
def _content(body: bytes | None) -> bytes:
    if body is None:
        return b"<no such chunk>"
    try:
        return zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError:
        return b"<damaged>" + body


def of_types(state: State, types: str | None) -> State:
    """Return the part of a state that a replica of `types` copies."""
    if types in (None, "*"):
        return state
    wanted = types.split(",")
    return {key: content for key, content in state.items() if key[0] in wanted}


def difference(have: State, want: State) -> str:
    """Say how two states differ, for people."""
    parts = [f"{key[0]}/{key[1]} too much" for key in sorted(have.keys() - want.keys())]
    parts += [f"{key[0]}/{key[1]} missing" for key in sorted(want.keys() - have.keys())]
    parts += [
        f"{key[0]}/{key[1]} is {have[key][:60]!r}, not {want[key][:60]!r}"
        for key in sorted(have.keys() & want.keys())
        if have[key] != want[key]
    ]
    return "; ".join(parts[:6])
