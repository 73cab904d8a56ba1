"""What is special to Knot DNS: transactions, what a restart finds, names in its configuration."""

import re
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest
import trio

from syncclient.backends import ServerSettings, Stage
from syncclient.backends.knot import Knot, KnotSettings
from syncd.errors import ConfigError, ServerFailed
from syncd.store import Store
from tests.running import put
from tests.syncclient.backends.rigs.knot import KnotRig
from tests.syncclient.backends.test_contract import Replica, addresses, put_zone, zone_text

_LOADED = re.compile(r"\[(\S+)\] zone file parsed, ")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[KnotRig]:
    with KnotRig(tmp_path) as made:
        yield made


@pytest.fixture
def replica(store: Store, rig: KnotRig) -> Replica:
    """A replica whose server answers two zones."""
    for zone in ("a.example.", "b.example."):
        put_zone(store, zone, 1, "www.{zone} 60 IN A 192.0.2.80\n")
    made = Replica(store, rig.backend())
    assert made.apply().failed == 0
    return made


def loads(rig: KnotRig) -> list[str]:
    """Return the zones that knotd has loaded from files, in order, as its log has them."""
    return _LOADED.findall(rig.server.log_text())


def served(rig: KnotRig, zone: str) -> set[str]:
    """Return all records of a zone as knotd has them in memory."""
    said = rig.server.knotc("zone-read", zone)
    return {line.split("] ", 1)[1] for line in said.splitlines()}


def served_after_a_crash(rig: KnotRig, zone: str) -> set[str]:
    rig.server.kill()
    rig.server.start()
    rig.server.wait_until(lambda: rig.server.serial(zone) is not None)
    return served(rig, zone)


# Small changes


def test_a_small_change_is_a_transaction_and_no_file_is_loaded(
    rig: KnotRig, replica: Replica
) -> None:
    before = loads(rig)
    assert sorted(set(before)) == ["a.example.", "b.example."]
    put_zone(replica.store, "a.example.", 2, "www.{zone} 60 IN A 192.0.2.81\n")
    assert replica.apply().active.refused == {}
    assert addresses(rig, "www.a.example.") == ["192.0.2.81"]
    assert loads(rig) == before


def test_knotd_never_writes_our_file(rig: KnotRig, replica: Replica) -> None:
    put_zone(replica.store, "a.example.", 2, "www.{zone} 60 IN A 192.0.2.81\n")
    replica.apply()
    rig.server.knotc("-b", "zone-flush", "a.example.")  # what it would do by itself is done then
    view = replica.store.view()
    content = b"".join(view.content(view.find("zones", ["a.example."])["a.example."]))
    assert (rig.folder / "zones" / "a.example.zone").read_bytes() == content


EDITS = (
    "www.{zone} 60 IN A 192.0.2.80\nwww.{zone} 60 IN A 192.0.2.81\n",
    "www.{zone} 60 IN A 192.0.2.81\nwww.{zone} 60 IN AAAA 2001:db8::1\n",
    "www.{zone} 300 IN A 192.0.2.81\nwww.{zone} 60 IN AAAA 2001:db8::1\n",
    "www.{zone} 300 IN CNAME elsewhere.{zone}\n",
    'txt.{zone} 60 IN TXT "a;b" "\\"quoted\\" \\\\ \\200" "@"\n',
    'txt.{zone} 60 IN TXT "a;b" "\\"quoted\\" \\\\ \\200" "@ $x (y)"\n',
    "*.{zone} 60 IN MX 10 mail.{zone}\n\\$odd\\@name.{zone} 60 IN A 192.0.2.5\n",
    "_sip._tcp.{zone} 60 IN SRV 0 5 5060 sip.{zone}\nx.{zone} 60 IN TYPE65400 \\# 3 0A0B0C\n",
    "sub.{zone} 60 IN NS ns.sub.{zone}\nns.sub.{zone} 60 IN A 192.0.2.7\n"
    "sub.{zone} 60 IN DS 1 8 2 " + "AB" * 32 + "\n",
    "dn.{zone} 60 IN DNAME other.example.\n",
    "",
)


