"""Records confirmed against the real servers: what is the same is proven, what differs is found."""

import dataclasses
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from syncclient.dns import (
    AskLimits,
    Confirmation,
    DnsServer,
    Unseen,
    ZoneRrsets,
    ask_serials,
    confirm_records,
    confirm_rrsets,
)
from syncd.content.zone.reader import read_zone
from syncd.errors import InvalidContent
from tests.content.zone import test_root_zones
from tests.nameservers.bind import running_bind
from tests.nameservers.knot import running_knot
from tests.nameservers.nsd import running_nsd

ROOT = Path(__file__).parents[3]
COLLECTED = ROOT / "tests" / "content" / "zone" / "collected"
START = {"bind": running_bind, "knot": running_knot, "nsd": running_nsd}
EVERYTHING = """\
$ORIGIN all.test.
$TTL 3600
@ SOA ns1 hostmaster 5 7200 3600 1209600 300
@ NS ns1
@ NS NS2.Other.Example.
@ MX 65 Mail
@ TXT "Case Matters" "a\\"b\\\\c" "\\000\\255"
@ CAA 0 issue "Ca.example.net"
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
Mail A 192.0.2.25
alias CNAME Target.Other.Example.
dn DNAME elsewhere.example.
*.wild A 192.0.2.90
*.wild TXT "any"
a\\.b.esc\\000\\255 TXT "escaped owner"
\\*.lit A 192.0.2.91
_sip._tcp SRV 0 5 5060 Sip
naptr NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .
svc HTTPS 1 . alpn="h2,h3" ipv4hint=192.0.2.1
tlsa TLSA 3 1 1 """ + "ab" * 32 + """
ssh SSHFP 1 1 """ + "cd" * 20 + """
loc LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m
odd TYPE65280 \\# 4 0A000001
sub NS ns1.sub
sub NS ns.other.example.
sub DS 4711 13 2 """ + "ef" * 32 + """
ns1.sub A 192.0.2.77
ns1.sub AAAA 2001:db8::77
deep.ns.sub A 192.0.2.78
child NS ns1.child
ns1.child A 192.0.2.79
""" + "".join(f'big TXT "{number:03d} {"x" * 200}"\n' for number in range(90)) + "".join(
    f"mid A 198.51.100.{number}\n" for number in range(60)
)  # fmt: skip
CHILD = """\
child.all.test. 60 SOA ns1 hostmaster 1 7200 3600 1209600 300
child.all.test. 60 NS other.example.
ns1.child.all.test. 60 A 192.0.2.80
"""


def canonical(text: str | bytes, zone: str) -> list[str]:
    data = text.encode() if isinstance(text, str) else text
    lines = read_zone(io.BytesIO(data), origin=zone).lines()
    return [line.decode("ascii").rstrip("\n") for line in lines]


@pytest.fixture(scope="module")
def zones() -> dict[str, list[str]]:
    """The zones of the servers, as canonical lines."""
    made = {
        "all.test.": canonical(EVERYTHING, "all.test."),
        "child.all.test.": canonical(CHILD, "child.all.test."),
    }
    for name in ("example.com", "example.net", "2.0.192.in-addr.arpa", "signed.example"):
        text = (ROOT / "examples" / "zones" / f"{name}.zone").read_bytes()
        made[f"{name}."] = canonical(text, f"{name}.")
    return made


@pytest.fixture(scope="module", params=sorted(START))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def serve(folder: Path, kind: str, zones: Mapping[str, list[str]]) -> Iterator[DnsServer]:
    files: dict[str, str | Path] = {}
    folder.mkdir(exist_ok=True)
    for zone, lines in zones.items():
        files[zone] = folder / f"{zone.strip('.') or 'root'}.text"
        Path(files[zone]).write_text("".join(f"{line}\n" for line in lines))
    with START[kind](folder, zones=files) as running:
        yield DnsServer("127.0.0.1", running.port)


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, kind: str, zones: dict[str, list[str]]
) -> Iterator[DnsServer]:
    yield from serve(tmp_path_factory.mktemp("served"), kind, zones)


def confirm(server: DnsServer, zone: str, lines: list[str], **options: Any) -> Confirmation:
    async def ask() -> Confirmation:
        return await confirm_records(server, zone, lines, **options)

    return trio.run(ask)


def confirm_zone(server: DnsServer, zone: str, lines: list[str], *below: str) -> Confirmation:
    """Confirm a whole zone, read in its order."""

    async def ask() -> Confirmation:
        reading = ZoneRrsets(zone, below)
        rrsets = [*reading.take(lines[:7]), *reading.take(lines[7:]), *reading.finish()]
        found = await confirm_rrsets(server, rrsets)
        return dataclasses.replace(found, unseen=Counter(found.unseen) + reading.unseen)

    return trio.run(ask)


