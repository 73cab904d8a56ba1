"""Canonical records as rows of PowerDNS's table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncclient.backends.powerdns.records import Row, Unfit, is_answered, record_row, stored_name
from syncclient.backends.powerdns.zonerows import (
    is_simple,
    is_under,
    labels_below,
    names_between,
    simple_rows,
    zone_rows,
)
from syncd.content.zone.names import name_text, name_wire

LABELS = st.binary(min_size=1, max_size=12).map(lambda octets: octets.lower())
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(
    lambda labels: name_text(b"".join(bytes((len(one),)) + one for one in labels) + b"\0")
)


@given(NAMES)
def test_a_stored_name_can_begin_no_other_word_of_a_command(name: str) -> None:
    stored = stored_name(name)
    assert stored.isascii()
    assert stored.isprintable()
    assert not re.search(r"\s", stored)


@given(NAMES)
def test_a_stored_name_is_the_same_name(name: str) -> None:
    assert name_wire(stored_name(name) + ".", b"") == name_wire(name, b"").lower()


@given(NAMES, NAMES)
def test_different_names_are_stored_as_different_ones(one: str, other: str) -> None:
    same = name_wire(one, b"").lower() == name_wire(other, b"").lower()
    assert (stored_name(one) == stored_name(other)) == same


@given(NAMES, st.integers(0, 3))
def test_a_name_is_below_exactly_the_names_that_its_last_labels_make(name: str, cut: int) -> None:
    labels = labels_below(name, ".")
    above = ".".join((*labels[cut:], ""))
    assert is_under(name, above or ".") == (cut > 0)


def test_a_dot_inside_a_label_is_no_border() -> None:
    assert not is_under("a\\.example.", "example.")
    assert is_under("a\\\\.example.", "example.")
    assert names_between("a.b\\.c.d.example.", "example.") == ["b\\.c.d.example.", "d.example."]


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("A.Example. 60 IN A 192.0.2.1", Row("a.example", "A", "192.0.2.1", 60, 0, None, True)),
        ("a. 60 IN MX 10 M.a.", Row("a", "MX", "M.a", 60, 10, None, True)),
        ("a. 60 IN MX 0 .", Row("a", "MX", ".", 60, 0, None, True)),
        ("a. 60 IN SRV 1 2 3 m.a.", Row("a", "SRV", "2 3 m.a", 60, 1, None, True)),
        (". 60 IN NS a.", Row(".", "NS", "a", 60, 0, None, True)),
        ('a. 60 IN TXT "it ends."', Row("a", "TXT", '"it ends."', 60, 0, None, True)),
        ("a. 60 IN X25 12", Row("a", "TYPE19", "\\# 3 023132", 60, 0, None, True)),
        ("a. 60 IN TYPE731 \\# 1 ab", Row("a", "TYPE731", "\\# 1 ab", 60, 0, None, True)),
    ],
)
def test_records_are_stored_as_powerdns_stores_them(line: str, row: Row) -> None:
    assert record_row(line) == row


@pytest.mark.parametrize("number", [65400, 65401, 65402])
def test_a_type_that_powerdns_would_run_is_not_stored(number: int) -> None:
    with pytest.raises(Unfit, match="a meaning of its own"):
        record_row(f"a. 60 IN TYPE{number} \\# 4 41016131")


def test_what_the_table_has_no_room_for_is_refused_by_name() -> None:
    with pytest.raises(Unfit, match="too long for PowerDNS's table"):
        record_row("\\000" * 63 + ".example. 60 IN A 192.0.2.1")
    with pytest.raises(Unfit, match="class IN"):
        record_row("a. 60 CH A 192.0.2.1")
    with pytest.raises(Unfit, match="TTL"):
        record_row(f"a. {2**31} IN A 192.0.2.1")


def test_powerdns_answers_for_hosts_services_and_classless_zones_but_not_for_everything() -> None:
    assert all(map(is_answered, ("a-b.example", "_sip._tcp.a", "*.a", "0/25.2.0.192", ".")))
    assert not any(map(is_answered, ('"a".example', "a;b", "\\000", "a$b")))


APEX = "example. 60 IN SOA ns.example. h.example. 1 2 3 4 5\nexample. 60 IN NS ns.example.\n"
OWNERS = st.lists(st.sampled_from(["a", "b", "c", "*"]), min_size=1, max_size=4).map(
    lambda labels: ".".join((*labels, "example."))
)


def _zone(owners: set[str], cuts: set[str]) -> list[str]:
    lines = []
    for owner in sorted(owners | cuts, key=lambda name: name.split(".")[::-1]):
        if owner in owners:
            lines.append(f"{owner} 60 IN A 192.0.2.1")
        if owner in cuts:
            lines.append(f"{owner} 60 IN NS ns.elsewhere.")
    return [*APEX.splitlines(), *lines]


@given(st.sets(OWNERS, max_size=6), st.sets(OWNERS, max_size=2))
def test_every_name_above_a_record_has_a_row(owners: set[str], cuts: set[str]) -> None:
    rows = list(zone_rows("example.", _zone(owners, cuts), None, odd_names=False))
    names = [row.name for row in rows]
    for name in names:
        above = name
        while above != "example":
            above = above.partition(".")[2]
            assert above in names
    empty = [row.name for row in rows if row.type is None]
    assert len(set(empty)) == len(empty)
    assert not set(empty) & {row.name for row in rows if row.type is not None}


@given(st.sets(OWNERS, max_size=6), st.sets(OWNERS, max_size=2))
def test_what_is_at_or_below_a_cut_is_not_ours(owners: set[str], cuts: set[str]) -> None:
    stored = {stored_name(cut) for cut in cuts}
    for row in zone_rows("example.", _zone(owners, cuts), None, odd_names=False):
        below = any(row.name == cut or row.name.endswith("." + cut) for cut in stored)
        assert row.auth == (not below)


@given(st.sets(OWNERS, max_size=8))
def test_the_short_way_leaves_the_same_rows(owners: set[str]) -> None:
    lines = _zone(owners, set())
    chunks = [("\n".join(lines[at : at + 3]) + "\n").encode() for at in range(0, len(lines), 3)]
    assert is_simple("example.", chunks)
    whole = zone_rows("example.", lines, None, odd_names=False)
    assert sorted(simple_rows("example.", chunks), key=str) == sorted(whole, key=str)


@pytest.mark.parametrize(
    "line",
    ["a.example. 60 IN NS b.", 'a.example. 60 IN TXT "\\""', 'a$.example. 60 IN A 1.2.3.4',
     "a.example. 60 IN DS 1 2 3 00"],
)  # fmt: skip
def test_the_short_way_is_not_for_everything(line: str) -> None:
    assert not is_simple("example.", [APEX.encode(), f"{line}\n".encode()])
