"""What goes into asking, and what comes out of it: questions, limits, outcomes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from syncclient.dns.messages import Answer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AskLimits:
    """What asking may cost the server, and how long it is waited for."""

    timeout_s: float = 1.0
    """For one attempt."""
    attempts: int = 3
    window: int = 128
    """Questions on their way at once. Linux holds some 200 for a server that sets no larger buffer,
    and drops what is beyond: measured with 200, each loss cost `timeout_s`."""
    rate: float | None = None
    """Questions a second, attempts included; None: as fast as they are answered."""
    edns_bytes: int = 1232
    """Largest reply over UDP to questions for records: none of it is cut into fragments."""


class Question(NamedTuple, Generic[T]):
    """What is asked, and what it is asked for."""

    asked: bytes
    """Name, type and class in wire format."""
    subject: T
    edns: bool = False
    dnssec: bool = False


Outcome = Answer | str
"""A reply, or in words why there is none."""
Take = Callable[[T, Outcome], None]
"""Called with a question's subject and what came of it. It must not wait."""

DEFAULT_LIMITS = AskLimits()
