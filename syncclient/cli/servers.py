"""servers: the table of a fleet, worst first. All of it was judged at the source; here it is only
shown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import trio

from syncclient.access import Access
from syncclient.cli.session import with_client
from syncclient.client import Client
from syncd.content.fleet import COLUMNS, ServerRow, ServerState
from syncd.output import DIFFERS_STATUS, clear_screen, print_table, say, span_text, terminal_width

_WATCH_S = 2.0
_SHOWN = ("server", "state", "behind", "seen", "changed", "took", "backend", "version", "reason")
"""What may be long stands last."""
_NARROW_SHOWN = ("server", "state", "behind", "seen", "reason")
_NARROW_CHARACTERS = 120


def show_servers(access: Access, states: Sequence[ServerState], as_json: bool) -> int:
    """Print the servers in `states` (none given: all); return 0 if all of these are in sync."""

    async def work(client: Client) -> list[ServerRow]:
        return await client.servers(states)

    rows = with_client(access, work)
    _print(rows, states, as_json)
    in_sync = all(row.state is ServerState.IN_SYNC for row in rows)
    return 0 if in_sync else DIFFERS_STATUS


def watch_servers(access: Access, states: Sequence[ServerState], as_json: bool) -> None:
    """Print them every two seconds until interrupted; other than on a terminal, when they
    change."""

    async def work(client: Client) -> None:
        printed: list[ServerRow] | None = None
        while True:
            rows = await client.servers(states)
            if clear_screen() or printed is None or _lasting(rows) != _lasting(printed):
                _print(rows, states, as_json)
                printed = rows
            await trio.sleep(_WATCH_S)

    with_client(access, work)


def forget_server(access: Access, name: str) -> None:
    """Take a server off the list."""

    async def work(client: Client) -> None:
        await client.forget_server(name)

    with_client(access, work)
    say(f"{name} is forgotten; if its agent still runs, it will be back with its next report")


def _lasting(rows: Sequence[ServerRow]) -> list[ServerRow]:
    """Return the rows without what grows as time goes by."""
    return [replace(row, seen_s=0, changed_s=None, behind_s=None) for row in rows]


def _print(rows: Sequence[ServerRow], states: Sequence[ServerState], as_json: bool) -> None:
    if as_json:
        print_table(COLUMNS, [row.cells() for row in rows], as_json=True)
    elif rows:
        width = terminal_width()
        narrow = width is not None and width < _NARROW_CHARACTERS
        columns = _NARROW_SHOWN if narrow else _SHOWN
        shown = [[cells[column] for column in columns] for cells in map(_cells, rows)]
        print_table(columns, shown, as_json=False, wrap="reason")
        counts = Counter(row.state for row in rows)
        listed = ", ".join(f"{counts[state]} {state}" for state in ServerState if counts[state])
        say(f"{len(rows)} {'server' if len(rows) == 1 else 'servers'}: {listed}")
    elif states:
        say(f"no server is {' or '.join(states)}")
    else:
        say(
            "no server has reported here yet; start an agent beside each name server: "
            "syncclient follow --config replica.toml"
        )


def _cells(row: ServerRow) -> dict[str, str]:
    return {
        "server": row.name,
        "state": row.state.value,
        "behind": _behind(row),
        "seen": f"{span_text(row.seen_s)} ago",
        "changed": "-" if row.changed_s is None else f"{span_text(row.changed_s)} ago",
        "took": "-" if row.took_ms is None else _took(row.took_ms),
        "backend": row.backend,
        "version": row.version or "-",
        "reason": row.reason or "-",
    }


def _behind(row: ServerRow) -> str:
    if not row.behind or row.state is ServerState.IN_SYNC:
        return "-"
    since = "" if row.behind_s is None else f", {span_text(row.behind_s)}"
    return f"{row.behind} commit{'' if row.behind == 1 else 's'}{since}"


def _took(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 10_000 else span_text(milliseconds // 1000)
