"""Which serial a name server answers for each zone, and whether it is the one that it should be.

A zone is served only where the answer is authoritative and holds the zone's own SOA; anything else
comes back in words. A zone that should be gone is gone exactly where it is not served.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import trio

from syncclient.dns.asking import ask_all
from syncclient.dns.messages import NOERROR, RCODES, SOA, Answer, MessageError, question, soa_serial
from syncclient.dns.questions import DEFAULT_LIMITS, AskLimits, Outcome, Question
from syncclient.dns.server import DnsServer
from syncd.content.zone.lexer import RecordError
from syncd.content.zone.names import name_wire
from syncd.errors import ConnectionFailed, IllegalValue

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.5

Progress = Callable[[int], None]
"""Called with the number of questions that have an outcome."""


class SerialAnswer(NamedTuple):
    """What a server says of one zone: its serial, or in words why it does not serve it."""

    zone: str
    serial: int | None
    why: str | None

    @property
    def no_answer(self) -> bool:
        """Whether nothing is known: the server neither serves the zone nor says otherwise."""
        return self.why is not None and self.why.startswith("no answer")


class SerialDifference(NamedTuple):
    """A zone that is not answered as it should be. `expected` None: it should be gone."""

    zone: str
    expected: int | None
    answer: SerialAnswer

    def __str__(self) -> str:
        if self.expected is None:
            said = self.answer.why or f"is still served, at serial {self.answer.serial}"
        elif self.answer.serial is None:
            said = f"should be at serial {self.expected}: {self.answer.why}"
        else:
            said = f"is at serial {self.answer.serial}, not at {self.expected}"
        return f"{self.zone} {said}"


async def ask_serials(
    server: DnsServer,
    zones: Iterable[str],
    *,
    limits: AskLimits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> list[SerialAnswer]:
    """Ask a server for the serial of each zone; return the answers as they came, one a zone.

    `zones` are absolute names in presentation form. Raises ConnectionFailed if the server is not
    there at all, IllegalValue for what is no name.
    """
    answers: list[SerialAnswer] = []

    def take(zone: str, outcome: Outcome) -> None:
        answers.append(_serial(zone, outcome))
        if progress is not None:
            progress(len(answers))

    questions = (Question(soa_question(zone), zone) for zone in zones)
    await ask_all(server, questions, take, limits)
    return answers


async def confirm_serials(
    server: DnsServer,
    expected: Mapping[str, int | None],
    *,
    within_s: float = 0.0,
    limits: AskLimits = DEFAULT_LIMITS,
) -> list[SerialDifference]:
    """Ask until every zone is answered at its serial (None: not served); return what is not.

    What differs is asked again for up to `within_s` seconds, for servers that load in their own
    time. Raises ConnectionFailed if the server is not there then either, IllegalValue.
    """
    deadline = trio.current_time() + within_s
    pause_s = _FIRST_PAUSE_S
    left = dict(expected)
    while True:
        try:
            answers = await ask_serials(server, left, limits=limits)
        except ConnectionFailed:
            if trio.current_time() + pause_s > deadline:
                raise
        else:
            differences = [
                SerialDifference(answer.zone, left[answer.zone], answer)
                for answer in answers
                if answer.serial != left[answer.zone] or answer.no_answer
            ]
            if not differences or trio.current_time() + pause_s > deadline:
                return differences
            left = {difference.zone: difference.expected for difference in differences}
        await trio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def soa_question(zone: str) -> bytes:
    """Return the question for a zone's SOA. Raises IllegalValue for what is no absolute name."""
    try:
        name = name_wire(zone, b"")
    except RecordError as error:
        raise IllegalValue(f"the zone name {zone!r:.80} {error}") from None
    if name[-1:] != b"\0":
        raise IllegalValue(f"the zone name {zone!r:.80} is not absolute: it has no final dot")
    return question(name, SOA)


def unserved(answer: Answer) -> str | None:
    """Return in words why a reply is not one from the zone itself, or None if it is."""
    if answer.rcode not in (NOERROR, 3):
        return RCODES.get(answer.rcode, f"RCODE {answer.rcode}")
    return None if answer.authoritative else "not authoritative"


def _serial(zone: str, outcome: Outcome) -> SerialAnswer:
    if isinstance(outcome, str):
        return SerialAnswer(zone, None, outcome)
    why = unserved(outcome) or ("NXDOMAIN" if outcome.rcode else None)
    if why is not None:
        return SerialAnswer(zone, None, why)
    name = outcome.question[:-4].lower()
    try:
        for record in outcome.answers():
            if record.type == SOA and record.owner == name:
                return SerialAnswer(zone, soa_serial(outcome.message, record), None)
    except MessageError as error:
        return SerialAnswer(zone, None, f"the answer cannot be read: {error}")
    return SerialAnswer(zone, None, "no SOA in the answer")
