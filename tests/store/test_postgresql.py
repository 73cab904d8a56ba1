"""What only PostgreSQL needs."""

import pytest

from syncd.store import Store
from tests.store.objects import put, put_all

pytestmark = pytest.mark.parametrize("databases", ["postgresql"], indirect=True)


@pytest.mark.parametrize("table", ["version", "chunk"])
def test_a_commit_of_many_objects_tells_the_planner_how_large_the_tables_are(
    store: Store, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is told, each page of a bootstrap of 100,000 objects is a sort of all of them."""
    monkeypatch.setattr("syncd.store.servers._MANY_CHANGES", 200)

    def known_rows() -> float:
        with store.engine.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT reltuples FROM pg_class WHERE oid = %(table)s::regclass", {"table": table}
            )
            return float(found.scalar_one())

    put(store, "a", b"one")
    assert known_rows() < 100
    put_all(store, {f"f{number:03}": [b"%d" % number] for number in range(200)})
    assert known_rows() == 201
