"""The protocol core in both roles: any bytes, cut anywhere, give the same events or one error."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from unittest.mock import patch

from syncd.errors import ProtocolViolation
from syncd.protocol import connection as module
from syncd.protocol.codes import Code
from syncd.protocol.connection import ClientConnection, ServerConnection
from syncd.protocol.events import BadLine, Body, Command, Reply
from syncd.protocol.states import State
from tests.fuzz.target import Target
from tests.server.transcripts import read_transcripts

_LINE, _LISTING_LINE, _BLOCK = 64, 128, 256
"""Limits small enough to be met by a short input."""
_PIPELINED = 5


def _small_limits() -> AbstractContextManager[object]:
    return patch.multiple(
        module,
        MAX_LINE_BYTES=_LINE,
        MAX_LISTING_LINE_BYTES=_LISTING_LINE,
        MAX_BLOCK_BYTES=_BLOCK,
    )


def _pieces(data: bytes, sizes: bytes) -> Iterator[bytes]:
    at = turn = 0
    while at < len(data):
        size = 1 + sizes[turn % len(sizes)] % 16
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def _merged(events: list[object]) -> list[object]:
    """Where one Body ends and the next begins depends on how the bytes came."""
    merged: list[object] = []
    for event in events:
        if isinstance(event, Body) and merged and isinstance(merged[-1], Body):
            merged[-1] = Body(merged[-1].data + event.data)
        else:
            merged.append(event)
    return merged


def _heard_by_server(pieces: Iterable[bytes]) -> list[object]:
    connection = ServerConnection()
    connection.send_reply(Code.OK, "ready")
    heard: list[object] = []

    def listen() -> None:
        while (event := connection.next_event()) is not None:
            heard.append(event)
            if isinstance(event, Command) and event.verb.startswith("L"):
                connection.send_reply(Code.SEND_LISTING)
            elif isinstance(event, Command) and event.verb.startswith("B"):
                connection.ask_block(len(event.argument))
            elif connection.state is State.REPLY:
                connection.send_reply(event.code if isinstance(event, BadLine) else Code.OK)

    for piece in pieces:
        connection.receive_data(piece)
        listen()
        assert len(connection._inbound) <= _LISTING_LINE
    connection.receive_eof()
    listen()
    connection.data_to_send()
    return _merged(heard)


def _heard_by_client(pieces: Iterable[bytes]) -> list[object]:
    connection = ClientConnection()
    heard: list[object] = []

    def listen() -> None:
        while (event := connection.next_event()) is not None:
            heard.append(event)
            if isinstance(event, Reply) and connection.state is State.LISTING_UP:
                connection.send_listing(["a line"])
            elif isinstance(event, Reply) and connection.state is State.BLOCK_UP:
                connection.send_body(bytes(min(event.size, _BLOCK)))

    for _ in range(_PIPELINED):
        connection.send_command("NOOP")
    try:
        for piece in pieces:
            connection.receive_data(piece)
            listen()
            assert connection.state in (State.CLOSED, State.BLOCK_UP, State.LISTING_UP) or (
                len(connection._inbound) <= _BLOCK
            )
        connection.receive_eof()
        listen()
    except ProtocolViolation as error:
        heard.append(type(error))
    connection.data_to_send()
    return heard


def _check(heard_by: Callable[[Iterable[bytes]], list[object]], data: bytes) -> None:
    sizes, said = data[:4], data[4:]
    if not said:
        return
    with _small_limits():
        whole = heard_by([said[at : at + 16] for at in range(0, len(said), 16)])
        assert heard_by(_pieces(said, sizes)) == whole
        assert heard_by(said[at : at + 1] for at in range(len(said))) == whole


def _check_server(data: bytes) -> None:
    _check(_heard_by_server, data)


def _check_client(data: bytes) -> None:
    _check(_heard_by_client, data)


def _sides(marks: str) -> Iterator[bytes]:
    """Yield what one side says in each of the transcripts."""
    for transcript in read_transcripts():
        said = [
            bytes.fromhex(step[3:]) if step[1] == "#" else step[3:].encode() + b"\n"
            for step in transcript.steps
            if step[0] == marks and step[1] in ":#"
        ]
        yield b"\0\1\5\17" + b"".join(said)


def _client_seeds() -> Iterator[bytes]:
    yield from _sides("S")
    yield bytes(4) + b"200 a\n100 b\nline\n%3000\n000\n600 3\nabc200 c\n902 n\n"
    yield bytes([1, 2, 3, 4]) + b"200 a\r\n400 send\n700 5\n700 0\n300 more\n511 no\n"
    yield bytes([5, 1, 0, 7]) + b"200 a\n600 256\n" + bytes(256) + b"600 0\n200\n600 257\n"


def _server_seeds() -> Iterator[bytes]:
    yield from _sides("C")
    yield b"\0\0\0\0L\na line\r\n\r\n 000\n000\nB 12345\nabcdeNOOP\n"
    yield b"\3\1\0\2" + b"x" * 70 + b"\nL\n" + b"y" * 130 + b"\n000\nNO\0OP\n\xff\n"


TARGETS = [
    Target("protocol_server", _check_server, _server_seeds),
    Target("protocol_client", _check_client, _client_seeds),
]
