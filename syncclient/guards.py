"""Guards on the replica: a change that is suspiciously large is not applied without being told
to."""

from syncd.content.shares import SUSPICIOUS_SHARE, is_suspicious
from syncd.errors import LargeChangeRefused, ReadOnly
from syncd.store import Clock, Store

OVERRIDE = "--allow-large-change"


def check_share(store: Store, gone: dict[str, int], replaced: dict[str, int]) -> None:
    """Raise LargeChangeRefused if too many of a type's objects would go or be replaced."""
    kinds = sorted(gone.keys() | replaced.keys())
    with store.snapshot() as view:
        counts = {kind: view.totals([kind]).count for kind in kinds}
    for kind, count in counts.items():
        touched = gone.get(kind, 0) + replaced.get(kind, 0)
        if is_suspicious(touched, count):
            raise LargeChangeRefused(
                f"of {count} {kind}, {gone.get(kind, 0)} would go and {replaced.get(kind, 0)} be "
                f"replaced, over {SUSPICIOUS_SHARE:.0%}; nothing was applied. If that is right, "
                f"repeat with {OVERRIDE}; an agent has allow_large_change in [replica] for it"
            )


def check_replica(clock: Clock) -> None:
    """Raise ReadOnly if the store has a history of its own: it is a source, not a replica."""
    if clock.source is None and clock.seq > 0:
        raise ReadOnly(
            "this store has commits of its own; a replica needs a store that was never written to"
        )
