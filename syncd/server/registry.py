"""Verbs and SYNC actions: each one function, with its syntax, least role and help beside it.

`HELP`, `SYNC ?`, the errors for bad arguments and the tables of protocol.md all come from here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.types import Role

if TYPE_CHECKING:
    from syncd.server.requests import SyncRequest
    from syncd.server.session import Session

VerbHandler = Callable[["Session", str], Awaitable[None]]
ActionHandler = Callable[["Session", "SyncRequest"], Awaitable[None]]


@dataclass(frozen=True)
class Verb:
    """A verb of the protocol."""

    name: str
    syntax: str
    role: Role | None
    """Least role; None: no login is needed."""
    summary: str
    run: VerbHandler


@dataclass(frozen=True)
class Action:
    """An action of SYNC, on data types or on one subject."""

    name: str
    syntax: str
    summary: str
    subject: str | None
    """What stands in argument 1 and is no data type: nothing of it is replicated, `*` does not mean
    it, and it has actions of its own."""
    role: Role | None
    """Least role, of an action on a subject; a data type says itself who may read and write it."""
    writes: bool
    several_types: bool
    """Whether argument 1 may name several types, or `*`."""
    options: Mapping[str, str]
    type_options: bool
    """Whether it takes the options of the type as well."""
    formats: tuple[str, ...]
    """What format= may be; the first is meant if it is not given."""
    run: ActionHandler


VERBS: dict[str, Verb] = {}
ACTIONS: dict[str, Action] = {}
"""On data types."""
SUBJECTS: dict[str, dict[str, Action]] = {}
"""On subjects, by theirs and their own name."""


def verb(syntax: str, *, role: Role | None, summary: str) -> Callable[[VerbHandler], VerbHandler]:
    """Register the function below as the verb that `syntax` begins with."""

    def add(run: VerbHandler) -> VerbHandler:
        name = syntax.split(" ", 1)[0]
        if name in VERBS:
            raise ValueError(f"verb {name} is registered already")
        VERBS[name] = Verb(name, syntax, role, summary, run)
        return run

    return add


def action(
    syntax: str,
    *,
    summary: str,
    writes: bool = False,
    several_types: bool = False,
    options: Mapping[str, str] = MappingProxyType({}),
    type_options: bool = False,
    formats: tuple[str, ...] = ("text",),
) -> Callable[[ActionHandler], ActionHandler]:
    """Register the function below as the SYNC action that `syntax` names after its first `|`."""

    def add(run: ActionHandler) -> ActionHandler:
        name = syntax.split("|")[1].split("[")[0]
        if name in ACTIONS:
            raise ValueError(f"action {name} is registered already")
        ACTIONS[name] = Action(
            name=name,
            syntax=syntax,
            summary=summary,
            subject=None,
            role=None,
            writes=writes,
            several_types=several_types,
            options=dict(options),
            type_options=type_options,
            formats=formats,
            run=run,
        )
        return run

    return add


def subject_action(
    subject: str,
    syntax: str,
    *,
    role: Role,
    summary: str,
    options: Mapping[str, str] = MappingProxyType({}),
    formats: tuple[str, ...] = ("text",),
) -> Callable[[ActionHandler], ActionHandler]:
    """Register the function below as the action on a subject that `syntax` names."""

    def add(run: ActionHandler) -> ActionHandler:
        name = syntax.split("|")[1].split("[")[0]
        known = SUBJECTS.setdefault(subject, {})
        if name in known:
            raise ValueError(f"action {name} of {subject} is registered already")
        known[name] = Action(
            name=name,
            syntax=syntax,
            summary=summary,
            subject=subject,
            role=role,
            writes=False,
            several_types=False,
            options=dict(options),
            type_options=False,
            formats=formats,
            run=run,
        )
        return run

    return add


def subject_actions() -> list[Action]:
    """Return the actions on subjects, in the order in which they were registered."""
    return [known for actions in SUBJECTS.values() for known in actions.values()]
