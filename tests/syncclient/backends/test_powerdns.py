"""What is special about PowerDNS: a database that has other masters too, rows that depend on
others, signed zones, caches."""

import random
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
import trio

from syncclient.backends.powerdns import PowerDnsSettings
from syncclient.backends.powerdns.backend import PowerDns
from syncclient.backends.powerdns.zonetext import ZoneText
from syncclient.backends.step import Step, ZoneChange
from syncclient.dns import DnsServer, confirm_records
from syncclient.follow.applying import Applied, Applier
from syncd.errors import ConfigError, FileFailed, ServerFailed
from syncd.store import Store
from tests.databases import Databases, on_every_engine
from tests.nameservers.powerdns import PowerDnsData
from tests.running import put
from tests.syncclient.backends.rigs.powerdns import PowerDnsRig

COLLECTED = Path(__file__).parents[2] / "content/zone/collected"
ZONE = "a.example."


def zone_text(serial: int, *records: str, zone: str = ZONE) -> str:
    return (
        f"{zone} 60 IN SOA ns1.{zone} hostmaster.{zone} {serial} 7200 3600 1209600 60\n"
        f"{zone} 60 IN NS ns1.{zone}\nns1.{zone} 60 IN A 192.0.2.1\n"
        + "".join(f"{record}\n" for record in records)
    )


@pytest.fixture
def rig(tmp_path: Path, databases: Databases) -> Iterator[PowerDnsRig]:
    with ExitStack() as stack:
        data = None
        if databases.server is not None:
            data = PowerDnsData.on(databases.server, databases.url(tmp_path, "powerdns"))
        yield stack.enter_context(PowerDnsRig(tmp_path, data))


class Replica:
    def __init__(self, store: Store, rig: PowerDnsRig, **changed: object) -> None:
        self.store, self.rig = store, rig
        self.backend = rig.backend(**changed)
        assert isinstance(self.backend, PowerDns)
        self.applier = Applier(store, self.backend)
        trio.run(self.applier.recover)

    def put(self, serial: int, *records: str, zone: str = ZONE) -> Applied:
        put(self.store, "zones", zone, zone_text(serial, *records, zone=zone))
        return self.apply()

    def apply(self) -> Applied:
        return trio.run(self.applier.apply)


@pytest.fixture
def replica(store: Store, rig: PowerDnsRig) -> Replica:
    return Replica(store, rig)


def foreign_zone(rig: PowerDnsRig, zone: str = ZONE) -> None:
    name = zone.rstrip(".")
    rig.server.pdnsutil("create-zone", name, f"ns1.{name}")


def rows_of(rig: PowerDnsRig, zone: str = ZONE) -> list[tuple[object, ...]]:
    """What the database (a SQLite file) has of a zone, but for ids."""
    file = rig.data.url.removeprefix("sqlite:///")
    connection = sqlite3.connect(file)
    try:
        found = connection.execute(
            "select r.name, r.type, r.content, r.ttl, r.prio, r.ordername, r.auth, r.disabled "
            "from records r join domains d on r.domain_id = d.id where d.name = ?",
            (zone.rstrip("."),),
        ).fetchall()
    finally:
        connection.close()
    return sorted(found, key=str)


def expected_rows(store: Store, zone: str = ZONE) -> list[tuple[object, ...]]:
    view = store.view()
    step = Step(view, [ZoneChange(zone, None, 1)])
    (text,) = ZoneText.of_all(step, [zone])
    rows = text.rows(text.signing(), odd_names=True)
    return sorted(((*row[:-1], int(row.auth), 0) for row in rows), key=str)


# Others in the same database


def test_zones_of_others_are_left_alone(rig: PowerDnsRig, replica: Replica) -> None:
    foreign_zone(rig, "theirs.example.")
    replica.put(1)
    again = Replica(replica.store, rig)
    again.applier.active = None  # a step over everything
    again.apply()
    assert rig.server.serial("theirs.example.") is not None
    assert rig.server.serial(ZONE) == 1


def test_a_zone_that_others_have_is_refused_and_named(rig: PowerDnsRig, replica: Replica) -> None:
    foreign_zone(rig)
    theirs = rig.server.serial(ZONE)
    replica.put(7, zone="b.example.")
    applied = replica.put(5)
    assert "set adopt = true in [powerdns]" in applied.active.refused[ZONE].message
    assert (rig.server.serial(ZONE), rig.server.serial("b.example.")) == (theirs, 7)


