"""A few changed records of a zone, worked out from the rows around them alone.

It holds for zones whose rows do not depend on others far away: not signed, and no delegation among
what changes. Everything else is compared row by row; both ways leave the same rows.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from syncclient.backends.powerdns.domains import Domain, pages
from syncclient.backends.powerdns.records import Row, is_answered, record_row, stored_name
from syncclient.backends.powerdns.tables import records
from syncclient.backends.powerdns.zonerows import names_between
from syncclient.backends.step import Difference

_FAR_REACHING = frozenset({"NS", "DS", "DNSKEY", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM"})

_AROUND = select(
    records.c.id, records.c.name, records.c.type, records.c.content, records.c.ttl,
    records.c.prio, records.c.ordername, records.c.auth,
).where(
    records.c.domain_id == bindparam("domain_id"),
    records.c.name.in_(bindparam("names", expanding=True)),
    records.c.disabled == False,  # noqa: E712
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Patch:
    """What is to be done to a domain."""

    domain_id: int
    disable: list[int]
    """Ids of records."""
    insert: list[Row]
    around: list[Row]
    """The apex, and the names that change with those above them, as they will be: what the check
    tool is shown."""


def patch_of(
    connection: Connection,
    zone: str,
    domain: Domain,
    difference: Difference,
    contents: Callable[[], Iterable[bytes]],
    *,
    odd_names: bool,
) -> Patch | None:
    """Return what a difference does to a domain that holds the content before; None if that
    cannot be told from a few rows. Raises Unfit.

    `contents` gives the new content, chunk by chunk.
    """
    lines = [*difference.removed, *difference.added]
    if any("\\" in line or line.split(" ", 4)[3] in _FAR_REACHING for line in lines):
        return None
    removed = [record_row(line) for line in difference.removed]
    added = [record_row(line) for line in difference.added]
    if not (odd_names or all(is_answered(row.name) for row in added)):
        return None
    owners = {line.partition(" ")[0].lower() for line in lines}
    between = {above for owner in owners for above in names_between(owner, zone)}
    stored = {stored_name(name): name for name in (zone, *owners, *between)}
    there = _rows_of(connection, domain.id, list(stored))
    cuts = {row.name for row in there.values() if row.type == "NS"} - {stored_name(zone)}

    ids: dict[Row, int] = {row._replace(auth=True): number for number, row in there.items()}
    disable = []
    for row in removed:
        number = ids.pop(row, None)
        if number is None:
            return None  # somebody else has been at it
        disable.append(number)
    left = {number: row for number, row in there.items() if number not in set(disable)}
    insert = [row._replace(auth=_auth(row.name, cuts)) for row in added]

    real = {row.name for row in (*left.values(), *insert) if row.type is not None}
    empty = {row.name: number for number, row in left.items() if row.type is None}
    lost = {row.name for row in removed} - real
    needed = {
        stored_name(above)
        for name in {row.name for row in insert}
        for above in names_between(stored[name], zone)
    }
    doubtful = lost | {
        stored_name(above) for name in lost for above in names_between(stored[name], zone)
    }
    doubtful -= needed | real
    if doubtful:
        needed |= _with_names_below({stored[name] for name in doubtful}, contents())
    for name in needed - real - empty.keys():
        insert.append(Row(name, None, None, None, None, None, _auth(name, cuts)))
    for name, number in empty.items():
        if name in real or (name in doubtful and name not in needed):
            disable.append(number)
            left.pop(number)
    return Patch(domain.id, disable, insert, [*left.values(), *insert])


def _rows_of(connection: Connection, domain_id: int, names: list[str]) -> dict[int, Row]:
    return {
        number: Row(name, kind, content, ttl, prio, order, bool(auth))
        for page in pages(names)
        for number, name, kind, content, ttl, prio, order, auth in connection.execute(
            _AROUND, {"domain_id": domain_id, "names": page}
        )
    }


def _auth(name: str, cuts: set[str]) -> bool:
    """Say whether a stored name, of which no dot is part of a label, is above all cuts."""
    while cuts and name:
        if name in cuts:
            return False
        name = name.partition(".")[2]
    return True


def _with_names_below(names: set[str], chunks: Iterable[bytes]) -> set[str]:
    """Return those of some canonical names, as stored, below which the content has records."""
    choice = "|".join(re.escape(name) for name in sorted(names))
    pattern = re.compile(rf"^[^ \n]*\.(?:{choice})(?= )", re.MULTILINE | re.IGNORECASE)
    found: set[str] = set()
    for chunk in chunks:
        for match in pattern.finditer(chunk.decode("ascii")):
            above = match[0].lower().partition(".")[2]
            while above:
                if above in names:
                    found.add(stored_name(above))
                above = above.partition(".")[2]
    return found
