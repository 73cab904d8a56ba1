"""Verbs and SYNC actions: each one function, with its syntax, least role and help beside it.

`HELP`, `SYNC ?`, the errors for bad arguments and the tables of protocol.md all come from here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from syncd.errors import IllegalValue
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
    """An action of SYNC."""

    name: str
    syntax: str
    summary: str
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
            name, syntax, summary, writes, several_types, dict(options), type_options, formats, run
        )
        return run

    return add


def number_argument(text: str, what: str, low: int, high: int) -> int:
    """Return a decimal number in [low, high]. Raises IllegalValue, which says what it is for."""
    if not (text.isascii() and text.isdigit() and len(text) < 19 and low <= int(text) <= high):
        raise IllegalValue(f"{what}: {text!r:.40} is not a number from {low} to {high}")
    return int(text)
