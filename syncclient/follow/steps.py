"""From what the server answers to what the store holds: the step between them, and what it leaves.

Pure but for reading the store. Zones that were refused stay refused until their content changes, or
somebody asks for another try.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from syncclient.backends import Step, ZoneChange
from syncclient.follow.active import Active, Refusal
from syncd.content.versions import Version, add_marks, mark_number
from syncd.errors import TokenLost, ViewGone
from syncd.store import Store, View

TYPES = ["zones"]


def view_before(store: Store, active: Active) -> View | None:
    """Return the view that the server answers; None if the store does not hold it any more."""
    try:
        view = store.view(active.token.seq)
    except ViewGone:
        return None
    return view if view.token == active.token else None


def step_between(
    store: Store,
    goal: View,
    active: Active,
    before: View,
    touched: Iterable[str],
    lost: Collection[str] = (),
) -> Step | None:
    """Return the step from `before` to `goal`; None if that cannot be told: gc has passed `before`,
    the store never stood there, or `goal` lies before it.

    `touched` are zones to be loaded again although they have not changed; `lost` those of them that
    the server does not have any more, whatever it had.
    """
    if goal.token.seq < before.token.seq:
        return None
    refused, touched = active.refused, set(touched)
    changes: dict[str, ZoneChange] = {}
    try:
        for change in store.changes(before.token, goal, TYPES):
            version = change.new or change.old
            assert version is not None
            name = version.name
            old = refused[name].serial if name in refused else _serial(change.old)
            old = None if name in lost else old
            changes[name] = ZoneChange(name, old, _serial(change.new))
        again = [name for name in touched if name not in changes]
        olds, news = before.find(TYPES[0], again), goal.find(TYPES[0], again)
    except (ViewGone, TokenLost):
        return None
    for name in again:
        old = refused[name].serial if name in refused else _serial(olds.get(name))
        old = None if name in lost else old
        changes[name] = ZoneChange(name, old, _serial(news.get(name)))
    return Step(
        goal,
        changes.values(),  # those that neither view has too: a step that died may have left them
        before=before,
        kept_back={name: refusal.serial is not None for name, refusal in refused.items()},
        never_had=[
            name
            for name, refusal in refused.items()
            if refusal.serial is None and name not in touched
        ],
    )


def whole_step(goal: View, answered: Mapping[str, int | None]) -> Step:
    """Return the step to `goal` from a server of which only is known which serials it answers."""

    def changes() -> Iterator[ZoneChange]:
        for version in goal.versions(TYPES):
            yield ZoneChange(version.name, answered.get(version.name), _serial(version))

    return Step(goal, changes(), whole=True)


def outcome(step: Step, active: Active | None, before: View | None, now: int) -> Active:
    """Return what the server answers after a step was confirmed."""
    refused = {} if active is None or step.whole else dict(active.refused)
    for name in step.changes:
        refused.pop(name, None)
    failed = list(step.failures)
    olds = {} if before is None else before.find(TYPES[0], failed)
    news = step.goal.find(TYPES[0], failed)
    for change in step.failed_changes():
        failure = step.failures[change.name]
        known = refused.get(change.name)
        refusal = Refusal(
            stage=failure.stage.value,
            message=failure.message,
            wanted=_mark(news.get(change.name)),
            active=_mark(olds.get(change.name)) if known is None else known.active,
            serial=change.old,
            since=now,
        )
        if known is not None and known.wanted == refusal.wanted:
            refusal = replace(refusal, since=known.since)
        refused[change.name] = refusal
    return _active(step.goal, refused)


def _active(goal: View, refused: Mapping[str, Refusal]) -> Active:
    """Return what is answered at a view: zones that were refused count as what they were."""
    totals = goal.totals(TYPES)
    fingerprint, zones = totals.fingerprint, totals.count
    for refusal in refused.values():
        fingerprint = add_marks(
            fingerprint, gained=int(refusal.active or "0", 16), lost=int(refusal.wanted or "0", 16)
        )
        zones += (refusal.serial is not None) - bool(refusal.wanted)
    return Active(goal.token, fingerprint, zones, refused)


def _serial(version: Version | None) -> int | None:
    return None if version is None else int(version.attribute("serial"))


def _mark(version: Version | None) -> str:
    return "" if version is None else f"{mark_number(version.mark):064x}"
