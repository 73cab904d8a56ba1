"""Zones that a server has lost from its list, by whatever hand, are given to it again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from syncd.store import Store
from tests.syncclient.backends.rigs import Rig
from tests.syncclient.backends.rigs.bind import BindRig
from tests.syncclient.backends.rigs.knot import KnotRig
from tests.syncclient.backends.rigs.nsd import NsdRig
from tests.syncclient.backends.test_contract import Replica, put_zone

ZONES = ("a.example.", "b.example.", "c.example.")


def lose_of_bind(rig: BindRig) -> None:
    (rig.folder / "zones.conf").write_text("")
    rig.server.rndc("reconfig")


def lose_of_knot(rig: KnotRig) -> None:
    listed = rig.folder / "zones.conf"
    listed.write_text(listed.read_text().partition("zone:")[0])
    rig.server.knotc("reload")


def lose_of_nsd(rig: NsdRig) -> None:
    for zone in ZONES:
        rig.server.nsd_control("delzone", zone)


LOSSES: list[tuple[type[Rig], Callable[..., None]]] = [
    (BindRig, lose_of_bind), (KnotRig, lose_of_knot), (NsdRig, lose_of_nsd),
]  # fmt: skip


@pytest.fixture(params=LOSSES, ids=lambda loss: loss[0].kind.name)
def loss(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Rig, Callable[..., None]]]:
    kind, lose = request.param
    with kind(tmp_path) as rig:
        yield rig, lose


def test_lost_zones_are_given_again_by_an_audit(
    loss: tuple[Rig, Callable[[Rig], None]], store: Store
) -> None:
    rig, lose = loss
    for zone in ZONES:
        put_zone(store, zone, 1)
    replica = Replica(store, rig.backend())
    replica.apply()
    lose(rig)
    rig.server.wait_until(lambda: rig.server.serial(ZONES[0]) is None)
    trio.run(replica.applier.audit)
    assert replica.apply().active.refused == {}
    assert [rig.server.serial(zone) for zone in ZONES] == [1, 1, 1]
    rig.server.stop()
    rig.server.start()
    rig.server.wait_until(lambda: all(rig.server.serial(zone) == 1 for zone in ZONES))
