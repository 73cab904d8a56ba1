"""Programs that know nothing of syncd: Citadel's text client, Net::Citadel, telnet and nc."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from tests.databases import on_every_engine
from tests.running import PASSWORD, RunningDaemon
from tests.server.conftest import Connect

pytestmark = on_every_engine

TIMEOUT_S = 20
_PROMPT = r"-\r\n\r\n(zones|files)\] $"
"""Below the menu: a listing of rooms has such lines as well."""


class Screen:
    """A program on a terminal of its own, and a person before it."""

    def __init__(self, program: str, *arguments: str, home: Path) -> None:
        environment = {"TERM": "vt100", "HOME": str(home), "PATH": "/usr/bin:/bin"}
        self._terminal = pexpect.spawn(
            program, list(arguments), env=environment, cwd=str(home), timeout=TIMEOUT_S,
            encoding="utf-8", dimensions=(24, 80),
        )  # fmt: skip

    def shows(self, pattern: str) -> str:
        """Wait until the pattern is shown; return what was shown before it."""
        self._terminal.expect(pattern)
        return str(self._terminal.before)

    def types(self, keys: str) -> None:
        self._terminal.send(keys)

    def exit_status(self) -> int | None:
        """Wait until the program ends by itself."""
        self._terminal.expect(pexpect.EOF)
        self._terminal.close()
        return self._terminal.exitstatus

    def switch_off(self) -> None:
        self._terminal.close(force=True)


@contextmanager
def screen(program: str, daemon: RunningDaemon, home: Path) -> Iterator[Screen]:
    running = Screen(program, daemon.host, str(daemon.port), home=home)
    try:
        yield running
    finally:
        running.switch_off()


@pytest.fixture
def citadel(running_daemon: RunningDaemon, tmp_path: Path) -> Iterator[Screen]:
    """The stock text client, up to its question for a name."""
    with screen("/usr/bin/citadel", running_daemon, tmp_path) as running:
        greeted = running.shows("Enter your name: *")
        assert "Log in with USER and PASS" in greeted, "MESG hello"
        yield running


def logged_in(client: Screen) -> None:
    client.types("bob\r")
    client.shows("Please enter your password: *")
    client.types(f"{PASSWORD}\r")
    client.shows(_PROMPT)


def test_citadels_client_logs_in_looks_around_and_quits(citadel: Screen, connect: Connect) -> None:
    logged_in(citadel)

    citadel.types("w")  # who is online
    assert re.search(r"bob +zones +127\.0\.0\.1:", citadel.shows(_PROMPT))
    citadel.types("k")  # known rooms
    assert re.search(r"No unseen messages in:\s+files\]\s+zones\]", citadel.shows(_PROMPT))
    citadel.types(";k")  # the same, by floor
    assert "syncd" in citadel.shows(_PROMPT)
    citadel.types("d")  # the room's directory
    assert re.search(r"example\.com\. +247 commit 5, digest ", citadel.shows(_PROMPT))
    citadel.types("j")  # jump to a room
    citadel.shows("Jump: *")
    citadel.types("files\r")
    assert "0 new of 0 messages." in citadel.shows(_PROMPT)
    citadel.types("d")
    assert re.search(r"etc/motd +8 commit 7, digest ", citadel.shows(_PROMPT))
    citadel.types(".ri")  # read the room's info file
    assert "1 object at 5eed5eed5eed5eed:7" in citadel.shows(_PROMPT)
    citadel.types(".kz")  # known rooms that are hidden
    assert "Forgotten public rooms:" in citadel.shows(_PROMPT)
    citadel.types("n")  # new messages
    assert "no new messages" in citadel.shows(_PROMPT)
    citadel.types("g")  # on to the next room
    assert "zones - 0 new of 0 messages." in citadel.shows(_PROMPT)
    assert len(connect("root").listing("RWHO")) == 2

    citadel.types("t")  # terminate
    assert "no verb here" not in citadel.shows(r"\? *$")
    citadel.types("y")
    assert citadel.exit_status() == 0


def test_citadels_client_is_told_of_a_wrong_password_and_may_try_again(citadel: Screen) -> None:
    citadel.types("bob\r")
    citadel.shows("Please enter your password: *")
    citadel.types("guess\r")
    citadel.shows("<< wrong password >>")
    citadel.shows("Enter your name: *")
    logged_in(citadel)


def test_a_citadel_client_that_is_switched_off_leaves_no_session(
    citadel: Screen, connect: Connect
) -> None:
    logged_in(citadel)
    citadel.switch_off()
    wait_until_alone(connect)


def test_net_citadel_logs_in_looks_around_and_logs_out(running_daemon: RunningDaemon) -> None:
    printed = perl(
        running_daemon,
        f"""
        $c->login('bob', '{PASSWORD}');
        print join(',', map {{ "$_->{{id}} $_->{{name}} $_->{{nr_rooms}}" }} $c->floors), "\\n";
        print join(',', map {{ $_->{{name}} }} $c->rooms('syncd')), "\\n";
        $c->citadel_echo('hello');
        print scalar(@{{$c->citadel_info}}), "\\n";
        print $c->citadel_time, "\\n";
        $c->logout;
        eval {{ $c->login('bob', 'guess') }};
        print $@;
        """,
    )
    floors, rooms, info_lines, now, refused = printed.splitlines()
    assert (floors, rooms) == ("0 syncd 2", "files,zones")
    assert int(info_lines) > 25
    assert now.split("|")[0] == "1767225600"
    assert refused.startswith("wrong password")


def perl(daemon: RunningDaemon, script: str) -> str:
    opening = f"my $c = Net::Citadel->new(host => '{daemon.host}', port => {daemon.port});"
    done = subprocess.run(
        ["perl", "-MNet::Citadel", "-e", f"use strict; use warnings; {opening} {script}"],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def telnet(running_daemon: RunningDaemon, tmp_path: Path) -> Iterator[Screen]:
    with screen("/usr/bin/telnet", running_daemon, tmp_path) as running:
        running.shows("200 syncd ready\r\n")
        yield running


def test_a_person_with_telnet_looks_changes_and_quits(telnet: Screen, connect: Connect) -> None:
    for typed, answered in [
        ("user alice", "300 alice"),
        (f"pass {PASSWORD}", r"200 alice\|operator"),
        ("sync zones|list", r"100 \S+\r\nexample.com.\r\nexample.net.\r\n000"),
        ("sync zones|patch|example.com|serial=1", "400 .*"),
        ("+www.example.com. 300 IN A 192.0.2.80", ""),
        ("000", r"200 5eed5eed5eed5eed:8\|.*"),
        ("quit", "200 goodbye"),
    ]:
        telnet.types(f"{typed}\r")
        telnet.shows(rf"{answered}\r\n")
    telnet.shows("Connection closed by foreign host")
    assert telnet.exit_status() == 0
    bob = connect("bob")
    bob.send("SYNC zones|get|example.com")
    assert b"www.example.com. 300 IN A 192.0.2.80\n" in b"".join(bob.blocks()[0])


def test_a_person_who_leaves_telnet_by_its_escape_leaves_no_session(
    telnet: Screen, connect: Connect
) -> None:
    telnet.types(f"user alice\rpass {PASSWORD}\r")
    telnet.shows(r"200 alice\|operator")
    telnet.types("sync zones|put|half.example\r")
    telnet.shows("400 ")
    telnet.types("half.example. 300 IN A 192.0.2.1\r\x1d")
    telnet.shows("telnet> *")
    telnet.types("quit\r")
    telnet.exit_status()
    wait_until_alone(connect)
    assert connect("bob").listing("SYNC zones|list") == ["example.com.", "example.net."]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("last_words", ["QUIT", "ECHO half a li"])
def test_lines_through_nc_are_answered_to_the_last_whole_one(
    running_daemon: RunningDaemon, connect: Connect, line_end: str, last_words: str
) -> None:
    lines = [
        "USER bob", f"PASS {PASSWORD}", "SYNC zones|list", "SYNC files|get|etc/motd", last_words
    ]  # fmt: skip
    text = line_end.join(lines) + (line_end if last_words == "QUIT" else "")
    done = subprocess.run(
        ["nc", "-N", running_daemon.host, str(running_daemon.port)],
        input=text.encode(), capture_output=True, timeout=TIMEOUT_S, check=True,
    )  # fmt: skip
    heard = done.stdout.decode().split("\n")
    assert heard[:3] == ["200 syncd ready", "300 bob", "200 bob|reader"]
    assert heard[4:9] == ["example.com.", "example.net.", "000", "600 8", "welcome"]
    assert heard[10:] == (["200 goodbye", ""] if last_words == "QUIT" else [""])
    wait_until_alone(connect)


def test_a_person_with_nc_on_a_terminal_who_pulls_the_plug_leaves_no_session(
    running_daemon: RunningDaemon, connect: Connect, tmp_path: Path
) -> None:
    with screen("/usr/bin/nc", running_daemon, tmp_path) as nc:
        nc.shows("200 syncd ready")
        nc.types("user bob\r")
        nc.shows("300 bob")
        nc.types(f"pass {PASSWORD}\r")
        nc.shows(r"200 bob\|reader")
        nc.types("sync zones|info|exam")
    wait_until_alone(connect)


def wait_until_alone(connect: Connect) -> None:
    """Wait until the daemon has no session but one's own."""
    root = connect("root")
    until = time.monotonic() + TIMEOUT_S
    while len(root.listing("RWHO")) > 1:
        assert time.monotonic() < until, "a session stays"
        time.sleep(0.02)
    root.ask("QUIT")
