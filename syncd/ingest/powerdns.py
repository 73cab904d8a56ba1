"""Zones out of a database of PowerDNS (its generic SQL schema): all in one commit, or none.

The database is only read, and in one statement, so what comes is one state of it; a zone at a time,
so memory stays flat. A record becomes the line of a master file that means what PowerDNS would
answer, and our reader takes it from there.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Boolean,
    Connection,
    Engine,
    LargeBinary,
    and_,
    cast,
    column,
    create_engine,
    event,
    false,
    func,
    inspect,
    select,
    table,
    true,
)
from sqlalchemy.exc import SQLAlchemyError

from syncd.content.zone.reader import absolute_name
from syncd.errors import InvalidContent, StoreError
from syncd.ingest.powerdns_records import owner_text, record_line
from syncd.ingest.staging import Imported, Progress, Staging
from syncd.ingest.zonelines import ZoneLines
from syncd.store import Store
from syncd.store.url import connected, not_taken, parse_url, shown_url
from syncd.types.base import Prepared

_FETCHED_ROWS = 1000
_LINES = 500
"""Lines given to the reader at once."""
_TAKEN_TYPES = ("NATIVE", "MASTER", "PRIMARY", "PRODUCER")
_NAMED = 3
"""Zones that a warning names."""

_domains = table("domains", column("id"), column("name"), column("type"))
_records = table(
    "records", column("id"), column("domain_id"), column("name"), column("type"), column("content"),
    column("ttl"), column("prio"), column("disabled", Boolean),
)  # fmt: skip
_keys = table("cryptokeys", column("domain_id"), column("active", Boolean))

Row = Sequence[Any]
"""Zone's name; name, type, content, TTL and priority of a record, or None for all of them."""


def import_powerdns(
    store: Store,
    url: str,
    *,
    author: str,
    comment: str = "",
    keep_going: bool = False,
    delete_others: bool = False,
    allow_large_change: bool = False,
    progress: Progress = lambda done: None,
) -> Imported:
    """Make the native and primary zones of a PowerDNS database the store's, in one commit.

    With `keep_going` the good zones are taken and the bad listed. With `delete_others`, zones that
    the database does not have go, unless one failed; LargeChangeRefused if they are suspiciously
    many. Raises StoreError, InvalidContent.
    """
    shown = shown_url(url)
    with _reading(url, shown) as connection, store.batch() as batch:
        present = _schema(connection, shown)
        kept, warnings = _others(connection)
        if "cryptokeys" in present:
            warnings += _signed(connection)
        staging = Staging(store, batch, keep_going=keep_going, progress=progress)
        staging.result.warnings += warnings
        zones = _zones(connection, shown, disabling="disabled" in present["records"])
        with closing(zones):  # its cursor before its connection
            staging.take(zones)
        if delete_others:
            staging.delete_others(kept, guarded=not allow_large_change)
        return staging.publish(author, comment)


@contextmanager
def _reading(url: str, shown: str) -> Iterator[Connection]:
    """Connect to the database; what it refuses raises StoreError."""
    parsed = parse_url(url, what="PowerDNS database")
    engine = _engine(parsed, shown)
    try:
        with connected(engine, parsed, f"PowerDNS database {shown}") as connection:
            yield connection
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StoreError(f"PowerDNS database {shown}: {reason}") from None
    finally:
        engine.dispose()


def _engine(parsed: URL, shown: str) -> Engine:
    file = parsed.database if parsed.get_backend_name() == "sqlite" else None
    if file is not None and not Path(file).exists():
        raise StoreError(f"PowerDNS database {shown}: there is no such file")
    try:
        engine = create_engine(parsed, hide_parameters=True)
    except ValueError:
        raise StoreError(not_taken(f"PowerDNS database {shown}")) from None
    if file is not None:

        @event.listens_for(engine, "connect")
        def only_read(connection: Any, record: Any) -> None:
            connection.execute("PRAGMA query_only=ON")

    return engine


