"""What every backend does with its real server; see syncclient/backends/contract.py."""

import os
import time
from pathlib import Path

import pytest
import trio

from syncclient.backends import Backend, Step
from syncclient.follow.applying import Applied, Applier
from syncd.errors import ServerFailed
from syncd.store import Store
from tests.databases import on_every_engine
from tests.running import put
from tests.syncclient.backends.rigs import Rig

pytestmark = on_every_engine


def zone_text(zone: str, serial: int = 1, records: str = "") -> str:
    return (
        f"{zone} 60 IN SOA ns1.{zone} hostmaster.{zone} {serial} 7200 3600 1209600 60\n"
        f"{zone} 60 IN NS ns1.{zone}\n"
        f"ns1.{zone} 60 IN A 192.0.2.1\n" + records.format(zone=zone)
    )


def put_zone(store: Store, zone: str, serial: int = 1, records: str = "") -> None:
    put(store, "zones", zone, zone_text(zone, serial, records))


class Replica:
    """A store and what brings the server to it, as an agent has them."""

    def __init__(self, store: Store, backend: Backend) -> None:
        self.store = store
        self.applier = Applier(store, backend)
        trio.run(self.applier.recover)

    def apply(self) -> Applied:
        return trio.run(self.applier.apply)


@pytest.fixture
def replica(store: Store, rig: Rig) -> Replica:
    """A replica whose server answers three zones."""
    for zone in ("a.example.", "b.example.", "c.example."):
        put_zone(store, zone, 1, "www.{zone} 60 IN A 192.0.2.80\n")
    made = Replica(store, rig.backend())
    applied = made.apply()
    assert (applied.changed, applied.failed) == (3, 0)
    return made


def addresses(rig: Rig, name: str) -> list[str]:
    answer = rig.server.query(name, "A")
    return sorted(str(rdata) for rrset in answer.answer for rdata in rrset)


def test_the_server_says_its_version(rig: Rig) -> None:
    assert any(char.isdigit() for char in trio.run(rig.backend().describe))


def test_an_empty_server_answers_every_zone_after_one_step(rig: Rig, replica: Replica) -> None:
    for zone in ("a.example.", "b.example.", "c.example."):
        assert rig.server.serial(zone) == 1
        assert addresses(rig, f"www.{zone}") == ["192.0.2.80"]


def test_a_changed_record_is_answered(rig: Rig, replica: Replica) -> None:
    put_zone(replica.store, "b.example.", 2, "www.{zone} 60 IN A 192.0.2.81\n")
    assert replica.apply().changed == 1
    assert (rig.server.serial("b.example."), rig.server.serial("a.example.")) == (2, 1)
    assert addresses(rig, "www.b.example.") == ["192.0.2.81"]


def test_a_record_of_which_only_ttl_or_case_changes_is_not_missed(
    rig: Rig, replica: Replica
) -> None:
    for serial, line in enumerate(
        ("www.{zone} 90 IN A 192.0.2.80", "WWW.{zone} 90 IN A 192.0.2.80"), 2
    ):
        put_zone(replica.store, "b.example.", serial, f"{line}\n")
        assert replica.apply().failed == 0
        assert rig.server.query("www.b.example.", "A").answer[0].ttl == 90


def test_zones_come_and_go_without_an_edit_of_the_servers_configuration(
    rig: Rig, replica: Replica
) -> None:
    replica.store.remove("zones", "a.example.", author="test")
    put_zone(replica.store, "d.example.", 7)
    applied = replica.apply()
    assert (applied.changed, applied.gone, applied.failed) == (1, 1, 0)
    assert rig.server.serial("a.example.") is None
    assert (rig.server.serial("b.example."), rig.server.serial("d.example.")) == (1, 7)


def test_many_zones_change_in_one_step(rig: Rig, replica: Replica) -> None:
    names = [f"z{number}.example." for number in range(40)]
    for name in names:
        put_zone(replica.store, name, 1)
    assert replica.apply().changed == 40
    for name in names:
        put_zone(replica.store, name, 2, "new.{zone} 60 IN A 192.0.2.5\n")
    assert replica.apply().changed == 40
    assert [rig.server.serial(name) for name in names] == [2] * 40
    assert addresses(rig, "new.z39.example.") == ["192.0.2.5"]


def test_nothing_is_done_when_nothing_has_changed(rig: Rig, replica: Replica) -> None:
    assert replica.apply().changed == 0


def test_a_zone_that_is_refused_stays_as_it_was_and_the_others_go_on(
    rig: Rig, replica: Replica
) -> None:
    put_zone(replica.store, "a.example.", 2, rig.refused)
    put_zone(replica.store, "b.example.", 2)
    applied = replica.apply()
    assert (rig.server.serial("a.example."), rig.server.serial("b.example.")) == (1, 2)
    assert addresses(rig, "www.a.example.") == ["192.0.2.80"]
    refusal = applied.active.refused["a.example."]
    assert rig.refusal in refusal.message
    assert refusal.serial == 1


