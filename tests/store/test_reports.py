"""Reports in the store: one row a server, shared, and judged by what the source really had."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import func, select

from syncd.content.fleet import Past, ServerState, judge
from syncd.content.reports import Outcome, ServerReport
from syncd.content.tokens import Token
from syncd.errors import HigherAccessRequired, NoSuchObject, TooBig
from syncd.store import Store, reports
from syncd.store.schema import server
from tests.content.test_reports import REPORTS
from tests.databases import on_every_engine
from tests.running import FixedClock
from tests.running import put as put_object
from tests.store.objects import assert_sound, new_store, put, store_url

pytestmark = on_every_engine

REPORT = ServerReport("ns1", "bind", 30, Outcome.APPLIED)
ZONE = """\
{name}. 3600 IN SOA ns1.example.com. hostmaster.example.com. {serial} 7200 3600 1209600 3600
{name}. 3600 IN NS ns1.example.com.
"""


def put_zone(store: Store, name: str, serial: int) -> Token:
    put_object(store, "zones", f"{name}.", ZONE.format(name=name, serial=serial))
    return store.clock().token


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(REPORTS)
def test_a_report_is_kept_as_it_was_sent(store: Store, report: ServerReport) -> None:
    store.keep_report(report, "ns2")
    kept = {one.report.name: one for one in store.fleet().kept}[report.name]
    assert kept.report == report
    store.forget_server(report.name)


def test_a_server_has_one_row_and_no_history(store: Store) -> None:
    store.now = FixedClock()
    before = store.clock()
    assert store.keep_report(REPORT, "ns2") is True
    store.now.now += 7
    assert store.keep_report(replace(REPORT, reason="again"), "ns2") is False
    (kept,) = store.fleet().kept
    assert (kept.report.reason, kept.user, kept.seen) == ("again", "ns2", store.now.now)
    assert store.clock() == before
    assert_sound(store)


def test_names_are_compared_octet_by_octet(store: Store) -> None:
    for name in ("ns-1", "ns.1", "ns_1", "ns/1"):
        assert store.keep_report(replace(REPORT, name=name), "ns2")
    assert len(store.fleet().kept) == 4


def test_a_name_is_the_users_who_reported_it_first(store: Store) -> None:
    store.keep_report(REPORT, "ns2")
    with pytest.raises(HigherAccessRequired, match="ns1 is reported by ns2"):
        store.keep_report(REPORT, "ns3")
    assert not store.keep_report(replace(REPORT, reason="operator"), "alice", may_take_over=True)
    (kept,) = store.fleet().kept
    assert (kept.user, kept.report.reason) == ("ns2", "operator")
    store.forget_server("ns1")
    with pytest.raises(NoSuchObject, match="no server ns1"):
        store.forget_server("ns1")
    assert store.keep_report(REPORT, "ns3")


def test_there_are_only_so_many_servers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_SERVERS", 3)
    monkeypatch.setattr(reports, "MAX_SERVERS_OF_USER", 2)
    for name in ("a", "b"):
        store.keep_report(replace(REPORT, name=name), "ns2")
    with pytest.raises(TooBig, match="ns2 has 2 servers already"):
        store.keep_report(replace(REPORT, name="c"), "ns2")
    store.keep_report(replace(REPORT, name="c"), "ns3")
    with pytest.raises(TooBig, match="there are 3 servers already"):
        store.keep_report(replace(REPORT, name="d"), "ns3")
    store.keep_report(replace(REPORT, name="a"), "ns2")
    assert len(store.fleet().kept) == 3


def test_two_that_report_a_new_name_at_once_do_not_both_get_it(
    tmp_path: Path, store: Store
) -> None:
    with Store.open(store_url(tmp_path)) as other, ThreadPoolExecutor(4) as pool:

        def first(number: int) -> bool:
            try:
                user = f"ns{number % 4}"
                return [store, other][number % 2].keep_report(REPORT, user)
            except HigherAccessRequired:
                return False

        assert sum(pool.map(first, range(16))) == 1
    with store.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(server)).scalar() == 1


def test_another_process_on_the_database_sees_them(tmp_path: Path, store: Store) -> None:
    with Store.open(store_url(tmp_path)) as other:
        store.keep_report(REPORT, "ns2")
        assert [kept.report for kept in other.fleet().kept] == [REPORT]
        other.forget_server("ns1")
    assert store.fleet().kept == []


def test_gc_and_fsck_leave_them_alone(store: Store) -> None:
    for serial in (1, 2, 3):
        put_zone(store, "example.com", serial)
    store.keep_report(REPORT, "ns2")
    store.collect(keep_seq=3)
    assert_sound(store)
    assert len(store.fleet().kept) == 1


def test_the_past_is_what_views_of_it_say(store: Store) -> None:
    """Puts, changes, a deletion and commits that no name server notices."""
    store.now = FixedClock()
    store.now.now += 1
    for step in range(8):
        store.now.now += 10
        match step:
            case 3:
                store.remove("zones", "b.example.", author="test")
            case 5:
                put(store, "a file", b"x")
            case _:
                put_zone(store, "ab"[step % 2] + ".example", step + 1)
    head = store.clock().token
    made = {commit.seq: commit.at for commit in store.log()}
    store.collect(keep_seq=2)
    for seq in range(head.seq + 1):
        token = Token(head.epoch, seq)
        store.keep_report(replace(REPORT, name=f"ns{seq}", token=token, every_s=1000), "ns2")
    fleet = store.fleet()
    assert fleet.source.head == head
    assert fleet.source.fingerprint == store.view().recount(["zones"]).fingerprint
    assert fleet.zones == store.view().recount(["zones"]).count
    assert fleet.source.past == {
        seq: Past(
            store.view(seq).recount(["zones"]).fingerprint if seq >= 2 else None,
            made[max(seq + 1, 2)],
        )
        for seq in range(head.seq)
    }


def test_only_those_that_report_have_their_past_looked_up(store: Store) -> None:
    store.now = FixedClock()
    first = put_zone(store, "example.com", 1)
    put_zone(store, "example.com", 2)
    store.keep_report(replace(REPORT, token=first), "ns2")
    assert set(store.fleet().source.past) == {first.seq}
    store.now.now += 91
    assert store.fleet().source.past == {}


def test_a_deleted_zone_that_is_still_answered_is_seen(store: Store) -> None:
    put_zone(store, "example.com", 1)
    with_both = put_zone(store, "example.net", 1)
    both = store.view().totals(["zones"]).fingerprint
    store.remove("zones", "example.net.", author="test")
    head = store.clock().token
    for name, token in (("late", with_both), ("wrong", head)):
        report = replace(REPORT, name=name, token=token, fingerprint=both)
        store.keep_report(report, "ns2")
    fleet = store.fleet()
    states = {kept.report.name: judge(kept, fleet.source, store.now()).state for kept in fleet.kept}
    assert states == {"late": ServerState.BEHIND, "wrong": ServerState.OUT_OF_SYNC}


def test_a_new_store_has_none(tmp_path: Path) -> None:
    with new_store(tmp_path, "empty") as store:
        fleet = store.fleet()
        assert (fleet.kept, fleet.zones, fleet.source.fingerprint) == ([], 0, 0)
