"""`syncd serve` as an operator meets it: configuration, log, signals, and what systemd does."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from syncd.cli.serving import _allow_files as allow_files
from syncd.server.config import Config
from syncd.store import Store
from syncd.store.schema import clock
from tests.cli.commands import BIN, Done, Serving, finish, refused, run, start
from tests.databases import on_every_engine
from tests.running import PASSWORD
from tests.server.line_client import LineClient
from tests.store.objects import past_the_store

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "examples" / "systemd"


@contextmanager
def serving(*arguments: str | Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """`syncd serve` with these arguments; gives the process and its port."""
    process = start("syncd", "serve", *arguments)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("syncd is ready: syncd://"), process.communicate()[1]
        yield process, int(line.rsplit(":", 1)[1])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def connect(stack: ExitStack, port: int, user: str | None = None) -> LineClient:
    client = LineClient("127.0.0.1", port)
    stack.callback(client.close)
    assert client.line() == "200 syncd ready"
    if user is not None:
        assert client.log_in(user).startswith("200 ")
    return client


def end(process: "subprocess.Popen[str]") -> Done:
    """Send SIGTERM and wait."""
    process.send_signal(signal.SIGTERM)
    return finish(process)


# Configuration


@on_every_engine
def test_the_printed_configuration_is_the_default_and_can_be_used(
    tmp_path: Path, source: str
) -> None:
    printed = run("syncd", "serve", "--print-config").out
    assert Config.parse(printed, "x") == Config()
    file = tmp_path / "syncd.toml"
    file.write_text(printed.replace("port = 5040", "port = 0").replace("= 1000\n", "= 1\n"))
    with serving("--config", file, "--store", source) as (process, port), ExitStack() as stack:
        connect(stack, port)
        second = LineClient("127.0.0.1", port)
        stack.callback(second.close)
        assert second.line() == "551 all 1 sessions are taken"
        assert end(process).status == 0


def test_the_command_line_comes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "syncd.toml"
    file.write_text(
        '[store]\nurl = "sqlite:///other.db"\n[listen]\nhost = "192.0.2.1"\nport = 1\n'
        '[log]\nlevel = "error"\nformat = "text"\n[limits]\nidle_s = 7\n'
    )
    done = run(
        "syncd", "serve", "--config", file, "--store", "sqlite:///this.db", "--host", "::1",
        "--port", "2", "--verbose", "--log-format", "json", "--print-config",
    )  # fmt: skip
    config = Config.parse(done.out, "x")
    assert config.store.url == "sqlite:///this.db"
    assert (config.listen.host, config.listen.port) == ("::1", 2)
    assert (config.log.level, config.log.format) == ("debug", "json")
    assert config.limits.idle_s == 7
    quiet = run("syncd", "serve", "--config", file, "--quiet", "--print-config").out
    assert Config.parse(quiet, "x").log.level == "warning"


@on_every_engine
def test_a_wrong_file_ends_in_one_line_with_file_section_key_and_what_is_allowed(
    tmp_path: Path, source: str
) -> None:
    file = tmp_path / "syncd.toml"
    file.write_text("[limits]\nmax_sessions = -5\n")
    done = run("syncd", "serve", "--config", file, "--store", source, status=2)
    assert done.err.count("\n") == 1
    assert f"{file}: [limits] max_sessions = -5: write a whole number from 1 to" in done.err
    missing = run("syncd", "serve", "--config", tmp_path / "none.toml", status=2).err
    assert "none.toml: No such file" in missing


# The log


@on_every_engine
def test_each_event_is_one_line_on_standard_error(source: str) -> None:
    with serving("--store", source, "--port", "0") as (process, port), ExitStack() as stack:
        client = connect(stack, port)
        client.ask("USER hunter2")
        client.send("USER root", "PASS hunter3")
        assert [client.line(), client.line()] == ["300 root", "540 wrong password"]
        assert client.log_in("root").startswith("200 ")
        client.listing("SYNC zones|list")
        client.ask("SYNC zones|delete|example.net")
        client.ask("SNGL 0|60")
        client.ask("ESNG")
        client.ask("nonsense-hunter4")
        client.ask("QUIT")
        assert client.is_ended()
        done = end(process)
    lines = done.err.splitlines()
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ [a-z_]+( [a-z_]+=\S.*)?"
    assert all(re.fullmatch(pattern, line) for line in lines), lines
    assert [line.split(" ")[2] for line in lines] == [
        "started", "session_opened", "login_refused", "login_refused", "login", "sync_served",
        "commit", "sync_served", "frozen", "released", "session_closed", "signal", "stopping",
        "stopped",
    ]  # fmt: skip
    text = done.err
    assert f"session_opened session=1 peer=127.0.0.1:{client.port}" in text
    assert re.search(r"login_refused session=1 peer=\S+ user=- code=570", text)
    assert re.search(r"login_refused session=1 peer=\S+ user=root code=540", text)
    assert re.search(r"login session=1 peer=\S+ user=root role=admin", text)
    assert re.search(r"sync_served .* action=list types=zones bytes=\d{3} ms=\d+", text)
    assert re.search(
        r"commit token=\S+ user=root action=delete type=zones name=example\.net\.", text
    )
    assert re.search(r'session_closed .* reason="the session said goodbye" seconds=', text)
    for secret in ("hunter", PASSWORD):
        assert secret not in text.lower()


@on_every_engine
def test_json_has_an_object_an_event(source: str) -> None:
    with serving("--store", source, "--port", "0", "--log-format", "json") as (process, port):
        with ExitStack() as stack:
            connect(stack, port, "root").ask("QUIT")
        done = end(process)
    events = [json.loads(line) for line in done.err.splitlines()]
    assert [event["event"] for event in events][:3] == ["started", "session_opened", "login"]
    assert events[2]["user"] == "root"
    assert {"time", "level", "event"} <= set(events[-1])


@on_every_engine
def test_hostile_bytes_forge_no_line_of_the_log_or_the_listing_of_sessions(source: str) -> None:
    nasty = "x\x1b[2J\u202e\r2026-01-01T00:00:00.000Z INFO login user=root"
    with serving("--store", source, "--port", "0", "--verbose") as (process, port):
        with ExitStack() as stack:
            stranger, root = connect(stack, port), connect(stack, port, "root")
            for line in (f"USER {nasty}", f"PASS {nasty}", f"{nasty} {nasty}", f"IDEN {nasty}",
                         f"MESG {nasty}", f"HELP {nasty}", "NO\x07P\x1b]0;x\x07"):  # fmt: skip
                assert stranger.ask(line).isprintable(), line
            for line in (
                f"SYNC files|get|{nasty}", f"SYNC {nasty}|list", f"SYNC files|{nasty}",
                f"SYNC files|put|a|comment={nasty}|size=1", f"TERM {nasty}", f"SNGL {nasty}",
            ):  # fmt: skip
                answer = root.ask(line)
                assert answer.startswith("5"), line
                assert answer.isprintable(), line
            assert all(row.isprintable() for row in root.listing("RWHO"))
        done = end(process)
    assert all(line.isprintable() for line in done.err.splitlines())
    assert "\x1b" not in done.err
    assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in done.err.splitlines())
    assert not re.search(r"^2026-01-01T00:00:00.000Z", done.err, re.MULTILINE)


@on_every_engine
def test_a_slow_command_is_logged(tmp_path: Path, source: str) -> None:
    file = tmp_path / "syncd.toml"
    file.write_text("[log]\nslow_command_s = 0.5\n")
    with serving("--config", file, "--store", source, "--port", "0") as (process, port):
        with ExitStack() as stack:
            connect(stack, port, "root")
            holder = connect(stack, port, "root")
            assert holder.ask("SNGL 1|60").startswith("200 ")
        done = end(process)
    assert re.search(r"WARNING command_slow .* verb=SNGL ms=1\d\d\d", done.err)


# Draining


@on_every_engine
def test_a_signal_lets_the_command_in_hand_end_and_tells_the_others(source: str) -> None:
    with serving("--store", source, "--port", "0") as (process, port), ExitStack() as stack:
        idle, watcher, writer = (connect(stack, port, "root") for _ in range(3))
        half = connect(stack, port)
        half.send_bytes(b"NOO")
        watcher.ask("ASYN 1")
        assert writer.ask("SYNC files|put|late|size=4").startswith("700 ")
        process.send_signal(signal.SIGTERM)
        for client in (idle, watcher, half):
            assert client.line() == "531 the server is stopping; try again later"
            client.close()
        late = LineClient("127.0.0.1", port)
        stack.callback(late.close)
        assert late.line() == "531 the server is stopping; try again later"
        assert process.poll() is None
        writer.send_bytes(b"late")
        assert writer.line().startswith("200 ")
        assert writer.line() == "531 the server is stopping; try again later"
        writer.close()
        late.close()
        done = finish(process)
        assert done.status == 0
    with Store.open(source) as store:
        assert store.view().version("files", "late").size == 4


@on_every_engine
def test_a_session_that_does_not_end_is_cut_when_its_time_is_up(
    tmp_path: Path, source: str
) -> None:
    file = tmp_path / "syncd.toml"
    file.write_text("[limits]\ndrain_s = 0.7\n")
    with serving("--config", file, "--store", source, "--port", "0") as (process, port):
        with ExitStack() as stack:
            writer = connect(stack, port, "root")
            assert writer.ask("SYNC files|put|late|size=4").startswith("700 ")
            began = time.monotonic()
            done = end(process)
            assert 0.6 < time.monotonic() - began < 5
            assert done.status == 0
            assert writer.is_ended()
    with Store.open(source) as store:
        assert not store.view().find("files", ["late"])


@on_every_engine
@pytest.mark.parametrize("signals", [1, 2])
def test_a_thread_that_still_works_does_not_keep_the_daemon(
    tmp_path: Path, source: str, signals: int
) -> None:
    file = tmp_path / "syncd.toml"
    file.write_text(f"[limits]\ndrain_s = {0.2 if signals == 1 else 60}\n")
    with serving("--config", file, "--store", source, "--port", "0") as (process, port):
        with ExitStack() as stack:
            writer = connect(stack, port, "root")
            other = stack.enter_context(past_the_store(source))
            other.execute(update(clock).values(swept=clock.c.swept))
            # Whoever writes waits for a minute now.
            assert writer.ask("SYNC files|put|late|size=4").startswith("700 ")
            writer.send_bytes(b"late")
            time.sleep(0.3)
            began = time.monotonic()
            for _ in range(signals):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.2)
            done = finish(process)
            assert time.monotonic() - began < 10
            assert done.status == 0
            assert "cut_off" in done.err
    with Store.open(source) as store:
        assert not store.view().find("files", ["late"])


@on_every_engine
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(source: str, number: signal.Signals) -> None:
    with serving("--store", source, "--port", "0") as (process, port), ExitStack() as stack:
        writer = connect(stack, port, "root")
        assert writer.ask("SYNC files|put|late|size=4").startswith("700 ")
        idle = connect(stack, port)
        process.send_signal(number)
        assert idle.line().startswith("531 ")
        began = time.monotonic()
        process.send_signal(number)
        done = finish(process)
        assert time.monotonic() - began < 3
        assert done.status == 0
        assert writer.is_ended()


@on_every_engine
def test_a_freeze_outlives_a_daemon_that_drains(source: str) -> None:
    with serving("--store", source, "--port", "0") as (process, port), ExitStack() as stack:
        holder, other = connect(stack, port, "root"), connect(stack, port, "root")
        other.send("SNGL 30|60")  # waits for the holder, and does not get it any more
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert other.line().startswith("531 the server is stopping; try again later; nothing is")
        assert holder.line().startswith("531 ")
        holder.close()
        other.close()
        assert finish(process).status == 0
    with serving("--store", source, "--port", "0") as (process, port), ExitStack() as stack:
        connect(stack, port, "root").ask("SNGL 0|60")
        assert end(process).status == 0
    with Store.open(source) as store:
        assert store.clock().freeze_left_s(time.time()) > 0


@on_every_engine
def test_a_client_is_told_that_the_server_stops(source: str, server: Serving) -> None:
    watching = start("syncclient", "shell", server.url(), stdin=subprocess.PIPE)
    assert watching.stdin is not None
    watching.stdin.write("NOOP\n")
    watching.stdin.flush()
    assert watching.stdout is not None
    assert "200 ok" in watching.stdout.readline()
    done = server.end()
    assert done.status == 0
    watching.stdin.write("NOOP\n")
    watching.stdin.flush()
    out = finish(watching).out
    assert "531 the server is stopping" in out


# systemd


@contextmanager
def as_systemd(
    folder: Path, source: str, *, watchdog_usec: int = 0
) -> Iterator[tuple[int, socket.socket, int]]:
    """Start the daemon as systemd does: gives its pid, the notify socket, and the port of the
    socket that was handed over."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(folder / "notify"))
        notified.settimeout(10)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            os.set_inheritable(listener.fileno(), True)
            script = f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ exec "$@"'
            process = subprocess.Popen(
                ["bash", "-c", script, "systemd", BIN / "syncd", "serve", "--store", source],
                pass_fds=[listener.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env={"PATH": f"{BIN}:/bin:/usr/bin", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "syncd",
                     "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(watchdog_usec)},
            )  # fmt: skip
        try:
            yield process.pid, notified, port
            assert process.wait(20) == 0
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@on_every_engine
def test_systemd_hands_over_the_socket_and_hears_of_readiness_and_the_end(
    tmp_path: Path, source: str
) -> None:
    with as_systemd(tmp_path, source) as (pid, notified, port), ExitStack() as stack:
        early = LineClient("127.0.0.1", port)  # waits in systemd's queue
        stack.callback(early.close)
        assert notified.recv(100) == b"READY=1"
        assert early.line() == "200 syncd ready"
        assert early.log_in("root").startswith("200 ")
        os.kill(pid, signal.SIGTERM)
        assert notified.recv(100) == b"STOPPING=1"
        assert early.line().startswith("531 ")


@on_every_engine
def test_the_watchdog_hears_from_a_living_daemon(tmp_path: Path, source: str) -> None:
    with as_systemd(tmp_path, source, watchdog_usec=400_000) as (pid, notified, _):
        heard = [notified.recv(100) for _ in range(5)]
        assert set(heard) == {b"READY=1", b"WATCHDOG=1"}
        began = time.monotonic()
        while notified.recv(100) != b"WATCHDOG=1":
            pass
        assert time.monotonic() - began < 0.4
        os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize("what", ["file", "connected", "unix", "nothing"])
def test_what_is_no_listening_socket_is_refused(source: str, tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("")
    redirection = {"file": f"exec 3<{tmp_path / 'file'}", "nothing": ":"}
    script = f'{redirection.get(what, "exec 3<&0")}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "unix"))
        listening.listen()
        done = subprocess.run(
            ["bash", "-c", script, "x", BIN / "syncd", "serve", "--store", source],
            stdin=listening if what == "unix" else theirs,
            capture_output=True, text=True, timeout=30, check=False,
            env={"PATH": f"{BIN}:/bin:/usr/bin"},
        )  # fmt: skip
    assert done.returncode == 2, done
    assert "syncd: LISTEN_FDS: descriptor 3" in done.stderr
    assert "Traceback" not in done.stderr


@on_every_engine
def test_sockets_for_another_process_are_left_alone(source: str) -> None:
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    process = subprocess.Popen(
        [BIN / "syncd", "serve", "--store", source, "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"PATH": str(BIN)} | environment,
    )  # fmt: skip
    assert process.stdout is not None
    assert "syncd is ready" in process.stdout.readline()
    assert end(process).status == 0


def test_the_example_units_are_sound(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/local/bin/", f"{BIN}/")
        (tmp_path / unit.name).write_text(text.replace("=syncd\n", "=root\n"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(tmp_path / u.name for u in UNITS.iterdir())],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    ours = [line for line in done.stderr.splitlines() if "sync" in line]
    assert (done.returncode, ours) == (0, [])


@on_every_engine
def test_an_address_in_use_is_refused_in_one_line(server: Serving, source: str) -> None:
    arguments = ("syncd", "serve", "--store", source, "--port", str(server.port))
    assert "cannot listen on 127.0.0.1" in refused(*arguments, status=3)


@on_every_engine
def test_serve_takes_as_many_sessions_as_it_is_told(source: str) -> None:
    with Serving(source, "--max-sessions", "2") as serving, ExitStack() as stack:
        greetings = []
        for _ in range(3):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", serving.port)))
            client.settimeout(20)
            greetings.append(client.recv(100))
    assert greetings[:2] == [b"200 syncd ready\n"] * 2
    assert greetings[2] == b"551 all 2 sessions are taken\n"


@on_every_engine
def test_serve_raises_a_low_limit_of_open_files(source: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        with Serving(source, "--max-sessions", "300", preloaded=False) as serving:
            raised, _ = resource.prlimit(serving.process.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert raised > 300


def test_a_sandbox_that_lets_nobody_open_more_files_is_lived_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(what: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")  # how EPERM comes

    monkeypatch.setattr(resource, "getrlimit", lambda what: (10, 20))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    allow_files(30)
