"""One step of a name server from the zones that it answers to those of a view.

A zone that fails at any stage leaves the step with its reason, and the others go on. What the
server is to have afterwards follows from what is left, so a backend never keeps count by itself.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice

from syncd.content.versions import Version
from syncd.errors import ViewGone
from syncd.store import View
from syncd.store.view import stored_content

TYPE = "zones"
_PAGE = 500
"""Zones whose versions are read at once."""
_MAX_DIFFERING_CHUNKS = 64
"""Of a zone, old and new; some 8,000 records. What differs more is no small change."""
_CHUNKS_AT_ONCE = 1000
"""Of zones that differ: what is held in memory."""


class Stage(Enum):
    """Where a zone, or a whole step, may fail."""

    STAGE = "stage"
    CHECK = "check"
    ACTIVATE = "activate"
    CONFIRM = "confirm"
    ROLL_BACK = "roll back"


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """A zone that the server is to answer otherwise than now."""

    name: str
    old: int | None
    """The serial that it answers now; None if it does not have the zone, or nobody knows."""
    new: int | None
    """The serial that it is to answer; None if the zone is to go."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A zone that the server does not answer as it should: at which stage, and why in words."""

    zone: str
    stage: Stage
    message: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The records, as canonical lines, in which a zone's content differs from that before."""

    removed: list[str]
    added: list[str]
    before: bytes
    """Digest of the content before."""