def words(found: Confirmation) -> list[str]:
    return [str(difference) for difference in found.differences]


def test_every_record_of_the_examples_is_proven(
    server: DnsServer, zones: dict[str, list[str]]
) -> None:
    for zone in ("example.com.", "example.net.", "2.0.192.in-addr.arpa.", "signed.example."):
        for found in (confirm(server, zone, zones[zone]), confirm_zone(server, zone, zones[zone])):
            assert (words(found), dict(found.unseen)) == ([], {})
            assert found.same == len(zones[zone])


def test_awkward_records_are_proven_and_what_cannot_be_is_counted(
    server: DnsServer, zones: dict[str, list[str]]
) -> None:
    lines = zones["all.test."]
    found = confirm_zone(server, "all.test.", lines, "child.all.test.")
    assert words(found) == []
    # Glue of no name server; all that the child answers for.
    assert dict(found.unseen) == {Unseen.GLUE: 1, Unseen.OTHER_ZONE: 2}
    assert found.same == len(lines) - 3


def test_records_in_any_order_are_proven_without_knowing_the_zone(
    server: DnsServer, zones: dict[str, list[str]]
) -> None:
    lines = zones["all.test."]
    found = confirm(server, "all.test.", lines[::-1], zones_below=["child.all.test."])
    assert words(found) == []
    assert found.same == len(lines) - 3
    assert sum(found.unseen.values()) == 3


def test_what_stands_below_a_dname_is_hidden(tmp_path: Path) -> None:
    """BIND alone takes such a zone."""
    text = CHILD.replace("child.all.", "") + "d DNAME e.\nx.d A 192.0.2.66\nz A 192.0.2.67\n"
    lines = canonical("$TTL 60\n" + text, "test.")
    for server in serve(tmp_path / "served", "bind", {"test.": lines}):
        for found in (confirm(server, "test.", lines), confirm_zone(server, "test.", lines)):
            assert (words(found), dict(found.unseen)) == ([], {Unseen.HIDDEN: 1})


def test_one_record_that_differs_is_found(server: DnsServer, zones: dict[str, list[str]]) -> None:
    changes = {
        "mail.all.test. 3600 IN A 192.0.2.26": [
            "mail.all.test. A: missing 192.0.2.26; surplus 192.0.2.25"
        ],
        "Mail.all.test. 300 IN A 192.0.2.25": ["Mail.all.test. A: TTL 3600, not 300"],
        "mail.ALL.test. 3600 IN A 192.0.2.25": [],
        "all.test. 3600 IN MX 97 mail.all.test.": [
            "all.test. MX: missing 97 mail.all.test.; surplus 65 mail.all.test."
        ],
        "all.test. 3600 IN MX 65 MAIL.all.test.": [],
        "new.all.test. 3600 IN A 192.0.2.1": ["new.all.test. A: missing 192.0.2.1"],
        "alias.all.test. 3600 IN A 192.0.2.1": [
            "alias.all.test. A: the name is an alias there; missing 192.0.2.1"
        ],
        "ns1.sub.all.test. 3600 IN A 192.0.2.99": [
            "ns1.sub.all.test. A: missing 192.0.2.99; surplus 192.0.2.77"
        ],
        "sub.all.test. 3600 IN NS ns1.sub.all.test.": [
            "sub.all.test. NS: surplus ns.other.example."
        ],
        "x.wild.all.test. 3600 IN A 192.0.2.90": [],
        "odd.all.test. 3600 IN TYPE65280 \\# 4 0A000002": [
            "odd.all.test. TYPE65280: missing \\# 4 0A000002; surplus \\# 4 0A000001"
        ],
        'all.test. 3600 IN CAA 0 issue "ca.example.net"': [
            'all.test. CAA: missing 0 issue "ca.example.net"; surplus 0 issue "Ca.example.net"'
        ],
        "elsewhere.test. 3600 IN A 192.0.2.1": ["elsewhere.test. A: REFUSED"],
    }
    for line, expected in changes.items():
        assert words(confirm(server, "all.test.", [line])) == expected, line
    assert zones


def test_a_ttl_may_be_left_out_of_it(server: DnsServer) -> None:
    line = "Mail.all.test. 300 IN A 192.0.2.25"
    assert confirm(server, "all.test.", [line], compare_ttl=False).same == 1


