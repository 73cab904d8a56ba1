"""Zones as PowerDNS's database has them, and how they are changed so that it can be undone.

What goes is not deleted: its rows are disabled, which PowerDNS takes for not there, until the step
is finished. What comes has larger ids than anything before. So what a step did is undone by what a
few numbers say, and nothing has to be copied away.

A zone is ours if its domain has the metadata `X-SYNCD-DIGEST` with our mark; all others are left
alone.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import Connection, and_, delete, func, select, update

from syncclient.backends.powerdns.records import Row
from syncclient.backends.powerdns.tables import (
    comments,
    cryptokeys,
    domainmetadata,
    domains,
    new_domains,
    new_metadata,
    new_records,
    records,
)
from syncclient.backends.powerdns.zonerows import NSEC3NARROW, NSEC3PARAM, PRESIGNED
from syncd.store.bulk import insert_rows

MARK = "X-SYNCD-DIGEST"
"""Kind of metadata; PowerDNS leaves those that begin with X- to others."""
KINDS = (MARK, PRESIGNED, NSEC3PARAM, NSEC3NARROW)
"""What we write about a domain; other kinds are an operator's."""
NATIVE = "NATIVE"
_REVISION = 1
"""Of how content becomes rows: with another one, all zones are compared anew."""
_GONE = "gone"

_BATCH = 500
"""Values in one statement."""
_ROWS = 5000
"""Rows that are inserted at once."""
_MANY_NAMES = 5000
"""Names, from how many on all domains are read instead of those."""

T = TypeVar("T")
Metadata = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Domain:
    """A zone that the database has."""

    id: int
    name: str
    """As stored: without the final dot."""
    type: str
    master: str | None
    mark: str | None
    """Whose it is and which content it has; None if it is nobody's that we know."""


@dataclass(frozen=True, slots=True)
class Marking:
    """Marks that say of a domain that it is ours."""

    owner: str

    def of(self, digest: bytes) -> str:
        """Return the mark of a zone with this content."""
        return f"{self.owner}:{_REVISION}:{digest.hex()}"

    @property
    def gone(self) -> str:
        """The mark of a zone that is being removed."""
        return f"{self.owner}:{_GONE}"

    def owns(self, domain: Domain) -> bool:
        """Say whether a domain is ours."""
        return domain.mark is not None and domain.mark.partition(":")[0] == self.owner


def pages(items: Iterable[T], size: int = _BATCH) -> Iterator[list[T]]:
    """Yield items, some at a time."""
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page


def find_domains(connection: Connection, names: Collection[str]) -> dict[str, Domain]:
    """Return the domains of these stored names that there are."""
    if len(names) > _MANY_NAMES:
        wanted = names if isinstance(names, set | frozenset) else set(names)
        return {one.name: one for one in all_domains(connection) if one.name in wanted}
    return {
        domain.name: domain
        for page in pages(names)
        for domain in _domains(connection, domains.c.name.in_(page))
    }


def all_domains(connection: Connection) -> Iterator[Domain]:
    """Yield all domains that there are, ours and others."""
    return _domains(connection, None)


def _domains(connection: Connection, where: Any) -> Iterator[Domain]:
    marked = and_(domainmetadata.c.domain_id == domains.c.id, domainmetadata.c.kind == MARK)
    statement = select(
        domains.c.id, domains.c.name, domains.c.type, domains.c.master, domainmetadata.c.content
    ).select_from(domains.outerjoin(domainmetadata, marked))
    if where is not None:
        statement = statement.where(where)
    for row in connection.execute(statement):
        yield Domain(row[0], row[1].lower(), row[2], row[3], row[4])


def last_record_id(connection: Connection) -> int:
    """Return the largest id of a record; those that are written from now on have larger ones."""
    return connection.execute(select(func.max(records.c.id))).scalar() or 0


@contextmanager
def indexes_made_last(connection: Connection) -> Iterator[None]:
    """Have SQLite make its indexes of an empty table after what is inserted inside: in half the
    time. Readers see the table with its indexes all the while."""
    if connection.dialect.name != "sqlite":
        yield  # elsewhere that would lock readers out
        return
    made = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master "
        "WHERE type = 'index' AND tbl_name = 'records' AND sql IS NOT NULL"
    ).all()
    quoted = connection.dialect.identifier_preparer.quote_identifier
    for name, _ in made:
        connection.exec_driver_sql(f"DROP INDEX {quoted(name)}")
    yield
    for _, statement in made:
        connection.exec_driver_sql(statement)


def add_domains(connection: Connection, names: list[str]) -> dict[str, int]:
    """Make domains, and return their ids."""
    insert_rows(connection, new_domains, [(name, NATIVE) for name in names])
    return {
        name.lower(): number
        for page in pages(names)
        for number, name in connection.execute(
            select(domains.c.id, domains.c.name).where(domains.c.name.in_(page))
        )
    }


