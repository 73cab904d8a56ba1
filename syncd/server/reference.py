"""The tables of protocol.md, made from what is registered.

`python -m syncd.server.reference` prints them; with a file's name, those in that file are brought
up to date: they stand between `<!-- verbs -->` and `<!-- /verbs -->`, and so on.
"""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from syncd.protocol.codes import Code
from syncd.server.limitsreference import constants, settings
from syncd.server.registry import ACTIONS, VERBS, subject_actions
from syncd.server.throttle import PER_ADDRESS, PER_USER
from syncd.server.verbs import login  # noqa: F401 (registers what is listed, with all others)
from syncd.types import all_types

_PLACE = "<!-- {0} -->\n{1}\n<!-- /{0} -->"


def verbs_table() -> str:
    """Return the table of verbs, in the order of their names."""
    return _table(
        ("verb", "least role", "what it does"),
        (
            (f"`{verb.syntax}`", "none" if verb.role is None else verb.role.label, verb.summary)
            for _, verb in sorted(VERBS.items())
        ),
    )


def actions_table() -> str:
    """Return the table of SYNC's actions, in the order of their names."""
    return _table(
        ("action", "changes", "types", "`format=`", "what it does"),
        (
            (
                f"`{action.syntax}`",
                "yes" if action.writes else "no",
                "several" if action.several_types else "one",
                ", ".join(action.formats),
                action.summary,
            )
            for _, action in sorted(ACTIONS.items())
        ),
    )


def subjects_table() -> str:
    """Return the table of the actions on what is no type."""
    return _table(
        ("action", "least role", "`format=`", "what it does"),
        (
            (
                f"`{action.syntax}`",
                "" if action.role is None else action.role.label,
                ", ".join(action.formats),
                action.summary,
            )
            for action in subject_actions()
        ),
    )


def options_table() -> str:
    """Return the table of the options of SYNC's actions, and of those that only a type has."""
    rows = [
        (f"`{name}=`", f"`{action.name}`", text)
        for _, action in sorted(ACTIONS.items())
        for name, text in sorted(action.options.items())
    ]
    rows += [
        (f"`{name}=`", f"`put` of {kind.name}", text)
        for kind in all_types()
        for name, text in sorted(kind.options.items())
    ]
    rows += [
        (f"`{name}=`", f"`{action.name}` of {action.subject}", text)
        for action in subject_actions()
        if action.subject is not None
        for name, text in action.options.items()
    ]
    return _table(("option", "of", "what it is"), rows)


def types_table() -> str:
    """Return the table of types."""
    return _table(
        ("type", "read by", "written by", "columns of `info`"),
        (
            (
                f"`{kind.name}`",
                f"{kind.read_role.label} and up",
                f"{kind.write_role.label} and up",
                ", ".join(kind.columns),
            )
            for kind in all_types()
        ),
    )


def codes_table() -> str:
    """Return the table of reply codes."""
    return _table(
        ("code", "name", "meaning"),
        ((f"{code:03d}", code.name, code.meaning) for code in Code),
    )


def limits_table() -> str:
    """Return the table of the limits that are part of the protocol."""
    return _table(("name", "what", "limit", "over it"), constants())


def settings_table() -> str:
    """Return the table of the limits that an operator may set."""
    return _table(("name", "what", "limit", "over it"), settings())


def logins_table() -> str:
    """Return the table of failed logins that are borne."""
    return _table(
        ("failed logins", "at once", "then one every"),
        (
            (whose, str(allowance.failures), f"{allowance.regain_s:.0f} s")
            for whose, allowance in (
                ("from one IPv4 address, or one /64 of IPv6", PER_ADDRESS),
                ("of one user, from wherever", PER_USER),
                ("of one user from one address where that user logged in before", PER_USER),
            )
        ),
    )


TABLES: dict[str, Callable[[], str]] = {
    "codes": codes_table,
    "limits": limits_table,
    "settings": settings_table,
    "types": types_table,
    "verbs": verbs_table,
    "actions": actions_table,
    "subjects": subjects_table,
    "options": options_table,
    "logins": logins_table,
}


def filled(text: str) -> str:
    """Return a text with each table between its marks made anew. Raises ValueError for no place."""
    for name, make in TABLES.items():
        place = re.compile(f"<!-- {name} -->\n.*?<!-- /{name} -->", re.DOTALL)
        if place.search(text) is None:
            raise ValueError(f"there is no place for the table {name}")
        table = _PLACE.format(name, f"\n{make()}\n")
        text = place.sub(table.replace("\\", r"\\"), text)
    return text


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def main(arguments: Sequence[str]) -> None:
    """Print the tables, or bring those of a file up to date."""
    if arguments:
        path = Path(arguments[0])
        path.write_text(filled(path.read_text("utf-8")), "utf-8")
        return
    for name, make in TABLES.items():
        print(_PLACE.format(name, f"\n{make()}\n"), end="\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
