"""What is special to dnsmasq: a zone in its words, what it cannot be told, its restarts."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncclient.backends.dnsmasq import RecordFiles
from syncclient.backends.dnsmasqrecords import is_expressible, render
from syncd.errors import ConfigError
from syncd.store import Store
from tests.syncclient.backends.rigs.dnsmasq import DnsmasqRig
from tests.syncclient.backends.test_contract import Replica, put_zone

RECORDS = """\
{zone} 60 IN MX 10 mail.{zone}
{zone} 60 IN CAA 0 issue "ca.example"
{zone} 60 IN TXT "v=spf1 mx, -all" "se\\"cond"
alias.{zone} 90 IN CNAME www.{zone}
outside.{zone} 90 IN CNAME www.elsewhere.test.
www.{zone} 90 IN A 192.0.2.80
www.{zone} 90 IN A 192.0.2.81
www.{zone} 90 IN AAAA 2001:db8::80
1.{zone} 60 IN PTR www.{zone}
_sip._tcp.{zone} 60 IN SRV 1 2 5060 www.{zone}
n.{zone} 60 IN NAPTR 10 20 "u" "E2U+sip" "!^.*$!sip:x@y!" .
t.{zone} 60 IN TXT "plain text"
l.{zone} 60 IN SSHFP 1 1 0102030405060708090a0b0c0d0e0f1011121314
"""
ANSWERS = {
    ("a.example.", "NS"): ["ns1.a.example."],
    ("a.example.", "MX"): ["10 mail.a.example."],
    ("a.example.", "CAA"): ['0 issue "ca.example"'],
    ("a.example.", "TXT"): ['"v=spf1 mx, -all" "se\\"cond"'],
    ("alias.a.example.", "CNAME"): ["www.a.example."],
    ("alias.a.example.", "AAAA"): ["2001:db8::80", "www.a.example."],
    ("outside.a.example.", "CNAME"): ["www.elsewhere.test."],
    ("www.a.example.", "A"): ["192.0.2.80", "192.0.2.81"],
    ("www.a.example.", "AAAA"): ["2001:db8::80"],
    ("1.a.example.", "PTR"): ["www.a.example."],
    ("_sip._tcp.a.example.", "SRV"): ["1 2 5060 www.a.example."],
    ("n.a.example.", "NAPTR"): ['10 20 "u" "E2U+sip" "!^.*$!sip:x@y!" .'],
    ("t.a.example.", "TXT"): ['"plain text"'],
    ("l.a.example.", "SSHFP"): ["1 1 0102030405060708090a0b0c0d0e0f1011121314"],
    ("none.a.example.", "A"): [],
}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DnsmasqRig]:
    with DnsmasqRig(tmp_path) as made:
        yield made


def answers(rig: DnsmasqRig, name: str, kind: str) -> list[str]:
    answer = rig.server.query(name, kind)
    return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)


def test_records_of_every_common_type_are_answered(rig: DnsmasqRig, store: Store) -> None:
    put_zone(store, "a.example.", 1, RECORDS)
    assert Replica(store, rig.backend()).apply().failed == 0
    assert {asked: answers(rig, *asked) for asked in ANSWERS} == ANSWERS
    assert rig.server.query("www.a.example.", "A").answer[0].ttl == 90


UNSUPPORTED = (
    "*.{zone} 60 IN A 192.0.2.9\n",
    "x.{zone} 60 IN DNAME y.example.\n",
    "sub.{zone} 60 IN NS ns.elsewhere.test.\n",
    "a\\032b.{zone} 60 IN A 192.0.2.9\n",
    "x.{zone} 60 IN CNAME a\\032b.example.\n",
    "x.{zone} 60 IN TXT {long}\n",
)


@pytest.mark.parametrize("records", UNSUPPORTED)
def test_what_dnsmasq_cannot_be_told_refuses_the_zone_or_is_skipped(
    rig: DnsmasqRig, store: Store, records: str
) -> None:
    records = records.replace("{long}", " ".join(['"' + 250 * "x" + '"'] * 5))
    put_zone(store, "a.example.", 1)
    put_zone(store, "b.example.", 1)
    replica = Replica(store, rig.backend())
    replica.apply()
    put_zone(store, "a.example.", 2, records)
    put_zone(store, "b.example.", 2)
    applied = replica.apply()
    assert "dnsmasq" in applied.active.refused["a.example."].message or "address" in (
        applied.active.refused["a.example."].message
    )
    assert (rig.server.serial("a.example."), rig.server.serial("b.example.")) == (1, 2)
    skipping = Replica(store, rig.backend(unsupported="skip"))
    skipping.applier.retry()
    assert skipping.apply().failed == 0
    assert rig.server.serial("a.example.") == 2
    assert answers(rig, "ns1.a.example.", "A") == ["192.0.2.1"]


def test_a_delegation_with_addresses_becomes_a_server_to_ask(rig: DnsmasqRig, store: Store) -> None:
    records = (
        "sub.{zone} 60 IN NS ns.sub.{zone}\nns.sub.{zone} 60 IN A 127.0.0.9\n"
        "sub.{zone} 60 IN NS ns1.{zone}\n"
    )
    put_zone(store, "a.example.", 1, records)
    assert Replica(store, rig.backend()).apply().failed == 0
    text = (rig.folder / "zones" / "a.example.zone").read_text().splitlines()
    assert {line for line in text if line.startswith("server=")} == {
        "server=/sub.a.example/127.0.0.9",
        "server=/sub.a.example/192.0.2.1",
    }


@pytest.mark.parametrize("zone", [".", "0/25.2.0.192.in-addr.arpa.", "a\\032b.", 'q\\".example.'])
def test_a_zone_whose_name_dnsmasq_cannot_be_told_is_no_zone_for_it(zone: str) -> None:
    assert not is_expressible(zone)


@given(
    st.text("ab.\\,#\"'/=\n\r *0", min_size=1, max_size=20).map(lambda name: name.replace(" ", "")),
    st.sampled_from(("A", "AAAA", "CNAME", "PTR", "MX", "TXT", "SRV")),
    st.text("ab.\\,#\"'/=\r 01", min_size=1, max_size=20),
)
def test_a_record_never_becomes_another_option(name: str, kind: str, data: str) -> None:
    try:
        rendered = render("a.example.", [f"{name} 60 IN {kind} {data}"])
    except ValueError:
        return  # no canonical line: a store has none of these
    for line in rendered.lines:
        option, _, rest = line.partition("=")
        assert option in {
            "local", "host-record", "cname", "ptr-record", "mx-host", "srv-host", "txt-record",
            "dns-rr",
        }  # fmt: skip
        assert not set("\n\r#\\'") & set(rest)


def test_every_line_that_is_made_passes_dnsmasqs_own_test(tmp_path: Path) -> None:
    lines = RECORDS.replace("{zone}", "a.example.").replace("\\", "\\").splitlines()
    file = tmp_path / "a.conf"
    file.write_text("\n".join(render("a.example.", lines).lines) + "\n")
    subprocess.run(["dnsmasq", "--test", f"--conf-file={file}"], check=True, capture_output=True)


def test_a_file_that_dnsmasq_refuses_is_found_and_only_its_zone_stays(
    rig: DnsmasqRig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RecordFiles.write_staged

    def write_one_wrong(self: RecordFiles, step, folder, version, contents, *, flush) -> None:  # type: ignore[no-untyped-def]  # as `write`
        write(self, step, folder, version, contents, flush=flush)
        if version.name == "z7.example.":
            (self.path / ".new" / "z7.example.zone").write_text("no-such-option=1\n")

    monkeypatch.setattr(RecordFiles, "write_staged", write_one_wrong)
    for number in range(10):
        put_zone(store, f"z{number}.example.")
    applied = Replica(store, rig.backend()).apply()
    assert list(applied.active.refused) == ["z7.example."]
    assert "bad option" in applied.active.refused["z7.example."].message
    assert (rig.server.serial("z6.example."), rig.server.serial("z7.example.")) == (1, None)


def test_nothing_is_restarted_when_every_zone_was_refused(rig: DnsmasqRig, store: Store) -> None:
    put_zone(store, "a.example.", 1)
    replica = Replica(store, rig.backend())
    replica.apply()
    pid = (rig.server.folder / "child").read_text()
    put_zone(store, "a.example.", 2, rig.refused)
    assert replica.apply().failed == 1
    assert (rig.server.folder / "child").read_text() == pid


def test_zones_that_are_right_only_by_themselves_do_not_stop_dnsmasq(
    rig: DnsmasqRig, store: Store
) -> None:
    put_zone(store, "a.example.", 1, "x.b.{zone} 60 IN CNAME www.elsewhere.test.\n")
    replica = Replica(store, rig.backend())
    replica.apply()
    put_zone(store, "b.a.example.", 1, "x.{zone} 60 IN CNAME other.elsewhere.test.\n")
    put_zone(store, "c.example.", 1)
    applied = replica.apply()
    assert "duplicate CNAME" in applied.active.refused["b.a.example."].message
    assert (rig.server.serial("a.example."), rig.server.serial("c.example.")) == (1, 1)


def test_a_policy_that_is_none_is_refused(rig: DnsmasqRig) -> None:
    with pytest.raises(ConfigError, match='neither "refuse" nor "skip"'):
        rig.backend(unsupported="ignore")
