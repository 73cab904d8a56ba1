"""Reports of agents: what goes over the wire comes out the same, and nothing else can be made."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncclient.client import sync_request
from syncd.content.reports import (
    MAX_REASON_CHARACTERS,
    Outcome,
    ServerReport,
    check_server_name,
    plain_text,
)
from syncd.content.tokens import Token
from syncd.errors import IllegalValue
from syncd.protocol.fields import split_options
from syncd.protocol.limits import MAX_LINE_BYTES

REPORT = ServerReport("ns1.example.net/bind", "bind", 30, Outcome.APPLIED)
COUNTS = st.integers(0, (1 << 53) - 1)
PLAIN = st.characters(categories=["L", "N", "P", "S", "Zs"]).filter(str.isprintable)


def texts(limit: int) -> st.SearchStrategy[str]:
    return st.text(PLAIN, max_size=limit)


TOKENS = st.builds(Token, st.from_regex(r"[0-9a-f]{16}", fullmatch=True), st.integers(0, 10**17))
REPORTS = st.builds(
    ServerReport,
    name=st.from_regex(r"[a-z0-9][a-z0-9._:@/-]{0,99}", fullmatch=True),
    backend=st.from_regex(r"[a-z][a-z0-9_-]{0,31}", fullmatch=True),
    every_s=st.integers(1, 86_400),
    outcome=st.sampled_from(Outcome),
    version=texts(100),
    token=st.none() | TOKENS,
    fingerprint=st.none() | st.integers(0, (1 << 256) - 1),
    reason=texts(500),
    took_ms=st.none() | COUNTS,
    changed_s=st.none() | COUNTS,
    zones=COUNTS,
    refused=COUNTS,
)


@given(REPORTS)
def test_a_report_arrives_as_it_was_sent(report: ServerReport) -> None:
    line = sync_request("servers", "report", [report.name], **report.to_options())
    assert len(f"SYNC {line}\n".encode()) <= MAX_LINE_BYTES
    (_, _, name), options = split_options(line.split("|"))
    assert ServerReport.from_options(name, options) == report


def test_the_longest_report_fits_a_line() -> None:
    longest = replace(REPORT, name="n" * 100, version="\U0001f980" * 100, reason="\U0001f980" * 500)
    assert len(sync_request("servers", "report", ["n"], **longest.to_options()).encode()) < 4096


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": ""}, "a server's name has up to 100 letters"),
        ({"name": "n" * 101}, "a server's name has up to 100 letters"),
        ({"name": "-ns1"}, "a server's name"),
        ({"name": "ns1\n"}, "a server's name"),
        ({"name": "ns 1"}, "a server's name"),
        ({"name": "NS1"}, "in lower case"),
        ({"backend": "Bind"}, "backend 'Bind'"),
        ({"backend": "b" * 33}, "backend"),
        ({"version": "9\x1b[2J"}, "version: a character that cannot be shown"),
        ({"version": "9" * 101}, "version: at most 100"),
        ({"reason": "a\nb"}, "reason: a character that cannot be shown"),
        ({"reason": "a\u202eb"}, "reason: a character that cannot be shown"),
        ({"reason": "a" * 501}, "reason: at most 500"),
        ({"every_s": 0}, "every: 0 is not from 1"),
        ({"every_s": 86_401}, "every: 86401 is not"),
        ({"took_ms": -1}, "took: -1 is not"),
        ({"changed_s": 1 << 53}, "changed: "),
        ({"zones": -1}, "zones: -1"),
        ({"refused": -1}, "refused: -1"),
        ({"fingerprint": 1 << 256}, "fingerprint: "),
        ({"fingerprint": -1}, "fingerprint: "),
    ],
)
def test_a_report_that_could_not_be_shown_cannot_be_made(change: dict[str, Any], said: str) -> None:
    with pytest.raises(IllegalValue, match=re.escape(said)):
        replace(REPORT, **change)


@pytest.mark.parametrize("key", ["backend", "every", "state"])
def test_what_a_report_must_say_is_asked_for_by_name(key: str) -> None:
    options = REPORT.to_options()
    del options[key]
    with pytest.raises(IllegalValue, match=f"^{key}= is missing"):
        ServerReport.from_options("ns1", options)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("state", "in-sync", "an agent says applied or failed"),
        ("every", "x", "every: 'x' is not a number from 1 to 86400"),
        ("took", "1.5", "took: '1.5' is not a number"),
        ("changed", "-1", "changed: '-1' is not a number"),
        ("zones", "many", "zones: 'many'"),
        ("refused", "", "refused: ''"),
        ("token", "7", "'7' is not a token"),
        ("fingerprint", "ab", "fingerprint='ab': give 64 hex digits"),
    ],
)
def test_a_wrong_option_is_named(key: str, value: str, said: str) -> None:
    with pytest.raises(IllegalValue, match=re.escape(said)):
        ServerReport.from_options("ns1", REPORT.to_options() | {key: value})


@given(st.text(), st.integers(10, MAX_REASON_CHARACTERS))
def test_whatever_a_tool_said_can_be_reported(text: str, limit: int) -> None:
    plain = plain_text(text, limit)
    assert len(plain) <= limit
    assert plain_text(plain, limit) == plain
    assert replace(REPORT, reason=plain).reason == plain


def test_plain_text_keeps_what_can_be_read() -> None:
    assert plain_text("dns_master_load:\n  db:7: bad\tttl\r\n") == "dns_master_load: db:7: bad ttl"
    assert plain_text("\x1b[31mred") == "\\x1b[31mred"
    assert plain_text("x" * 600) == "x" * 496 + " ..."


def test_a_name_is_read_in_either_case() -> None:
    assert check_server_name("NS1.Example.NET") == "ns1.example.net"
