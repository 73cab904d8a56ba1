"""The protocol core: two connections against each other, in memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import ProtocolViolation
from syncd.protocol import connection as module
from syncd.protocol.codes import Code
from syncd.protocol.connection import (
    MAX_BLOCK_BYTES,
    MAX_LINE_BYTES,
    MAX_LISTING_LINE_BYTES,
    ClientConnection,
    ServerConnection,
    framed_block,
)
from syncd.protocol.events import (
    BadLine,
    Block,
    Body,
    BodyEnd,
    Closed,
    Command,
    ListingEnd,
    ListingLine,
    Notice,
    Reply,
)
from syncd.protocol.states import TRANSITIONS, State, Step
from tests.protocol.sessions import (
    LINE_LIMIT,
    LISTING_LINE_LIMIT,
    Exchange,
    cuts,
    heard_by_client,
    heard_by_server,
    play,
    scripts,
)


@pytest.fixture(scope="module", autouse=True)
def small_limits() -> Iterator[None]:
    """Have random sessions meet the limits; tests of the real ones name them."""
    with (
        patch.object(module, "MAX_LINE_BYTES", LINE_LIMIT),
        patch.object(module, "MAX_LISTING_LINE_BYTES", LISTING_LINE_LIMIT),
    ):
        yield


# Whole sessions


@given(scripts, cuts, st.booleans(), st.sampled_from([b"\n", b"\r\n"]))
def test_both_sides_hear_the_same_however_the_bytes_are_split(
    script: Sequence[Exchange], sizes: Sequence[int], pipelined: bool, line_end: bytes
) -> None:
    to_server, to_client = play(script, sizes, pipelined=pipelined, line_end=line_end)
    assert to_server == heard_by_server(script, line_end)
    assert to_client == heard_by_client(script)


@given(st.lists(st.binary(max_size=60)), st.booleans())
def test_any_bytes_from_a_client_are_commands_or_bad_lines(
    pieces: Sequence[bytes], eof: bool
) -> None:
    server = server_in(State.COMMAND)
    for piece in pieces:
        server.receive_data(piece)
        while (event := server.next_event()) is not None:
            assert isinstance(event, Command | BadLine)
            server.send_reply(Code.OK)
    if eof:
        server.receive_eof()
        assert isinstance(server.next_event(), Closed)


@given(st.sampled_from([State.LISTING_UP, State.BLOCK_UP]), st.lists(st.binary(max_size=60)))
def test_any_bytes_from_a_client_are_a_body_where_one_was_asked_for(
    state: State, pieces: Sequence[bytes]
) -> None:
    server = server_in(state)
    for piece in pieces:
        server.receive_data(piece)
        while (event := server.next_event()) is not None:
            assert isinstance(event, Body | BodyEnd)


@given(
    st.sampled_from([State.COMMAND, State.REPLY, State.LISTING_DOWN, State.BLOCK_DOWN]),
    st.lists(st.binary(max_size=60) | st.sampled_from([b"200 \n", b"600 3\n", b"100\n", b"000\n"])),
)
def test_any_bytes_from_a_server_are_events_or_a_violation(
    state: State, pieces: Sequence[bytes]
) -> None:
    client = client_in(state)
    try:
        for piece in pieces:
            client.receive_data(piece)
            while client.next_event() is not None:
                pass
        client.receive_eof()
        client.next_event()
    except ProtocolViolation:
        return


# Every transition, from the server's side

SERVER_STEPS: dict[Step, Callable[[ServerConnection], object]] = {
    Step.FINAL: lambda server: server.send_reply(Code.OK),
    Step.SILENCE: lambda server: server.send_silence(),
    Step.LISTING: lambda server: server.send_reply(Code.LISTING_FOLLOWS),
    Step.BLOCK: lambda server: server.send_block(framed_block(b"x")),
    Step.WANT_LISTING: lambda server: server.send_reply(Code.SEND_LISTING),
    Step.WANT_BLOCK: lambda server: server.ask_block(3),
    Step.LISTING_DOWN_END: lambda server: server.send_listing_end(),
    Step.FAREWELL: lambda server: server.send_farewell(Code.SHUTTING_DOWN, "the end"),
}


def server_in(state: State) -> ServerConnection:
    """A server's connection in a state that lasts."""
    server = ServerConnection()
    if state is State.REPLY:
        return server
    server.send_reply(Code.OK)
    server.data_to_send()
    if state is State.COMMAND:
        return server
    if state is State.CLOSED:
        server.receive_eof()
        server.next_event()
        return server
    server.receive_data(b"SYNC\n")
    assert server.next_event() == Command("SYNC", "")
    step = {
        State.LISTING_DOWN: Step.LISTING,
        State.LISTING_UP: Step.WANT_LISTING,
        State.BLOCK_UP: Step.WANT_BLOCK,
    }[state]
    SERVER_STEPS[step](server)
    assert server.state is state
    server.data_to_send()
    return server


