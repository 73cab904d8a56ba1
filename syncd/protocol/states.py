"""The one transition table of the protocol, for both roles.

The protocol is half duplex: a command, its reply, whatever the reply announced. So both sides
are always in the same state, as far as each has seen the bytes, and one table serves both.
COMMAND, LISTING_UP_END and BLOCK_UP_END are the client's steps, all others the server's. FAREWELL
is a 5xx that no command asked for: the server's reason for closing. A step
that the table does not have in the present state is an error of whoever takes it: a bug here, a
ProtocolViolation there.

    COMMAND       nothing under way; the client may send a command
    REPLY         a command (or a connection: the greeting) waits for its reply line
    LISTING_DOWN  the server sends lines up to `000`
    BLOCK_DOWN    the server sends the counted bytes of a 6xx; a further reply line follows
    LISTING_UP    the client sends lines up to `000`; the reply follows
    BLOCK_UP      the client sends the counted bytes of a 7xx; the reply follows
    CLOSED        nothing more comes
"""

from enum import Enum, auto

from syncd.protocol import codes


class State(Enum):
    """Where a connection is; see the table above."""

    COMMAND = auto()
    REPLY = auto()
    LISTING_DOWN = auto()
    BLOCK_DOWN = auto()
    LISTING_UP = auto()
    BLOCK_UP = auto()
    CLOSED = auto()


class Step(Enum):
    """What moves a connection from one state to the next."""

    COMMAND = auto()
    FAREWELL = auto()
    FINAL = auto()
    SILENCE = auto()
    LISTING = auto()
    BLOCK = auto()
    WANT_LISTING = auto()
    WANT_BLOCK = auto()
    LISTING_DOWN_END = auto()
    BLOCK_DOWN_END = auto()
    LISTING_UP_END = auto()
    BLOCK_UP_END = auto()


TRANSITIONS: dict[State, dict[Step, State]] = {
    State.COMMAND: {Step.COMMAND: State.REPLY, Step.FAREWELL: State.CLOSED},
    State.REPLY: {
        Step.FINAL: State.COMMAND,
        Step.SILENCE: State.COMMAND,
        Step.LISTING: State.LISTING_DOWN,
        Step.BLOCK: State.BLOCK_DOWN,
        Step.WANT_LISTING: State.LISTING_UP,
        Step.WANT_BLOCK: State.BLOCK_UP,
    },
    State.LISTING_DOWN: {Step.LISTING_DOWN_END: State.COMMAND},
    State.BLOCK_DOWN: {Step.BLOCK_DOWN_END: State.REPLY},
    State.LISTING_UP: {Step.LISTING_UP_END: State.REPLY, Step.FAREWELL: State.CLOSED},
    State.BLOCK_UP: {Step.BLOCK_UP_END: State.REPLY, Step.FAREWELL: State.CLOSED},
    State.CLOSED: {},
}

REPLY_STEPS: dict[int, Step] = {
    codes.LISTING: Step.LISTING,
    codes.DONE: Step.FINAL,
    codes.MORE: Step.FINAL,
    codes.WANT_LISTING: Step.WANT_LISTING,
    codes.REFUSED: Step.FINAL,
    codes.BLOCK: Step.BLOCK,
    codes.WANT_BLOCK: Step.WANT_BLOCK,
}
"""What a reply line means for the connection, by the first digit of its code."""
