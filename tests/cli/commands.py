"""The real command line in processes of its own, and a proxy between client and server."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from syncd.store import Store
from syncd.types import Role
from syncd.types.zone_files import zone_file_name
from tests.cli.preloaded import PROGRAMS, Copy
from tests.running import PASSWORD, PASSWORD_HASH, put
from tests.store.objects import assert_sound, store_url

BIN = Path(sys.executable).parent
TIMEOUT_S = 60
USER = "root"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Process = subprocess.Popen[str] | Copy


def start(
    *arguments: str | Path,
    stdin: Any = subprocess.DEVNULL,
    within: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    password: str | None = PASSWORD,
    pass_fds: Sequence[int] = (),
) -> "subprocess.Popen[str]":
    """Start `syncd ...` or `syncclient ...`, as an argument of the command `within`.

    Without a password (None), SYNC_PASSWORD is not set.
    """
    return subprocess.Popen(
        [*within, *_words(arguments)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(variables, password),
        pass_fds=pass_fds,
    )


def start_preloaded(
    *arguments: str | Path,
    reads: bool = False,
    variables: Mapping[str, str] | None = None,
    password: str | None = PASSWORD,
    **how: Any,
) -> Process:
    """Start as `start` does, but in a copy of what has imported everything.

    With an option that says `how` it is started, it is the real program.
    """
    if not any(how.values()) and arguments[0] in PROGRAMS:
        return Copy(_words(arguments), _environment(variables, password), reads=reads)
    stdin = subprocess.PIPE if reads else subprocess.DEVNULL
    return start(*arguments, stdin=stdin, variables=variables, password=password, **how)


def _words(arguments: Sequence[str | Path]) -> list[str]:
    program, *rest = (str(argument) for argument in arguments)
    return [str(BIN / program), *rest]


def _environment(variables: Mapping[str, str] | None, password: str | None) -> dict[str, str]:
    given = {} if password is None else {"SYNC_PASSWORD": password}
    return {"PATH": str(BIN), "COLUMNS": "200"} | given | dict(variables or {})


def finish(process: Process, stdin: str | None = None) -> Done:
    try:
        out, err = process.communicate(stdin, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()  # closes the pipes, which would be the next tests' warnings
        raise
    return Done(process.returncode, out, err)


def run(*arguments: str | Path, status: int = 0, stdin: str | None = None, **options: Any) -> Done:
    """Run a command to its end; it must end with `status`, and never in a traceback."""
    process = start_preloaded(*arguments, reads=stdin is not None, **options)
    done = finish(process, stdin)
    assert "Traceback" not in done.err, done.err
    assert done.status == status, done
    return done


def refused(*arguments: str | Path, status: int, stdin: str | None = None, **options: Any) -> str:
    """Run a command that has to be refused with one line; return that line."""
    done = run(*arguments, status=status, stdin=stdin, **options)
    lines = done.err.splitlines()
    assert lines, done
    if status != 2:
        assert len(lines) == 1, done.err
    return lines[-1]


class Serving:
    """`syncd serve` in a process of its own."""

    def __init__(
        self, store: str, *options: str | Path, preloaded: bool = True, **settings: Any
    ) -> None:
        begin = start_preloaded if preloaded else start
        self.process: Process = begin(
            "syncd", "serve", "--store", store, "--port", "0", *options, **settings
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "syncd is ready: " not in line:
            self.process.kill()
            raise RuntimeError(f"the server does not start: {line}{self.process.communicate()[1]}")
        self.port = int(line.rsplit(":", 1)[1])
        self.tls_port = 0
        if "--tls-listen" in options:
            self.tls_port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def __enter__(self) -> "Serving":
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def url(self, user: str = USER) -> str:
        return f"syncd://{user}@127.0.0.1:{self.port}"

    def tls_url(self, user: str = USER) -> str:
        return f"syncds://{user}@127.0.0.1:{self.tls_port}"

    def end(self, number: int = signal.SIGTERM) -> Done:
        self.process.send_signal(number)
        return finish(self.process)


class Proxy:
    """Passes a server's bytes on; calls `at` once it has passed so many, and then holds the
    rest."""

    def __init__(self, port: int, after_bytes: int, at: Callable[[], None]) -> None:
        self._server_port, self._left, self._at = port, after_bytes, at
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.reached = threading.Event()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def url(self) -> str:
        return f"syncd://{USER}@127.0.0.1:{self.port}"

    def close(self) -> None:
        for one in (self._listener, *self._sockets):
            one.close()

    def _run(self) -> None:
        try:
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._server_port))
            self._sockets += [client, server]
            threading.Thread(target=self._pass_up, args=(client, server), daemon=True).start()
            while data := server.recv(min(65536, max(1, self._left))):
                client.sendall(data)
                self._left -= len(data)
                if self._left <= 0:
                    self.reached.set()
                    self._at()
                    return
            client.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the test is over

    @staticmethod
    def _pass_up(client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(65536):
                server.sendall(data)
        except OSError:
            return


def add_admin(store: Store) -> None:
    put(store, "users", USER, PASSWORD_HASH, role=Role.ADMIN.label)


def zone_text(serial: int, *records: str) -> str:
    return "\n".join(
        [
            f"@ 3600 IN SOA ns1 hostmaster {serial} 7200 3600 1209600 300",
            "@ 3600 IN NS ns1",
            "ns1 3600 IN A 192.0.2.1",
            *records,
            "",
        ]
    )


def fingerprint_of(store: Store, seq: int | None = None) -> str:
    """What counting everything anew gives."""
    return f"{store.view(seq).recount(store.held_types()).fingerprint:064x}"


def assert_replicates(replica: str, source: str) -> None:
    """The replica is sound, and what the source is."""
    with Store.open(replica) as ours, Store.open(source) as theirs:
        assert_sound(ours)
        assert fingerprint_of(ours) == fingerprint_of(theirs)
        assert ours.clock().token == theirs.clock().token


def assert_folder_holds(folder: Path, store_at: str) -> None:
    """The files of a zones folder are exactly the zones of a store."""
    with Store.open(store_at) as store:
        expected = {
            zone_file_name(version.name): version.crc32
            for version in store.view().versions(["zones"])
        }
    found = {
        file.name: crc32(file.read_bytes())
        for file in folder.iterdir()
        if not file.name.startswith(".")
    }
    assert found == expected


def urls(folder: Path, names: Sequence[str] = ("source", "replica")) -> list[str]:
    return [store_url(folder, name) for name in names]
