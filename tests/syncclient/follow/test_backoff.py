"""Waits grow, are bounded, and differ from agent to agent."""

from hypothesis import given
from hypothesis import strategies as st

from syncclient.follow.backoff import BackOff


@given(st.floats(0.1, 3600), st.lists(st.floats(0, 1, exclude_max=True), min_size=30, max_size=30))
def test_a_wait_is_between_half_and_all_of_what_doubles_up_to_the_longest(
    longest_s: float, chances: list[float]
) -> None:
    coming = iter(chances)
    waits = BackOff(longest_s, lambda: next(coming))
    full_s = min(0.1, longest_s)
    for _ in chances:
        assert full_s / 2 <= waits.wait_s() <= full_s
        full_s = min(2 * full_s, longest_s)


def test_what_went_well_begins_anew() -> None:
    waits = BackOff(60.0, lambda: 1.0)
    first = waits.wait_s()
    assert waits.wait_s() > first
    waits.reset()
    assert waits.wait_s() == first