def all_but(states: Iterable[State], *others: State) -> list[State]:
    return [state for state in states if state not in others]


SERVER_STATES = all_but(State, State.BLOCK_DOWN)


@pytest.mark.parametrize("state", SERVER_STATES)
@pytest.mark.parametrize("step", SERVER_STEPS)
def test_the_server_may_do_what_the_table_has_and_nothing_else(state: State, step: Step) -> None:
    server = server_in(state)
    if step not in TRANSITIONS[state]:
        with pytest.raises(ProtocolViolation):
            SERVER_STEPS[step](server)
        assert server.state is state
        assert server.data_to_send() == b""
        return
    SERVER_STEPS[step](server)
    after = TRANSITIONS[state][step]
    assert server.state is (State.REPLY if after is State.BLOCK_DOWN else after)


@pytest.mark.parametrize("state", all_but(SERVER_STATES, State.COMMAND))
def test_a_notice_inside_an_answer_is_refused(state: State) -> None:
    with pytest.raises(ProtocolViolation, match="inside an answer"):
        server_in(state).send_notice(Code.ASYNC_CHANGE, "commit")


@pytest.mark.parametrize("state", all_but(SERVER_STATES, State.LISTING_DOWN))
def test_lines_without_a_listing_are_refused(state: State) -> None:
    with pytest.raises(ProtocolViolation, match="no listing"):
        server_in(state).send_lines(["a"])


@pytest.mark.parametrize("state", [State.REPLY, State.LISTING_DOWN])
def test_commands_wait_while_an_answer_is_due(state: State) -> None:
    server = server_in(state)
    server.receive_data(b"NOOP\n")
    server.receive_eof()
    assert server.next_event() is None


@pytest.mark.parametrize("line", ["000", "a\nb", "a\rb", "a\r"])
def test_a_line_that_would_break_a_listing_is_refused_on_either_side(line: str) -> None:
    with pytest.raises(ProtocolViolation, match="cannot stand in a listing"):
        server_in(State.LISTING_DOWN).send_lines([line])
    client = client_in(State.LISTING_UP)
    with pytest.raises(ProtocolViolation, match="cannot stand in a listing"):
        client.send_listing(["a", line])
    assert client.data_to_send() == b""


def test_a_line_end_in_a_reply_becomes_a_blank() -> None:
    server = server_in(State.REPLY)
    server.send_reply(Code.ERROR, "a\r\nb")
    server.send_notice(Code.ASYNC_CHANGE, "c\nd")
    assert server.data_to_send() == b"500 a  b\n902 c d\n"


def test_a_verb_is_read_in_upper_case_and_its_argument_as_it_is() -> None:
    server = server_in(State.COMMAND)
    server.receive_data(b"sync  Zones|Info \r\n")
    assert server.next_event() == Command("SYNC", " Zones|Info ")


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_line_may_have_16_kib_with_its_end(line_end: bytes) -> None:
    with patch.object(module, "MAX_LINE_BYTES", MAX_LINE_BYTES):
        server = server_in(State.COMMAND)
        server.receive_data(b"E" * (MAX_LINE_BYTES - len(line_end)) + line_end)
        assert isinstance(server.next_event(), Command)
        server.send_reply(Code.OK)
        server.receive_data(b"E" * (MAX_LINE_BYTES + 1 - len(line_end)) + line_end + b"NOOP\n")
        event = server.next_event()
    assert isinstance(event, BadLine)
    assert event.code == Code.TOO_BIG
    server.send_reply(event.code)
    assert server.next_event() == Command("NOOP", "")


def test_a_line_without_an_end_costs_no_memory() -> None:
    server = server_in(State.COMMAND)
    for _ in range(100):
        server.receive_data(b"x" * LINE_LIMIT)
        assert server.next_event() is None
        assert len(server._inbound) < LINE_LIMIT
    server.receive_eof()
    assert server.next_event() == Closed(False)


def test_a_terminator_in_the_same_piece_as_its_lines_ends_the_body() -> None:
    server = server_in(State.LISTING_UP)
    server.receive_data(b"a\r\n0000\n000 \nb\n000\r\nNOOP\n")
    assert server.next_event() == Body(b"a\n0000\n000 \nb\n")
    assert server.next_event() == BodyEnd()
    server.send_reply(Code.OK)
    assert server.next_event() == Command("NOOP", "")


