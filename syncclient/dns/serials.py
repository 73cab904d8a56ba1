"""Which serial a name server answers for each zone.

A zone is served only where the answer is authoritative and holds the zone's own SOA; anything else
comes back in words.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from syncclient.dns.asking import ask_all
from syncclient.dns.messages import NOERROR, RCODES, SOA, Answer, MessageError, question, soa_serial
from syncclient.dns.questions import DEFAULT_LIMITS, AskLimits, Outcome, Question
from syncclient.dns.server import DnsServer
from syncd.content.zone.lexer import RecordError
from syncd.content.zone.names import name_wire
from syncd.errors import IllegalValue

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
