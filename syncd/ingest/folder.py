"""A folder whose zone files are the store's zones: what changed in it since the last look becomes
one commit.

A file that cannot be taken leaves the zone as it is and does not hinder the others; it is read
again when it changes. What other writers made of a zone stays until its file changes.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from syncd.content.tokens import Token
from syncd.errors import InvalidContent, LargeChangeRefused
from syncd.ingest.foldermemory import FolderMemory
from syncd.ingest.folderscan import (
    OWN_PARTS,
    FolderScan,
    KnownFile,
    Scan,
    Signature,
    signature_of,
    signatures,
)
from syncd.ingest.staging import Staging, check_share
from syncd.ingest.zones import MasterFile, prepare_file
from syncd.settings import setting
from syncd.store import Store
from syncd.store.clock import check_writable
from syncd.types.base import Prepared

MEMORY = ".syncd-ingest"


@dataclass(frozen=True)
class FolderSettings:
    """Section [ingest.folder]."""

    path: str = setting("", "Folder of zone files that become zones as they change; empty: none.")
    pattern: str = setting("*.zone", "What the names of zone files look like; others, and names "
                           "that begin with a dot, are passed over.")  # fmt: skip
    interval_s: float = setting(
        2.0,
        "Seconds between two looks at the folder; a large one is looked at less often, so that it "
        "takes a twentieth of the time.",
        low=0.05,
        high=86400,
    )
    settle_s: float = setting(
        2.0,
        "How long a file must stand still before it is taken: longer than whatever writes it "
        "pauses.",
        low=0,
        high=86400,
    )
    delete: bool = setting(
        False,
        "Whether a zone goes when its file does; never more than 30 % of the zones at once.",
    )
    author: str = setting("folder", "Author of the commits.")
    state_file: str = setting(
        "",
        f"File that remembers what was taken over a restart; empty: {MEMORY} in the folder.",
    )


@dataclass
class Look:
    """What one look did."""

    token: Token | None = None
    """Of its commit."""
    zones: int = 0
    """Taken, changed or not."""
    changed: int = 0
    removed: int = 0
    warnings: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """By file, why it was not taken."""
    mended: list[str] = field(default_factory=list)
    """Files that failed before."""
    refused: str | None = None
    """Why zones whose files are gone were kept."""
    unsaved: OSError | None = None
    """Why what was taken could not be remembered."""
    scan_s: float = 0.0


class WatchedFolder:
    """One folder and one store. Its first look reads what is not remembered."""

    def __init__(self, store: Store, settings: FolderSettings) -> None:
        self._store, self._settings = store, settings
        folder = Path(settings.path).absolute()
        self._scan = FolderScan(folder, settings.pattern, settings.settle_s)
        self._memory = FolderMemory(Path(settings.state_file or folder / MEMORY))
        self._loaded = False

    def look(self, check: Callable[[], None] = lambda: None) -> Look:
        """Look once, and take what changed; `check` is called now and then, and may raise.

        Raises OSError if the folder cannot be read, Frozen and ReadOnly while nothing may be
        written: the next look tries again.
        """
        result = Look()
        began_s = time.monotonic()
        if not self._loaded:
            self._recall(result)
        scan = self._scan.scan(began_s)
        self._loaded = True
        result.scan_s = time.monotonic() - began_s
        if scan.settled or scan.gone:
            check_writable(self._store.clock(), self._store.now())
            self._take(scan, result, check)
        return result

    def _recall(self, result: Look) -> None:
        present = self._store.clock().token
        try:
            self._scan.known = self._memory.load(present)
            self._memory.begin(present, self._scan.known)
        except OSError as error:
            result.unsaved = error

    def _take(self, scan: Scan, result: Look, check: Callable[[], None]) -> None:
        known = self._scan.known
        sources = [
            _WatchedFile(self._scan.folder, name, signature)
            for name, signature in scan.settled.items()
        ]
        with self._store.batch() as batch:
            staging = Staging(self._store, batch, keep_going=True, progress=lambda done: check())
            standing = known.keys() - scan.settled.keys() - set(scan.gone)
            staging.seen = {known[name].zone: self._path(name) for name in standing}
            staging.take(sources)
            unread = scan.unread + [
                source.name
                for source in sources
                if source.name not in known and (source.failure or source.moving)
            ]
            gone = self._delete(scan.gone, unread, staging, result)
            done = staging.publish(self._settings.author, "")
        result.token, result.zones = done.token, done.objects
        result.changed, result.removed, result.warnings = done.changed, done.removed, done.warnings
        late = {
            error.path: str(error) for error in done.failed if isinstance(error, InvalidContent)
        }
        self._remember(sources, gone, late, result)

    def _delete(
        self, names: list[str], unread: list[str], staging: Staging, result: Look
    ) -> list[str]:
        """Take out the zones of files that are gone, if that is wanted; return those files.

        While a new file is `unread` none goes: it may be that of any of them, renamed.
        """
        if not names or not self._settings.delete:
            return names
        if unread:
            result.refused = (
                f"{min(unread)} is not taken yet, and may hold the zone of a file that is gone; "
                "if it is refused, mend it or take it away"
            )
            return []
        zones = [self._scan.known[name].zone for name in names]
        view = self._store.view()
        heads = view.find("zones", [zone for zone in zones if zone not in staging.seen])
        try:
            check_share(len(heads), view.totals(["zones"]).count)
        except LargeChangeRefused:
            result.refused = (
                f"{len(heads)} zones would go at once, as their files are gone; if that is right, "
                "remove them by `syncd import zones FOLDER --delete`"
            )
            return []
        for head in heads.values():
            staging.delete(head)
        return names

    def _remember(
        self,
        sources: list["_WatchedFile"],
        gone: list[str],
        late: dict[str | None, str],
        result: Look,
    ) -> None:
        taken: dict[str, KnownFile] = {}
        for source in sources:
            if source.moving:
                continue  # it is looked at again
            reason = source.failure or late.get(source.where)
            seen = source.seen()
            if reason is not None:
                result.failed[source.name] = reason
                self._scan.broken[source.name] = seen
                continue
            if self._scan.broken.pop(source.name, None) is not None:
                result.mended.append(source.name)
            taken[source.name] = seen
        self._scan.take(taken)
        for name in gone:
            del self._scan.known[name]
        try:
            self._memory.add(self._store.clock().token, self._scan.known, taken, gone)
        except OSError as error:
            result.unsaved = error

    def _path(self, name: str) -> str:
        return str(self._scan.folder / name)


class _WatchedFile:
    """A file of the folder as a source."""

    def __init__(self, folder: Path, name: str, signature: Signature) -> None:
        self._file = MasterFile(str(folder / name), folder)
        self._own = signature[:OWN_PARTS]
        self._included: dict[str, Signature] = {}
        self.name, self.where = name, self._file.path
        self.size_bytes = self._own[1]
        self.zone = ""
        self.failure: str | None = None
        self.moving = False
        """Whether it changed while it was read."""

    def prepare(self) -> Prepared:
        """Read the file. Raises InvalidContent."""
        try:
            prepared = prepare_file(self._file, looked_for=self._note)
        except InvalidContent as error:
            self._check_still()
            self.failure = str(error)
            raise
        if not self._check_still():
            raise InvalidContent("changed while it was read", path=self.where)
        self.zone = prepared.name
        return prepared

    def seen(self) -> KnownFile:
        """Return the file as it was read."""
        of_includes = (part for own in self._included.values() for part in own)
        return KnownFile((*self._own, *of_includes), self.zone, tuple(self._included))

    def _note(self, path: Path, stream: BinaryIO | None) -> None:
        """Note a file that is included, and one that is missing: it may still come."""
        self._included[str(path)] = (
            signatures([str(path)]) if stream is None else signature_of(os.fstat(stream.fileno()))
        )

    def _check_still(self) -> bool:
        try:
            self.moving = signature_of(os.stat(self.where)) != self._own
        except OSError:
            self.moving = True
        return not self.moving