def test_a_new_zone_that_is_refused_is_not_answered_and_the_others_are(
    rig: Rig, replica: Replica
) -> None:
    put_zone(replica.store, "bad.example.", 1, rig.refused)
    put_zone(replica.store, "good.example.", 1)
    applied = replica.apply()
    assert (rig.server.serial("bad.example."), rig.server.serial("good.example.")) == (None, 1)
    assert rig.refusal in applied.active.refused["bad.example."].message


def test_among_many_new_zones_one_that_is_refused_is_found(rig: Rig, store: Store) -> None:
    for number in range(40):
        put_zone(store, f"z{number}.example.", 1, rig.refused if number == 7 else "")
    replica = Replica(store, rig.backend(confirm_s=60.0))
    applied = replica.apply()
    assert applied.took_s < 30  # what never comes is not waited for
    assert list(applied.active.refused) == ["z7.example."]
    assert rig.refusal in applied.active.refused["z7.example."].message
    assert rig.server.serial("z8.example.") == 1
    put_zone(store, "z9.example.", 2)
    assert replica.apply().failed == 0  # what was refused hinders nothing later
    assert rig.server.serial("z9.example.") == 2


def test_a_zone_that_was_refused_is_answered_when_it_is_mended(rig: Rig, replica: Replica) -> None:
    put_zone(replica.store, "a.example.", 2, rig.refused)
    replica.apply()
    put_zone(replica.store, "a.example.", 3, "www.{zone} 60 IN A 192.0.2.83\n")
    applied = replica.apply()
    assert not applied.active.refused
    assert rig.server.serial("a.example.") == 3
    totals = replica.store.view().totals(["zones"])
    assert (applied.active.fingerprint, applied.active.zones) == (totals.fingerprint, totals.count)


def test_a_new_zone_that_was_refused_is_forgotten_when_the_source_drops_it(
    rig: Rig, replica: Replica
) -> None:
    put_zone(replica.store, "bad.example.", 1, rig.refused)
    assert replica.apply().failed == 1
    replica.store.remove("zones", "bad.example.", author="test")
    applied = replica.apply()
    assert not applied.active.refused
    totals = replica.store.view().totals(["zones"])
    assert (applied.active.fingerprint, applied.active.zones) == (totals.fingerprint, totals.count)


def test_a_server_that_is_down_is_told_of_and_given_all_when_it_is_back(
    rig: Rig, replica: Replica
) -> None:
    rig.server.stop()
    put_zone(replica.store, "a.example.", 2)
    with pytest.raises(ServerFailed):
        replica.apply()
    rig.server.start()
    replica.apply()
    assert rig.server.serial("a.example.") == 2


def test_a_control_channel_that_refuses_is_told_of_and_nothing_has_changed(
    rig: Rig, replica: Replica
) -> None:
    put_zone(replica.store, "a.example.", 2)
    put_zone(replica.store, "d.example.", 1)
    with rig.refused_control() as backend:
        refused = Replica(replica.store, backend)
        with pytest.raises(ServerFailed):
            refused.apply()
    assert (rig.server.serial("a.example."), rig.server.serial("d.example.")) == (1, None)
    replica.apply()
    assert (rig.server.serial("a.example."), rig.server.serial("d.example.")) == (2, 1)


def test_what_is_served_stays_in_place_if_a_step_from_nothing_known_fails(
    rig: Rig, replica: Replica
) -> None:
    (rig.folder / "active.json").unlink()
    with rig.refused_control() as backend:
        refused = Replica(replica.store, backend)
        with pytest.raises(ServerFailed):
            refused.apply()
    rig.server.stop()
    rig.server.start()
    zones = ("a.example.", "b.example.", "c.example.")
    rig.server.wait_until(lambda: all(rig.server.serial(zone) == 1 for zone in zones))


def test_a_check_tool_that_hangs_is_ended(rig: Rig, replica: Replica, tmp_path: Path) -> None:
    if not rig.checks_by_tool:
        return
    script = tmp_path / "hangs"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    put_zone(replica.store, "d.example.", 1)
    hanging = Replica(replica.store, rig.checked_by(script))
    applied = hanging.apply()
    assert "did not end in 0.5 s" in applied.active.refused["d.example."].message
    assert (rig.server.serial("d.example."), rig.server.serial("a.example.")) == (None, 1)


