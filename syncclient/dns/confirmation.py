"""Whether a name server answers the records that a zone holds, RRset by RRset.

Every RRset ends as the same, as a difference in words, or as counted under what kept it from being
seen: nothing is taken for the same that was not compared.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from syncclient.dns.asking import ask_all
from syncclient.dns.expectation import Rrset, Unseen, ZoneRrsets, expected_rrsets
from syncclient.dns.judgement import judge, type_text
from syncclient.dns.messages import NSEC, RRSIG, question
from syncclient.dns.questions import DEFAULT_LIMITS, AskLimits, Outcome, Question
from syncclient.dns.server import DnsServer


@dataclass(frozen=True, slots=True)
class Difference:
    """An RRset that is not answered as it stands in the zone."""

    zone: str
    owner: str
    type: str
    what: str
    """In words: what is missing, what is too much, another TTL, no answer."""

    def __str__(self) -> str:
        return f"{self.owner} {self.type}: {self.what}"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What asking for records has shown."""

    same: int
    """Records that are answered exactly as they should be; of gone RRsets each counts as one."""
    differences: tuple[Difference, ...]
    unseen: Mapping[Unseen, int]
    """Records that asking cannot prove, by what keeps them from it."""

    @property
    def proven(self) -> bool:
        """Whether everything that could be seen is as it should be."""
        return not self.differences


async def confirm_records(
    server: DnsServer,
    zone: str,
    lines: Iterable[str],
    *,
    gone: Iterable[str] = (),
    zones_below: Collection[str] = (),
    limits: AskLimits = DEFAULT_LIMITS,
    compare_ttl: bool = True,
    whole: bool = True,
) -> Confirmation:
    """Ask a server for the RRsets that canonical lines of a zone hold, and compare the answers.

    `lines`, in any order, hold whole RRsets: what else is answered for their owner and type is a
    difference, unless `whole` is False. `gone` are records none of which may be answered any more.
    `zones_below` are zones of the same server below this one, which answers for what they hold.
    Raises ConnectionFailed if the server is not there, InvalidContent for what is no canonical
    line.
    """
    present, unseen = expected_rrsets(zone, lines)
    removed, unseen_gone = expected_rrsets(zone, gone, gone=True)
    if whole:
        asked = {(rrset.name.lower(), rrset.type, rrset.covered) for rrset in present}
    else:
        asked = set()
        present = [rrset._replace(partial=True) for rrset in present]
    rrsets = [
        *present,
        *(one for one in removed if (one.name.lower(), one.type, one.covered) not in asked),
    ]
    below = ZoneRrsets(zone, zones_below)
    kept = [rrset for rrset in rrsets if not below.hides(rrset)]
    answered = await confirm_rrsets(server, kept, limits=limits, compare_ttl=compare_ttl)
    unseen += unseen_gone + below.unseen + Counter(answered.unseen)
    return Confirmation(answered.same, answered.differences, unseen)


async def confirm_rrsets(
    server: DnsServer,
    rrsets: Iterable[Rrset],
    *,
    limits: AskLimits = DEFAULT_LIMITS,
    compare_ttl: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Confirmation:
    """Ask a server for RRsets and compare the answers; see `confirm_records`.

    `progress` is called with the number of records of each RRset once it was asked for.
    """
    same = 0
    differences: list[Difference] = []
    unseen: Counter[Unseen] = Counter()
    follow_up: list[Rrset] = []

    def take(rrset: Rrset, outcome: Outcome) -> None:
        nonlocal same
        found = (
            outcome if isinstance(outcome, str) else judge(rrset, outcome, compare_ttl=compare_ttl)
        )
        if found is None:
            same += 1 if rrset.gone else rrset.records
        elif isinstance(found, str):
            differences.append(Difference(rrset.zone, rrset.owner, type_text(rrset), found))
        elif isinstance(found, Unseen):
            unseen[found] += rrset.records
        else:
            follow_up.append(found)
            if found.type == RRSIG and rrset.type != RRSIG:
                same += len(rrset.rdatas)  # only the signatures are left to be seen
        if progress is not None:
            progress(rrset.records)

    await ask_all(server, map(_question, rrsets), take, limits)
    if follow_up:
        # None of these leads to a further one, so this ends.
        progress = None
        await ask_all(server, map(_question, follow_up[:]), take, limits)
    return Confirmation(same, tuple(differences), unseen)


def _question(rrset: Rrset) -> Question[Rrset]:
    dnssec = bool(rrset.signatures) or rrset.type in (RRSIG, NSEC)
    return Question(question(rrset.asked or rrset.name, rrset.type), rrset, True, dnssec)
