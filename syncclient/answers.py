"""What the server's one-line answers say."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from syncd.content.fleet import ServerRow
from syncd.content.tokens import Proof, Token
from syncd.errors import IllegalValue, ProtocolViolation
from syncd.protocol.fields import split_fields

T = TypeVar("T")

_PROOF = re.compile(r"([^|]*)\|([0-9]{1,18})\|([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Frozen:
    """A freeze that was granted: the token that stands still, and how many other users are
    there."""

    token: Token
    expire_s: int
    others: int

    @classmethod
    def parse(cls, token: str, expire_s: str, others: str) -> "Frozen":
        """Return what the fields of the answer say. Raises IllegalValue, ValueError."""
        return cls(Token.parse(token), int(expire_s), int(others))


def parse_proof(text: str) -> Proof:
    """Return what `TOKEN|COUNT|FINGERPRINT` says. Raises ProtocolViolation."""
    found = _PROOF.fullmatch(text)
    try:
        if found is not None:
            return Proof(Token.parse(found[1]), int(found[2]), int(found[3], 16))
    except IllegalValue:
        pass
    raise ProtocolViolation(f"not token|count|fingerprint: {text!r:.120}")


def parse_written(text: str) -> tuple[Token | None, list[str]]:
    """Return a write's token, None if nothing changed, and its warnings. Raises
    ProtocolViolation."""
    if text == "unchanged":
        return None, []
    token, *warnings = understood("a write", text, lambda: split_fields(text))
    return understood("a write", text, lambda: Token.parse(token)), warnings


def understood(what: str, text: str, read: Callable[[], T]) -> T:
    """Return what `read` makes of an answer. Raises ProtocolViolation if it cannot be read."""
    try:
        return read()
    except (IllegalValue, ValueError, TypeError, IndexError):
        raise ProtocolViolation(f"{what} answered {text!r:.120}") from None


def parse_row(columns: Sequence[str], line: str) -> dict[str, str]:
    """Return a line's fields by the columns of its listing. Raises ValueError."""
    return dict(zip(columns, split_fields(line), strict=True))


def parse_server_row(line: str) -> ServerRow:
    """Return a line of `SYNC servers|list`. Raises IllegalValue, ValueError."""
    return ServerRow.from_fields(split_fields(line))