class RowWriter:
    """Inserts rows, many at once; `flush` writes those that wait."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[tuple[Any, ...]] = []
        self.written = 0

    def add(self, domain_id: int, rows: Iterable[Row]) -> None:
        """Take the rows of a domain, as they come."""
        waiting = self._rows
        for name, kind, content, ttl, prio, order, auth in rows:
            waiting.append((domain_id, name, kind, content, ttl, prio, False, order, auth))
            if len(waiting) >= _ROWS:
                self.flush()
                waiting = self._rows

    def flush(self) -> None:
        """Write what waits."""
        insert_rows(self._connection, new_records, self._rows)
        self.written += len(self._rows)
        self._rows = []


def compare_rows(
    connection: Connection, domain_id: int, rows: Iterable[Row], writer: RowWriter
) -> None:
    """Have a domain hold exactly these rows: only those that differ are written, or disabled."""
    stale: list[int] = []
    surplus: list[int] = []
    known: dict[bytes, int] = {}
    for number, disabled, *values in connection.execute(
        select(
            records.c.id, records.c.disabled, records.c.name, records.c.type, records.c.content,
            records.c.ttl, records.c.prio, records.c.ordername, records.c.auth,
        ).where(records.c.domain_id == domain_id),
        execution_options={"yield_per": _ROWS},
    ):  # fmt: skip
        if disabled:
            stale.append(number)
        elif known.setdefault(_digest(Row(*values)), number) != number:
            surplus.append(number)
    delete_records(connection, stale)

    def missing() -> Iterator[Row]:
        for row in rows:
            if known.pop(_digest(row), None) is None:
                yield row

    writer.add(domain_id, missing())
    disable_records(connection, [*surplus, *known.values()])


def _digest(row: Row) -> bytes:
    text = "\0".join((
        row.name.lower(), row.type or "", row.content or "", str(row.ttl), str(row.prio),
        "\1" if row.ordername is None else row.ordername, "1" if row.auth else "0",
    ))  # fmt: skip
    return blake2b(text.encode(), digest_size=16).digest()


def disable_records(connection: Connection, ids: Sequence[int]) -> None:
    """Have PowerDNS not see records."""
    for page in pages(ids):
        connection.execute(update(records).where(records.c.id.in_(page)).values(disabled=True))


def enable_records(connection: Connection, ids: Sequence[int]) -> None:
    """Have PowerDNS see records again."""
    for page in pages(ids):
        connection.execute(update(records).where(records.c.id.in_(page)).values(disabled=False))


def delete_records(connection: Connection, ids: Sequence[int]) -> None:
    """Remove records by their ids."""
    for page in pages(ids):
        connection.execute(delete(records).where(records.c.id.in_(page)))


def disable_domains(connection: Connection, ids: Sequence[int], mark: str) -> None:
    """Have PowerDNS not see whole zones: it takes a domain without SOA for none."""
    for page in pages(ids):
        connection.execute(
            update(records).where(records.c.domain_id.in_(page)).values(disabled=True)
        )
        connection.execute(
            update(domainmetadata)
            .where(domainmetadata.c.domain_id.in_(page), domainmetadata.c.kind == MARK)
            .values(content=mark)
        )


def enable_domains(connection: Connection, ids: Sequence[int], floor: int) -> None:
    """Take back what came after id `floor`, and enable what was disabled."""
    for page in pages(ids):
        own = records.c.domain_id.in_(page)
        connection.execute(delete(records).where(own, records.c.id > floor))
        connection.execute(
            update(records).where(own, records.c.disabled == True).values(disabled=False)  # noqa: E712
        )


def forget_disabled(connection: Connection, ids: Sequence[int]) -> None:
    """Remove what is disabled in domains."""
    for page in pages(ids):
        connection.execute(
            delete(records).where(records.c.domain_id.in_(page), records.c.disabled == True)  # noqa: E712
        )


def delete_domains(connection: Connection, ids: Sequence[int]) -> None:
    """Remove domains with all that hangs on them."""
    for page in pages(ids):
        for table in (records, comments, cryptokeys, domainmetadata):
            connection.execute(delete(table).where(table.c.domain_id.in_(page)))
        connection.execute(delete(domains).where(domains.c.id.in_(page)))


def read_metadata(connection: Connection, ids: Sequence[int]) -> dict[int, Metadata]:
    """Return what we have written about domains."""
    found: dict[int, Metadata] = {number: [] for number in ids}
    for page in pages(ids):
        for number, kind, content in connection.execute(
            select(
                domainmetadata.c.domain_id, domainmetadata.c.kind, domainmetadata.c.content
            ).where(domainmetadata.c.domain_id.in_(page), domainmetadata.c.kind.in_(KINDS))
        ):
            found[number].append((kind, content))
    return found


def write_metadata(connection: Connection, wanted: dict[int, Metadata], *, new: bool) -> None:
    """Put in place what we say about domains; `new` are those of which nothing was said."""
    for page in pages(() if new else wanted):
        connection.execute(
            delete(domainmetadata).where(
                domainmetadata.c.domain_id.in_(page), domainmetadata.c.kind.in_(KINDS)
            )
        )
    rows = [(number, *each) for number, said in wanted.items() for each in said]
    for page_of_rows in pages(rows, _ROWS):
        insert_rows(connection, new_metadata, page_of_rows)


def set_kind(connection: Connection, domain: Domain, kind: str, master: str | None) -> None:
    """Say of what kind a domain is: one that had a primary would be transferred over ours."""
    if (domain.type, domain.master) != (kind, master):
        connection.execute(
            update(domains).where(domains.c.id == domain.id).values(type=kind, master=master)
        )