def _schema(connection: Connection, shown: str) -> dict[str, set[str]]:
    """Return the columns of each table that matters here."""
    inspector = inspect(connection)
    names = set(inspector.get_table_names()) & {"domains", "records", "cryptokeys"}
    if not {"domains", "records"} <= names:
        raise StoreError(
            f"PowerDNS database {shown}: there are no tables `domains` and `records` in it; give "
            "the database that PowerDNS uses"
        )
    return {name: {one["name"] for one in inspector.get_columns(name)} for name in names}


def _others(connection: Connection) -> tuple[set[str], list[str]]:
    """Return the zones that are not taken, as they come from elsewhere, and a warning of them."""
    taken = func.upper(func.coalesce(_domains.c.type, "")).in_(_TAKEN_TYPES)
    names = list(connection.execute(select(_domains.c.name).where(~taken)).scalars())
    kept = {owner_text(_octets(name)).lower() for name in names}
    if not kept:
        return kept, []
    return kept, [
        f"{_some(sorted(kept))}: left out, as PowerDNS is not their primary; import them from that"
    ]


def _signed(connection: Connection) -> list[str]:
    """Return a warning of zones whose signatures PowerDNS makes as it answers."""
    joined = _keys.join(_domains, _keys.c.domain_id == _domains.c.id)
    statement = select(_domains.c.name).distinct().select_from(joined)
    names = connection.execute(statement.where(_keys.c.active.is_(true()))).scalars()
    signed = sorted(owner_text(_octets(name)) for name in names)
    if not signed:
        return []
    return [
        f"{_some(signed)}: comes without the signatures, which PowerDNS makes as it answers; "
        "`import axfr` gets them"
    ]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _zones(
    connection: Connection, shown: str, *, disabling: bool
) -> Generator["_DatabaseZone", None, None]:
    """Yield the zones; the records of one are gone once the next is asked for."""
    own = and_(_records.c.domain_id == _domains.c.id, _records.c.type != "")
    if disabling:
        own = and_(own, _records.c.disabled == false())
    name: Any = _records.c.name
    content: Any = _records.c.content
    if connection.dialect.name in ("mysql", "mariadb"):
        # The octets, whatever character set the columns are said to have: PowerDNS sends those.
        name, content = cast(name, LargeBinary), cast(content, LargeBinary)
    statement = (
        select(
            _domains.c.name, name, _records.c.type, content, _records.c.ttl, _records.c.prio
        )
        .select_from(_domains.outerjoin(_records, own))
        .where(func.upper(_domains.c.type).in_(_TAKEN_TYPES))
        .order_by(_domains.c.id, _records.c.name, _records.c.type, _records.c.id)
    )  # fmt: skip
    streamed = connection.execution_options(stream_results=True, max_row_buffer=_FETCHED_ROWS)
    with streamed.execute(statement) as rows:
        for zone, own_rows in groupby(rows, key=itemgetter(0)):
            yield _DatabaseZone(zone, own_rows, shown)


class _DatabaseZone:
    """A zone of the database as a source."""

    def __init__(self, name: str, rows: Iterator[Row], shown: str) -> None:
        self._name, self._rows = _octets(name), rows
        self.where = f"{name} in {shown}"
        self.size_bytes = 0

    def prepare(self) -> Prepared:
        """Read the zone. Raises InvalidContent."""
        lines = ZoneLines(self._parts())
        try:
            zone = absolute_name(owner_text(self._name), ".").lower()
            prepared = lines.prepare(zone, self.where)
        except InvalidContent as error:
            raise error if error.path else InvalidContent(error.reason, path=self.where) from None
        self.size_bytes = lines.size_bytes
        return prepared

    def _parts(self) -> Iterator[list[str]]:
        yield ["$ORIGIN ."]
        lines = (
            record_line(_octets(name), kind, _octets(content), ttl, priority)
            for _, name, kind, content, ttl, priority in self._rows
            if kind is not None  # a zone without records has one row
        )
        while part := list(islice(lines, _LINES)):
            yield part


def _octets(text: str | bytes | None) -> str:
    """Return a value with one character an octet."""
    if text is None:
        return ""
    if isinstance(text, bytes):
        return text.decode("latin-1")
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")
