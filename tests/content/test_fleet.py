"""How servers are judged: each combination has exactly one state, and the worst stands first."""

from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.fleet import (
    COLUMNS,
    KeptReport,
    Past,
    ServerRow,
    ServerState,
    Source,
    judge,
    worst_first,
)
from syncd.content.reports import Outcome, ServerReport
from syncd.content.tokens import Token
from syncd.errors import IllegalValue
from syncd.protocol.fields import join_fields, split_fields
from tests.content.test_reports import REPORTS

EPOCH, OTHER = "5eed5eed5eed5eed", "0" * 16
NOW = 1_767_225_600.0
HEAD = Token(EPOCH, 9)
OURS, EARLIER, FOREIGN = 1000, 700, 666
"""Fingerprints: of the head, of commits 5 to 8, of neither."""
SOURCE = Source(
    HEAD,
    OURS,
    {
        3: Past(None, None),
        7: Past(EARLIER, int(NOW) - 60),
        8: Past(OURS, int(NOW) - 5),
    },
)
REPORT = ServerReport(
    "ns1", "bind", 10, Outcome.APPLIED, token=HEAD, fingerprint=OURS, version="9.18"
)


def row(seen_ago_s: float = 1, **change: Any) -> ServerRow:
    report = replace(REPORT, **change)
    return judge(KeptReport(report, "ns2", NOW - seen_ago_s), SOURCE, NOW)


def told(seen_ago_s: float = 1, **change: Any) -> tuple[str, str]:
    found = row(seen_ago_s, **change)
    return found.state.value, found.reason


def at(seq: int) -> Token:
    return Token(EPOCH, seq)


def test_the_zones_of_the_head_are_in_sync_whatever_token_they_came_with() -> None:
    for token in (HEAD, at(7), at(99), Token(OTHER, 9), None):
        assert told(token=token) == ("in-sync", "")
    assert told(reason="3 zones skipped") == ("in-sync", "3 zones skipped")


def test_the_zones_of_an_earlier_commit_are_behind() -> None:
    found = row(token=at(7), fingerprint=EARLIER)
    assert (found.state, found.behind, found.behind_s) == (ServerState.BEHIND, 2, 60)
    assert told(token=at(3), fingerprint=FOREIGN) == ("behind", ""), "what 3 had is not known"
    assert told(token=at(4), fingerprint=FOREIGN) == ("behind", ""), "nor what 4 had"
    assert told(token=None, fingerprint=0) == ("behind", "nothing was applied yet")


def test_zones_that_the_commit_does_not_have_are_out_of_sync() -> None:
    for seq in (7, 8, 9):
        expected = ("out-of-sync", f"answers other zones than commit {seq} has")
        assert told(token=at(seq), fingerprint=FOREIGN) == expected


def test_another_history_is_out_of_sync() -> None:
    assert told(token=Token(OTHER, 9), fingerprint=FOREIGN) == (
        "out-of-sync",
        f"is at {OTHER}:9, of another history",
    )
    assert told(token=at(12), fingerprint=FOREIGN) == (
        "out-of-sync",
        "is at commit 12, and the source at 9",
    )


def test_a_server_that_does_not_say_what_it_answers_is_never_in_sync() -> None:
    silent = "does not say what its name server answers"
    assert told(fingerprint=None) == ("out-of-sync", silent)
    assert told(token=at(8), fingerprint=None) == ("out-of-sync", silent), "8 has the same zones"
    assert told(token=at(7), fingerprint=None) == ("behind", silent)


def test_a_failure_shows_its_reason() -> None:
    failed = Outcome.FAILED
    assert told(outcome=failed, reason="zone x: bad") == ("failed", "zone x: bad")
    assert told(outcome=failed) == ("failed", "the agent gives no reason")


@pytest.mark.parametrize("ago_s", [30.5, 1e6, -31])
def test_three_reports_that_did_not_come_make_a_server_unreachable(ago_s: float) -> None:
    assert told(ago_s) == ("unreachable", "promised a report every 10 s")
    assert told(ago_s, outcome=Outcome.FAILED, reason="no room") == (
        "unreachable",
        "promised a report every 10 s; before that it failed: no room",
    )


