"""Who is at the other end, however its address is written."""

import pytest
import trio

from syncd.server.peers import Peer


class _Socket:
    def __init__(self, name: tuple[object, ...] | OSError) -> None:
        self._name = name

    def getpeername(self) -> tuple[object, ...]:
        if isinstance(self._name, OSError):
            raise self._name
        return self._name


class _Stream:
    def __init__(self, name: tuple[object, ...] | OSError) -> None:
        self.socket = _Socket(name)


@pytest.mark.parametrize(
    ("name", "shown", "loopback"),
    [
        (("192.0.2.1", 40000), "192.0.2.1:40000", False),
        (("127.0.0.9", 40000), "127.0.0.9:40000", True),
        (("2001:db8::1", 40000, 0, 0), "[2001:db8::1]:40000", False),
        (("::1", 40000, 0, 0), "[::1]:40000", True),
        (("::ffff:127.0.0.1", 40000, 0, 0), "[::ffff:127.0.0.1]:40000", True),
        (("fe80::1%eth0", 40000, 0, 2), "[fe80::1%eth0]:40000", False),
        (OSError(107, "not connected"), "gone:0", False),
    ],
)
def test_a_peer_is_shown_as_its_socket_tells(
    name: tuple[object, ...] | OSError, shown: str, loopback: bool
) -> None:
    peer = Peer.of(_Stream(name))  # type: ignore[arg-type]  # all that is asked of it
    assert (str(peer), peer.loopback) == (shown, loopback)


async def _peer_of_a_connection() -> tuple[str, str]:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with await trio.open_tcp_stream(*listeners[0].socket.getsockname()) as client:
        async with await listeners[0].accept() as server:
            await listeners[0].aclose()
            host, port = client.socket.getsockname()
            return str(Peer.of(server)), f"{host}:{port}"


def test_the_peer_of_a_connection_is_its_client() -> None:
    shown, wanted = trio.run(_peer_of_a_connection)
    assert shown == wanted