def test_after_any_small_changes_a_crash_loses_nothing(rig: KnotRig, replica: Replica) -> None:
    before = loads(rig)
    for serial, records in enumerate(EDITS, 2):
        put_zone(replica.store, "a.example.", serial, records)
        assert replica.apply().active.refused == {}
        changed = served(rig, "a.example.")
        assert loads(rig) == before, f"edit {serial} was no transaction"
        assert served_after_a_crash(rig, "a.example.") == changed
        before = loads(rig)


def test_the_apex_can_change_altogether_in_a_transaction(rig: KnotRig, replica: Replica) -> None:
    text = zone_text("a.example.", 2).replace("IN NS ns1.a.example.", "IN NS ns.elsewhere.example.")
    replica.store.remove("zones", "b.example.", author="test")
    put(replica.store, "zones", "a.example.", text.replace("a.example. 60", "a.example. 90"))
    assert replica.apply().active.refused == {}
    changed = served(rig, "a.example.")
    assert any("ns.elsewhere.example." in line for line in changed)
    assert not any("NS ns1.a.example." in line for line in changed)
    assert served_after_a_crash(rig, "a.example.") == changed


def test_a_whole_file_after_a_transaction_is_what_counts(rig: KnotRig, replica: Replica) -> None:
    put_zone(replica.store, "a.example.", 2, "www.{zone} 60 IN A 192.0.2.81\n")
    replica.apply()
    many = "".join(f"h{number}.{{zone}} 60 IN A 192.0.2.9\n" for number in range(3000))
    put_zone(replica.store, "a.example.", 3, many)
    before = loads(rig)
    assert replica.apply().active.refused == {}
    assert loads(rig)[len(before) :] == ["a.example."]
    assert (addresses(rig, "www.a.example."), addresses(rig, "h7.a.example.")) == (
        [],
        ["192.0.2.9"],
    )


def test_a_zone_that_is_put_back_after_a_transaction_is_what_it_was(
    rig: KnotRig, replica: Replica
) -> None:
    put_zone(replica.store, "a.example.", 2, "www.{zone} 60 IN A 192.0.2.81\n")
    replica.apply()
    before = served(rig, "a.example.")
    put_zone(replica.store, "a.example.", 3, "www.{zone} 60 IN A 192.0.2.82\n")
    replica.applier._confirmer = None
    step_zones: list[str] = []
    backend = replica.applier._backend

    async def applied_and_put_back() -> None:
        _, step, _ = replica.applier._step_from_active()
        assert step is not None
        step_zones.extend(step.coming())
        await backend.stage(step)
        await backend.check(step)
        await backend.activate(step)
        assert rig.server.serial("a.example.") == 3
        step.fail("a.example.", Stage.CONFIRM, "so the test says")
        await backend.roll_back(step, ["a.example."])
        await backend.finish(step)

    trio.run(applied_and_put_back)
    assert step_zones == ["a.example."]
    rig.server.wait_until(lambda: rig.server.serial("a.example.") == 2)
    assert served(rig, "a.example.") == before
    assert served_after_a_crash(rig, "a.example.") == before


def test_a_zone_with_another_serial_than_we_think_is_loaded_from_its_file(
    rig: KnotRig, replica: Replica
) -> None:
    soa = "@ 60 SOA ns1.a.example. hostmaster.a.example. 9 7200 3600 1209600 60"
    rig.server.knotc("zone-begin", "a.example.")
    rig.server.knotc("zone-set", "a.example.", *soa.split(" "))
    rig.server.knotc("zone-set", "a.example.", "by-hand", "60", "A", "192.0.2.66")
    rig.server.knotc("zone-commit", "a.example.")
    put_zone(replica.store, "a.example.", 10, "www.{zone} 60 IN A 192.0.2.81\n")
    assert replica.apply().active.refused == {}
    assert addresses(rig, "by-hand.a.example.") == []
    assert rig.server.serial("a.example.") == 10


