"""Where passwords come from, and where they never turn up: logs, errors, process lists, RWHO."""

import os
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from syncd.store import Store
from syncd.types.users import hash_password
from tests.certificates import Certificates
from tests.cli.commands import BIN, Serving, finish, refused, run, start
from tests.databases import on_every_engine
from tests.running import put
from tests.store.objects import store_url

SECRET = "Tr0ub4dor-and-3"
NOBODY = "syncd://carol@127.0.0.1:1"
SYNCHRONISING = [(name, NOBODY) for name in ("bootstrap", "resync", "status", "diff", "verify")]


@pytest.fixture
def server(source: str, certificates: Certificates) -> Iterator[Serving]:
    """A server with the user carol, who has a password that can be looked for."""
    with Store.open(source) as store:
        put(store, "users", "carol", hash_password(SECRET), role="admin")
    options = ("--verbose", "--tls-cert", certificates.server, "--tls-listen", "127.0.0.1:0")
    with Serving(source, *options, preloaded=False) as serving:  # arguments are looked at
        yield serving


def password_file(folder: Path, mode: int = 0o600, content: str = SECRET) -> Path:
    file = folder / "password"
    file.write_text(content)
    file.chmod(mode)
    return file


@on_every_engine
@pytest.mark.parametrize("content", [SECRET, f"{SECRET}\n", f"{SECRET}\r\nmore\n"])
def test_a_password_file_has_it_in_its_first_line(
    tmp_path: Path, server: Serving, content: str
) -> None:
    file = password_file(tmp_path, content=content)
    run("syncclient", "verify", server.url("carol"), "--password-file", file, password=None)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666, 0o610])
def test_a_password_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    file = password_file(tmp_path, mode)
    line = refused(
        "syncclient", "verify", "syncd://carol@127.0.0.1:1", "--password-file", file,
        password=None, status=4,
    )  # fmt: skip
    assert f"{file} can be used by others (mode {mode:o}); chmod 600 it" in line
    assert SECRET not in line


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_password_file_for_its_owner_is_taken(tmp_path: Path, mode: int) -> None:
    file = password_file(tmp_path, mode)
    line = refused(
        "syncclient", "verify", "syncd://carol@127.0.0.1:1", "--password-file", file,
        password=None, status=3,
    )  # fmt: skip
    assert "127.0.0.1:1" in line


@pytest.mark.parametrize(
    ("content", "says"), [("", "its first line is empty"), ("\nx\n", "its first line is empty")]
)
def test_a_password_file_without_one_is_refused(tmp_path: Path, content: str, says: str) -> None:
    file = password_file(tmp_path, content=content)
    line = refused(
        "syncclient", "verify", "syncd://carol@127.0.0.1:1", "--password-file", file,
        password=None, status=4,
    )  # fmt: skip
    assert says in line


@on_every_engine
def test_a_password_comes_from_a_file_descriptor(server: Serving) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, f"{SECRET}\n".encode())
    os.close(theirs)
    run(
        "syncclient", "verify", server.url("carol"), "--password-fd", str(ours),
        password=None, pass_fds=[ours],
    )  # fmt: skip
    os.close(ours)


def test_a_file_descriptor_that_is_not_open_is_named() -> None:
    line = refused(
        "syncclient", "verify", "syncd://carol@127.0.0.1:1", "--password-fd", "77",
        password=None, status=4,
    )  # fmt: skip
    assert "--password-fd 77: no password to be read: Bad file descriptor" in line


def test_two_places_for_the_password_are_refused(tmp_path: Path) -> None:
    file = password_file(tmp_path)
    line = refused(
        "syncclient", "verify", "syncd://carol@127.0.0.1:1", "--password-fd", "0",
        "--password-file", file, status=2,
    )  # fmt: skip
    assert "not both" in line


@on_every_engine
def test_a_password_is_asked_for_without_echo(server: Serving) -> None:
    asked = pexpect.spawn(
        str(BIN / "syncclient"), ["verify", server.url("carol")],
        env={"PATH": str(BIN), "COLUMNS": "200"}, encoding="utf-8", timeout=30,
    )  # fmt: skip
    asked.expect_exact("Password of carol at 127.0.0.1: ")
    asked.sendline(SECRET)
    asked.expect(pexpect.EOF)
    asked.close()
    assert asked.exitstatus == 0
    assert SECRET not in (asked.before or "")


def test_a_password_in_the_address_is_refused_without_repeating_it() -> None:
    line = refused("syncclient", "status", f"syncd://carol:{SECRET}@127.0.0.1", status=2)
    assert "a password does not belong into an address" in line
    assert SECRET not in line