def test_a_check_tool_that_is_not_there_is_told_of_and_nothing_has_changed(
    rig: Rig, replica: Replica, tmp_path: Path
) -> None:
    if not rig.checks_by_tool:
        return
    put_zone(replica.store, "a.example.", 2)
    put_zone(replica.store, "d.example.", 1)
    unchecked = Replica(replica.store, rig.checked_by(tmp_path / "nowhere"))
    with pytest.raises(ServerFailed, match=r"nowhere cannot be run: .*; install it"):
        unchecked.apply()
    assert (rig.server.serial("a.example."), rig.server.serial("d.example.")) == (1, None)
    replica.apply()
    assert (rig.server.serial("a.example."), rig.server.serial("d.example.")) == (2, 1)


def test_an_agent_that_starts_again_goes_on_from_where_the_server_is(
    rig: Rig, replica: Replica
) -> None:
    put_zone(replica.store, "a.example.", 2)
    again = Replica(replica.store, rig.backend())
    assert again.apply().changed == 1
    assert rig.server.serial("a.example.") == 2


def test_a_step_that_was_killed_in_the_middle_is_made_good(rig: Rig, replica: Replica) -> None:
    class Killed(BaseException):
        pass

    async def die(*_: object) -> None:
        raise Killed

    put_zone(replica.store, "a.example.", 2)
    replica.store.remove("zones", "b.example.", author="test")
    put_zone(replica.store, "d.example.", 1)
    backend = rig.backend()
    dying = Replica(replica.store, backend)
    assert dying.applier._confirmer is not None
    dying.applier._confirmer.confirm = die  # type: ignore[method-assign]  # dies there
    with pytest.raises(Killed):
        dying.apply()
    again = Replica(replica.store, rig.backend())
    again.apply()
    assert rig.server.serial("a.example.") == 2
    assert (rig.server.serial("b.example."), rig.server.serial("d.example.")) == (None, 1)


def test_a_zone_that_came_with_a_step_that_was_killed_goes_if_the_source_has_dropped_it(
    rig: Rig, replica: Replica
) -> None:
    class Killed(BaseException):
        pass

    async def die(*_: object) -> None:
        raise Killed

    put_zone(replica.store, "d.example.", 1)
    dying = Replica(replica.store, rig.backend())
    assert dying.applier._confirmer is not None
    dying.applier._confirmer.confirm = die  # type: ignore[method-assign]  # dies there
    with pytest.raises(Killed):
        dying.apply()
    replica.store.remove("zones", "d.example.", author="test")
    again = Replica(replica.store, rig.backend())
    again.apply()
    assert rig.server.serial("d.example.") is None
    assert rig.served_zones() == {"a.example.", "b.example.", "c.example."}


def test_a_server_that_came_back_with_older_zones_is_found_by_an_audit(
    rig: Rig, replica: Replica, tmp_path: Path
) -> None:
    put_zone(replica.store, "a.example.", 2)
    replica.apply()
    with Store.create(f"sqlite:///{tmp_path / 'older.db'}") as older:
        for zone in ("a.example.", "b.example.", "c.example."):
            put_zone(older, zone, 1, "www.{zone} 60 IN A 192.0.2.80\n")
        Replica(older, rig.backend()).apply()  # somebody puts an old backup in place
    assert rig.server.serial("a.example.") == 1
    trio.run(replica.applier.audit)
    replica.apply()
    assert rig.server.serial("a.example.") == 2


def test_a_store_of_another_history_is_applied_as_a_whole(
    rig: Rig, replica: Replica, tmp_path: Path
) -> None:
    with Store.create(f"sqlite:///{tmp_path / 'other.db'}") as other:
        put_zone(other, "a.example.", 1, "www.{zone} 60 IN A 192.0.2.80\n")
        put_zone(other, "b.example.", 9, "www.{zone} 60 IN A 192.0.2.89\n")
        Replica(other, rig.backend()).apply()
        assert (rig.server.serial("a.example."), rig.server.serial("b.example.")) == (1, 9)
        assert rig.server.serial("c.example.") is None
        assert addresses(rig, "www.b.example.") == ["192.0.2.89"]


@pytest.mark.parametrize("count", [1, 20])
def test_zones_are_loaded_although_the_clock_was_set_back(
    rig: Rig, store: Store, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """What is staged then is older than the server's last load, by an hour."""
    backend = rig.backend()
    replica = Replica(store, backend)
    zones = [f"z{number}.example." for number in range(count)]
    for zone in zones:
        put_zone(store, zone, 1)
    replica.apply()
    check, an_hour_ago = backend.check, time.time() - 3600

    async def check_old_files(step: Step) -> None:
        for file in (rig.folder / "zones").glob(".new/*"):
            os.utime(file, (an_hour_ago, an_hour_ago))
        await check(step)

    monkeypatch.setattr(backend, "check", check_old_files)
    for zone in zones:
        put_zone(store, zone, 2)
    assert replica.apply().failed == 0
    assert {rig.server.serial(zone) for zone in zones} == {2}