def test_a_transaction_that_somebody_has_open_gives_way(rig: KnotRig, replica: Replica) -> None:
    rig.server.knotc("zone-begin", "a.example.")
    put_zone(replica.store, "a.example.", 2)
    put_zone(replica.store, "b.example.", 2)
    assert replica.apply().active.refused == {}
    assert (rig.server.serial("a.example."), rig.server.serial("b.example.")) == (2, 2)


def test_no_transaction_is_left_open_when_a_zone_is_refused(rig: KnotRig, replica: Replica) -> None:
    put_zone(replica.store, "a.example.", 2, rig.refused)
    applied = replica.apply()
    assert "zone-commit: semantic check" in applied.active.refused["a.example."].message
    assert "transaction: open" not in rig.server.knotc("zone-status", "a.example.")


def test_what_the_tool_only_warns_of_is_served(rig: KnotRig, replica: Replica) -> None:
    glueless = "sub.{zone} 60 IN NS ns.sub.{zone}\n"
    put_zone(replica.store, "new.example.", 1, glueless)
    assert replica.apply().active.refused == {}
    assert rig.server.serial("new.example.") == 1


# The list of zones


def test_a_zone_more_or_less_is_a_configuration_transaction(rig: KnotRig, replica: Replica) -> None:
    put_zone(replica.store, "d.example.", 1)
    replica.store.remove("zones", "a.example.", author="test")
    replica.apply()
    assert rig.server.log_text().count("configuration reloaded") == 1  # the whole step before
    assert rig.server.knotc("conf-read", "zone.domain").split() == [
        "zone.domain", "=", "b.example.", "zone.domain", "=", "d.example.",
    ]  # fmt: skip
    rig.server.kill()
    rig.server.start()
    rig.server.wait_until(lambda: rig.server.serial("d.example.") == 1)
    assert rig.server.serial("a.example.") is None


def test_a_list_that_is_not_as_we_think_is_loaded_as_a_whole(
    rig: KnotRig, replica: Replica
) -> None:
    rig.server.knotc("conf-begin")
    rig.server.knotc("conf-set", "zone[d.example]")
    rig.server.knotc("conf-set", "zone[d.example].template", "syncd")
    rig.server.knotc("conf-unset", "zone[b.example]")
    rig.server.knotc("conf-commit")
    put_zone(replica.store, "d.example.", 1)
    assert replica.apply().active.refused == {}
    assert (rig.server.serial("d.example."), rig.server.serial("b.example.")) == (1, 1)


def test_a_configuration_transaction_of_somebody_else_is_told_of_and_waited_for(
    rig: KnotRig, replica: Replica
) -> None:
    rig.server.knotc("conf-begin")
    put_zone(replica.store, "d.example.", 1)
    with pytest.raises(ServerFailed, match="reload: too many transactions"):
        replica.apply()
    rig.server.knotc("conf-abort")
    assert replica.apply().active.refused == {}
    assert rig.server.serial("d.example.") == 1


def test_a_configuration_transaction_that_a_dead_agent_left_is_ended(
    rig: KnotRig, replica: Replica
) -> None:
    rig.server.knotc("conf-begin")
    (rig.folder / "configuration-transaction").touch()
    put_zone(replica.store, "d.example.", 1)
    again = Replica(replica.store, rig.backend())
    rig.server.knotc("conf-begin")  # nobody is in the way any more
    rig.server.knotc("conf-abort")
    assert again.apply().failed == 0
    assert rig.server.serial("d.example.") == 1


def test_options_of_the_template_reach_each_zone(rig: KnotRig, store: Store) -> None:
    put_zone(store, "a.example.", 1)
    options = ("acl: [loopback]", 'comment: "kept by the agent # really"')
    assert Replica(store, rig.backend(template_options=options)).apply().failed == 0
    query = dns.message.make_query("a.example.", dns.rdatatype.AXFR)
    answer = dns.query.tcp(query, "127.0.0.1", 5, rig.server.port)
    assert answer.answer
    Replica(store, rig.backend()).apply()
    put_zone(store, "b.example.", 1)
    Replica(store, rig.backend()).apply()  # the list is written again, without the options
    refused = dns.query.tcp(query, "127.0.0.1", 5, rig.server.port)
    assert not refused.answer


