"""verify --query: the proof from outside that name servers answer what the source holds."""

from collections.abc import Sequence

import trio

from syncclient.access import Access
from syncclient.cli.session import run, with_client
from syncclient.client import Client, Info
from syncclient.contents import ZoneContents
from syncclient.dns import AskLimits, DnsServer, SerialAnswer
from syncclient.served import Served, compare_records, compare_serials
from syncd.content.zone.serial import serial_is_newer
from syncd.errors import ConnectionFailed, IllegalValue
from syncd.output import DIFFERS_STATUS, ProgressBar, counted, print_table, say

_COLUMNS = ("server", "zone", "source", "answered", "what")
_MOST_ROWS = 1000
"""Differences shown in a table; all are counted, and JSON has them all."""


def show_served(
    access: Access,
    servers: Sequence[DnsServer],
    *,
    records: bool,
    rate: float | None,
    pattern: str | None,
    as_json: bool,
) -> int:
    """Print where the servers answer otherwise than the source; return the exit status.

    Raises ConnectionFailed if one of them is not there, once what the others answer is printed.
    """
    laid_by: list[ZoneContents] = []

    async def fetch(client: Client) -> Info:
        info = await client.info("zones", pattern)
        if records:
            laid_by.append(ZoneContents({row["zone"]: int(row["crc32"], 16) for row in info.rows}))
            await laid_by[0].fetch(client, info.proof.token.seq)
        return info

    reports = [Served(server) for server in dict.fromkeys(servers)]
    bar = ProgressBar("verify")
    try:
        info = with_client(access, fetch)
        if pattern is not None and not info.rows:
            raise IllegalValue(f"the source has no zone {pattern}")
        serials = {row["zone"]: int(row["serial"]) for row in info.rows}
        total = len(serials) + (sum(int(row["records"]) for row in info.rows) if records else 0)
        done = 0

        def progress(more: int) -> None:
            nonlocal done
            done += more
            bar(done, total * len(reports))

        async def ask() -> float:
            began = trio.current_time()
            limits = AskLimits(rate=rate)
            await compare_serials(reports, serials, limits, progress)
            for contents in laid_by:
                await compare_records(reports, contents, list(serials), limits, progress)
            return trio.current_time() - began

        seconds = run(ask)
    finally:
        bar.close()
        for contents in laid_by:
            contents.close()
    _show(reports, serials, as_json)
    if not as_json:
        for report in reports:
            say(_summary(report, records))
        say(f"the source is at {info.proof.token}; {seconds:.1f} s")
    down = [report.down for report in reports if report.down is not None]
    if down:
        raise ConnectionFailed("; ".join(down))
    return DIFFERS_STATUS if any(report.differs for report in reports) else 0


def _show(reports: Sequence[Served], serials: dict[str, int], as_json: bool) -> None:
    rows: list[tuple[object, ...]] = []
    for report in reports:
        server = str(report.server)
        if report.down is not None:
            rows.append((server, None, None, None, report.down))
        answered = {answer.zone: answer.serial for answer in report.other_serials}
        for answer in report.other_serials:
            serial = serials[answer.zone]
            rows.append((server, answer.zone, serial, answer.serial, _what(answer, serial)))
        for found in report.differences:
            serial = serials[found.zone]
            rows.append((server, found.zone, serial, answered.get(found.zone, serial), str(found)))
    if as_json:
        print_table(_COLUMNS, rows, as_json=True)
    elif rows:
        print_table(_COLUMNS, rows[:_MOST_ROWS], as_json=False)
        if len(rows) > _MOST_ROWS:
            say(f"... and {len(rows) - _MOST_ROWS} more; --json prints all")


def _what(answer: SerialAnswer, serial: int) -> str:
    if answer.serial is None:
        return answer.why or "no serial"
    return "behind" if serial_is_newer(serial, answer.serial) else "ahead"


def _summary(report: Served, records: bool) -> str:
    zones = counted(report.zones, "zone")
    said = f"{report.server}: {zones} asked, {len(report.other_serials)} differ"
    if not records:
        return said
    same, other = counted(report.same_records, "record"), counted(len(report.differences), "RRset")
    said += f"; {same} the same, {other} differ"
    if report.not_asked:
        said += f", {counted(report.not_asked, 'record')} of zones not served"
    kinds = [f"{count} {kind.value}" for kind, count in sorted(report.unseen.items(), key=str)]
    return f"{said}; not provable: {'; '.join(kinds)}" if kinds else said
