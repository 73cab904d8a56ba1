"""A source and its replica, for the tests of what lies between them."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store import Store
from tests.running import put as put_object
from tests.store.objects import leave_flushing_to_the_system, new_store, put, put_all
from tests.syncclient.link import add_user, synchronise
from tests.syncclient.replicas import ZONE

leave_flushing_to_the_system()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    """A user, a zone, and twenty files, one of them of many chunks."""
    with new_store(tmp_path, "source") as store:
        add_user(store)
        put_object(store, "zones", "example.com.", ZONE.format(serial=1))
        put_all(store, {f"f{number:02}": [b"%d" % number * 100, b"shared"] for number in range(19)})
        put(store, "large", *(random.Random(at).randbytes(4000) for at in range(40)))
        yield store


@pytest.fixture
def replica(tmp_path: Path, source: Store) -> Iterator[Store]:
    """A copy of the source as it is at first."""
    with new_store(tmp_path, "replica") as store:
        synchronise(source, store)
        yield store
