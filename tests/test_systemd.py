"""What systemd says in the environment, and what it hears; test_serving.py has the rest."""

import os
import socket
import subprocess
import sys

import pytest

from syncd.systemd import notify, take_sockets, watchdog_interval_s

_SHOW_INHERITABLE = (
    "from syncd.systemd import take_sockets; print(take_sockets()[0].get_inheritable())"
)


def test_what_systemd_said_is_forgotten_so_that_no_child_takes_it_for_its_own() -> None:
    for pid in ("1", ""):
        environment = {"LISTEN_PID": pid, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x", "HOME": "/"}
        assert take_sockets(environment) == []
        assert environment == {"HOME": "/"}


def test_a_socket_that_was_handed_over_goes_to_no_child() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = subprocess.run(
            ["bash", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&0', "x",
             sys.executable, "-c", _SHOW_INHERITABLE],
            stdin=listener, capture_output=True, text=True, timeout=30, check=True,
        )  # fmt: skip
    assert done.stdout.strip() == "False"


def test_systemd_may_listen_at_an_abstract_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind("")  # the kernel chooses an abstract one
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + notified.getsockname()[1:].decode())
        notified.settimeout(10)
        notify("READY=1")
        assert notified.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("usec", "pid", "interval_s"),
    [
        ("3000000", None, 1.5),
        ("3000000", "own", 1.5),
        ("3000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time_by_whom_it_is_for(
    monkeypatch: pytest.MonkeyPatch, usec: str | None, pid: str | None, interval_s: float | None
) -> None:
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "own" else value)
    assert watchdog_interval_s() == interval_s
