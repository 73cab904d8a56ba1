"""What a step has done to PowerDNS's database, so that it can be undone, by whichever process.

A small file of the agent's folder: it is written before the step is committed, and removed before
what was disabled is deleted. While it is there, everything can be restored; when it is not, nothing
is needed any more.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sqlalchemy import Connection, update

from syncclient.backends.powerdns.domains import (
    Metadata,
    delete_domains,
    delete_records,
    enable_domains,
    enable_records,
    forget_disabled,
    write_metadata,
)
from syncclient.backends.powerdns.tables import domains, records
from syncclient.durable import replace_small_file
from syncd.errors import FileFailed, file_failure

_FILE = "powerdns-step.json"


@dataclass
class Entry:
    """What was done to one zone."""

    domain_id: int
    added: bool = False
    """It was not there."""
    gone: bool = False
    disabled: list[int] | None = None
    """Records that were disabled; None: whatever is disabled in the domain."""
    metadata: Metadata = field(default_factory=list)
    """What was said of it before."""
    kind: str | None = None
    """Type of the domain, if that has changed: what it was."""
    master: str | None = None


@dataclass
class Journal:
    """A step; `floor` is the largest id of a record before it."""

    floor: int
    entries: dict[str, Entry] = field(default_factory=dict)
    """By the zone's name."""

    @classmethod
    def read(cls, folder: Path) -> "Journal | None":
        """Return what the folder has, None if that is nothing. Raises FileFailed."""
        try:
            known = json.loads((folder / _FILE).read_text("utf-8"))
            entries = {zone: Entry(**one) for zone, one in known["entries"].items()}
            return cls(known["floor"], entries)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise file_failure(error) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FileFailed(
                f"{folder / _FILE} is damaged: it says how a step that was cut short is undone; "
                "take it away, and active.json with it, so that all zones are compared"
            ) from None

    def write(self, folder: Path) -> None:
        """Put it into the folder, flushed. Raises FileFailed."""
        try:
            replace_small_file(folder / _FILE, json.dumps(asdict(self)))
        except OSError as error:
            raise file_failure(error) from None

    @staticmethod
    def remove(folder: Path) -> None:
        """Have it gone from the folder. Raises FileFailed."""
        try:
            (folder / _FILE).unlink(missing_ok=True)
        except OSError as error:
            raise file_failure(error) from None

    def undo(self, connection: Connection, zones: Collection[str]) -> None:
        """Restore what was of some zones; of a step that was never committed too."""
        chosen = [self.entries[zone] for zone in zones if zone in self.entries]
        delete_domains(connection, [one.domain_id for one in chosen if one.added])
        rest = [one for one in chosen if not one.added]
        enable_domains(
            connection, [one.domain_id for one in rest if one.disabled is None], self.floor
        )
        for one in rest:
            if one.disabled is not None:
                self._undo_few(connection, one)
            if one.kind is not None:
                connection.execute(
                    update(domains)
                    .where(domains.c.id == one.domain_id)
                    .values(type=one.kind, master=one.master)
                )
        write_metadata(connection, {one.domain_id: one.metadata for one in rest}, new=False)

    def _undo_few(self, connection: Connection, one: Entry) -> None:
        connection.execute(
            records.delete().where(records.c.domain_id == one.domain_id, records.c.id > self.floor)
        )
        enable_records(connection, one.disabled or [])

    def finish(self, connection: Connection) -> None:
        """Delete what was disabled: there is no way back from here."""
        delete_domains(connection, [one.domain_id for one in self.entries.values() if one.gone])
        rest = [one for one in self.entries.values() if not (one.gone or one.added)]
        delete_records(connection, [number for one in rest for number in one.disabled or []])
        forget_disabled(connection, [one.domain_id for one in rest if one.disabled is None])

    @property
    def leaves_something(self) -> bool:
        """Whether there is anything to delete in the end."""
        return any(not one.added and one.disabled != [] for one in self.entries.values())
