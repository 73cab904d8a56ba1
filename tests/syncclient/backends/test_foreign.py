"""A zone that the server has from somebody else is his: it is refused, the others are served."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store import Store
from tests.nameservers.bind import Bind, running_bind
from tests.nameservers.knot import Knot, running_knot
from tests.nameservers.nsd import Nsd, running_nsd
from tests.syncclient.backends.rigs import Rig
from tests.syncclient.backends.rigs.bind import BindRig
from tests.syncclient.backends.rigs.knot import KnotRig
from tests.syncclient.backends.rigs.nsd import NsdRig
from tests.syncclient.backends.test_contract import Replica, addresses, put_zone, zone_text

HAND = "hand.example."


def by_hand(folder: Path) -> dict[str, Path]:
    """The zone that the server's operator has configured himself."""
    folder.mkdir(exist_ok=True)
    file = folder / "by-hand.zone"
    file.write_text(zone_text(HAND, 7, "www.{zone} 60 IN A 192.0.2.7\n"))
    return {HAND.rstrip("."): file}


class BindByHand(BindRig):
    def make_server(self, folder: Path) -> Bind:
        made = super().make_server(folder)
        return running_bind(folder, zones=by_hand(folder), extra_config=made._extra_config)


class KnotByHand(KnotRig):
    def make_server(self, folder: Path) -> Knot:
        made = super().make_server(folder)
        return running_knot(folder, zones=by_hand(folder), extra_config=made._extra_config)


class NsdByHand(NsdRig):
    def make_server(self, folder: Path) -> Nsd:
        made = super().make_server(folder)
        return running_nsd(
            folder, zones=by_hand(folder), server_options=made._server_options,
            extra_config=made._extra_config,
        )  # fmt: skip


class NsdByPattern(NsdRig):
    """One that was added by nsd-control, of another pattern."""

    def make_server(self, folder: Path) -> Nsd:
        made = super().make_server(folder)
        (file,) = by_hand(folder).values()
        mine = f'pattern:\n    name: "mine"\n    zonefile: "{file}"\n'
        return running_nsd(
            folder, server_options=made._server_options, extra_config=made._extra_config + mine
        )

    def __enter__(self) -> "NsdByPattern":
        super().__enter__()
        self.server.nsd_control("addzone", HAND, "mine")
        self.server.wait_until(lambda: self.server.serial(HAND) == 7)
        return self


@pytest.fixture(params=[BindByHand, KnotByHand, NsdByHand, NsdByPattern], ids=lambda k: k.__name__)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with request.param(tmp_path) as made:
        yield made


def check_still_his(rig: Rig) -> None:
    rig.server.stop()
    rig.server.start()
    rig.server.wait_until(lambda: rig.server.serial("a.example.") == 1)
    assert addresses(rig, f"www.{HAND}") == ["192.0.2.7"]


def test_at_the_first_step_it_is_refused_and_stays_his(rig: Rig, store: Store) -> None:
    put_zone(store, "a.example.", 1)
    put_zone(store, HAND, 8, "www.{zone} 60 IN A 192.0.2.8\n")
    replica = Replica(store, rig.backend())
    applied = replica.apply()
    assert applied.active.refused.keys() == {HAND}
    assert applied.active.refused[HAND].stage == "check"
    assert "has this zone already" in applied.active.refused[HAND].message
    assert (rig.server.serial("a.example."), rig.server.serial(HAND)) == (1, 7)
    check_still_his(rig)


def test_when_it_comes_later_it_is_refused_and_the_others_go_on(rig: Rig, store: Store) -> None:
    put_zone(store, "a.example.", 1)
    replica = Replica(store, rig.backend())
    replica.apply()
    put_zone(store, HAND, 8, "www.{zone} 60 IN A 192.0.2.8\n")
    put_zone(store, "b.example.", 1)
    assert replica.apply().active.refused.keys() == {HAND}
    replica.applier.retry()
    put_zone(store, "b.example.", 2)
    assert replica.apply().active.refused.keys() == {HAND}
    assert (rig.server.serial("b.example."), rig.server.serial(HAND)) == (2, 7)
    store.remove("zones", HAND, author="test")
    assert replica.apply().active.refused == {}
    check_still_his(rig)
