"""The daemon: connections, their limit, its end."""

import pytest

from syncd.errors import ConnectionFailed
from syncd.server.session import Session
from syncd.store import Store
from tests.conftest import StartDaemon
from tests.databases import on_every_engine
from tests.running import PASSWORD, RunningDaemon
from tests.server.conftest import Connect
from tests.server.line_client import LineClient

pytestmark = on_every_engine


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
