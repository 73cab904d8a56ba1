"""Guards: a share of a type's objects, from ten objects up."""

from pathlib import Path

import pytest

from syncclient.guards import check_replica, check_share
from syncd.errors import LargeChangeRefused, ReadOnly
from tests.databases import on_every_engine
from tests.store.objects import new_store, put_all

pytestmark = on_every_engine


@pytest.mark.parametrize(
    ("count", "gone", "replaced", "refused"),
    [
        (9, 9, 0, False), (10, 3, 0, False), (10, 4, 0, True), (10, 2, 2, True), (10, 0, 4, True),
        (10, 0, 3, False), (100, 30, 0, False), (100, 15, 16, True), (0, 0, 0, False),
    ],
)  # fmt: skip
def test_more_than_thirty_percent_of_ten_or_more_are_refused(
    tmp_path: Path, count: int, gone: int, replaced: int, refused: bool
) -> None:
    with new_store(tmp_path) as store:
        put_all(store, {f"f{number}": [b"x"] for number in range(count)})
        if refused:
            with pytest.raises(LargeChangeRefused, match=f"of {count} files, {gone} would go"):
                check_share(store, {"files": gone}, {"files": replaced})
        else:
            check_share(store, {"files": gone}, {"files": replaced})


def test_each_type_is_looked_at_by_itself(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        put_all(store, {f"f{number}": [b"x"] for number in range(100)})
        check_share(store, {"files": 20, "zones": 20}, {"users": 20})


def test_a_store_that_was_written_to_is_no_replica(tmp_path: Path) -> None:
    with new_store(tmp_path) as store:
        check_replica(store.clock())
        put_all(store, {"a": [b"x"]})
        with pytest.raises(ReadOnly, match="commits of its own"):
            check_replica(store.clock())
