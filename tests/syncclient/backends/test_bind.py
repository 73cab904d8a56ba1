"""What is special to BIND: names as its configuration and its tools take them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store import Store
from tests.syncclient.backends.rigs.bind import BindRig
from tests.syncclient.backends.test_contract import Replica, put_zone

ODD = (
    "do\\.t.example.", "sp\\032ace.example.", 'qu\\"ote.example.', "uni\\195\\188.example.",
    "back\\\\slash.example.", "-dash.example.", "_under.example.",
)  # fmt: skip


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[BindRig]:
    with BindRig(tmp_path) as made:
        yield made


@pytest.mark.parametrize("count", [2, len(ODD)])
def test_zones_of_odd_names_are_served_and_changed(rig: BindRig, store: Store, count: int) -> None:
    replica = Replica(store, rig.backend())
    for serial in (1, 2):
        for zone in ODD[-count:]:
            put_zone(store, zone, serial)
        assert replica.apply().active.refused == {}
        assert [rig.server.serial(zone) for zone in ODD[-count:]] == [serial] * count


def test_a_zone_of_an_odd_name_is_checked_before_it_is_changed(rig: BindRig, store: Store) -> None:
    for zone in ODD:
        put_zone(store, zone, 1)
    replica = Replica(store, rig.backend())
    replica.apply()
    for zone in ODD:
        put_zone(store, zone, 2, rig.refused)
    refused = replica.apply().active.refused
    assert {(zone, one.stage) for zone, one in refused.items()} == {(zone, "check") for zone in ODD}
