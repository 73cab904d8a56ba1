"""The daemon: connections, their limit, its end; and real telnet and nc."""

import shutil
import socket
import subprocess

import pytest

from syncd.errors import ConnectionFailed
from syncd.server.session import Session
from syncd.store import Store
from tests.conftest import StartDaemon
from tests.running import PASSWORD, RunningDaemon
from tests.server.conftest import Connect
from tests.server.line_client import LineClient


def test_over_the_limit_a_connection_is_told_so_and_ended(
    start_daemon: StartDaemon, connect: Connect
) -> None:
    daemon = start_daemon(max_sessions=2)
    first = connect("bob", daemon)
    connect(None, daemon)
    third = LineClient(daemon.host, daemon.port)
    third.send("USER bob", f"PASS {PASSWORD}")
    assert third.line() == "551 all 2 sessions are taken"
    assert third.socket.recv(1) == b"", "the end is no reset, by which the line could be lost"
    third.close()
    first.ask("QUIT")
    assert first.is_ended()
    assert connect("bob", daemon).ask("NOOP") == "200 ok"


def test_clients_that_vanish_do_not_end_a_full_daemon(
    start_daemon: StartDaemon, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = start_daemon(max_sessions=1)
    bob = connect("bob", daemon)
    for _ in range(20):
        LineClient(daemon.host, daemon.port).hang_up_rudely()
    assert bob.ask("NOOP") == "200 ok"
    daemon.stop()
    assert {record.msg for record in caplog.records} <= {"turned_away"}


def test_a_session_that_fails_ends_alone(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(session: Session) -> None:
        raise ZeroDivisionError("surprise")

    bob = connect("bob")
    with monkeypatch.context() as broken:
        broken.setattr(Session, "run", fail)
        with pytest.raises(EOFError):
            connect()
    assert "surprise" in caplog.text
    assert bob.ask("NOOP") == "200 ok"
    assert connect("bob").ask("NOOP") == "200 ok"


def test_clients_that_say_nothing_do_not_hold_up_others(connect: Connect) -> None:
    for _ in range(50):
        connect()
    assert connect("bob").ask("NOOP") == "200 ok"


def test_a_daemon_that_ends_ends_its_sessions_and_leaves_no_half_write(
    connect: Connect, running_daemon: RunningDaemon, source_store: Store
) -> None:
    idle, writer = connect(), connect("alice")
    assert writer.ask("SYNC files|put|a|size=10").startswith("700 ")
    writer.send_bytes(b"12345")
    running_daemon.stop()
    assert idle.is_ended()
    assert writer.is_ended()
    assert source_store.clock().seq == 7
    with pytest.raises(ConnectionRefusedError):
        LineClient(running_daemon.host, running_daemon.port)


def test_an_address_that_is_taken_is_an_error_with_its_reason(
    running_daemon: RunningDaemon, source_store: Store
) -> None:
    import trio

    from syncd.server import Daemon

    port = running_daemon.port
    with pytest.raises(ConnectionFailed, match=f"cannot listen on 127.0.0.1:{port}: Address"):
        trio.run(lambda: Daemon(source_store).run("127.0.0.1", port, ready=lambda _: None))


def test_what_the_store_fails_with_ends_neither_watcher_nor_daemon(
    connect: Connect, source_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = connect("bob")
    watcher.ask("ASYN 1")
    watcher.ask("SYNC zones|watch")

    def fail(store: Store) -> None:
        raise OSError("the database is away")

    with monkeypatch.context() as away:
        away.setattr(Store, "clock", fail)
        assert watcher.is_silent(0.6)
    source_store.remove("files", "etc/motd", author="test")
    assert watcher.line().startswith("902 commit|")


@pytest.mark.skipif(shutil.which("nc") is None, reason="nc is not installed")
def test_nc_can_talk_to_it(running_daemon: RunningDaemon) -> None:
    lines = f"USER bob\nPASS {PASSWORD}\nSYNC zones|list\nSYNC files|get|etc/motd\nQUIT\n"
    done = subprocess.run(
        ["nc", "-N", running_daemon.host, str(running_daemon.port)],
        input=lines.encode(), capture_output=True, timeout=10, check=True,
    )  # fmt: skip
    heard = done.stdout.decode().splitlines()
    assert heard[:3] == ["200 syncd ready", "300 bob", "200 bob|reader"]
    assert heard[4:9] == ["example.com.", "example.net.", "000", "600 8", "welcome"]
    assert heard[10] == "200 goodbye"


@pytest.mark.skipif(shutil.which("telnet") is None, reason="telnet is not installed")
def test_telnet_can_talk_to_it(running_daemon: RunningDaemon) -> None:
    telnet = subprocess.Popen(
        ["telnet", running_daemon.host, str(running_daemon.port)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert telnet.stdin is not None
    assert telnet.stdout is not None
    with telnet:
        while telnet.stdout.readline() != b"200 syncd ready\n":
            pass
        for line, reply in [
            ("user bob", "300 bob"),
            (f"pass {PASSWORD}", "200 bob|reader"),
            ("echo hello", "200 hello"),
            ("quit", "200 goodbye"),
        ]:
            telnet.stdin.write(f"{line}\n".encode())
            telnet.stdin.flush()
            assert telnet.stdout.readline().decode() == f"{reply}\n"


def test_an_ipv6_peer_is_shown_in_brackets(source_store: Store) -> None:
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    daemon = RunningDaemon(source_store)
    daemon.host = "::1"
    with daemon:
        client = LineClient("::1", daemon.port)
        client.line()
        client.log_in("bob")
        assert client.listing("RWHO")[0].split("|")[3] == f"[::1]:{client.port}"
        client.close()


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
