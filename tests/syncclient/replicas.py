"""What the tests of replicas have in common: when two stores hold the same, and a zone to put."""

from sqlalchemy import delete, select

from syncd.store import Store
from syncd.store.bulk import insert_rows
from syncd.store.engine import WRITE, open_engine
from syncd.store.schema import metadata
from tests.store.objects import TYPES, Held, assert_sound, held

ZONE = """\
example.com. 3600 IN SOA ns1.example.com. hostmaster.example.com. {serial} 7200 3600 1209600 300
example.com. 3600 IN NS ns1.example.com.
ns1.example.com. 3600 IN A 192.0.2.{serial}
"""


def without_numbers(
    state: dict[tuple[str, str], Held],
) -> dict[tuple[str, str], tuple[object, ...]]:
    """A repair finds what differs by content; when it was written stays what the replica knew."""
    return {
        key: (one.content, one.size, one.lines, one.crc32, one.digest, one.attributes)
        for key, one in state.items()
    }


def assert_same(replica: Store, source: Store, *, repaired: bool = False) -> None:
    theirs, ours = held(source.view()), held(replica.view())
    if repaired:
        assert without_numbers(ours) == without_numbers(theirs)
    else:
        assert ours == theirs
    assert replica.view().totals(TYPES) == source.view().totals(TYPES)
    assert replica.clock().token == source.clock().token
    assert_sound(replica)


def copy_database(source: str, target: str) -> None:
    """Have the database of one URL hold what that of another holds, as a restored backup does."""
    old, new = open_engine(source, create=False), open_engine(target, create=True)
    with old.connect() as reader, new.execution_options(**WRITE).begin() as writer:
        for table in metadata.sorted_tables:
            writer.execute(delete(table))
            insert_rows(writer, table, [tuple(row) for row in reader.execute(select(table))])
    old.dispose()
    new.dispose()
