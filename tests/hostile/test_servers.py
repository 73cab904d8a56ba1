"""Servers that are broken, or want to break the client: it says so, ends, and keeps its replica.

The client is the real `syncclient` in a process of its own; the server says what the test wants.
"""

import random
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from syncd.content.compression import compress
from syncd.content.messages import Head, Opening, write_blocks
from syncd.content.versions import chunk_digest, object_digest
from syncd.protocol.packing import pack
from syncd.store import Store
from tests.cli.commands import start
from tests.databases import on_every_engine
from tests.hostile.impatient import SILENCE_S
from tests.hostile.processes import memory_kib
from tests.store.objects import assert_sound, new_store, store_url

ENDED_S = 60.0
"""How long the client may listen to a server that never comes to an end."""
MEMORY_KIB = 160 * 1024
"""What a client that only looks takes, and as much again."""

GREETING = b"200 ready\n300 root\n200 root|admin\n"
TOKEN = "5eed5eed5eed5eed:7"
PROOF = f"200 {TOKEN}|3|{'0' * 64}\n".encode()
HEAD = Head("files", "a", 1, 0, 1 << 60, 0, 0, object_digest(b""), pack({"mode": 0o644}), 1 << 20)


def block(data: bytes) -> bytes:
    return b"600 %d\n" % len(data) + data


def packed(value: list[Any]) -> bytes:
    return block(pack(value))


def opened(*elements: Head | bytes) -> bytes:
    """How a bootstrap begins."""
    (data,) = write_blocks([Opening(TOKEN, 1 << 40), *elements])
    return GREETING + block(data)


def endless(part: bytes) -> Iterator[bytes]:
    part *= 1 + 65536 // len(part)
    while True:
        yield part


def random_bytes() -> Iterator[bytes]:
    choose = random.Random(3)
    while True:
        yield choose.randbytes(65536)


BOMB = compress(bytes(400 << 20))


def servers() -> dict[str, tuple[bytes, Iterator[bytes]]]:
    """How each begins, and how it goes on."""
    return {
        "nothing": (b"", iter(())),
        "random bytes": (b"", random_bytes()),
        "a line without an end": (b"200 ", endless(b"x")),
        "NUL": (b"\0" * 10 + b"\n", iter(())),
        "no UTF-8": (b"\xff\xfe\n", iter(())),
        "a code that there is not": (b"999999 \n", iter(())),
        "a listing without an end": (GREETING + b"100 more\n", endless(b"line\n")),
        "notices without an end, then nothing": (GREETING, iter([b"902 commit|x\n" * 500_000])),
        "a block that is too large": (GREETING + b"600 9999999999\n", endless(b"x")),
        "a block of a count that is none": (GREETING + b"600 1e9\n", endless(b"x")),
        "blocks of nothing without an end": (GREETING, endless(b"600 0\n")),
        "blocks of nonsense without an end": (GREETING, endless(block(b"\xc1" * 65536))),
        "arrays in arrays": (GREETING, endless(block(b"\xdd\0\1\0\0" * 13000))),
        "a bomb as a chunk": (opened(HEAD, BOMB), iter([PROOF])),
        "empty chunks without an end": (
            opened(HEAD),
            endless(packed([compress(b"")] * 40000)),
        ),
        "tiny chunks without an end": (
            opened(HEAD),
            endless(packed([compress(b"x")] * 40000)),
        ),
        "what is gone without an end": (
            opened(),
            endless(packed(["files", *[["b"]] * 99000])),
        ),
        "an end in the middle of a block": (GREETING + b"600 1000\nx", iter(())),
        "a proof that is none": (opened(), iter([b"200 nonsense\n"])),
        "a wrong count": (opened(), iter([PROOF])),
    }


class Server:
    """Says the same to everybody, on and on, and takes no heed of what it hears."""

    def __init__(
        self, beginning: bytes, rest: Iterator[bytes], *, half_closes: bool = True
    ) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"syncd://root@127.0.0.1:{self._listener.getsockname()[1]}"
        self._beginning, self._rest, self._half_closes = beginning, rest, half_closes
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                connection.sendall(self._beginning)
                for part in self._rest:
                    connection.sendall(part)
                if self._half_closes:
                    connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass


def bootstrap_in_vain(folder: Path, server: Server, *program: str) -> tuple[int, str]:
    """Have the client copy what such a server says; return its status and last words.

    Its replica stays what it was.
    """
    with new_store(folder, "replica") as replica:
        before = replica.clock(), replica.view().totals(["files", "users", "zones"])
    with closing(server):
        url = store_url(folder, "replica")
        client = start(*program, "bootstrap", server.address, "--store", url)
        highest_kib, end = 0, time.monotonic() + ENDED_S
        while client.poll() is None:
            with suppress(ProcessLookupError, FileNotFoundError):
                highest_kib = max(highest_kib, memory_kib(client.pid, "VmHWM"))
            if time.monotonic() > end:
                client.kill()
            time.sleep(0.02)
        _, said = client.communicate()
    assert "Traceback" not in said
    assert len(said) < 2000
    assert 0 < highest_kib < MEMORY_KIB
    with Store.open(url) as replica:
        assert before == (replica.clock(), replica.view().totals(["files", "users", "zones"]))
        assert_sound(replica)
    return client.returncode, said


@on_every_engine
@pytest.mark.parametrize("name", servers())
def test_a_client_says_what_is_wrong_and_keeps_its_replica(tmp_path: Path, name: str) -> None:
    status, said = bootstrap_in_vain(tmp_path, Server(*servers()[name]), "syncclient")
    assert status in (3, 7), said


IMPATIENT = ("python", "-m", "tests.hostile.impatient")
"""The client with patience for seconds, so that nobody has to wait for minutes."""
GIVEN_UP_S = 20.0
"""Its patience, its start, and what a busy machine makes of them."""


def slowly(parts: Iterable[bytes], every_s: float) -> Iterator[bytes]:
    for part in parts:
        time.sleep(every_s)
        yield part


def byte_by_byte(beginning: bytes) -> Iterator[bytes]:
    return slowly((bytes([byte]) for byte in chain(beginning, repeat(ord("x")))), 1.0)


def objects_slowly() -> Iterator[bytes]:
    """Objects that are all they should be, one after the other without an end."""
    content = b"welcome\n"
    digest = chunk_digest(content)
    attributes = pack({"mode": 0o644})
    for number in count():
        head = Head(
            "files", f"f{number}", 1, 0, len(content), 0, crc32(content), object_digest(digest),
            attributes, 1,
        )  # fmt: skip
        yield from map(block, write_blocks([head, compress(content)]))


def slow_servers() -> dict[str, tuple[bytes, Iterator[bytes]]]:
    """The same, of those that take their time."""
    return {
        "silence after accepting": (b"", iter(())),
        "silence after the greeting": (b"200 ready\n", iter(())),
        "silence after the login": (GREETING, iter(())),
        "silence in the midst of a block": (GREETING + b"600 1000\nxx", iter(())),
        "a greeting byte by byte": (b"", byte_by_byte(b"200 ")),
        "an answer byte by byte": (GREETING, byte_by_byte(b"600 1")),
        "a block byte by byte": (GREETING + b"600 1000\n", byte_by_byte(b"")),
        "objects without an end, slowly": (opened(), slowly(objects_slowly(), 0.5)),
    }


@on_every_engine
@pytest.mark.parametrize("name", slow_servers())
def test_a_server_that_is_too_slow_is_given_up_on(tmp_path: Path, name: str) -> None:
    server = Server(*slow_servers()[name], half_closes=False)
    began = time.monotonic()
    status, said = bootstrap_in_vain(tmp_path, server, *IMPATIENT)
    assert status == 3, said
    assert f"does not answer: nothing, or hardly anything, has come for {SILENCE_S:.0f} s" in said
    assert SILENCE_S < time.monotonic() - began < GIVEN_UP_S


def test_a_listing_that_goes_on_line_by_line_is_given_up_on() -> None:
    lines = slowly((b"VERB%d  does nothing\n" % number for number in count()), 0.5)
    with closing(Server(GREETING + b"100 verbs\n", lines, half_closes=False)) as server:
        client = start(*IMPATIENT, "shell", server.address)
        _, said = client.communicate(timeout=ENDED_S)
    assert client.returncode == 3
    assert "does not answer: nothing, or hardly anything" in said


@on_every_engine
@pytest.mark.parametrize("said", [b"200 ready\n", GREETING])
def test_a_server_that_greets_and_half_closes_is_left_at_once(tmp_path: Path, said: bytes) -> None:
    began = time.monotonic()
    status, error = bootstrap_in_vain(tmp_path, Server(said, iter(())), "syncclient")
    assert status == 3
    assert "ended the connection" in error
    assert time.monotonic() - began < GIVEN_UP_S


def test_a_client_that_only_looks_says_what_is_wrong_as_well(tmp_path: Path) -> None:
    for beginning in (b"\xff\n", b"999 x\n", GREETING + b"100 x\n"):
        with closing(Server(beginning, iter(()))) as server:
            client = start("syncclient", "status", server.address)
            _, said = client.communicate(timeout=ENDED_S)
            assert client.returncode in (3, 7)
            assert "Traceback" not in said