def test_a_zone_that_others_have_is_not_removed_when_the_source_drops_it(
    rig: PowerDnsRig, replica: Replica
) -> None:
    foreign_zone(rig)
    theirs = rig.server.serial(ZONE)
    replica.put(7, zone="b.example.")
    replica.put(5)
    impatient = Replica(replica.store, rig, confirm_s=0.2)
    replica.store.remove("zones", ZONE, author="test")
    impatient.apply()
    assert rig.server.serial(ZONE) == theirs


def test_a_zone_that_others_have_is_taken_over_if_told_to(rig: PowerDnsRig, store: Store) -> None:
    foreign_zone(rig)
    rig.server.pdnsutil("set-kind", "a.example", "primary")
    adopting = Replica(store, rig, adopt=True)
    assert adopting.put(5).failed == 0
    assert rig.server.serial(ZONE) == 5
    assert rows_of(rig) == expected_rows(store)
    assert Replica(store, rig).put(6).failed == 0  # it is ours from then on


def test_agents_with_different_marks_share_a_database(
    rig: PowerDnsRig, replica: Replica, tmp_path: Path
) -> None:
    replica.put(1)
    with Store.create(f"sqlite:///{tmp_path / 'other.db'}") as other:
        second = Replica(other, rig, mark="second")
        second.applier.active = None
        second.put(2, zone="b.example.")
        refused = second.put(9)
    assert "an agent with the mark syncd" in refused.active.refused[ZONE].message
    assert (rig.server.serial(ZONE), rig.server.serial("b.example.")) == (1, 2)


# Rows


LABELS = ("a", "b", "c")


