"""What the commands print of what others wrote, in stores and over the wire, steers no terminal."""

import socket
import threading
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sqlalchemy import insert, literal, select, update

from syncd.output import run_command
from syncd.store.schema import commit, server, version
from tests.cli.commands import Serving, start_preloaded
from tests.databases import on_every_engine
from tests.store.objects import past_the_store, store_url

NASTY = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eexe\u200b\x7f"


def assert_harmless(text: str) -> None:
    """There is nothing that cannot be seen but line ends, and what was to be shown is there."""
    assert "owned" in text
    for line in text.split("\n"):
        assert line.isprintable(), line


def said(*arguments: str | Path, stdin: str = "") -> str:
    """Return all that a command prints, however it ends."""
    process = start_preloaded(*arguments, reads=True)
    out, err = process.communicate(stdin, timeout=60)
    return out + err


@pytest.fixture
def nasty_source(source: str) -> str:
    """A store in which somebody has written past every check: a zone's and a user's name, authors,
    comments, a server's name and reason."""
    damaged = {"name": literal(NASTY), "crc32": version.c.crc32 + 1}
    with past_the_store(source) as connection:
        for statement in (
            update(commit).values(author=NASTY, comment=NASTY),
            update(version)
            .where(version.c.name == "example.com.")
            .values(name=NASTY + "example.com."),
            insert(version).from_select(
                version.columns.keys(),
                select(*(damaged.get(column.name, column) for column in version.c)).where(
                    version.c.type == "users"
                ),
            ),
            insert(server).values(
                name=NASTY,
                user=NASTY,
                seen=0,
                backend="bind",
                release=NASTY,
                every=30,
                outcome="failed",
                reason=NASTY,
                zones=0,
                refused=0,
            ),
        ):
            connection.execute(statement)
    return source


@on_every_engine
@pytest.mark.parametrize("command", [("log",), ("user", "list"), ("fsck",)])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_stands_in_a_store_is_shown_harmlessly(
    nasty_source: str, command: tuple[str, ...], options: tuple[str, ...]
) -> None:
    assert_harmless(said("syncd", *command, "--store", nasty_source, *options))


@on_every_engine
def test_what_a_servers_store_holds_is_shown_harmlessly(tmp_path: Path, nasty_source: str) -> None:
    replica = ("--store", store_url(tmp_path, "replica"))
    with Serving(nasty_source) as serving:
        assert_harmless(said("syncclient", "servers", serving.url()))
        assert_harmless(said("syncclient", "bootstrap", serving.url(), *replica))
        lines = "SYNC zones|list\nSYNC users|info\nSYNC servers|list\nRWHO\nQUIT\n"
        assert_harmless(said("syncclient", "shell", serving.url(), stdin=lines))


class NastyServer:
    """Greets and logs in, then says the same to whatever it is asked."""

    def __init__(self, answer: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"syncd://root@127.0.0.1:{self._listener.getsockname()[1]}"
        self._said = f"200 {NASTY}\n300 root\n200 root|admin\n{answer * 50}".encode()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    connection.sendall(self._said)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass


ANSWERS = {
    "refusals": f"530 {NASTY}\n",
    "replies": f"200 {NASTY}|{NASTY}\n",
    "listings": f"100 {NASTY}\n{NASTY}|{NASTY}\n000\n",
    "nonsense": f"{NASTY}\n",
    "a user's name": f"300 {NASTY}\n",
    "notices": f"902 {NASTY}\n530 {NASTY}\n",
    "a block": f"100 verbs\n{NASTY}\n000\n100 actions\n{NASTY}\n000\n"
    f"600 {len(NASTY.encode())}\n{NASTY}200 {NASTY}\n",
}
COMMANDS: list[tuple[str, ...]] = [
    ("status",), ("verify",), ("servers",), ("freeze",), ("delete", "x"), ("shell",),
    ("bootstrap", "--store", "{store}"),
]  # fmt: skip


@on_every_engine
@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_a_server_says_is_shown_harmlessly(tmp_path: Path, name: str) -> None:
    shown = ""
    with closing(NastyServer(ANSWERS[name])) as source:
        for command, *rest in COMMANDS:
            options = [one.format(store=store_url(tmp_path, "replica")) for one in rest]
            shown += said("syncclient", command, source.url, *options, stdin="INFO\nNOOP\nQUIT\n")
    assert "Traceback" not in shown
    assert_harmless(shown)


@pytest.mark.parametrize("error", [RuntimeError(NASTY), ExceptionGroup(NASTY, [ValueError(NASTY)])])
def test_a_fault_of_ours_shows_its_trace_harmlessly(
    capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def command(**_: object) -> None:
        raise error

    assert run_command("syncd", command, []) == 1
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert_harmless(shown)


def test_wrong_arguments_are_shown_harmlessly() -> None:
    for arguments in (("status", "syncd://a@b", NASTY), (NASTY,), ("status", f"--{NASTY}")):
        assert_harmless(said("syncclient", *arguments))
