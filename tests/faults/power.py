"""A disk that forgets what was not flushed when the power goes.

A real program runs under strace; what it did to files is replayed into a model of the disk. At any
point of it the power can be cut: of what was written since the last fsync of a file, any writes may
be there, whole or in part (sectors), and others not; of what was done to names (create, rename,
unlink, mkdir) a first part is there, at least up to the last fsync of a folder. That is the order
that the journal of ext4 and xfs gives, and nothing more. Shared memory is lost.
"""

import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.cli.commands import finish, start

SECTOR_BYTES = 512
_CALLS = (
    "openat,pwrite64,write,fsync,fdatasync,syncfs,sync,ftruncate,rename,renameat,renameat2,unlink,"
    "unlinkat,mkdir,mkdirat,rmdir"
)
_WHOLE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?")
_UNFINISHED = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
_DESCRIPTOR = re.compile(r"(?:\d+|AT_FDCWD)<([^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')

Names = dict[str, "Inode | Names"]


class Call(NamedTuple):
    """A system call that succeeded."""

    name: str
    arguments: str
    result: int
    opened: str


def trace(folder: Path, *arguments: str | Path) -> list[Call]:
    """Run a program to its end; return what it did to files."""
    log = folder / "strace.log"
    within = [
        shutil.which("strace") or "strace", "-f", "-y", "-xx", "-s", "8000000", "-o", str(log),
        "-e", f"trace={_CALLS}",
    ]  # fmt: skip
    done = finish(start(*arguments, within=within))
    assert done.status == 0, done
    return list(_read_calls(log))


def _read_calls(log: Path) -> Iterator[Call]:
    begun: dict[str, str] = {}
    with log.open() as lines:
        for line in lines:
            if unfinished := _UNFINISHED.match(line):
                begun[unfinished[1]] = unfinished[2]
                continue
            if resumed := _RESUMED.match(line):
                line = f"{resumed[1]} {begun.pop(resumed[1])}{resumed[2]}"
            if (whole := _WHOLE.match(line)) and int(whole[4]) >= 0:
                yield Call(whole[2], whole[3], int(whole[4]), _decode(whole[5] or "").decode())


def _decode(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass(eq=False)
class Inode:
    """A file's content: what is on the disk for sure, and what was written since."""

    flushed: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """(offset, data), or (size, None) for a truncation."""
    position: int = 0

    def flush(self) -> None:
        self.flushed = _apply(self.flushed, self.pending)
        self.pending = []

    def after_a_cut(self, chance: random.Random) -> bytes:
        """Return what may be left of it."""
        share = chance.choice([0.0, 0.5, 1.0])
        left: list[tuple[int, bytes | None]] = []
        for offset, data in self.pending:
            if chance.random() >= share:
                continue
            if data is not None and share < 1 and chance.random() < 0.3:
                data = data[: chance.randrange(0, len(data) + SECTOR_BYTES, SECTOR_BYTES)]
            left.append((offset, data))
        return _apply(self.flushed, left)


def _apply(content: bytes, changes: list[tuple[int, bytes | None]]) -> bytes:
    result = bytearray(content)
    for offset, data in changes:
        end = offset if data is None else offset + len(data)
        if len(result) < end:
            result.extend(bytes(end - len(result)))
        if data is None:
            del result[offset:]
        else:
            result[offset:end] = data
    return bytes(result)


class Change(NamedTuple):
    """Something done to names: `node` is put at `target` (None: nothing), `source` goes."""

    source: tuple[str, ...] | None
    target: tuple[str, ...] | None
    node: "Inode | Names | None"


class Disk:
    """The files below a folder, as the calls of a program change them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._first = _read_tree(root)
        self._present = _copy(self._first)
        self._changes: list[Change] = []
        self._flushed_changes = 0

    def do(self, call: Call) -> None:
        """Follow one call."""
        paths = self._paths(call)
        match call.name:
            case "openat":
                self._open(call)
            case "pwrite64" | "write" if paths:
                self._write(call, self._file(paths[0]))
            case "ftruncate" if paths and (inode := self._file(paths[0])):
                inode.pending.append((int(call.arguments.rsplit(", ", 1)[1]), None))
            case "fsync" | "fdatasync" if paths:
                self._flush(paths[0])
            case "syncfs" | "sync":
                self._flush_all(self._present)
                self._flushed_changes = len(self._changes)
            case "rename" | "renameat" | "renameat2" if len(paths) == 2:
                node = _find(self._present, paths[0])
                self._change(Change(paths[0], paths[1], node))
            case "unlink" | "unlinkat" | "rmdir" if paths:
                self._change(Change(paths[0], None, None))
            case "mkdir" | "mkdirat" if paths:
                self._change(Change(None, paths[0], {}))

    def cut_power(self, chance: random.Random, target: Path) -> None:
        """Write what may be left of everything into a folder."""
        made, flushed = len(self._changes), self._flushed_changes
        known = chance.choice([flushed, made, chance.randint(flushed, made)])
        names = _copy(self._first)
        for change in self._changes[:known]:
            _change(names, change)
        _write_tree(names, target, chance)

    def _paths(self, call: Call) -> list[tuple[str, ...]]:
        """Return the paths that a call names, those of this disk, relative to its root."""
        if call.name in ("rename", "unlink", "mkdir", "rmdir"):
            texts = [_decode(text).decode() for text in _TEXT.findall(call.arguments)]
        elif call.name in ("renameat", "renameat2", "unlinkat", "mkdirat"):
            folders = [_decode(text).decode() for text in _DESCRIPTOR.findall(call.arguments)]
            names = [_decode(text).decode() for text in _TEXT.findall(call.arguments)]
            pairs = zip(folders, names, strict=True)
            texts = [str(Path(folder) / name) for folder, name in pairs]
        else:
            found = _DESCRIPTOR.match(call.arguments)
            texts = [] if found is None else [_decode(found[1]).decode()]
        return [
            path.relative_to(self._root).parts
            for path in map(Path, texts)
            if path.is_relative_to(self._root) and not path.name.endswith("-shm")
        ]

    def _file(self, path: tuple[str, ...]) -> Inode | None:
        node = _find(self._present, path)
        return node if isinstance(node, Inode) else None

    def _open(self, call: Call) -> None:
        opened = Path(call.opened)
        if not opened.is_relative_to(self._root) or opened.name.endswith("-shm"):
            return
        path = opened.relative_to(self._root).parts
        if "O_CREAT" in call.arguments and _find(self._present, path) is None:
            self._change(Change(None, path, Inode()))
        inode = self._file(path)
        if inode is not None:
            inode.position = 0
            if "O_TRUNC" in call.arguments:
                inode.pending.append((0, None))

    def _write(self, call: Call, inode: Inode | None) -> None:
        if inode is None:
            return
        found = _TEXT.search(call.arguments)
        assert found is not None
        data = _decode(found[1])[: call.result]
        if call.name == "pwrite64":
            offset = int(call.arguments.rsplit(", ", 1)[1])
        else:
            offset = inode.position
            inode.position += len(data)
        inode.pending.append((offset, data))

    def _flush(self, path: tuple[str, ...]) -> None:
        node = _find(self._present, path)
        if isinstance(node, Inode):
            node.flush()
            return
        for index, change in enumerate(self._changes):
            if path in [name[:-1] for name in (change.source, change.target) if name]:
                self._flushed_changes = max(self._flushed_changes, index + 1)

    def _flush_all(self, names: Names) -> None:
        for node in names.values():
            if isinstance(node, Inode):
                node.flush()
            else:
                self._flush_all(node)

    def _change(self, change: Change) -> None:
        self._changes.append(change)
        _change(self._present, change)


def _find(names: Names, path: tuple[str, ...]) -> "Inode | Names | None":
    node: Inode | Names | None = names
    for part in path:
        if not isinstance(node, dict):
            return None
        node = node.get(part)
    return node


def _change(names: Names, change: Change) -> None:
    """Change names; a folder that is made or renamed is a copy, so that two trees share none."""
    node = change.node
    if change.source is not None:
        moved = _folder(names, change.source).pop(change.source[-1])
        node = moved if isinstance(moved, dict) else node
    if change.target is not None and node is not None:
        _folder(names, change.target)[change.target[-1]] = (
            node if isinstance(node, Inode) or change.source is not None else {}
        )


def _folder(names: Names, path: tuple[str, ...]) -> Names:
    folder = _find(names, path[:-1])
    assert isinstance(folder, dict), path
    return folder


def _copy(names: Names) -> Names:
    return {name: node if isinstance(node, Inode) else _copy(node) for name, node in names.items()}


def _read_tree(folder: Path) -> Names:
    return {
        path.name: _read_tree(path) if path.is_dir() else Inode(path.read_bytes())
        for path in folder.iterdir()
        if not path.name.endswith("-shm")
    }


def _write_tree(names: Names, folder: Path, chance: random.Random) -> None:
    folder.mkdir()
    for name, node in names.items():
        if isinstance(node, Inode):
            (folder / name).write_bytes(node.after_a_cut(chance))
        else:
            _write_tree(node, folder / name, chance)
