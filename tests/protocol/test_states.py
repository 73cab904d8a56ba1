"""The transition table: complete, reachable, and nothing beside it."""

import pytest

from syncd.protocol import codes
from syncd.protocol.codes import Code
from syncd.protocol.states import REPLY_STEPS, TRANSITIONS, State, Step


def test_every_state_has_its_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_every_step_is_possible_somewhere() -> None:
    assert {step for row in TRANSITIONS.values() for step in row} == set(Step)


def test_every_state_is_reached_from_the_greeting_and_leads_to_the_next_command() -> None:
    assert _reached(State.REPLY) == set(State)
    for state in set(State) - {State.CLOSED}:
        assert State.COMMAND in _reached(state)


def _reached(start: State) -> set[State]:
    found, unseen = {start}, [start]
    while unseen:
        new = set(TRANSITIONS[unseen.pop()].values()) - found
        found |= new
        unseen += new
    return found


def test_only_a_farewell_closes() -> None:
    for row in TRANSITIONS.values():
        for step, state in row.items():
            assert (state is State.CLOSED) == (step is Step.FAREWELL)


def test_nothing_leads_out_of_closed() -> None:
    assert TRANSITIONS[State.CLOSED] == {}


@pytest.mark.parametrize(
    ("first_digit", "state"),
    [
        (codes.LISTING, State.LISTING_DOWN),
        (codes.DONE, State.COMMAND),
        (codes.MORE, State.COMMAND),
        (codes.WANT_LISTING, State.LISTING_UP),
        (codes.REFUSED, State.COMMAND),
        (codes.BLOCK, State.BLOCK_DOWN),
        (codes.WANT_BLOCK, State.BLOCK_UP),
    ],
)
def test_the_first_digit_of_a_reply_says_what_follows(first_digit: int, state: State) -> None:
    assert TRANSITIONS[State.REPLY][REPLY_STEPS[first_digit]] is state


def test_every_code_is_a_reply_or_a_notice() -> None:
    for code in Code:
        assert code // 100 in REPLY_STEPS or code // 100 == codes.NOTICE


def test_every_code_says_what_it_means() -> None:
    assert all(code.meaning for code in Code)