def _random_records(dice: random.Random) -> list[str]:
    records = set()
    for _ in range(dice.randrange(9)):
        owner = ".".join(dice.choice(LABELS) for _ in range(dice.randrange(1, 5)))
        kind = dice.choice(("A 192.0.2.7", 'TXT "x"', "MX 10 m.a.example.", "NS ns.other."))
        if kind.startswith("NS") and dice.random() < 0.7:
            continue
        records.add(f"{owner}.{ZONE} 60 IN {kind}")
    return sorted(records)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_changes_the_rows_are_those_of_the_zone(
    rig: PowerDnsRig, replica: Replica, seed: int
) -> None:
    dice = random.Random(seed)
    records: list[str] = []
    replica.put(1)
    for serial in range(2, 16):
        fresh = _random_records(dice)
        few = dice.random() < 0.7
        records = sorted({*dice.sample(records, len(records) // 2), *fresh[:2]}) if few else fresh
        assert replica.put(serial, *records).failed == 0
        assert rows_of(rig) == expected_rows(replica.store)


def test_few_changed_records_touch_no_other_rows(rig: PowerDnsRig, replica: Replica) -> None:
    many = [f"h{number}.{ZONE} 60 IN A 192.0.2.9" for number in range(300)]
    replica.put(1, *many)
    before = _ids(rig)
    replica.put(2, *many[1:], f"new.{ZONE} 60 IN A 192.0.2.8")
    after = _ids(rig)
    assert len(before - after) == 2  # the SOA, and the host that is gone
    assert len(after - before) == 2


def _ids(rig: PowerDnsRig) -> set[int]:
    connection = sqlite3.connect(rig.data.url.removeprefix("sqlite:///"))
    try:
        return {number for (number,) in connection.execute("select id from records")}
    finally:
        connection.close()


def test_a_table_that_was_filled_at_once_has_its_indexes(
    rig: PowerDnsRig, replica: Replica
) -> None:
    def indexes() -> list[tuple[str, str]]:
        connection = sqlite3.connect(rig.data.url.removeprefix("sqlite:///"))
        try:
            return connection.execute(
                "select name, sql from sqlite_master where type = 'index' order by name"
            ).fetchall()
        finally:
            connection.close()

    before = indexes()
    names = [f"z{number}.example." for number in range(150)]
    for name in names:
        put(replica.store, "zones", name, zone_text(1, zone=name))
    assert replica.apply().changed == 150
    assert indexes() == before
    assert rig.server.serial("z149.example.") == 1


def test_a_record_that_somebody_edited_by_hand_is_put_right_with_the_next_change(
    rig: PowerDnsRig, replica: Replica
) -> None:
    replica.put(1, f"www.{ZONE} 60 IN A 192.0.2.80")
    rig.server.pdnsutil("replace-rrset", "a.example", "www", "A", "60", "192.0.2.99")
    replica.put(2, f"www.{ZONE} 60 IN A 192.0.2.81")
    assert rows_of(rig) == expected_rows(replica.store)


def test_names_without_records_are_there_if_names_below_are(
    rig: PowerDnsRig, replica: Replica
) -> None:
    replica.put(1, f"x.y.{ZONE} 60 IN A 192.0.2.2", f"*.{ZONE} 60 IN A 192.0.2.3")
    between = rig.server.query(f"y.{ZONE}", "A")
    assert (between.rcode(), between.answer) == (dns.rcode.NOERROR, [])
    replica.put(2, f"*.{ZONE} 60 IN A 192.0.2.3")
    assert rig.server.query(f"y.{ZONE}", "A").answer  # by the wildcard


def test_glue_is_no_answer(rig: PowerDnsRig, replica: Replica) -> None:
    cut = (f"sub.{ZONE} 60 IN NS ns.sub.{ZONE}", f"ns.sub.{ZONE} 60 IN A 192.0.2.4")
    replica.put(1, *cut)
    referral = rig.server.query(f"ns.sub.{ZONE}", "A")
    assert not referral.answer
    assert not referral.flags & dns.flags.AA
    replica.put(2, *cut, f"more.sub.{ZONE} 60 IN A 192.0.2.5")
    assert not rig.server.query(f"more.sub.{ZONE}", "A").answer


@on_every_engine
def test_every_type_is_answered_as_it_was_written(rig: PowerDnsRig, replica: Replica) -> None:
    lines = _put_collected(replica, "all_types")
    assert rig.server.serial("example.") == 1397051952
    _assert_answers(rig, lines)


def test_names_that_powerdns_never_answers_are_refused_unless_told_otherwise(
    rig: PowerDnsRig, replica: Replica
) -> None:
    put(replica.store, "zones", "example.", (COLLECTED / "escapes.zone").read_bytes())
    refused = replica.apply().active.refused["example."]
    assert 'odd_names = "take"' in refused.message
    taking = Replica(replica.store, rig, odd_names="take")
    taking.applier.retry()
    assert taking.apply().failed == 0
    assert rig.server.query("xn--bcher-kva.example.", "TXT").answer


def test_a_program_in_a_zone_is_not_handed_to_powerdns(rig: PowerDnsRig, replica: Replica) -> None:
    program = b"\x00\x01\x0aos.exit(1)"
    generic = f"\\# {len(program)} {program.hex()}"
    refused = replica.put(1, f"run.{ZONE} 60 IN TYPE65402 {generic}").active.refused[ZONE]
    assert "a meaning of its own" in refused.message


# Signed zones


@pytest.mark.parametrize("signed", ["signed_nsec", "signed_nsec3"])
def test_a_signed_zone_is_answered_with_its_own_signatures(
    rig: PowerDnsRig, replica: Replica, signed: str
) -> None:
    lines = _put_collected(replica, signed)
    _assert_answers(rig, [line for line in lines if "NSEC3PARAM" not in line])
    assert " 0 errors" in rig.server.pdnsutil("check-zone", "example")


@pytest.mark.parametrize("signed", ["signed_nsec", "signed_nsec3"])
@pytest.mark.parametrize(
    "name", ["there-is-none", "a", "a.b.there-is-none", "sub", "secure", "below.secure", "www"]
)
def test_what_is_not_there_is_proven_by_records_of_the_zone_itself(
    rig: PowerDnsRig, replica: Replica, signed: str, name: str
) -> None:
    lines = [line.split(" ", 4) for line in _put_collected(replica, signed)]
    own = _proofs([dns.rrset.from_text(line[0], *line[1:]) for line in lines])
    query = dns.message.make_query(f"{name}.example.", "MX", want_dnssec=True)
    answer = dns.query.tcp(query, "127.0.0.1", 2, rig.server.port)
    given = _proofs([*answer.answer, *answer.authority])
    assert given <= own
    if not name.endswith(("www", "secure")):  # an alias, and a delegation with DS, are there
        assert {kind for _, kind, _ in given} > {"RRSIG"}


def _proofs(rrsets: list[dns.rrset.RRset]) -> set[tuple[str, str, str]]:
    """Owner, type and rdata of NSEC and NSEC3 records, and of what signs them."""
    kinds = {dns.rdatatype.NSEC, dns.rdatatype.NSEC3}
    return {
        (str(rrset.name).lower(), dns.rdatatype.to_text(rrset.rdtype), rdata.to_text().lower())
        for rrset in rrsets
        for rdata in rrset
        if rrset.rdtype in kinds or (rrset.rdtype == dns.rdatatype.RRSIG and rrset.covers in kinds)
    }


@pytest.mark.parametrize("signed", ["signed_nsec", "signed_nsec3"])
def test_a_signed_zone_changes_by_the_rows_that_differ(
    rig: PowerDnsRig, replica: Replica, signed: str
) -> None:
    lines = _put_collected(replica, signed)
    before = _ids(rig)
    lines[0] = lines[0].replace(" 1 2 3 4 5", " 2 2 3 4 5")
    put(replica.store, "zones", "example.", "".join(f"{line}\n" for line in lines))
    assert replica.apply().failed == 0
    assert (len(before - _ids(rig)), len(_ids(rig) - before)) == (1, 1)
    assert rows_of(rig, "example.") == expected_rows(replica.store, "example.")


def test_a_zone_that_is_signed_no_more_loses_what_that_left(
    rig: PowerDnsRig, replica: Replica
) -> None:
    _put_collected(replica, "signed_nsec")
    put(replica.store, "zones", "example.", zone_text(9, zone="example."))
    replica.apply()
    assert "PRESIGNED" not in rig.server.pdnsutil("get-meta", "example")
    assert rows_of(rig, "example.") == expected_rows(replica.store, "example.")


def _put_collected(replica: Replica, name: str) -> list[str]:
    put(replica.store, "zones", "example.", (COLLECTED / f"{name}.zone").read_bytes())
    applied = replica.apply()
    assert applied.failed == 0, applied.active.refused
    view = replica.store.view()
    content = b"".join(view.content(view.version("zones", "example.")))
    return content.decode("ascii").splitlines()


def _assert_answers(rig: PowerDnsRig, lines: list[str]) -> None:
    server = DnsServer.parse(f"127.0.0.1:{rig.server.port}")
    found = trio.run(confirm_records, server, "example.", lines)
    assert found.proven, [str(one) for one in found.differences]


# Caches, crashes, and what is said


@on_every_engine
def test_no_query_is_lost_and_no_old_answer_left_while_zones_change(
    rig: PowerDnsRig, replica: Replica
) -> None:
    replica.put(1, f"www.{ZONE} 60 IN A 192.0.2.80")
    replica.put(1, zone="b.example.")
    lost: list[str] = []
    stale: list[int] = []
    asked = 0
    done = threading.Event()

    def ask() -> None:
        nonlocal asked
        while not done.is_set():
            answer = rig.server.query(f"www.{ZONE}", "A")
            asked += 1
            if not answer.answer:
                lost.append(str(answer))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for serial in range(2, 52):
            last = f"www.{ZONE} 60 IN A 192.0.2.{serial}"
            assert replica.put(serial, last).failed == 0
            if f"192.0.2.{serial}\n" not in f"{rig.server.query(f'www.{ZONE}', 'A')}\n":
                stale.append(serial)
        replica.store.remove("zones", "b.example.", author="test")
        assert replica.apply().gone == 1
    finally:
        done.set()
        asking.join()
    assert asked > 50
    assert lost == []
    assert stale == []


@on_every_engine
def test_a_crash_between_commit_and_purge_is_undone_and_done_again(
    rig: PowerDnsRig, replica: Replica
) -> None:
    class Killed(BaseException):
        pass

    async def die(*_: object) -> None:
        raise Killed

    replica.put(1, f"www.{ZONE} 60 IN A 192.0.2.80")
    replica.put(3, zone="b.example.")
    replica.store.remove("zones", "b.example.", author="test")
    put(replica.store, "zones", "c.example.", zone_text(4, zone="c.example."))
    assert isinstance(replica.backend, PowerDns)
    replica.backend._control.purge = die  # type: ignore[method-assign]  # dies there
    with pytest.raises(Killed):
        replica.put(2, f"www.{ZONE} 60 IN A 192.0.2.82")
    again = Replica(replica.store, rig)
    assert (rig.server.serial(ZONE), rig.server.serial("b.example.")) == (1, 3)
    assert rig.server.serial("c.example.") is None
    again.apply()
    assert (rig.server.serial(ZONE), rig.server.serial("b.example.")) == (2, None)
    assert rig.server.serial("c.example.") == 4
    if rig.data.url.startswith("sqlite"):
        assert rows_of(rig) == expected_rows(replica.store)


@on_every_engine
def test_a_server_that_stops_answering_gets_back_what_was(
    rig: PowerDnsRig, replica: Replica
) -> None:
    replica.put(1, f"www.{ZONE} 60 IN A 192.0.2.80")
    deaf = Replica(replica.store, rig, confirm_s=0.2)
    assert isinstance(deaf.backend, PowerDns)

    async def refuse(*_: object) -> None:
        raise ServerFailed("activate", "the control socket is gone")

    deaf.backend._control.purge = refuse  # type: ignore[method-assign]  # is refused there
    put(replica.store, "zones", "c.example.", zone_text(4, zone="c.example."))
    with pytest.raises(ServerFailed):
        deaf.put(2, f"www.{ZONE} 60 IN A 192.0.2.82")
    rig.server.control("purge")
    assert (rig.server.serial(ZONE), rig.server.serial("c.example.")) == (1, None)
    assert Replica(replica.store, rig).apply().failed == 0
    assert (rig.server.serial(ZONE), rig.server.serial("c.example.")) == (2, 4)


def test_a_zone_cache_that_would_hide_new_zones_is_told_of(
    rig: PowerDnsRig, replica: Replica
) -> None:
    text = rig.server.config.read_text()
    rig.server.config.write_text(text.replace("zone-cache-refresh-interval=0\n", ""))
    rig.server.stop()
    rig.server.start()
    with pytest.raises(ServerFailed, match="set zone-cache-refresh-interval=0 in"):
        replica.put(1)


def test_a_database_that_is_not_there_is_told_of(rig: PowerDnsRig, store: Store) -> None:
    lost = Replica(store, rig, database="sqlite:////nowhere/pdns.sqlite3")
    with pytest.raises(ServerFailed, match=r"no file /nowhere/pdns\.sqlite3"):
        lost.put(1)


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "mariadb+pymysql"])
def test_a_password_is_never_shown(rig: PowerDnsRig, store: Store, scheme: str) -> None:
    lost = Replica(store, rig, database=f"{scheme}://pdns:s3cret@127.0.0.1:1/pdns")
    with pytest.raises(ServerFailed) as refused:
        lost.put(1)
    assert "s3cret" not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)
    with pytest.raises(ConfigError) as unknown:
        rig.backend(database="oracle://pdns:s3cret@host/pdns")
    assert "s3cret" not in str(unknown.value)


