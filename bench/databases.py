"""Bootstraps of `large` with source or replica in PostgreSQL or MariaDB, beside SQLite's.

The servers flush every commit, as SQLite does here.
"""

from contextlib import ExitStack
from functools import partial

from bench import ours
from bench.datasets import dataset
from bench.figures import Bench
from bench.table import Row, ratio_row
from tests.databaseservers import MariaDB, PostgreSQL, Server

_FIGURE = "databases"
_SQLITE = "sqlite"
_SOURCE_GOALS = {PostgreSQL.name: 1.5, MariaDB.name: None}


def bootstraps(bench: Bench) -> list[Row]:
    """Measure source and replica of each kind; the other side is always in SQLite."""
    if not bench.has(ours.NAME):
        return []
    data = dataset("large", bench.data)
    with ExitStack() as stack:
        servers: list[Server] = [
            stack.enter_context(kind(durable=True)) for kind in (PostgreSQL, MariaDB)
        ]
        sources: dict[str, ours.Source] = {}
        for server in (None, *servers):
            name, url = _SQLITE, None
            if server is not None:
                server.create("source")
                name, url = server.name, server.url("source")
            folder = bench.work / f"source-{name}"
            sources[name] = stack.enter_context(ours.Source(data.folder, folder, url))
        for number in range(bench.repeat):
            for name, source in sources.items():
                work = bench.work / f"{name}-{number}"
                run = partial(ours.bootstrap, source, data, work, bench.limit_s)
                bench.attempt(_FIGURE, f"from {name}", run)
            for server in servers:
                server.create("replica")
                work = bench.work / f"into-{server.name}-{number}"
                run = partial(
                    ours.bootstrap, sources[_SQLITE], data, work, bench.limit_s,
                    server.url("replica"),
                )  # fmt: skip
                bench.attempt(_FIGURE, f"into {server.name}", run)
                server.drop("replica")
    sqlite = bench.result(_FIGURE, f"from {_SQLITE}")
    rows = []
    for way, goals in (("from", _SOURCE_GOALS), ("into", dict.fromkeys(_SOURCE_GOALS))):
        for name, goal in goals.items():
            mine = bench.result(_FIGURE, f"{way} {name}")
            rows.append(ratio_row(f"bootstrap, large, {way} {name}", mine, _SQLITE, sqlite, goal))
    return rows