def test_a_body_that_had_an_unreadable_line_does_not_spoil_the_next() -> None:
    server = server_in(State.LISTING_UP)
    server.receive_data(b"a\n" + b"x" * LISTING_LINE_LIMIT + b"\n000\n")
    assert server.next_event() == Body(b"a\n")
    event = server.next_event()
    assert isinstance(event, BodyEnd)
    assert event.refusal is not None
    server.send_reply(Code.TOO_BIG)
    server.receive_data(b"SYNC\n")
    server.next_event()
    server.send_reply(Code.SEND_LISTING)
    server.receive_data(b"000\n")
    assert server.next_event() == BodyEnd()


@pytest.mark.parametrize("state", SERVER_STATES)
@pytest.mark.parametrize("rest", [b"", b"NO"])
def test_the_end_of_a_connection_is_complete_only_between_commands(
    state: State, rest: bytes
) -> None:
    server = server_in(state)
    server.receive_data(rest)
    server.receive_eof()
    if state in (State.REPLY, State.LISTING_DOWN, State.CLOSED):
        assert server.next_event() is None  # nothing is read now
        return
    event = server.next_event()
    if isinstance(event, Body):
        event = server.next_event()
    assert event == Closed(state is State.COMMAND and not rest)
    assert server.next_event() is None


# The client's side


def client_in(state: State) -> ClientConnection:
    """A client's connection in a state."""
    client = ClientConnection()
    if state is State.REPLY:
        return client
    greeting = {
        State.COMMAND: b"200\n",
        State.LISTING_DOWN: b"100\n",
        State.BLOCK_DOWN: b"600 5\n",
        State.LISTING_UP: b"400\n",
        State.BLOCK_UP: b"700 5\n",
        State.CLOSED: b"",
    }[state]
    client.receive_data(greeting)
    if state is State.CLOSED:
        client.receive_eof()
    client.next_event()
    assert client.state is state
    return client


@pytest.mark.parametrize(
    "line",
    [b"200 ok\n", b"100 lines\n", b"400 send\n", b"600 0\n", b"700 0\n", b"000\n"],
)
def test_a_reply_to_nothing_is_a_violation(line: bytes) -> None:
    client = client_in(State.COMMAND)
    client.receive_data(line)
    with pytest.raises(ProtocolViolation):
        client.next_event()


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n", b"\n", b"20\n", b"2000\n", b"200ok\n", b"\xd9\xa1\xd9\xa1\xd9\xa1 x\n",
        b"000\n",
        b"800 x\n", b"600\n", b"600 x\n", b"600 -1\n", b"600 +1\n", b"600 1e3\n", b"700 \n",
        b"600 99999999999999999999\n",
    ],
)  # fmt: skip
def test_a_line_that_is_no_reply_is_a_violation(line: bytes) -> None:
    client = client_in(State.REPLY)
    client.receive_data(line)
    with pytest.raises(ProtocolViolation):
        client.next_event()


def test_a_reply_may_be_without_text_and_end_with_crlf() -> None:
    client = client_in(State.REPLY)
    client.receive_data(b"200\r\n")
    assert client.next_event() == Reply(200, "")


def test_a_block_over_the_limit_is_a_violation() -> None:
    client = client_in(State.REPLY)
    client.receive_data(b"600 %d\n" % (MAX_BLOCK_BYTES + 1))
    with pytest.raises(ProtocolViolation, match="over"):
        client.next_event()


@pytest.mark.parametrize("state", [State.REPLY, State.LISTING_DOWN, State.COMMAND])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_over_the_limit_is_a_violation(state: State, end: bytes) -> None:
    with patch.object(module, "MAX_LISTING_LINE_BYTES", MAX_LISTING_LINE_BYTES):
        client = client_in(state)
        client.receive_data(b"x" * (MAX_LISTING_LINE_BYTES + 1) + end)
        with pytest.raises(ProtocolViolation, match="over"):
            client.next_event()


@pytest.mark.parametrize("state", all_but(State, State.LISTING_UP))
def test_a_listing_that_nobody_asked_for_cannot_be_sent(state: State) -> None:
    client = client_in(state)
    with pytest.raises(ProtocolViolation):
        client.send_listing(["a"])
    assert client.data_to_send() == b""


@pytest.mark.parametrize("state", all_but(State, State.BLOCK_UP))
def test_a_block_that_nobody_asked_for_cannot_be_sent(state: State) -> None:
    with pytest.raises(ValueError, match="more bytes"):
        client_in(state).send_body(b"a")