def test_the_password_comes_from_a_file_of_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    file.chmod(0o644)
    settings = PowerDnsSettings(password_file=str(file))
    with pytest.raises(ConfigError, match="chmod 600"):
        settings.password()
    file.chmod(0o600)
    assert settings.password() == "s3cret"


EXAMPLE = Path(__file__).parents[3] / "examples/backends/powerdns"


def test_the_examples_pdns_conf_passes_the_servers_own_check() -> None:
    checked = subprocess.run(
        ["pdns_server", f"--config-dir={EXAMPLE}", "--config=check"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


# What an agent that died has left


@pytest.mark.parametrize("left", [b"garbage", b"", b"SQLite format 3\0" + bytes(100)])
def test_whatever_became_of_the_scratch_database_it_is_made_anew(
    rig: PowerDnsRig, replica: Replica, left: bytes
) -> None:
    replica.put(1)
    (rig.folder / "powerdns" / "check.sqlite").write_bytes(left)
    assert replica.put(2).active.refused == {}
    assert rig.server.serial(ZONE) == 2


def test_a_scratch_database_that_cannot_be_made_is_told(rig: PowerDnsRig, replica: Replica) -> None:
    file = rig.folder / "powerdns" / "check.sqlite"
    (file / "inside").mkdir(parents=True)
    with pytest.raises(FileFailed, match=r"check\.sqlite"):
        replica.put(1)
    (file / "inside").rmdir()
    file.rmdir()
    assert replica.apply().active.refused == {}


def test_a_journal_that_is_damaged_says_what_to_do(rig: PowerDnsRig, replica: Replica) -> None:
    replica.put(1)
    (rig.folder / "powerdns-step.json").write_text("{")
    with pytest.raises(FileFailed, match="take it away, and active"):
        Replica(replica.store, rig)
