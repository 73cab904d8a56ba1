"""Turns by a clock: never more than the rate allows, and never fewer for long."""

from hypothesis import given
from hypothesis import strategies as st

from syncclient.dns.pace import Pace

RATES = st.floats(0.1, 100_000)
STARTS = st.floats(0, 1e6)


@given(RATES, STARTS, st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_no_span_of_time_has_more_turns_than_its_seconds_allow(
    rate: float, start: float, steps: list[float]
) -> None:
    pace = Pace(rate, start)
    now = start
    taken: list[float] = []
    for step in steps:
        now += step
        while len(taken) < 2000 and pace.take(now):
            taken.append(now)
    for first in range(0, len(taken), 7):
        for last in range(first, len(taken), 11):
            seconds = taken[last] - taken[first]
            assert last - first + 1 <= (seconds + 0.02) * rate * 1.0001 + 1.001


@given(RATES, STARTS)
def test_who_comes_when_told_is_never_sent_away(rate: float, start: float) -> None:
    pace = Pace(rate, start)
    for _ in range(100):
        assert pace.take(pace.next_turn)
    assert pace.next_turn <= start + 100.001 / rate + 1e-4
