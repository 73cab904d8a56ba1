"""Zones from anywhere become the store's: all of them in one commit, or none.

They are taken some at a time, so that memory stays flat however many there are, and compared with
what the store holds; a zone in which nothing changed makes no version.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from syncd.content.shares import SUSPICIOUS_SHARE, is_suspicious
from syncd.content.tokens import Token
from syncd.content.versions import Version
from syncd.errors import InvalidContent, LargeChangeRefused, SyncError
from syncd.store import Batch, Store
from syncd.store.view import Content
from syncd.types.base import Prepared, Present
from syncd.types.zones import ZONES

_GROUP_ZONES = 200
_GROUP_BYTES = 1024 * 1024
"""Zones read before they are looked up together."""


Progress = Callable[[int], None]


@dataclass
class Imported:
    """What an import did."""

    token: Token | None
    """Of its commit; None if nothing changed."""
    objects: int = 0
    """Read, changed or not."""
    changed: int = 0
    removed: int = 0
    warnings: list[str] = field(default_factory=list)
    failed: list[SyncError] = field(default_factory=list)
    """With `keep_going`: what was left out, and why."""


def check_share(gone: int, count: int, what: str = "zones") -> None:
    """Raise LargeChangeRefused if so many of the store's zones (or files) should not go unasked."""
    if is_suspicious(gone, count):
        raise LargeChangeRefused(
            f"of {count} {what}, {gone} would go, over {SUSPICIOUS_SHARE:.0%}; nothing was "
            "changed. If that is right, repeat with --allow-large-change"
        )


class ZoneSource(Protocol):
    """Where one zone comes from."""

    @property
    def where(self) -> str:
        """What messages call it."""

    @property
    def size_bytes(self) -> int:
        """About how much there is to read; asked for after `prepare`."""

    def prepare(self) -> Prepared:
        """Read the zone. Raises SyncError."""


class Staging:
    """Puts zones from sources into a batch, group by group."""

    def __init__(self, store: Store, batch: Batch, *, keep_going: bool, progress: Progress) -> None:
        self._store, self._batch = store, batch
        self._keep_going, self._progress = keep_going, progress
        self.result = Imported(None)
        self.seen: dict[str, str] = {}
        """By zone, where it was."""

    def take(self, sources: Iterable[ZoneSource]) -> None:
        """Read every source. Raises SyncError for the first bad one, unless told to keep going."""
        group: list[tuple[ZoneSource, Prepared]] = []
        waiting = size_bytes = 0
        for source in sources:
            try:
                group.append((source, self._prepare(source)))
            except SyncError as error:
                self._fail(_placed(error, source))
            waiting += 1
            size_bytes += source.size_bytes
            if waiting >= _GROUP_ZONES or size_bytes >= _GROUP_BYTES:
                self._put(group)
                self._progress(waiting)
                group, waiting, size_bytes = [], 0, 0
        self._put(group)
        self._progress(waiting)

    def _fail(self, error: SyncError) -> None:
        if not self._keep_going:
            raise error
        self.result.failed.append(error)

    def _prepare(self, source: ZoneSource) -> Prepared:
        zone = source.prepare()
        if zone.name in self.seen:
            raise InvalidContent(
                f"zone {zone.name} stands in {self.seen[zone.name]} as well", path=source.where
            )
        self.seen[zone.name] = source.where
        return zone

    def _put(self, group: list[tuple[ZoneSource, Prepared]]) -> None:
        view = self._store.view()
        heads = view.find("zones", [zone.name for _, zone in group])
        firsts = {head.chunk_digests()[0] for head in heads.values()}
        bodies = view.bodies(list(firsts)) if firsts else {}
        for source, zone in group:
            head = heads.get(zone.name)
            try:
                present = None if head is None else Present(head, Content(view, head, bodies))
                settled = ZONES.settle(zone, present)
                if settled is not None:
                    self._batch.put("zones", settled, head)
                else:
                    self.result.warnings += zone.warnings
                self.result.objects += 1
            except InvalidContent as error:
                self._fail(_placed(error, source))

    def delete_others(self, kept: Collection[str] = (), *, guarded: bool) -> None:
        """Take out the zones that no source had, and are not among `kept`; none at all if a source
        failed, as it may have been that of any of them.

        With `guarded`, raises LargeChangeRefused if they are suspiciously many.
        """
        if self.result.failed:
            self.result.warnings.append(
                "nothing was deleted: what failed may be a zone of the store"
            )
            return
        view = self._store.view()
        if guarded:
            count = view.totals(["zones"]).count
            names = (version.name for version in view.versions(["zones"]))
            gone = sum(name not in self.seen and name not in kept for name in names)
            check_share(gone, count)
        for version in view.versions(["zones"]):
            if version.name not in self.seen and version.name not in kept:
                self.delete(version)

    def delete(self, present: Version) -> None:
        """Take out a zone."""
        self._batch.delete(present)
        self.result.removed += 1

    def publish(self, author: str, comment: str) -> Imported:
        """Make it one commit; return what was done. Raises what `Batch.publish` does."""
        self.result.changed = self._batch.changes - self.result.removed
        self.result.token = self._batch.publish(author, comment)
        self.result.warnings += self._batch.warnings
        return self.result


def _placed(error: SyncError, source: ZoneSource) -> SyncError:
    """Return an error that names a place."""
    if isinstance(error, InvalidContent) and error.path is None:
        return InvalidContent(error.reason, path=source.where)
    return error


def import_sources(
    store: Store,
    sources: Iterable[ZoneSource],
    *,
    author: str,
    comment: str = "",
    keep_going: bool = False,
    delete_others: bool = False,
    allow_large_change: bool = False,
    progress: Progress = lambda done: None,
) -> Imported:
    """Make the zones of all sources the store's in one commit.

    With `keep_going` the good zones are taken and the bad listed; without it, raises the error of
    the first bad one and changes nothing. With `delete_others`, zones of no source go, unless one
    failed; LargeChangeRefused if they are suspiciously many, and that is not allowed.
    """
    with store.batch() as batch:
        staging = Staging(store, batch, keep_going=keep_going, progress=progress)
        staging.take(sources)
        if delete_others:
            staging.delete_others(guarded=not allow_large_change)
        return staging.publish(author, comment)
