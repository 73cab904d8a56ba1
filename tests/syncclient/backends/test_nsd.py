"""What is special to NSD: names that it is told, its own list of zones, checks of many at once."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from syncclient.backends.nsd import nsd_file_name, nsd_name, zone_of_nsd_file
from syncclient.backends.nsdcontrol import ControlTool
from syncclient.backends.step import Stage
from syncd.content.zone.names import name_text
from syncd.errors import ServerFailed
from syncd.store import Store
from tests.running import put
from tests.syncclient.backends.rigs.nsd import NsdRig
from tests.syncclient.backends.test_contract import Replica, put_zone, zone_text

ODD_ZONES = (
    "0/25.2.0.192.in-addr.arpa.",
    "root.",
    "_tcp.example.",
    "%s.example.",
    "a\\032b.example.",
    "a\\.b.example.",
    'q\\"#.example.',
    "\\010.example.",
)

labels = st.binary(min_size=1, max_size=20).map(bytes.lower)
zones = st.lists(labels, max_size=4).map(
    lambda found: (
        name_text(b"".join(bytes((len(one),)) + one for one in found) + b"\0") if found else "."
    )
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[NsdRig]:
    with NsdRig(tmp_path) as made:
        yield made


@given(zones)
def test_a_name_is_told_as_one_word_that_means_only_itself(zone: str) -> None:
    told = nsd_name(zone)
    assert set(told) <= set("abcdefghijklmnopqrstuvwxyz0123456789_*-.\\")
    assert told == "." or not told.startswith(".")
    assert zone_of_nsd_file(nsd_file_name(zone)) == zone


def test_zones_with_odd_names_are_served_and_go(rig: NsdRig, store: Store) -> None:
    for zone in ODD_ZONES:
        put_zone(store, zone)
    replica = Replica(store, rig.backend())
    assert replica.apply().failed == 0
    assert [rig.server.serial(zone) for zone in ODD_ZONES] == [1] * len(ODD_ZONES)
    rig.server.stop()
    rig.server.start()  # from its own list
    assert [rig.server.serial(zone) for zone in ODD_ZONES] == [1] * len(ODD_ZONES)
    for zone in ODD_ZONES[1:]:
        store.remove("zones", zone, author="test")
    put_zone(store, ODD_ZONES[0], 2)
    replica.apply()
    assert rig.served_zones() == set(ODD_ZONES[:1])
    assert rig.server.serial(ODD_ZONES[0]) == 2


def test_the_root_zone_is_served(rig: NsdRig, store: Store) -> None:
    text = zone_text(".").replace("ns1..", "ns1.").replace("hostmaster..", "hostmaster.")
    put(store, "zones", ".", text)
    assert Replica(store, rig.backend()).apply().failed == 0
    assert rig.server.serial(".") == 1


def test_of_many_changed_zones_the_wrong_one_is_named_and_the_others_go_on(
    rig: NsdRig, store: Store
) -> None:
    names = [f"z{number}.example." for number in range(40)]
    for name in names:
        put_zone(store, name)
    replica = Replica(store, rig.backend())
    replica.apply()
    for name in names:
        put_zone(store, name, 2, rig.refused if name == "z7.example." else "")
    applied = replica.apply()
    assert list(applied.active.refused) == ["z7.example."]
    assert "z7.example." in applied.active.refused["z7.example."].message
    assert [rig.server.serial(name) for name in names] == [
        1 if name == "z7.example." else 2 for name in names
    ]


def test_many_changed_zones_are_checked_by_one_process(
    rig: NsdRig, store: Store, tmp_path: Path
) -> None:
    script = tmp_path / "counts"
    script.write_text(f'#!/bin/sh\necho x >>{tmp_path}/count\nexec nsd-checkzone "$@"\n')
    script.chmod(0o755)
    replica = Replica(store, rig.backend(nsd_checkzone=str(script)))
    for serial in (1, 2):
        for number in range(40):
            put_zone(store, f"z{number}.example.", serial)
        assert replica.apply().failed == 0
    assert (tmp_path / "count").read_text().count("x") == 1


def test_by_nsd_control_the_same_is_done(rig: NsdRig, store: Store) -> None:
    command = ("nsd-control", "-c", str(rig.server.config))
    replica = Replica(store, rig.backend(socket="", nsd_control=command))
    put_zone(store, "a.example.")
    put_zone(store, "b.example.")
    assert replica.apply().failed == 0
    put_zone(store, "a.example.", 2)
    store.remove("zones", "b.example.", author="test")
    put_zone(store, "c.example.")
    assert replica.apply().failed == 0
    assert rig.server.serial("a.example.") == 2
    assert rig.served_zones() == {"a.example.", "c.example."}
    assert trio.run(replica.applier._backend.describe).startswith("NSD 4.")


def test_nsd_control_that_does_not_reach_nsd_is_told_of(tmp_path: Path) -> None:
    tool = ControlTool(("nsd-control", "-c", str(tmp_path / "none.conf")), 5.0)
    with pytest.raises(ServerFailed, match=r"none\.conf"):
        trio.run(tool.ask, Stage.ACTIVATE, "status")


def test_a_pattern_that_nsd_does_not_have_is_named(rig: NsdRig, store: Store) -> None:
    put_zone(store, "a.example.")
    replica = Replica(store, rig.backend(pattern="other"))
    with pytest.raises(ServerFailed, match="pattern other does not exist"):
        replica.apply()


def test_zones_of_another_pattern_are_left_alone(rig: NsdRig, store: Store) -> None:
    own = rig.folder / "own.zone"
    own.write_text(zone_text("own.example."))
    config = rig.server.config
    config.write_text(config.read_text() + f'pattern:\n  name: "own"\n  zonefile: "{own}"\n')
    rig.server.nsd_control("reconfig")
    rig.server.nsd_control("addzone", "own.example", "own")
    rig.server.nsd_control("addzone", "stale.example", "syncd")
    put_zone(store, "a.example.")
    Replica(store, rig.backend()).apply()
    assert rig.served_zones() == {"a.example.", "own.example."}
    assert rig.server.serial("own.example.") == 1


def test_a_zone_that_somebody_took_out_is_added_again(rig: NsdRig, store: Store) -> None:
    put_zone(store, "a.example.")
    replica = Replica(store, rig.backend())
    replica.apply()
    rig.server.nsd_control("delzone", "a.example")
    put_zone(store, "a.example.", 2)
    assert replica.apply().failed == 0
    assert rig.server.serial("a.example.") == 2


def test_no_query_is_lost_while_zones_change(rig: NsdRig, store: Store) -> None:
    put_zone(store, "a.example.")
    put_zone(store, "b.example.")
    replica = Replica(store, rig.backend())
    replica.apply()
    done = threading.Event()
    lost: list[str] = []
    asked = itertools.count()

    def ask() -> None:
        while not done.is_set():
            next(asked)
            try:
                if not rig.server.query("b.example.", "SOA").answer:
                    lost.append("no answer in it")
            except (dns.exception.Timeout, OSError) as error:
                lost.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    for serial in range(2, 22):
        put_zone(store, "a.example.", serial)
        put_zone(store, f"new{serial}.example.")
        assert replica.apply().failed == 0
    done.set()
    asking.join()
    assert (lost, next(asked) > 100) == ([], True)
