"""The versioned, content-addressed store: the only SQL of the project."""

from syncd.store.batch import Batch
from syncd.store.clock import Clock
from syncd.store.delta import Change
from syncd.store.fsck import Damaged
from syncd.store.replica import ReplicaBatch
from syncd.store.store import Commit, Store
from syncd.store.view import Marked, Totals, View

__all__ = [
    "Batch", "Change", "Clock", "Commit", "Damaged", "Marked", "ReplicaBatch", "Store", "Totals",
    "View",
]  # fmt: skip
