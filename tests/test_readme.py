"""The README's commands are run, in order, and their output is what it shows.

What differs from run to run stands there as <...>; a command without output shown may print what
it likes.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"```(console|telnet)\n(.*?)```", re.DOTALL)
_VERBS = ("USER", "PASS", "SYNC", "QUIT")
_PORT = 5040
_MARK = "--- the command above has ended ---"
_TIMEOUT_S = 60


def _blocks() -> list[tuple[str, list[str]]]:
    text = (ROOT / "README.md").read_text()
    return [(found[1], found[2].splitlines()) for found in _BLOCK.finditer(text)]


def _pattern(line: str) -> re.Pattern[str]:
    """Return what a line of the README stands for: <...> is anything."""
    pieces = re.split(r"<[a-z0-9]+>", line)
    return re.compile(r"\S.*?".join(re.escape(piece) for piece in pieces))


class Shell:
    """A bash that lives through the whole README."""

    def __init__(self, folder: Path) -> None:
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._process = subprocess.Popen(
            ["bash"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=os.environ | {"PATH": programs},
        )

    def run(self, command: str) -> list[str]:
        """Run one command; return what was printed. Raises AssertionError if it fails."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f'{command}\necho "{_MARK} $?"\n')
        self._process.stdin.flush()
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith(_MARK):
                assert line.split()[-1] == "0", f"{command}: {lines}"
                return lines
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"{command}: the shell ended: {lines}")

    def close(self) -> None:
        """End it, and what it started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("kill %1\nwait\nexit\n")
        self._process.stdin.close()
        self._process.wait(timeout=_TIMEOUT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    running = Shell(tmp_path)
    yield running
    running.close()


def test_every_command_of_the_readme_does_what_it_shows(shell: Shell) -> None:
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", _PORT)) == 0
    assert not taken, f"somebody else listens on port {_PORT}, which the README's daemon needs"
    for kind, lines in _blocks():
        if kind == "console":
            _run_console(shell, lines)
        else:
            _run_telnet(lines)


def _run_console(shell: Shell, lines: list[str]) -> None:
    commands: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    for command, expected in commands:
        printed = shell.run(command)
        if command.endswith("&"):
            _wait_for_port()
            continue
        for shown in expected:
            assert any(_pattern(shown.rstrip()).fullmatch(line.rstrip()) for line in printed), (
                f"{command}: {shown!r} is not in {printed}"
            )


def _wait_for_port() -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", _PORT)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the daemon does not answer")


def _run_telnet(lines: list[str]) -> None:
    known: dict[str, str] = {}
    with socket.create_connection(("127.0.0.1", _PORT), timeout=_TIMEOUT_S) as connection:
        stream = connection.makefile("rw", newline="\n")
        for line in lines:
            if line.startswith(_VERBS):
                stream.write(line.replace("<epoch>", known.get("epoch", "")) + "\n")
                stream.flush()
                continue
            answered = stream.readline().rstrip("\n")
            assert _pattern(line).fullmatch(answered), f"{line!r} is not {answered!r}"
            if token := re.search(r"([0-9a-f]{16}):\d+", answered):
                known["epoch"] = token[1]
