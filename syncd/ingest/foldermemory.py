"""What was taken from a watched folder, in a small file, so that a restart reads only what changed.

It belongs to one history of one store: of another, or of a later commit than the store is at (a
backup was put in its place), nothing in it counts. Lines are added as files change; one that is not
whole is passed over, and that file is read again.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from syncd.content.tokens import Token
from syncd.errors import IllegalValue
from syncd.ingest.folderscan import KnownFile

_MOST_LINES, _MOST_SHARE = 1000, 4
"""How many lines the file may have, beside so many for each file that is remembered: then it is
written anew."""


class FolderMemory:
    """The file; `path` need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = 0

    def load(self, present: Token) -> dict[str, KnownFile]:
        """Return what is remembered of a store that is at `present`. Raises OSError."""
        try:
            text = self.path.read_text("utf-8", "surrogateescape")
        except FileNotFoundError:
            return {}
        known: dict[str, KnownFile] = {}
        token: Token | None = None
        for line in text.splitlines():
            try:
                match json.loads(line):
                    case {"token": str(written)}:
                        token = Token.parse(written)
                    case {"file": str(name), "gone": True}:
                        known.pop(name, None)
                    case {"file": str(name), **fields}:
                        known[name] = _known(fields)
            except (ValueError, TypeError, OverflowError, IllegalValue):
                continue
        if token is None or token.epoch != present.epoch or token.seq > present.seq:
            return {}
        return known

    def add(
        self,
        present: Token,
        known: dict[str, KnownFile],
        changed: Iterable[str],
        gone: Iterable[str],
    ) -> None:
        """Remember files that were taken, and forget others: `known` is all there is to remember
        now. Raises OSError."""
        lines = [_line(name, known[name]) for name in changed]
        lines += [json.dumps({"file": name, "gone": True}) for name in gone]
        self._lines += len(lines) + 1
        if self._lines > _MOST_LINES + _MOST_SHARE * len(known):
            self.begin(present, known)
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in [*lines, _head(present)]))

    def begin(self, present: Token, known: dict[str, KnownFile]) -> None:
        """Have the file say this and nothing else. Raises OSError."""
        part = self.path.with_name(self.path.name + ".part")
        with part.open("w", encoding="utf-8") as file:
            file.writelines(f"{_line(name, one)}\n" for name, one in known.items())
            file.write(f"{_head(present)}\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
        self._lines = len(known) + 1


def _head(present: Token) -> str:
    return json.dumps({"token": str(present)})


def _line(name: str, known: KnownFile) -> str:
    fields = {
        "seen": known.signature, "zone": known.zone, "includes": known.includes,
        "content": known.content, "kept": known.kept,
    }  # fmt: skip
    return json.dumps({"file": name, **fields})


def _known(fields: Mapping[object, object]) -> KnownFile:
    """Return what a line says of a file. Raises TypeError, ValueError, OverflowError if that is
    nothing."""
    match fields:
        case {"seen": list(seen), "zone": str(zone), "includes": list(includes)}:
            if "\0" not in "".join(includes):  # no path has it
                return KnownFile(
                    tuple(int(part) for part in seen),
                    zone,
                    tuple(includes),
                    str(fields.get("content", "")),
                    kept=fields.get("kept") is True,
                )
    raise ValueError(f"nothing is known by {fields}")