def test_an_rrset_that_should_be_gone_is_proven_gone_or_found(server: DnsServer) -> None:
    gone = [
        "old.all.test. 60 IN A 192.0.2.1",  # the name is not there
        "mail.all.test. 60 IN TXT \"x\"",  # the type is not there
        "mail.all.test. 60 IN A 192.0.2.200",  # other data is
        "x.sub.all.test. 60 IN A 192.0.2.1",  # below a delegation
        "old.wild.all.test. 60 IN A 192.0.2.90",  # a wildcard answers just that
    ]  # fmt: skip
    found = confirm(server, "all.test.", [], gone=gone)
    assert (words(found), found.same) == ([], 5)
    left = [
        "mail.all.test. 60 IN A 192.0.2.25",
        "ns1.sub.all.test. 60 IN A 192.0.2.77",
        "*.wild.all.test. 60 IN A 192.0.2.90",
        "all.test. 60 IN MX 65 mail.all.test.",
    ]
    assert sorted(words(confirm(server, "all.test.", [], gone=left))) == [
        "*.wild.all.test. A: is still answered: 192.0.2.90",
        "all.test. MX: is still answered: 65 mail.all.test.",
        "mail.all.test. A: is still answered: 192.0.2.25",
        "ns1.sub.all.test. A: is still answered: 192.0.2.77",
    ]


def test_a_delegation_that_the_zone_does_not_have_is_found(server: DnsServer) -> None:
    lines = [
        "all.test. 3600 IN SOA ns1.all.test. hostmaster.all.test. 5 7200 3600 1209600 300",
        "www.sub.all.test. 3600 IN A 192.0.2.1",
    ]
    assert words(confirm_zone(server, "all.test.", lines)) == [
        "www.sub.all.test. A: is answered with a referral to sub.all.test."
    ]


def test_large_answers_come_over_tcp(server: DnsServer, zones: dict[str, list[str]]) -> None:
    large = [line for line in zones["all.test."] if line.startswith(("big.", "mid."))]
    for edns_bytes in (512, 1232, 4096):
        limits = AskLimits(edns_bytes=edns_bytes)
        assert confirm(server, "all.test.", large, limits=limits).same == 150


def test_serials_and_zones_that_are_not_there(server: DnsServer) -> None:
    async def ask() -> dict[str, int | None]:
        names = ["ALL.test.", "child.all.test.", "example.com.", "no.example.", "sub.all.test."]
        return {answer.zone: answer.serial for answer in await ask_serials(server, names)}

    assert trio.run(ask) == {
        "ALL.test.": 5, "child.all.test.": 1, "example.com.": 2026112001, "no.example.": None,
        "sub.all.test.": None,
    }  # fmt: skip


class TestSigned:
    """Zones whose signatures are real, with NSEC and with NSEC3."""

    @pytest.mark.parametrize("name", ["signed_nsec", "signed_nsec3"])
    def test_signatures_are_proven_too(self, tmp_path: Path, kind: str, name: str) -> None:
        lines = canonical((COLLECTED / f"{name}.zone").read_bytes(), "example.")
        hashed = sum(" NSEC3 " in line for line in lines)
        for server in serve(tmp_path / "served", kind, {"example.": lines}):
            found = confirm_zone(server, "example.", lines)
            assert words(found) == []
            assert found.unseen.get(Unseen.NSEC3, 0) == hashed
            assert found.same + sum(found.unseen.values()) == len(lines)
            assert found.unseen.get(Unseen.HIDDEN, 0) == 0
            forged = [line.replace(" 13 1 300 ", " 13 1 301 ") for line in lines]
            assert words(confirm_zone(server, "example.", forged)) != []


class TestRootZone:
    __test__ = test_root_zones.TestRootZones.__test__

    def test_nothing_differs_in_it_and_its_successor_differs_where_it_did_change(
        self, tmp_path: Path, kind: str
    ) -> None:
        old, new = test_root_zones.lines(0), test_root_zones.lines(1)
        for server in serve(tmp_path / "served", kind, {".": old}):
            found = confirm_zone(server, ".", old)
            assert words(found) == []
            assert found.same > 17_000
            assert found.same + sum(found.unseen.values()) == len(old)
            differing = {
                tuple(line.split(" ")[0:4:3]) for line in set(old) ^ set(new) if " A" not in line
            }
            found = confirm_zone(server, ".", new)
            told = {(one.owner, one.type) for one in found.differences}
            assert (".", "SOA") in told
            assert told <= differing | {
                tuple(line.split(" ")[0:4:3]) for line in set(old) ^ set(new)
            }


@pytest.mark.parametrize(
    "line",
    [
        "", "a", "a. 1 IN MX 70000 b.", "a.test. x IN A 192.0.2.1", "a.test. 1 IN A x",
        "a.test. 1 IN NOPE x", "a.test. 1 IN MX x", "a..test. 1 IN A 192.0.2.1",
        'a.test. 1 IN TXT "',
    ],
)  # fmt: skip
def test_what_is_no_canonical_line_is_refused(line: str) -> None:
    with pytest.raises(InvalidContent, match="no record in its one form"):
        confirm(DnsServer("127.0.0.1", 1), "test.", [line])