class Step:
    """The changes that lead to the view `goal`; see the module's top.

    `before` is the view whose zones the server answers now, None if that is not known. `kept_back`
    are zones that it does not answer as `before` has them, each with whether it has them at all;
    `never_had` those that it was never given, so that nothing of them can be taken away.
    `whole`: the changes are all zones there are, and whatever else the server has is to go.
    """

    def __init__(
        self,
        goal: View,
        changes: Iterable[ZoneChange],
        *,
        before: View | None = None,
        kept_back: dict[str, bool] | None = None,
        never_had: Collection[str] = (),
        whole: bool = False,
    ) -> None:
        self.goal = goal
        self.whole = whole
        self.changes = {change.name: change for change in changes}
        self.failures: dict[str, Failure] = {}
        self._failed: dict[str, ZoneChange] = {}
        self._before = before
        self._kept_back = kept_back or {}
        self._never_had = never_had

    def fail(self, zone: str, stage: Stage, message: str) -> None:
        """Take a zone out of the step. What was is to stay, or to be restored."""
        change = self.changes.pop(zone, None)
        if change is not None:
            self._failed[zone] = change
            self.failures[zone] = Failure(zone, stage, message)

    def refuse_foreign(self, zone: str, message: str) -> None:
        """Take a zone out of the step that the server has from somebody else: it is not ours to
        list, or to take away."""
        self.changes[zone] = replace(self.changes[zone], old=None)
        self.fail(zone, Stage.CHECK, message)

    def failed_changes(self, *stages: Stage) -> list[ZoneChange]:
        """Return the changes that failed, at one of these stages if any are given."""
        return [
            change
            for name, change in self._failed.items()
            if not stages or self.failures[name].stage in stages
        ]

    def coming(self) -> list[str]:
        """Return the zones that get new content."""
        return [name for name, change in self.changes.items() if change.new is not None]

    def unknown(self) -> list[str]:
        """Return the zones that get content and that the server may have from somebody else."""
        return [name for name in self.coming() if self.whole or self.changes[name].old is None]

    def going(self) -> list[str]:
        """Return the zones that are to go."""
        return [
            name
            for name, change in self.changes.items()
            if change.new is None and name not in self._never_had
        ]

    def changes_list(self) -> bool:
        """Say whether the server is to have other zones than now."""
        return self.whole or any(
            change.old is None or change.new is None for change in self.changes.values()
        )

    def zones(self) -> Iterator[str]:
        """Yield the names of all zones that the server is to have after the step, in order."""
        absent = {name for name, has in self._kept_back.items() if not has}
        absent -= self.changes.keys()
        absent |= {name for name, change in self._failed.items() if change.old is None}
        staying = {name for name, change in self._failed.items() if change.old is not None}
        staying |= {name for name, has in self._kept_back.items() if has} - self.changes.keys()
        wanted = (marked.name for marked in self.goal.marks([TYPE]))
        return _merged(
            (name for name in wanted if name not in absent and name not in staying), sorted(staying)
        )

    def contents(
        self, names: Iterable[str] | None = None
    ) -> Iterator[tuple[Version, Iterator[bytes]]]:
        """Yield the new version and content of some zones, or of all that get new content."""
        yield from self.goal.contents(self._versions(self.coming() if names is None else names))

    def _versions(self, names: Iterable[str]) -> Iterator[Version]:
        rest = iter(names)
        while page := list(islice(rest, _PAGE)):
            yield from self.goal.find(TYPE, page).values()

    def difference(self, name: str) -> Difference | None:
        """Return what changes in a zone that the server has; None if that is much, or not known.

        Only chunks that differ are read. The lines are in the order of the content.
        """
        return dict(self.differences([name])).get(name)

    def differences(self, names: Iterable[str]) -> Iterator[tuple[str, Difference]]:
        """Yield zones with what changes in them, those of which `difference` would say it.

        They are read together: for many zones that is much quicker than one after the other.
        """
        rest = iter(names)
        while self._before is not None and (page := list(islice(rest, _PAGE))):
            waiting: list[_Differing] = []
            chunks = 0
            for differing in self._differing(self._before, page):
                waiting.append(differing)
                chunks += len(differing.gone) + len(differing.come)
                if chunks > _CHUNKS_AT_ONCE:
                    yield from self._read_differences(self._before, waiting)
                    waiting, chunks = [], 0
            yield from self._read_differences(self._before, waiting)

    def _differing(self, before: View, page: list[str]) -> Iterator["_Differing"]:
        names = [name for name in page if name in self.changes and name not in self._kept_back]
        try:
            olds = before.find(TYPE, names)
        except ViewGone:
            return
        news = self.goal.find(TYPE, list(olds))
        for name, old in olds.items():
            new, serial = news.get(name), self.changes[name].old
            if new is None or serial is None or old.attribute("serial") != serial:
                continue
            olds_chunks, news_chunks = old.chunk_digests(), new.chunk_digests()
            gone = set(olds_chunks).difference(news_chunks)
            come = set(news_chunks).difference(olds_chunks)
            if len(gone) + len(come) <= _MAX_DIFFERING_CHUNKS:
                yield _Differing(
                    old,
                    [digest for digest in olds_chunks if digest in gone],
                    [digest for digest in news_chunks if digest in come],
                )

    def _read_differences(
        self, before: View, differing: list["_Differing"]
    ) -> Iterator[tuple[str, Difference]]:
        olds = before.bodies([digest for one in differing for digest in one.gone])
        news = self.goal.bodies([digest for one in differing for digest in one.come])
        for one in differing:
            gone = _lines(stored_content(digest, olds[digest]) for digest in one.gone)
            come = _lines(stored_content(digest, news[digest]) for digest in one.come)
            removed, added = _less(gone, set(come)), _less(come, set(gone))
            yield one.old.name, Difference(removed, added, one.old.digest)


@dataclass(frozen=True, slots=True)
class _Differing:
    """A zone, and the digests of the chunks in which its content differs."""

    old: Version
    gone: list[bytes]
    come: list[bytes]


def _lines(contents: Iterable[bytes]) -> list[str]:
    lines: list[str] = []
    for content in contents:
        lines += content.decode("ascii").splitlines()
    return lines


def _less(lines: list[str], others: set[str]) -> list[str]:
    """Return lines without those that are among `others`; a zone has no line twice."""
    return [line for line in lines if line not in others]


def _merged(names: Iterable[str], more: list[str]) -> Iterator[str]:
    """Yield two ordered series as one."""
    waiting = iter(more)
    following = next(waiting, None)
    for name in names:
        while following is not None and following < name:
            yield following
            following = next(waiting, None)
        yield name
    while following is not None:
        yield following
        following = next(waiting, None)
