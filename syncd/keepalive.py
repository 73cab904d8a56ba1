"""TCP keep-alive, the same at both ends: whoever waits for days for the other side to say something
would not notice otherwise that its machine is gone."""

import socket

import trio

_IDLE_S, _INTERVAL_S, _PROBES = 60, 15, 4
"""A peer that lost its power is noticed within two minutes."""


def keep_alive(stream: trio.SocketStream) -> None:
    """Have the system notice when the other side of a connection has vanished."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _INTERVAL_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