@on_every_engine
def test_no_process_list_and_no_log_ever_has_the_password(
    tmp_path: Path, server: Serving, certificates: Certificates
) -> None:
    """Logins of every kind, right and wrong, with a client that stays to be looked at."""
    file = password_file(tmp_path)
    watch = ("resync", "--watch", "--store", store_url(tmp_path, "replica"))
    staying = start(
        "syncclient", *watch, server.tls_url("carol"), "--password-file", file,
        "--ca", certificates.ca_file, password=None,
    )  # fmt: skip
    assert staying.stdout is not None
    assert "objects verified" in staying.stdout.readline()
    seen = [Path(f"/proc/{one.pid}/cmdline").read_bytes() for one in (staying, server.process)]
    assert b"--password-file" in seen[0]
    assert all(SECRET.encode() not in words for words in seen)
    assert SECRET.encode() not in Path(f"/proc/{staying.pid}/environ").read_bytes()
    said = []
    wrong = (f"{SECRET}x", f"{SECRET}\nQUIT")
    for password in wrong:
        verify = ("syncclient", "verify", server.url("carol"))
        said.append(run(*verify, password=password, status=4 if "\n" not in password else 6).err)
    lines = f"USER carol\nPASS {SECRET}x\n{SECRET}\nPASS {SECRET}\nUSER {SECRET}\nRWHO\nQUIT\n"
    shell = run(
        "syncclient", "shell", f"syncd://127.0.0.1:{server.port}", stdin=lines, password=None,
        status=4,
    )  # fmt: skip
    assert "540 wrong password" in shell.out
    who = run("syncclient", "shell", server.url("carol"), stdin="RWHO\n", password=SECRET).out
    assert "|carol|zones|" in who
    staying.terminate()
    said += [who, finish(staying).err]
    done = server.end()
    said += [done.out, done.err]
    assert "user=carol code=540" in done.err, "the log is that of these logins"
    for text in said:
        assert SECRET not in text


@on_every_engine
def test_the_shells_history_keeps_no_password(tmp_path: Path, server: Serving) -> None:
    shell = pexpect.spawn(
        str(BIN / "syncclient"), ["shell", f"syncd://127.0.0.1:{server.port}"],
        env={"PATH": str(BIN), "HOME": str(tmp_path), "TERM": "dumb"}, encoding="utf-8", timeout=30,
    )  # fmt: skip
    for line in ("USER carol", f"pass {SECRET}", f" PASS {SECRET}", "ECHO done-with-it", "QUIT"):
        shell.sendline(line)
    shell.expect_exact("goodbye")
    shell.expect(pexpect.EOF)
    shell.close()
    history = (tmp_path / ".syncclient_history").read_text()
    assert "done-with-it" in history
    assert SECRET not in history


@on_every_engine
@pytest.mark.parametrize(
    ("command", "url", "variable"),
    [
        (("syncd", "log", "--store"), "postgresql+psycopg://u:{}@127.0.0.1:1/x", "SYNCD_STORE"),
        (("syncd", "log", "--store"), "mariadb+pymysql://u@localhost/x?password={}", "SYNCD_STORE"),
        (("syncd", "import", "powerdns"), "mariadb+pymysql://u:{}@localhost/x", "SYNCD_POWERDNS"),
        (("syncd", "serve", "--store"), "postgresql+psycopg://u:{}@127.0.0.1:1/x", "SYNCD_STORE"),
        *(
            (
                ("syncclient", *command, "--store"),
                "postgresql+psycopg://u:{}@127.0.0.1:1/x?scram_client_key={}",
                "SYNCD_STORE",
            )
            for command in SYNCHRONISING
        ),
    ],
)  # fmt: skip
def test_a_databases_password_on_the_command_line_is_warned_of(
    tmp_path: Path, source: str, command: tuple[str, ...], url: str, variable: str
) -> None:
    options = ("--store", source) if "import" in command else ()
    url = url.replace("{}", SECRET)
    said = finish(start(*command, url, *options)).err
    assert f"give the URL in {variable} instead" in said
    assert SECRET not in said
    words = (word for word in command if word != "--store")
    said = finish(start(*words, *options, variables={variable: url})).err
    assert "warning" not in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "url",
    [
        "mariadb+pymysql://u:{}@127.0.0.1:1/x?connect_timeout=soon",
        "mariadb+pymysql://u:{}@127.0.0.1:1/x?nonsense=1",
        "postgresql+psycopg://u@127.0.0.1:1/x?scram_client_key={}",
        "postgresql+psycopg://u@127.0.0.1:1/x?sslpassword={}&sslmode=nonsense",
        "postgresql+psycopg://u:{}@127.0.0.1:nonsense/x",
        "sqlite://u:{}@h/x",
    ],
)
def test_a_store_that_cannot_be_opened_is_named_without_its_secrets(url: str) -> None:
    options = {"variables": {"SYNCD_STORE": url.replace("{}", SECRET)}}
    line = refused("syncd", "log", status=8, **options)
    assert "127.0.0.1" in line or "***" in line
    assert SECRET not in line


@pytest.mark.parametrize("address", ["syncd://h?password={}", "syncd://u@h?token={}", "u:{}@h"])
def test_what_is_no_address_is_refused_without_what_may_be_a_secret(address: str) -> None:
    line = refused("syncclient", "status", address.format(SECRET), status=2)
    assert "syncd://USER@HOST:PORT" in line
    assert SECRET not in line


@on_every_engine
@pytest.mark.parametrize(
    "text",
    [
        'key "transfer" {{ algorithm hmac-sha256; secret "{}"; }};',
        'key "transfer" {{ algorithm {}; secret "c2VjcmV0"; }};',
        "{}",
        'key "transfer" {{ secret "{}" }}; {}',
    ],
)
def test_a_tsig_key_that_cannot_be_used_is_not_shown(
    tmp_path: Path, source: str, text: str
) -> None:
    file = password_file(tmp_path, content=text.format(SECRET, SECRET))
    line = refused(
        "syncd", "import", "axfr", "example.com@127.0.0.1:1", "--store", source,
        "--tsig-key", file, status=2,
    )  # fmt: skip
    assert str(file) in line
    assert SECRET not in line
