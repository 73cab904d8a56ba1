"""What the migrations leave is what a new store has, and a store of an earlier schema is brought
there with all it holds."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, Inspector, create_engine, inspect, select, text

from syncd.content.chunks import cut_lines
from syncd.content.compression import compress
from syncd.content.reports import Outcome, ServerReport
from syncd.store import Store, View
from syncd.store.engine import SCHEMA_REVISION, migrate
from syncd.store.schema import metadata
from syncd.types import Prepared
from tests.databases import on_every_engine
from tests.store.objects import (
    TYPES,
    assert_sound,
    content_of,
    held,
    new_store,
    past_the_store,
    prepared,
    put,
    store_url,
)  # fmt: skip

pytestmark = on_every_engine


def shape(url: str) -> dict[str, object]:
    """Everything that a schema says: columns, keys, indexes, the order of text."""
    engine = create_engine(url)
    try:
        return shape_of(inspect(engine))
    finally:
        engine.dispose()


def shape_of(found: Inspector) -> dict[str, object]:
    return {
        table: (
            [
                (
                    c["name"], str(c["type"]), getattr(c["type"], "collation", None),
                    c["nullable"], c["default"],
                )
                for c in found.get_columns(table)
            ],
            found.get_pk_constraint(table)["constrained_columns"],
            sorted(
                (str(i["name"]), i["column_names"], i["unique"]) for i in found.get_indexes(table)
            ),
            found.get_unique_constraints(table),
            found.get_foreign_keys(table),
        )
        for table in found.get_table_names()
        if table != "alembic_version"
    }  # fmt: skip


def migrated_to(url: str, revision: str) -> Engine:
    """A database that only the migrations have made."""
    engine = create_engine(url)
    with engine.begin() as connection:
        migrate(connection, revision)
    return engine


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Engine]:
    engine = migrated_to(store_url(tmp_path, "migrated"), "head")
    yield engine
    engine.dispose()


def test_the_migrations_leave_the_schema_that_a_new_store_has(
    tmp_path: Path, migrated: Engine
) -> None:
    new_store(tmp_path).close()
    assert shape(store_url(tmp_path, "migrated")) == shape(store_url(tmp_path))


def test_alembic_finds_no_difference_to_the_schema(migrated: Engine) -> None:
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == SCHEMA_REVISION


def test_a_store_made_by_the_migrations_works(tmp_path: Path, migrated: Engine) -> None:
    with Store.create(store_url(tmp_path, "migrated")) as store:
        put(store, "a", b"first")
        put(store, "a", b"second")
        assert content_of(store.view(1), "a") == b"first"
        store.collect(keep_seq=2)
        assert_sound(store)
    Store.open(store_url(tmp_path, "migrated")).close()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_a_store_of_an_earlier_schema_is_brought_up_to_date_with_all_it_holds(
    tmp_path: Path, revision: str
) -> None:
    old = store_url(tmp_path, "old")
    with new_store(tmp_path) as store:
        for number in range(3):
            put(store, "a", b"%d" % number, b"shared")
        put(store, "name of 700" + "\xe9" * 689, b"x" * 100_000)
        store.remove("files", "a", author="test")
        waiting = store.batch()
        waiting.put("files", prepared("staged", b"later"), None)
        waiting.flush()
        expected = held(store.view()), held(store.view(3)), store.clock(), store.log()
        first = migrated_to(old, revision)
        with store.engine.connect() as reader, first.begin() as writer:
            for table in metadata.sorted_tables:
                rows = [tuple(row) for row in reader.execute(select(table))]
                insert_into_an_earlier_schema(writer, table.name, rows)
            present = writer.execute(text("SELECT version_num FROM alembic_version")).scalar()
        first.dispose()
        assert present == revision
    with Store.open(old) as store:
        assert (held(store.view()), held(store.view(3)), store.clock(), store.log()) == expected
        assert_sound(store)
        put(store, "a", b"again")
        put(store, "a ", b"another")
        assert store.keep_report(ServerReport("ns1", "bind", 30, Outcome.APPLIED), "ns2")
        assert [kept.user for kept in store.fleet().kept] == ["ns2"]
        assert [version.name[:2] for version in store.view().versions(TYPES)] == ["a", "a ", "na"]
        assert_sound(store)
    new_store(tmp_path, "fresh").close()
    assert shape(old) == shape(store_url(tmp_path, "fresh"))


def insert_into_an_earlier_schema(
    connection: Connection, table: str, rows: list[tuple[object, ...]]
) -> None:
    """The earlier schemas had the columns that there are now, in their order, but not all
    tables."""
    if rows:
        marks = ", ".join(f":c{at}" for at in range(len(rows[0])))
        name = connection.dialect.identifier_preparer.quote(table)
        statement = text(f"INSERT INTO {name} VALUES ({marks})")
        connection.execute(
            statement, [{f"c{at}": value for at, value in enumerate(row)} for row in rows]
        )


def put_zone(store: Store, name: str, serial: int, *chunks: bytes) -> None:
    """Put a zone that is cut as the test says, behind its SOA record."""
    soa = f"{name} 60 IN SOA ns.{name} mail.{name} {serial} 1 1 1 1\n".encode()
    store.write(
        "zones",
        name,
        lambda present: Prepared(name, iter([soa, *chunks]), {"serial": serial}),
        author="test",
    )


def go_back_to(store: Store, revision: str) -> None:
    """Have a store look as if an earlier version had made it."""
    with past_the_store(store_url_of(store)) as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))


def store_url_of(store: Store) -> str:
    return store.engine.url.render_as_string(hide_password=False)


def records(zone: str, count: int, first: int = 0) -> bytes:
    """Lines of a zone."""
    lines = (f"h{n:03}.{zone} 60 IN A 192.0.2.{n}\n" for n in range(first, first + count))
    return "".join(lines).encode()


def counts(view: View) -> dict[str, int]:
    return {version.name: len(version.chunk_digests()) for version in view.versions(["zones"])}


def test_short_zones_become_one_chunk_whatever_commit_they_are_of(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        put(store, "file", b"one", b"two")
        put_zone(store, "a.", 1, records("a.", 3))
        put_zone(store, "a.", 2, records("a.", 40), records("a.", 80, first=40))
        put_zone(store, "b.", 7, records("b.", 3))
        store.remove("zones", "b.", author="test")
        put_zone(store, "long.", 1, records("long.", 127))
        put_zone(store, "wide.", 1, b'wide. 60 IN TXT "%s"\n' % (b"x" * 131_072))
        for number in range(600):
            put_zone(store, f"z{number}.", 1, records(f"z{number}.", 2))
        url, before = store_url_of(store), store.clock()
        contents = [
            {key: one.content for key, one in held(store.view(seq)).items()}
            for seq in range(1, before.seq + 1)
        ]
        go_back_to(store, "0003")
    with Store.open(url) as store:
        assert contents == [
            {key: one.content for key, one in held(store.view(seq)).items()}
            for seq in range(1, before.seq + 1)
        ]
        found = counts(store.view())
        assert found.pop("long.") == found.pop("wide.") == 2
        assert set(found.values()) == {1}
        assert len(found) == 601
        assert counts(store.view(2)) == counts(store.view(3)) == {"a.": 1}
        assert len(store.view().version("files", "file").chunk_digests()) == 2
        assert store.clock().epoch != before.epoch
        assert replace(store.clock(), epoch=before.epoch) == before
        assert_sound(store)
        lines = content_of(store.view(), "a.", "zones").splitlines(keepends=True)
        again = Prepared("a.", cut_lines(lines, head_lines=1), {"serial": 2})
        assert store.write("zones", "a.", lambda present: again, author="test")[0] is None


def test_a_short_zone_that_is_damaged_stays_so(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        put_zone(store, "a.", 1, records("a.", 3))
        put_zone(store, "b.", 1, records("b.", 3))
        url = store_url_of(store)
        rotten, missing = (store.view().version("zones", f"{x}.").chunk_digests()[1] for x in "ab")
        with past_the_store(url) as connection:
            rows = metadata.tables["chunk"]
            connection.execute(
                rows.update().where(rows.c.digest == rotten).values(body=compress(b"rotten"))
            )
            connection.execute(rows.delete().where(rows.c.digest == missing))
        damages = list(store.fsck())
        before = store.clock()
        go_back_to(store, "0003")
    with Store.open(url) as store:
        assert damages
        assert list(store.fsck()) == damages
        assert store.clock() == before


def test_a_migration_runs_once_for_two_that_open_the_store(tmp_path: Path) -> None:
    """The second waits for the first, and then finds nothing to do."""
    from concurrent.futures import ThreadPoolExecutor

    new_store(tmp_path).close()
    first = create_engine(store_url(tmp_path))
    with first.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    first.dispose()
    with ThreadPoolExecutor(2) as pool:
        stores = list(pool.map(lambda _: Store.open(store_url(tmp_path)), range(2)))
    for store in stores:
        with store.engine.connect() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars()
            assert list(found) == [SCHEMA_REVISION]
        store.close()