@pytest.mark.parametrize("ago_s", [0, 29.9, 30, -3])
def test_until_then_it_is_believed(ago_s: float) -> None:
    assert told(ago_s)[0] == "in-sync"


def test_spans_go_on_after_the_report() -> None:
    found = row(20, changed_s=100)
    assert (found.seen_s, found.changed_s) == (20, 120)
    assert row(-2, changed_s=100).changed_s == 100, "a clock that was set back makes none negative"


SMALL_TOKENS = st.none() | st.builds(Token, st.sampled_from([EPOCH, OTHER]), st.integers(0, 12))
SMALL_MARKS = st.sampled_from([None, OURS, EARLIER, FOREIGN, 0])
PASTS = st.dictionaries(
    st.integers(0, 8),
    st.builds(Past, SMALL_MARKS, st.none() | st.integers(int(NOW) - 99, int(NOW) + 99)),
)
KEPT = st.builds(
    KeptReport,
    st.builds(
        replace, REPORTS, token=SMALL_TOKENS, fingerprint=SMALL_MARKS, every_s=st.integers(1, 40)
    ),
    st.just("ns2"),
    st.floats(NOW - 200, NOW + 200),
)
SOURCES = st.builds(Source, st.just(HEAD), st.sampled_from([OURS, 0]), PASTS)


@given(KEPT, SOURCES)
def test_every_combination_has_one_state_that_follows_from_it(
    kept: KeptReport, source: Source
) -> None:
    found = judge(kept, source, NOW)
    silent = abs(NOW - kept.seen) > 3 * kept.report.every_s
    failed = kept.report.outcome is Outcome.FAILED
    same = kept.report.fingerprint == source.fingerprint
    assert (found.state is ServerState.UNREACHABLE) == silent
    assert (found.state is ServerState.FAILED) == (failed and not silent)
    assert (found.state is ServerState.IN_SYNC) == (same and not failed and not silent)
    assert found.reason or found.state in (ServerState.BEHIND, ServerState.IN_SYNC)
    assert found.seen_s >= 0
    for number in (found.behind, found.behind_s, found.changed_s):
        assert number is None or number >= 0


@given(KEPT, SOURCES)
def test_a_row_arrives_as_it_was_sent(kept: KeptReport, source: Source) -> None:
    sent = judge(kept, source, NOW)
    assert len(sent.cells()) == len(COLUMNS)
    assert ServerRow.from_fields(split_fields(join_fields(sent.fields()))) == sent


@given(st.lists(KEPT, max_size=6, unique_by=lambda kept: kept.report.name), st.randoms())
def test_the_order_is_total(fleet: list[KeptReport], random: Random) -> None:
    rows = sorted((judge(kept, SOURCE, NOW) for kept in fleet), key=worst_first)
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert sorted(shuffled, key=worst_first) == rows
    for worse, better in pairwise(rows):
        assert worse.state.severity <= better.state.severity
        assert worse.state.severity < better.state.severity or worse.name < better.name


def test_the_worst_state_is_a_failure_and_the_best_being_in_sync() -> None:
    assert [state.value for state in sorted(ServerState, key=lambda state: state.severity)] == [
        "failed", "out-of-sync", "unreachable", "behind", "in-sync",
    ]  # fmt: skip


def test_a_row_of_a_later_version_may_have_more_columns_but_not_fewer() -> None:
    fields = row().fields()
    assert ServerRow.from_fields([*fields, "more"]) == row()
    with pytest.raises(IllegalValue, match="16 fields, not 15"):
        ServerRow.from_fields(fields[:-1])
    with pytest.raises(IllegalValue, match="no such state: 'x'"):
        ServerRow.from_fields([fields[0], "x", *fields[2:]])
    with pytest.raises(IllegalValue, match="'-1' is not a number"):
        ServerRow.from_fields([*fields[:9], "-1", *fields[10:]])
