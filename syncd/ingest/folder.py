"""A folder whose zone files are the store's zones: what changed in it since the last look becomes
one commit.

A file that cannot be taken leaves the zone as it is and does not hinder the others; it is read
again when it changes. What other writers made of a zone stays until its file changes.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import BinaryIO

from syncd.content.shares import is_suspicious
from syncd.content.tokens import Token
from syncd.errors import InvalidContent
from syncd.ingest.foldermemory import FolderMemory
from syncd.ingest.folderscan import (
    NO_FILE,
    OWN_PARTS,
    FolderScan,
    KnownFile,
    Scan,
    Signature,
    own_signature,
    signature_of,
)
from syncd.ingest.staging import Staging
from syncd.ingest.zones import MasterFile, prepare_file
from syncd.output import counted
from syncd.settings import setting
from syncd.store import Store, View
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
        "Whether a zone goes when its file does; never more than 30 % of the zones at once (from "
        "10 up), and never all that the folder has.",
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
        sources: list[_WatchedFile] = []
        touched: dict[str, KnownFile] = {}
        for name, signature in scan.settled.items():
            source = _WatchedFile(
                self._scan.folder, name, signature,
                at_rest=self._scan.includes_of(name) if self._settings.settle_s else None,
            )  # fmt: skip
            if name in known and name not in self._scan.broken and source.holds(known[name]):
                touched[name] = replace(known[name], signature=signature, kept=False)
            else:
                sources.append(source)
        with self._store.batch() as batch:
            staging = Staging(self._store, batch, keep_going=True, progress=lambda done: check())
            standing = known.keys() - {source.name for source in sources} - set(scan.gone)
            staging.seen = {known[name].zone: self._path(name) for name in standing}
            staging.take(sources)
            unread = scan.unread + [
                source.name
                for source in sources
                if source.name not in known and (source.failure or source.moving)
            ]
            done_with, kept = self._delete(scan.gone, unread, staging, result)
            done = staging.publish(self._settings.author, "")
        result.token, result.zones = done.token, done.objects
        result.changed, result.removed, result.warnings = done.changed, done.removed, done.warnings
        late = {
            error.path: str(error) for error in done.failed if isinstance(error, InvalidContent)
        }
        self._remember(sources, touched | kept, done_with, late, result)

    def _delete(
        self, names: list[str], unread: list[str], staging: Staging, result: Look
    ) -> tuple[list[str], dict[str, KnownFile]]:
        """Take out the zones of files that are gone, if that is wanted; return those files of which
        there is nothing more to be done, and those whose zones are kept from now on.

        While a new file is `unread` none goes: it may be that of any of them, renamed. What was not
        let go once stays, however many zones there are later.
        """
        if not names or not self._settings.delete:
            return names, {}
        if unread:
            result.refused = (
                f"{min(unread)} is not taken yet, and may hold the zone of a file that is gone; "
                "if it is refused, mend it or take it away"
            )
            return [], {}
        known = self._scan.known
        view = self._store.view()
        heads = view.find("zones", [zone for name in names
                                    if (zone := known[name].zone) not in staging.seen])  # fmt: skip
        going = [name for name in names if not known[name].kept and known[name].zone in heads]
        kept = [name for name in names if known[name].kept and known[name].zone in heads]
        newly_kept: dict[str, KnownFile] = {}
        if self._are_too_many(going, view):
            newly_kept = {name: replace(known[name], kept=True) for name in going}
        kept += newly_kept
        if kept:
            result.refused = (
                f"{counted(len(kept), 'zone')} without a file: too many went at once, or all; if "
                "that is right, remove them by `syncd import zones FOLDER --delete` or `syncclient "
                "delete`"
            )
        for name in going:
            if name not in newly_kept:
                staging.delete(heads[known[name].zone])
        return [name for name in names if name not in kept], newly_kept

    def _are_too_many(self, going: list[str], view: View) -> bool:
        """Say whether so many files are rather a folder that is not the one that is meant."""
        if len(going) > 1 and len(going) == len(self._scan.known):
            return True
        return is_suspicious(len(going), view.totals(["zones"]).count)

    def _remember(
        self,
        sources: list["_WatchedFile"],
        touched: dict[str, KnownFile],
        done_with: list[str],
        late: dict[str | None, str],
        result: Look,
    ) -> None:
        taken = touched
        for source in sources:
            if source.moving:
                self._scan.found[source.name] = source.includes
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
        taken |= self._given_up(taken)
        self._scan.take(taken)
        for name in done_with:
            del self._scan.known[name]
        try:
            self._memory.add(self._store.clock().token, self._scan.known, taken, done_with)
        except OSError as error:
            result.unsaved = error

    def _given_up(self, taken: dict[str, KnownFile]) -> dict[str, KnownFile]:
        """Return files that there never were, for the zones that one has given up for another: so
        these go as those of files that are gone."""
        known = self._scan.known
        return {
            f"{name}/{known[name].zone}": KnownFile((), known[name].zone)
            for name, one in taken.items()
            if name in known and known[name].zone != one.zone
        }

    def _path(self, name: str) -> str:
        return str(self._scan.folder / name)


class _WatchedFile:
    """A file of the folder as a source."""

    def __init__(
        self,
        folder: Path,
        name: str,
        signature: Signature,
        *,
        at_rest: tuple[str, ...] | None = None,
    ) -> None:
        """`at_rest` are the files whose signatures stood still as well; None: none has to."""
        self._at_rest = at_rest
        self._file = MasterFile(str(folder / name), folder)
        self._own = signature[:OWN_PARTS]
        self._included: dict[str, Signature] = {}
        self._content = ""
        self.name, self.where = name, self._file.path
        self.size_bytes = self._own[1]
        self.zone = ""
        self.failure: str | None = None
        self.moving = False
        """Whether it changed while it was read."""

    def holds(self, known: KnownFile) -> bool:
        """Say whether the file, and what it includes, have the content that was taken before."""
        if not known.content:
            return False
        content = _digest_of([self.where, *known.includes])
        return self._check_still() and content == known.content

    def prepare(self) -> Prepared:
        """Read the file. Raises InvalidContent."""
        if self._own == NO_FILE:
            raise self._failed(_why_no_file(self.where))
        try:
            prepared = prepare_file(self._file, looked_for=self._note)
        except InvalidContent as error:
            self._check_at_rest()
            self.failure = str(error)
            raise
        content = _digest_of([self.where, *self._included])
        if not self._check_at_rest():
            raise InvalidContent("changed while it was read", path=self.where)
        if all(own_signature(path) == seen for path, seen in self._included.items()):
            self._content = content  # else what was digested may not be what was read
        self.zone = prepared.name
        return prepared

    def _failed(self, reason: str) -> InvalidContent:
        error = InvalidContent(reason, path=self.where)
        self.failure = str(error)
        return error

    @property
    def includes(self) -> tuple[str, ...]:
        """Paths of the files that it includes, and of those that it did not find."""
        return tuple(self._included)

    def seen(self) -> KnownFile:
        """Return the file as it was read."""
        of_includes = (part for own in self._included.values() for part in own)
        return KnownFile((*self._own, *of_includes), self.zone, self.includes, self._content)

    def _note(self, path: Path, stream: BinaryIO | None) -> None:
        """Note a file that is included, and one that is missing: it may still come."""
        self._included[str(path)] = (
            NO_FILE if stream is None else signature_of(os.fstat(stream.fileno()))
        )

    def _check_at_rest(self) -> bool:
        """Say whether it stands still, and so does all that it turned out to include."""
        if self._at_rest is not None and not self._included.keys() <= set(self._at_rest):
            self.moving = True
            return False
        return self._check_still()

    def _check_still(self) -> bool:
        self.moving = own_signature(self.where) != self._own
        return not self.moving


def _why_no_file(path: str) -> str:
    try:
        os.stat(path)
    except OSError as error:
        return error.strerror or str(error)
    return "is no regular file"


def _digest_of(paths: list[str]) -> str:
    """Return a digest over some files, and over which of them there are; empty if one cannot be
    read."""
    digest = sha256()
    for path in paths:
        try:
            with open(path, "rb") as file:
                digest.update(file_digest(file, "sha256").digest())
        except FileNotFoundError:
            digest.update(b"none")
        except OSError:
            return ""
    return digest.hexdigest()