def test_more_of_a_block_than_was_asked_for_cannot_be_sent() -> None:
    client = client_in(State.BLOCK_UP)
    client.send_body(b"1234")
    with pytest.raises(ValueError, match="more bytes"):
        client.send_body(b"56")
    client.send_body(b"5")
    assert client.state is State.REPLY


def test_a_block_of_no_bytes_is_complete_at_once() -> None:
    client = client_in(State.REPLY)
    client.receive_data(b"700 0\n200 empty\n")
    assert client.next_event() == Reply(700, "0", 0)
    assert client.next_event() == Reply(200, "empty")
    assert client.state is State.COMMAND


@pytest.mark.parametrize(
    "argument", ["a\nb", "a\0b", "x" * LINE_LIMIT], ids=["two lines", "NUL", "too long"]
)
def test_what_is_not_one_line_cannot_be_sent(argument: str) -> None:
    client = client_in(State.COMMAND)
    with pytest.raises(ValueError, match="not one line"):
        client.send_command("ECHO", argument)
    assert client.data_to_send() == b""


def test_replies_due_counts_what_is_pipelined() -> None:
    client = client_in(State.REPLY)
    assert client.replies_due == 1
    client.send_command("NOOP")
    client.send_command("qnop")
    client.send_command("LIST")
    assert client.replies_due == 3
    client.receive_data(b"200 ready\n200 ok\n100 lines\n")
    for due in (2, 1, 1):
        client.next_event()
        assert client.replies_due == due
    client.receive_data(b"a\n000\n")
    assert [client.next_event(), client.next_event()] == [ListingLine("a"), ListingEnd()]
    assert client.replies_due == 0


def test_a_notice_is_heard_whether_a_reply_is_due_or_not() -> None:
    client = client_in(State.COMMAND)
    client.receive_data(b"902 commit|a:1\n")
    assert client.next_event() == Notice(902, "commit|a:1")
    client.send_command("NOOP")
    client.receive_data(b"902 commit|a:2\n200 ok\n")
    assert client.next_event() == Notice(902, "commit|a:2")
    assert client.next_event() == Reply(200, "ok")


def test_in_a_listing_a_line_is_a_line_whatever_it_looks_like() -> None:
    client = client_in(State.LISTING_DOWN)
    client.receive_data(b"902 commit\n600 5\n\n\xff\n000\n")
    lines = [client.next_event() for _ in range(4)]
    assert lines == [ListingLine(text) for text in ("902 commit", "600 5", "", "\udcff")]
    assert client.next_event() == ListingEnd()


def test_a_block_may_hold_anything() -> None:
    client = client_in(State.BLOCK_DOWN)
    client.receive_data(b"\n000\n200 ok\n")
    assert client.next_event() == Block(b"\n000\n")
    assert client.next_event() == Reply(200, "ok")


@pytest.mark.parametrize("state", all_but(State, State.LISTING_UP, State.BLOCK_UP, State.CLOSED))
@pytest.mark.parametrize("rest", [b"", b"20"])
def test_the_end_of_a_server_is_complete_only_between_commands(state: State, rest: bytes) -> None:
    client = client_in(state)
    client.receive_data(rest)
    client.receive_eof()
    assert client.next_event() == Closed(state is State.COMMAND and not rest)
    assert client.next_event() is None
    assert client.replies_due == 0


# Farewells


def test_a_refusal_that_no_command_asked_for_is_the_servers_last_word() -> None:
    client = client_in(State.COMMAND)
    client.receive_data(b"531 the end\n200 and more\n")
    assert client.next_event() == Reply(531, "the end")
    assert client.state is State.CLOSED
    assert client.next_event() is None


def test_a_farewell_that_crosses_a_command_is_its_refusal() -> None:
    client, server = client_in(State.COMMAND), server_in(State.COMMAND)
    client.send_command("NOOP")
    server.send_farewell(Code.SHUTTING_DOWN, "the end")
    server.receive_data(client.data_to_send())
    assert server.next_event() is None
    client.receive_data(server.data_to_send())
    assert client.next_event() == Reply(531, "the end")


def test_the_server_knows_whether_a_line_was_begun() -> None:
    server = server_in(State.COMMAND)
    assert not server.in_line
    server.receive_data(b"NO")
    assert server.next_event() is None
    assert server.in_line
    server.receive_data(b"OP\n")
    assert server.next_event() == Command("NOOP", "")
    assert not server.in_line
    server.send_reply(Code.OK)
    server.receive_data(b"x" * (MAX_LINE_BYTES + 1))
    assert server.next_event() is None
    assert server.in_line
