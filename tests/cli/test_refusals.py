"""What is refused ends in one line that says what is wrong, and in the exit status for it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import (
    BIN,
    Serving,
    refused,
    run,
)
from tests.databases import on_every_engine
from tests.store.objects import store_url

NOWHERE = "syncd://root@127.0.0.1:1"


@on_every_engine
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("syncd",), 2, ""),
        (("syncd", "nonsense"), 2, "No such command 'nonsense'"),
        (("syncd", "log", "--limit", "many"), 2, "'many' is not a valid integer range"),
        (("syncd", "import", "zones"), 2, "Missing argument"),
        (("syncd", "import", "zones", "a.zone", "--origin", "a..b"), 2, "'--origin': the name"),
        (("syncd", "log", "--store", "sqlite:///{folder}/none.db"), 8, "there is no such file"),
        (("syncd", "log", "--store", "nonsense"), 8, "no database URL"),
        (("syncd", "init", "--store", "sqlite:///"), 8, "names no file; it is sqlite:///FILE"),
        (("syncd", "init", "--store", "sqlite://"), 8, "names no file"),
        (("syncd", "init", "--store", "sqlite:///:memory:"), 8, "names no file"),
        (("syncd", "log", "--store", "sqlite:///{folder}/x.db?timeout=x"), 8, "1 to 900"),
        (("syncd", "log", "--store", "sqlite:///{folder}/x.db?timeout=-1"), 8, "1 to 900"),
        (("syncd", "log", "--store", "sqlite:///{folder}/x.db?foo=1"), 8,
         "does not take what stands behind"),
        (("syncd", "init", "--store", "sqlite:///{folder}/no/such/x.db"), 8, "unable to open"),
        (("syncd", "log", "--store", "mariadb+pymysql://x@a..b/y"), 8, "a..b is no name of a host"),
        (("syncd", "log", "--store", "mariadb+pymysql://x@127.0.0.1:1/y?charset=foo"), 8,
         "does not take what stands behind"),
        (("syncd", "serve", "--store", "{source}", "--host", "a..b"), 3, "no name of a host"),
        (("syncd", "init", "--store", "{source}"), 6, "is a store already"),
        (("syncd", "fsck", "--store", "sqlite:///{folder}/text"), 8, "not a database"),
        (("syncd", "serve", "--store", "sqlite:///{folder}/none.db"), 8, "no such file"),
        (("syncd", "serve", "--store", "{source}", "--host", "192.0.2.1"), 3, "cannot listen on"),
        (("syncd", "import", "zones", "{folder}/none", "--store", "{source}"), 5, "no such file"),
        (("syncd", "import", "files", "{folder}/none", "--store", "{source}"), 5, "no such folder"),
        (("syncd", "export", "zones", "{folder}/x", "--at", "99", "--store", "{source}"), 6,
         "commit 99 is not held"),
        (("syncd", "export", "users", "{folder}/x", "--store", "{source}"), 2, "'users' is not"),
        (("syncd", "export", "zones", "{folder}/text", "--store", "{source}"), 2, "is a file"),
        (("syncd", "log", "--limit", "0", "--store", "{source}"), 2, "0 is not in the range"),
        (("syncd", "gc", "--keep-days", "-1", "--store", "{source}"), 2, "-1 is not in the range"),
        (("syncd", "gc", "--keep-commits", "1", "--keep-days", "1", "--store", "{source}"), 2,
         "not both"),
        (("syncd", "gc", "--keep-commits", "x", "--store", "{source}"), 2, "'x' is not a valid"),
        (("syncd", "user", "remove", "nobody", "--store", "{source}"), 6, "no user nobody"),
        (("syncd", "user", "passwd", "nobody", "--password-stdin", "--store", "{source}"), 6,
         "no user nobody"),
        (("syncd", "user", "add", "../x", "--role", "reader", "--password-stdin", "--store",
          "{source}"), 6, "a user's name has up to 64"),
        (("syncd", "user", "add", "x", "--role", "reader", "--password-stdin", "--store",
          "{source}"), 6, "a password has at least one character"),
        (("syncd", "user", "add", "x", "--role", "reader", "--store", "{source}"), 2,
         "there is no terminal to ask at: give --password-stdin"),
        (("syncclient",), 2, ""),
        (("syncclient", "status"), 2, "Missing argument 'URL'"),
        (("syncclient", "status", "nonsense"), 2, "is no address: write syncd://USER@HOST:PORT"),
        (("syncclient", "status", "syncd://127.0.0.1:1"), 2, "say as whom to log in"),
        (("syncclient", "status", NOWHERE), 3,
         "127.0.0.1:1: Connection refused; does `syncd serve` run there"),
        (("syncclient", "status", "syncd://root@no-host.invalid"), 3, "is the host's name right?"),
        (("syncclient", "bootstrap", NOWHERE), 2, "Missing option '--store'"),
        (("syncclient", "bootstrap", NOWHERE, "--store", "sqlite:///{folder}/text"), 8,
         "not a database"),
        (("syncclient", "status", NOWHERE, "--password-file", "{folder}/none"), 4,
         "no password to be read"),
        (("syncclient", "put", NOWHERE, "a.", "--file", "{folder}/none"), 8,
         "syncclient: {folder}/none: No such file"),
        (("syncclient", "get", NOWHERE, "a.", "--at", "x"), 2, "'x' is not a valid integer"),
        (("syncclient", "diff", NOWHERE, "--store", "sqlite:///{folder}/none.db"), 8,
         "no such file"),
        (("syncclient", "status", NOWHERE, "--store", "sqlite:///{folder}/none.db"), 3, ""),
    ],
)  # fmt: skip
def test_wrong_arguments_end_in_one_line_that_says_what_is_wrong(
    tmp_path: Path, source: str, arguments: tuple[str, ...], status: int, says: str
) -> None:
    (tmp_path / "text").write_text("this is no database, and no folder\n" * 100)
    filled = [argument.format(folder=tmp_path, source=source) for argument in arguments]
    assert says.format(folder=tmp_path) in refused(*filled, status=status, stdin="")


@on_every_engine
@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("get", "{url}", "a b", "--type", "zones"), 6, "571"),
        (("get", "{url}", "../x", "--type", "files"), 6, "512"),
        (("get", "{url}", "x", "--type", "rooms"), 6, "no such type"),
        (("get", "{url}", "example.com.", "--at", "99"), 6, "commit 99 is not held"),
        (
            ("get", "{url}", "example.com.", "--output", "/no/such/file"),
            8,
            "syncclient: /no/such/file: No such file",
        ),
        (("put", "{url}", "example.com.", "--role", "reader"), 6, "no option role="),
        (("put", "{url}", "/etc/passwd", "--type", "files"), 6, "relative path"),
        (("put", "{url}", "bob", "--type", "users", "--role", "reader"), 6, "no password"),
        (("patch", "{url}", "example.com."), 6, "changes nothing"),
        (("patch", "{url}", "nothing.example."), 6, "zones has no nothing.example."),
        (("patch", "{url}", "example.com.", "--digest", "abc"), 6, "give 8 to 64 hex digits"),
        (("delete", "{url}", "example.com.", "--digest", "00000000"), 6, "is at digest"),
        (("delete", "{url}", "example.com.", "--serial", "9"), 6, "is at serial 1, not 9"),
        (("verify", "{url}", "--types", "rooms"), 6, "no such type"),
        (("bootstrap", "{url}", "--store", "{source}"), 6, "commits of its own"),
        (("resync", "{url}", "--store", "{source}"), 6, "commits of its own"),
        (("diff", "{url}", "--store", "{source}", "--text"), 6, "is no replica"),
        (("freeze", "{url}", "--expire", "0"), 6, "expire: '0' is not a number"),
        (("freeze", "{url}", "--wait", "-1"), 6, "wait: '-1' is not a number"),
    ],
)
def test_what_the_server_refuses_ends_in_one_line(
    source: str, server: Serving, arguments: tuple[str, ...], status: int, says: str
) -> None:
    filled = [argument.format(url=server.url(), source=source) for argument in arguments]
    assert says in refused("syncclient", *filled, status=status, stdin="")


@on_every_engine
def test_a_port_that_is_taken_is_named(source: str, server: Serving) -> None:
    line = refused("syncd", "serve", "--store", source, "--port", str(server.port), status=3)
    assert line.startswith(f"syncd: cannot listen on 127.0.0.1:{server.port}: ")


@on_every_engine
def test_a_zones_folder_that_is_no_folder_is_named(tmp_path: Path, server: Serving) -> None:
    (tmp_path / "file").write_text("x")
    line = refused(
        "syncclient", "bootstrap", server.url(), "--store", store_url(tmp_path, "replica"),
        "--zones-dir", tmp_path / "file", status=2,
    )  # fmt: skip
    assert "is a file" in line


@on_every_engine
def test_a_reader_that_has_enough_is_no_error(source: str) -> None:
    done = subprocess.run(
        f"{BIN}/syncd log --store '{source}' | head -c 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert done.stderr == ""


@on_every_engine
def test_output_that_nobody_reads_any_more_is_no_error(source: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "wb") as nobody:
        done = subprocess.run(
            [BIN / "syncd", "log", "--store", source], stdout=nobody, stderr=subprocess.PIPE,
            text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_before_a_command_has_begun_leaves_no_trace() -> None:
    script = (
        "from syncd.quickstart import few_collections\n"
        "with few_collections(): raise KeyboardInterrupt"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (130, "")


@on_every_engine
@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("NOOP\nQUIT\n", 0),
        ("SYNC zones|get|nothing.example.\nNOOP\nQUIT\n", 6),
        ("LOUT\nUSER bob\nPASS wrong\n", 4),
        ("SYNC files|put|f|size=4\nabc\n000\nNOOP\nQUIT\n", 0),
        ("SYNC files|put|f|size=3\nabc\n000\nNOOP\nQUIT\n", 0),
        ("SYNC files|put|f|size=9\nabc\n000\n", 6),
        ("SYNC files|put|f|size=2\nabc\n000\n", 6),
        ("SYNC files|put|f|size=4\nabc\n", 6),
    ],
)
def test_lines_from_a_pipe_end_in_the_status_of_the_first_that_was_refused(
    server: Serving, lines: str, status: int
) -> None:
    said = run("syncclient", "shell", server.url(), stdin=lines, status=status).out
    assert said.count("< 200") >= lines.count("NOOP\n")
    assert (status == 0 and "put" in lines) == bool(re.search("< 200 [0-9a-f]{16}:", said))
