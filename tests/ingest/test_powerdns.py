"""What PowerDNS has in its database becomes the zones that it answers with."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from syncd.errors import InvalidContent, LargeChangeRefused, StoreError
from syncd.ingest.powerdns import import_powerdns
from syncd.ingest.staging import Imported
from syncd.ingest.zones import find_master_files, import_zones
from syncd.store import Store
from syncd.store.url import shown_url
from tests.databases import Databases, on_every_engine
from tests.ingest.powerdns_database import PowerDnsDatabase
from tests.store.objects import content_of, new_store

pytestmark = on_every_engine

ZONE = "example.com."
FILE = rf"""
example.com. 3600 IN SOA ns1.example.com. host\.master.example.com. 7 7200 3600 1209600 300
example.com. 3600 IN NS ns1.example.com.
example.com. 3600 IN NS ns2.example.net.
example.com. 300 IN MX 10 mail.example.com.
example.com. 300 IN MX 20 mail.example.net.
example.com. 300 IN TXT "v=spf1 -all" "a \"quoted\" \\ word; (more)" "{"x" * 255}"
example.com. 300 IN CAA 0 issue "ca.example; policy=1"
example.com. 300 IN TYPE65300 \# 4 C000FF00
*.wild.example.com. 300 IN TXT "wild"
_sip._tcp.example.com. 300 IN SRV 1 5 5060 ns1.example.com.
deep.below.empty.example.com. 300 IN A 192.0.2.7
host.example.com. 300 IN HINFO "a b" "c"
host.example.com. 300 IN AAAA 2001:db8::1
host.example.com. 300 IN SSHFP 1 1 2BB183AF5F22588179A53B0A98631FAD1A292118
ns1.example.com. 300 IN A 192.0.2.1
odd\032name.example.com. 300 IN A 192.0.2.66
sub.example.com. 300 IN NS ns.sub.example.com.
sub.example.com. 300 IN DS 60485 8 1 2BB183AF5F22588179A53B0A98631FAD1A292118
ns.sub.example.com. 300 IN A 192.0.2.53
tel.example.com. 300 IN NAPTR 10 100 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
www.example.com. 300 IN CNAME ns1.example.com.
"""
TLSA = "3 1 1 d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made


@pytest.fixture
def database(databases: Databases, tmp_path: Path) -> Iterator[PowerDnsDatabase]:
    made = PowerDnsDatabase(databases.url(tmp_path, "pdns"))
    try:
        yield made
    finally:
        made.close()


def run(store: Store, database: PowerDnsDatabase, **options: bool) -> Imported:
    return import_powerdns(store, database.url, author="test", **options)


def names(store: Store) -> list[str]:
    return [version.name for version in store.view().versions(["zones"])]


def lines(store: Store, zone: str = ZONE) -> list[str]:
    return content_of(store.view(), zone, "zones").decode().splitlines()


def test_a_zone_that_powerdns_loaded_has_the_digest_of_its_file(
    store: Store, database: PowerDnsDatabase, tmp_path: Path
) -> None:
    file = tmp_path / "example.com.zone"
    file.write_text(FILE)
    database.load("example.com", file, tmp_path / "pdns")
    result = run(store, database)
    assert (result.objects, result.changed, result.warnings) == (1, 1, [])
    with new_store(tmp_path, "of-file") as other:
        import_zones(other, find_master_files([file]), author="test")
        assert lines(store) == lines(other)
        ours, theirs = (each.view().version("zones", ZONE).digest for each in (store, other))
        assert ours == theirs
    assert run(store, database).token is None
    assert store.clock().seq == 1


def test_records_become_what_powerdns_answers(store: Store, database: PowerDnsDatabase) -> None:
    zone = database.add_zone(
        "example.com",
        [
            ("ns1.example.com", "A", "192.0.2.1"),
            ("dotted.example.com", "CNAME", "ns1.example.com."),
            ("plain.example.com", "TXT", "v=DKIM1; p=(abc)"),
            ("long.example.com", "TXT", f'"{"y" * 300}"'),
            ("umlaut.example.com", "TXT", '"\\195\\188"'),
            ("_443._tcp.example.com", "TLSA", TLSA),
            ("empty.example.com", None, None),
        ],
    )
    database.add_record(zone, "example.com", "MX", "mail.example.com", prio=10)
    database.add_record(zone, "_s._tcp.example.com", "SRV", "5 80 ns1.example.com", prio=None)
    database.add_record(zone, "default.example.com", "A", "192.0.2.3", ttl=None)
    database.add_record(zone, "off.example.com", "A", "192.0.2.9", disabled=True)
    if database.engine.dialect.name == "sqlite":
        database.add_record(zone, "unsaid.example.com", "A", "192.0.2.9", disabled=None)
    run(store, database)
    soa = "ns1.example.com. hostmaster.example.com. 1 7200 3600 1209600 300"
    assert lines(store) == [
        f"example.com. 300 IN SOA {soa}",
        "example.com. 300 IN NS ns1.example.com.",
        "example.com. 300 IN MX 10 mail.example.com.",
        f"_443._tcp.example.com. 300 IN TLSA {TLSA.upper()}",
        "_s._tcp.example.com. 300 IN SRV 0 5 80 ns1.example.com.",
        "default.example.com. 3600 IN A 192.0.2.3",
        "dotted.example.com. 300 IN CNAME ns1.example.com.",
        f'long.example.com. 300 IN TXT "{"y" * 255}" "{"y" * 45}"',
        "ns1.example.com. 300 IN A 192.0.2.1",
        'plain.example.com. 300 IN TXT "v=DKIM1; p=(abc)"',
        'umlaut.example.com. 300 IN TXT "\\195\\188"',
    ]


def test_a_change_there_is_a_commit_here(store: Store, database: PowerDnsDatabase) -> None:
    database.add_zone("example.com", [("a.example.com", "A", "192.0.2.1")])
    database.add_zone("example.net")
    run(store, database)
    database.execute("UPDATE records SET content = '192.0.2.2' WHERE type = 'A'")
    result = run(store, database)
    assert (result.objects, result.changed) == (2, 1)
    assert "a.example.com. 300 IN A 192.0.2.2" in lines(store)
    assert store.view().version("zones", ZONE).attribute("serial") == 2
    # The serial there is behind now, and nothing else differs.
    assert run(store, database).token is None


def test_octets_that_are_not_ascii_stay_as_they_are(
    store: Store, database: PowerDnsDatabase
) -> None:
    latin = database.engine.dialect.name == "mariadb"  # Debian's tables are of Latin 1 there
    database.add_zone("example.com", [("a.example.com", "TXT", '"ü"')])
    run(store, database)
    shown = "\\252" if latin else "\\195\\188"
    assert f'a.example.com. 300 IN TXT "{shown}"' in lines(store)


def test_a_zone_may_be_the_root(store: Store, database: PowerDnsDatabase) -> None:
    database.add_zone("", [("com", "NS", "ns1.example.com")])
    run(store, database)
    assert names(store) == ["."]
    assert "com. 300 IN NS ns1.example.com." in lines(store, ".")


def test_zones_of_which_powerdns_is_not_the_primary_are_left_out(
    store: Store, database: PowerDnsDatabase
) -> None:
    for name, kind in (("a", "NATIVE"), ("b", "MASTER"), ("c", "SLAVE"), ("d", "CONSUMER")):
        database.add_zone(f"{name}.example", kind=kind)
    result = run(store, database)
    assert names(store) == ["a.example.", "b.example."]
    assert result.warnings == [
        "c.example., d.example.: left out, as PowerDNS is not their primary; import them from that"
    ]


def test_zones_that_powerdns_signs_are_named(store: Store, database: PowerDnsDatabase) -> None:
    for name in "abcde":
        number = database.add_zone(f"{name}.example")
        database.execute(
            "INSERT INTO cryptokeys (domain_id, flags, active, content)"
            " VALUES (:zone, 257, :active, '')",
            zone=number,
            active=True,
        )
    (warning,) = run(store, database).warnings
    assert warning.startswith("a.example., b.example., c.example. and 2 more: comes without the")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("ttl", "300 IN A 192.0.2.1\nevil. 300"),
        ("ttl", -1),
        ("prio", "10 x.\nevil. 300 IN A 1.1.1.1 ;"),
    ],
)
def test_text_where_a_number_should_be_makes_no_further_records(
    store: Store, tmp_path: Path, column: str, value: str | int
) -> None:
    with closing(PowerDnsDatabase(f"sqlite:///{tmp_path}/odd")) as odd:
        zone = odd.add_zone("example.com")
        odd.add_record(zone, "example.com", "MX", "mail.example.com", **{column: value})
        with pytest.raises(InvalidContent, match=r"MX: .* is no TTL, or no priority"):
            run(store, odd)


def test_an_old_schema_has_no_column_for_disabled_records(
    store: Store, databases: Databases, tmp_path: Path
) -> None:
    url = databases.url(tmp_path, "old")
    numbered = {
        "sqlite": "INTEGER", "postgresql": "SERIAL", "mariadb": "INTEGER AUTO_INCREMENT"
    }[make_url(url).get_backend_name()]  # fmt: skip
    database = PowerDnsDatabase(
        url,
        schema=f"CREATE TABLE domains (id {numbered} PRIMARY KEY, name TEXT, type TEXT);"
        f"CREATE TABLE records (id {numbered} PRIMARY KEY, domain_id INTEGER, name TEXT, type TEXT,"
        " content TEXT, ttl INTEGER, prio INTEGER, change_date INTEGER)",
    )
    database.add_zone("example.com", [("a.example.com", "A", "192.0.2.1")])
    run(store, database)
    database.close()
    assert "a.example.com. 300 IN A 192.0.2.1" in lines(store)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (("a.example.com", "ALIAS", "b.example.com"), "a.example.com. ALIAS: only PowerDNS"),
        (("a.example.com", "LUA", "A \"ifportup(443, {'192.0.2.1'})\""), "only PowerDNS answers"),
        (("a.example.com", "A", "192.0.2"), "the record is: a.example.com. 300 IN A 192.0.2"),
        (("a.example.com", "A", "192.0.2.1\nb A 192.0.2.2"), "a control character"),
        (("a.example.com", "CAA", "0 issue ca; more"), "outside of quotes"),
        (("a.example.com", "MX", "mail ; more"), "outside of quotes"),
        (("a.example.com", "TXT", '"open'), "quotes that do not match"),
        (("a.example.com", "A IN", "192.0.2.1"), "is not a record type"),
        (("example.com", "CNAME", "b.example.com"), "a CNAME cannot stand beside"),
        (("example.com", "SOA", "ns1.example.com"), "1 fields and not 7; PowerDNS fills in"),
    ],
)
def test_a_record_that_cannot_be_taken_stops_everything_and_is_named(
    store: Store, database: PowerDnsDatabase, record: tuple[str, str, str], reason: str
) -> None:
    database.add_zone("example.com", [record])
    database.add_zone("example.net")
    with pytest.raises(InvalidContent) as caught:
        run(store, database)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(f"example.com in {shown_url(database.url)}: ")
    assert store.clock().seq == 0
    result = run(store, database, keep_going=True)
    assert names(store) == ["example.net."]
    assert [str(error) for error in result.failed] == [str(caught.value)]


def test_a_zone_without_records_is_named(store: Store, database: PowerDnsDatabase) -> None:
    database.add_bare_zone("example.com")
    with pytest.raises(InvalidContent, match=r"^example\.com in .*: there is no SOA record"):
        run(store, database)


def test_zones_that_are_gone_there_go_when_asked_for(
    store: Store, database: PowerDnsDatabase
) -> None:
    for name in "abcd":
        database.add_zone(f"{name}.example")
    run(store, database)
    database.execute("DELETE FROM domains WHERE name = 'a.example'")
    database.execute("UPDATE domains SET type = 'SLAVE' WHERE name = 'b.example'")
    assert run(store, database).token is None
    result = run(store, database, delete_others=True)
    assert (result.changed, result.removed) == (0, 1)
    assert names(store) == ["b.example.", "c.example.", "d.example."]


def test_many_do_not_go_without_a_further_word(store: Store, database: PowerDnsDatabase) -> None:
    for number in range(10):
        database.add_zone(f"{number}.example")
    run(store, database)
    database.execute("DELETE FROM domains WHERE name < '4'")
    with pytest.raises(LargeChangeRefused, match="of 10 zones, 4 would go, over 30%"):
        run(store, database, delete_others=True)
    assert len(names(store)) == 10
    run(store, database, delete_others=True, allow_large_change=True)
    assert len(names(store)) == 6


def test_nothing_goes_if_a_zone_failed(store: Store, database: PowerDnsDatabase) -> None:
    database.add_zone("a.example")
    run(store, database)
    database.execute("DELETE FROM domains")
    database.add_bare_zone("b.example")
    result = run(store, database, delete_others=True, keep_going=True)
    assert names(store) == ["a.example."]
    assert "nothing was deleted: what failed may be a zone of the store" in result.warnings


def test_what_is_no_database_of_powerdns_is_told(
    store: Store, databases: Databases, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=r"^PowerDNS database .*: there is no such file"):
        import_powerdns(store, f"sqlite:///{tmp_path}/none.db", author="test")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StoreError, match="there are no tables `domains` and `records` in it"):
        import_powerdns(store, databases.url(tmp_path, "store"), author="test")
    with pytest.raises(StoreError, match=r"^PowerDNS database 'nonsense': no database URL"):
        import_powerdns(store, "nonsense", author="test")
    (tmp_path / "text").write_text("text, and more than a database's magic" * 10)
    with pytest.raises(StoreError, match=r"^PowerDNS database .*: file is not a database"):
        import_powerdns(store, f"sqlite:///{tmp_path}/text", author="test")
    with pytest.raises(StoreError, match=r"driver does not take what stands behind the `\?`"):
        import_powerdns(store, "mariadb+pymysql://x@127.0.0.1:1/x?no_such=1", author="test")
    with pytest.raises(StoreError, match=r"driver does not take what stands behind the `\?`"):
        import_powerdns(store, f"sqlite:///{tmp_path}/text?timeout=abc", author="test")
    with pytest.raises(StoreError, match=r"a\.\.b is no name of a host"):
        import_powerdns(store, "mariadb+pymysql://x@a..b/x", author="test")


def test_a_password_is_never_shown(store: Store) -> None:
    url = "postgresql+psycopg://pdns:of-the-database@127.0.0.1:1/pdns"
    with pytest.raises(StoreError, match="onnection") as caught:
        import_powerdns(store, url, author="test")
    assert "of-the-database" not in str(caught.value)
