"""A list of chunk digests as an edit of an older one: keep n, drop n, insert these.

`apply_splices(old, diff_chunks(old, new)) == new` for all lists. Each inserted chunk has as its
zstd dictionary the old chunks that it most likely replaces, by the rule of `dictionary_range`,
which both sides follow. protocol.md, "Splices".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from syncd.errors import VerificationFailed

_DICTIONARY_CHUNKS = 3
"""Old chunks a dictionary holds: an edit moves a cut by one chunk at most, more is rarely of
use."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Keep `keep` chunks of the old list, drop the next `drop`, put in the `insert` ones."""

    keep: int
    drop: int
    insert: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SpliceShape:
    """A splice as it stands on the wire: how many chunks are put in, not yet which."""

    keep: int
    drop: int
    inserted: int


def diff_chunks(old: Sequence[bytes], new: Sequence[bytes]) -> list[Splice]:
    """Return the splices that make `new` out of `old`; what is left of `old` after them is kept."""
    head = 0
    shorter = min(len(old), len(new))
    while head < shorter and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < shorter - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if set(middle_old).isdisjoint(middle_new):  # as good as always
        changed = bool(middle_old or middle_new)
        return [Splice(head, len(middle_old), tuple(middle_new))] if changed else []
    splices: list[Splice] = []
    keep = head
    for kind, i1, i2, j1, j2 in SequenceMatcher(
        None, middle_old, middle_new, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            keep += i2 - i1
        else:
            splices.append(Splice(keep, i2 - i1, tuple(middle_new[j1:j2])))
            keep = 0
    return splices


def apply_splices(old: Sequence[bytes], splices: Sequence[Splice]) -> list[bytes]:
    """Return the new list. Raises VerificationFailed for splices that reach beyond `old`."""
    new: list[bytes] = []
    position = 0
    for splice in splices:
        new += old[position : position + splice.keep]
        position += splice.keep + splice.drop
        if position > len(old):
            raise VerificationFailed("a splice reaches beyond the end of the object")
        new += splice.insert
    new += old[position:]
    return new


def dictionary_range(drop: int, inserted: int, index: int) -> tuple[int, int]:
    """Return which of `drop` dropped chunks (from, up to) are the dictionary of inserted `index`.

    Those around the same relative place, at most three; (0, 0) when nothing is dropped.
    """
    if drop == 0:
        return 0, 0
    start = max(0, min(index * drop // inserted - 1, drop - _DICTIONARY_CHUNKS))
    return start, min(drop, start + _DICTIONARY_CHUNKS)