@pytest.mark.parametrize("option", ["acl: nobody-knows-it", "no-such-item: 1", "acl: [loopback"])
def test_options_that_knotd_does_not_take_never_come_into_its_configuration(
    option: str, rig: KnotRig, replica: Replica
) -> None:
    before = (rig.folder / "zones.conf").read_text()
    put_zone(replica.store, "d.example.", 1)
    with pytest.raises(ServerFailed, match="does not take template_options"):
        Replica(replica.store, rig.backend(template_options=(option,))).apply()
    assert (rig.folder / "zones.conf").read_text() == before
    assert "-check" not in rig.server.knotc("conf-read", "template.id")
    assert Replica(replica.store, rig.backend()).apply().failed == 0


ODD_ZONES = (
    ".",
    "0/25.2.0.192.in-addr.arpa.",
    "with\\032space.example.",
    'quo\\"te.example.',
    "\\$dollar.example.",
    "back\\\\slash.example.",
    "do\\.t.example.",
    "\\000\\255.example.",
)


def test_zones_with_odd_names_are_served_changed_and_taken_out(rig: KnotRig, store: Store) -> None:
    names = [f"z{number}.example." for number in range(2)]
    for zone in (*ODD_ZONES, *names):
        soa = (
            f"{zone} 60 IN SOA ns.test. h.test. 1 7200 3600 1209600 60\n{zone} 60 IN NS ns.test.\n"
        )
        _put(store, zone, soa)
    replica = Replica(store, rig.backend())
    assert replica.apply().active.refused == {}
    for zone in ODD_ZONES:
        assert rig.server.serial(zone) == 1, zone
        soa = (
            f"{zone} 60 IN SOA ns.test. h.test. 2 7200 3600 1209600 60\n{zone} 60 IN NS ns.test.\n"
        )
        _put(store, zone, soa)
    assert replica.apply().active.refused == {}
    for zone in ODD_ZONES:
        assert rig.server.serial(zone) == 2, zone
        store.remove("zones", zone, author="test")
    assert replica.apply().active.refused == {}
    assert [zone for zone in ODD_ZONES if rig.server.serial(zone) is not None] == []
    for zone in ODD_ZONES:  # by a configuration transaction, where they came by a whole list
        _put(
            store,
            zone,
            f"{zone} 60 IN SOA ns.test. h.test. 3 7200 3600 1209600 60\n{zone} 60 IN NS ns.test.\n",
        )
    assert replica.apply().active.refused == {}
    assert [rig.server.serial(zone) for zone in ODD_ZONES] == [3] * len(ODD_ZONES)
    assert rig.server.log_text().count("configuration reloaded") == 1


def test_a_name_that_knotd_does_not_read_is_refused_and_the_others_go_on(
    rig: KnotRig, store: Store
) -> None:
    """Its scanner knows some characters in names only by escapes, where BIND writes them as they
    are."""
    put_zone(store, "good.example.", 1)
    put_zone(store, "ha#sh.example.", 1)
    applied = Replica(store, rig.backend()).apply()
    assert list(applied.active.refused) == ["ha#sh.example."]
    assert "invalid domain name character" in applied.active.refused["ha#sh.example."].message
    assert rig.server.serial("good.example.") == 1


def _put(store: Store, zone: str, text: str) -> None:
    put(store, "zones", zone, text)


@pytest.mark.parametrize("folder", ['/srv/quo"te', "/srv/back\\slash", "/srv/line\nfeed", "/srv/ö"])
def test_a_folder_that_knot_conf_cannot_hold_is_refused(folder: str) -> None:
    with pytest.raises(ConfigError, match="folder"):
        Knot(KnotSettings(), ServerSettings(), Path(folder))


@pytest.mark.parametrize(
    "option", ["acl", "file: x", "journal-content: all", "acl: a\nzone:", "acl:  ", "- id: x"]
)
def test_options_that_are_none_or_ours_are_refused(option: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="template_options"):
        Knot(KnotSettings(template_options=(option,)), ServerSettings(), tmp_path)
