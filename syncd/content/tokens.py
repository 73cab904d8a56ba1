"""Tokens: where a replica stands, as `epoch:seq`. protocol.md, "Tokens"."""

import re
from dataclasses import dataclass

from syncd.errors import IllegalValue

_TOKEN = re.compile(r"([0-9a-f]{16}):(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class Token:
    """A commit of one history: `epoch` names the history (16 hex digits), `seq` the commit."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Return the token that `text` writes. Raises IllegalValue for anything else."""
        found = _TOKEN.fullmatch(text)
        if found is None:
            raise IllegalValue(f"{text!r} is not a token: 16 hex digits, a colon, a number")
        return cls(found[1], int(found[2]))


@dataclass(frozen=True, slots=True)
class Proof:
    """What a source says of its view: where it is, how many objects, the sum of their marks."""

    token: Token
    count: int
    fingerprint: int
