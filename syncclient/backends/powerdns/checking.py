"""What `pdnsutil` says of zones, before the server has them.

The tool looks into a database. So it gets one of its own, a SQLite file in the agent's folder, with
the rows that the zones will have.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from syncclient.backends.powerdns.domains import (
    NATIVE,
    Metadata,
    RowWriter,
    delete_domains,
    write_metadata,
)
from syncclient.backends.powerdns.records import Row, Unfit
from syncclient.backends.powerdns.tables import domains, driver_reason, scratch_engine
from syncclient.backends.step import Stage
from syncclient.backends.tools import Said, ToolTimedOut, run_tool
from syncd.errors import FileFailed, file_failure, shown

_CHECKED = re.compile(r"Checked [0-9]+ records of '(.*)', [0-9]+ errors, [0-9]+ warnings\.")
_ERROR = "[Error] "
_NOT_OURS = "[Error] No delegation for zone "
"""Said if a zone above is in the database as well: nothing is wrong with this one."""


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Have what is wrong with the scratch database raise FileFailed."""
    try:
        yield
    except OSError as error:
        raise file_failure(error) from None
    except SQLAlchemyError as error:
        raise FileFailed(f"{file}: {driver_reason(error)}") from None


class Checker:
    """The scratch database, and the tool that looks at it."""

    def __init__(self, folder: Path, pdnsutil: str, timeout_s: float) -> None:
        self._folder, self._pdnsutil, self._timeout_s = folder, pdnsutil, timeout_s
        self._connection: Connection | None = None
        self._writer: RowWriter
        self._names: list[str] = []
        """Stored names of the zones that are in the scratch database; their ids count from 1."""
        self._metadata: dict[int, Metadata] = {}

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Have the scratch database empty, and open for `add` inside. Raises FileFailed."""
        file = self._folder / "check.sqlite"
        self._names, self._metadata = [], {}
        with _told(file):
            self._folder.mkdir(exist_ok=True)
            (self._folder / "pdns.conf").write_text(
                f"launch=gsqlite3\ngsqlite3-database={file}\ngsqlite3-dnssec=yes\n"
                "gsqlite3-pragma-journal-mode=memory\ngsqlite3-pragma-synchronous=0\n"
            )
            engine = scratch_engine(file)
        try:
            with _told(file), engine.begin() as self._connection:
                self._writer = RowWriter(self._connection)
                yield
                self._writer.flush()
                self._name_zones(self._connection)
        finally:
            engine.dispose()
            self._connection = None

    def add(self, name: str, metadata: Metadata, rows: Iterable[Row]) -> None:
        """Take a zone, by its stored name. If reading its rows fails, it is not taken."""
        assert self._connection is not None, "add is for inside `filling`"
        number = len(self._names) + 1
        try:
            self._writer.add(number, rows)
        except Unfit:
            self._writer.flush()
            delete_domains(self._connection, [number])
            raise
        self._names.append(name)
        self._metadata[number] = metadata

    def _name_zones(self, connection: Connection) -> None:
        zones = [
            {"id": number, "name": name, "type": NATIVE}
            for number, name in enumerate(self._names, 1)
        ]
        if zones:
            connection.execute(domains.insert(), zones)
            write_metadata(connection, self._metadata, new=True)

    async def refused(self) -> dict[str, str]:
        """Return the zones that the tool finds errors in, with what it says.

        Raises ServerFailed if it cannot be run.
        """
        if len(self._names) > 1:
            try:
                said = await self._run("check-all-zones")
            except ToolTimedOut:
                pass  # each is given its own time, and those that take too long are named
            else:
                reports = _reports(said.text)
                if reports.keys() >= set(self._names):
                    return {name: reports[name] for name in self._names if reports[name]}
        return {name: why for name in self._names if (why := await self._refusal(name))}

    async def _refusal(self, name: str) -> str:
        try:
            # A name that begins like an option is written otherwise.
            said = await self._run("check-zone", re.sub("^-", r"\\045", name))
        except ToolTimedOut as error:
            return str(error)
        found = _reports(said.text).get(name)
        return said.message if found is None else found

    async def _run(self, *words: str) -> Said:
        command = [self._pdnsutil, f"--config-dir={self._folder}", *words]
        return await run_tool(command, timeout_s=self._timeout_s, stage=Stage.CHECK)


def _reports(text: str) -> dict[str, str]:
    """Return what was said of each zone: its errors on one line, empty if there are none."""
    found: dict[str, str] = {}
    errors: list[str] = []
    for line in text.splitlines():
        end = _CHECKED.fullmatch(line)
        if end is not None:
            found[end[1]] = shown("; ".join(errors))
            errors = []
        elif line.startswith(_ERROR) and not line.startswith(_NOT_OURS):
            errors.append(line.removeprefix(_ERROR))
    return found
