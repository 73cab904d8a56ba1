"""Clients that are broken, or want to break the daemon: it says so or hangs up, and serves on.

Each attack runs against a daemon in a process of its own, while another user goes on working. The
view stays what it was, and memory within a bound.
"""

import random
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from syncd.protocol.connection import MAX_LINE_BYTES, MAX_LISTING_LINE_BYTES
from syncd.store import Store
from tests.databases import ENGINES, databases_on
from tests.databaseservers import Server
from tests.hostile.processes import MAX_BODY_BYTES, Bystander, DaemonProcess, memory_kib
from tests.running import FixedClock, fill_source
from tests.server.line_client import LineClient

DISTURBED_S = 5.0
"""What a round of the bystander may take; a few milliseconds, if the machine had nothing else."""
MORE_MEMORY_KIB = 96 * 1024
"""What an attack may cost at its height: reading a zone takes the most, for its longest record."""
ROUNDS = 8
KEPT_KIB = 256
"""What a round of attacks, some hundreds of connections and refused writes, may leave behind."""
MANY = 1000
SESSION_KIB = 64
"""What a session more may cost."""
SPARE_SESSIONS = 20

HEAD = ["$TTL 60", "@ SOA a a 1 1 1 1 1", "@ NS a"]


@pytest.fixture(scope="module", params=ENGINES)
def daemon(
    request: pytest.FixtureRequest,
    servers: Callable[[str], Server | None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DaemonProcess]:
    with databases_on(servers(request.param)) as databases:
        url = databases.url(tmp_path_factory.mktemp("hostile"), "source")
        with Store.create(url) as store:
            fill_source(store, FixedClock())
        with DaemonProcess(url, max_sessions=MANY + SPARE_SESSIONS) as running:
            with closing(running.connect("alice")) as client:  # what is loaded once is loaded
                client.put("SYNC zones|put|example.org", ["nonsense"])
                client.put_bytes("SYNC files|put|warm", bytes(MAX_BODY_BYTES))
                client.ask("SYNC files|delete|warm")
            yield running


def random_bytes(daemon: DaemonProcess) -> None:
    choose = random.Random(7)
    for _ in range(20):
        with closing(daemon.connect()) as client:
            send_what_is_taken(client, choose.randbytes(64 * 1024))


def flipped_bytes(daemon: DaemonProcess) -> None:
    """Each answer is one whole reply, and never that of a success in writing."""
    said = b"SYNC zones|put|example.net.|serial=1|size=10\n"
    for at in range(len(said) - 1):
        with closing(daemon.connect("alice")) as client:
            flipped = bytearray(said)
            flipped[at] ^= 0xA5
            client.send_bytes(bytes(flipped))
            client.socket.shutdown(socket.SHUT_WR)
            heard = client.line()
            assert heard[0] in "57", heard
            assert client.is_ended() or heard[0] == "5"


def cut_streams(daemon: DaemonProcess) -> None:
    body = b"\n".join(line.encode() for line in [*HEAD, "000", ""])
    for end in range(0, len(body) - 1, 3):
        with closing(daemon.connect("alice")) as client:
            assert client.ask("SYNC zones|put|example.net").startswith("400 ")
            client.send_bytes(body[:end])
            (client.hang_up_rudely if end % 2 else client.close)()


def wrong_counts(daemon: DaemonProcess) -> None:
    with closing(daemon.connect("alice")) as client:
        for size in (
            "-1",
            "1e3",
            "0x10",
            "",
            " 5",
            "9" * 30,
            str(1 << 40),
            str(MAX_BODY_BYTES + 1),
        ):
            assert client.ask(f"SYNC files|put|a|size={size}")[:4] in ("511 ", "512 ")
        assert client.ask("SYNC files|put|a|size=100").startswith("700 ")
        client.send_bytes(b"too few")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.is_ended()
    with closing(daemon.connect("alice")) as client:
        assert client.ask("SYNC zones|put|a.example|size=3").startswith("700 ")
        client.send_bytes(b"a b c d e f\n")  # the rest is read as a command
        assert client.line().startswith("512 ")
        assert client.line().startswith("530 ")


def wrong_digests(daemon: DaemonProcess) -> None:
    with closing(daemon.connect("alice")) as client:
        diff = ["+new 60 A 192.0.2.77"]
        for digest, code in (("0" * 64, "581"), ("x", "512"), ("0" * 65, "512"), ("", "512")):
            reply = client.put(f"SYNC zones|patch|example.com|digest={digest}", diff)
            assert reply.startswith(code), reply
        assert client.ask("SYNC zones|delta|5eed5eed5eed5eee:7").startswith("580 ")
        assert client.ask("SYNC zones|delta|5eed5eed5eed5eed:99").startswith("580 ")


def over_long_lines(daemon: DaemonProcess) -> None:
    with closing(daemon.connect("alice")) as client:
        for size in (MAX_LINE_BYTES, 10 * MAX_LINE_BYTES, 32 << 20):
            client.send_bytes(b"x" * size + b"\n")
            assert client.line().startswith("511 ")
        lines = [*HEAD, "a TXT " + "x" * MAX_LISTING_LINE_BYTES]
        assert client.put("SYNC zones|put|example.net", lines).startswith("511 ")
        assert client.ask("NOOP") == "200 ok"


def what_is_no_text(daemon: DaemonProcess) -> None:
    with closing(daemon.connect("alice")) as client:
        for said, code in (
            (b"NO\0OP\n", "512"), (b"\xff\xfe\n", "512"), (b"ECHO \xed\xa0\x80\n", "512"),
            (b"\n", "530"), (b" \n", "530"), (b"000\n", "530"), (b"nope\n", "530"),
            (b"SYNC zones\n", "512"), (b"SYNC |\n", "530"), (b"SYNC files|put|%00|size=1\n", "512"),
            (b"SYNC zones|list|" + b"|" * 9000 + b"\n", "512"), (b"SYNC x|list\n", "530"),
        ):  # fmt: skip
            client.send_bytes(said)
            heard = client.line()
            assert heard.startswith(code), (said[:40], heard)
        assert client.put("SYNC zones|put|example.net", [*HEAD, "a\0b A 1.2.3.4"])[:3] == "512"
        assert client.put("SYNC zones|put|example.net", [*HEAD, "\xff A 1.2"])[:3] == "512"


def listings_without_an_end(daemon: DaemonProcess) -> None:
    for line in (b"x\n", b"; a comment\n", b"x" * 65536 + b"\n"):
        with closing(daemon.connect("alice")) as client:
            assert client.ask("SYNC zones|put|example.net").startswith("400 ")
            part = line * (65536 // len(line) + 1)
            assert send_what_is_taken(client, part * (5 * MAX_BODY_BYTES // len(part))) < 4
            assert is_told_that_it_is_ended(client)
    with closing(daemon.connect()) as client:  # a line without an end
        send_what_is_taken(client, b"x" * (32 << 20))


def clients_that_never_read(daemon: DaemonProcess) -> None:
    with ExitStack() as stack:
        for _ in range(10):
            client = stack.enter_context(closing(LineClient(daemon.host, daemon.port)))
            client.socket.settimeout(0.5)
            text = b"USER bob\nPASS secret\n" + (b"ECHO " + b"x" * 16000 + b"\n") * 4000
            with pytest.raises(TimeoutError):
                client.socket.sendall(text)


def a_byte_at_a_time(daemon: DaemonProcess) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(daemon.connect())) for _ in range(50)]
        for byte in b"NOOP\n":
            for client in clients:
                client.send_bytes(bytes([byte]))
            time.sleep(0.2)
        assert {client.line() for client in clients} == {"200 ok"}


def half_closed_connections(daemon: DaemonProcess) -> None:
    for said in (b"", b"NOOP\n", b"NOO", b"USER alice\nPASS secret\nSYNC zones|put|a.example\nx\n"):
        for _ in range(20):
            with closing(LineClient(daemon.host, daemon.port)) as client:
                client.send_bytes(said)
                client.socket.shutdown(socket.SHUT_WR)
                with pytest.raises(EOFError):
                    while client.line():
                        pass


def zones_that_cost_much(daemon: DaemonProcess) -> None:
    """Each is refused, with a reply that fits a line and within a second or few."""
    many = 1 << 19
    bombs = [
        ["(" * many], ["(" for _ in range(many)], [";" * many, "("], ['"' * many], ["\\" * many],
        ["a TXT (" + "ab " * (many // 2) + ")"], ["a." * (many // 2) + " A 1.2.3.4"],
        ["a TYPE" + "1" * many], ["a " + "1" * many + " A 1.2.3.4"],
        ["$INCLUDE /etc/passwd"], ["$GENERATE 1-9999999999 a$ A 1.2.3.4"],
        ["$GENERATE 1-50000 a TXT " + "b" * 200 + "$"],
        [f"a{number} SOA a a 1 1 1 1 1" for number in range(20000)],
    ]  # fmt: skip
    with closing(daemon.connect("alice")) as client:
        client.socket.settimeout(120)
        for bomb in bombs:
            reply = client.put("SYNC zones|put|example.net", [*HEAD, *bomb])
            assert reply.startswith("512 "), (bomb[0][:40], reply[:80])
            assert len(reply) < 1200


ATTACKS: list[Callable[[DaemonProcess], None]] = [
    random_bytes, flipped_bytes, cut_streams, wrong_counts, wrong_digests, over_long_lines,
    what_is_no_text, listings_without_an_end, clients_that_never_read, a_byte_at_a_time,
    half_closed_connections, zones_that_cost_much,
]  # fmt: skip


REPEATED = [
    random_bytes, flipped_bytes, cut_streams, wrong_counts, wrong_digests, over_long_lines,
    what_is_no_text, half_closed_connections,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_disturbs_nobody(
    daemon: DaemonProcess, attack: Callable[[DaemonProcess], None]
) -> None:
    forget_the_height(daemon)
    before_kib = memory_kib(daemon.pid, "VmHWM")
    with Bystander(daemon) as bystander:
        attack(daemon)
        time.sleep(0.2)
    assert bystander.rounds > 1
    assert bystander.slowest_s < DISTURBED_S
    more_kib = memory_kib(daemon.pid, "VmHWM") - before_kib
    assert more_kib < MORE_MEMORY_KIB


def test_memory_does_not_grow_with_the_number_of_attacks(daemon: DaemonProcess) -> None:
    """Each was made once above, so that what is loaded, cached and kept for reuse is there."""
    resident_kib = []
    for _ in range(ROUNDS):
        for attack in REPEATED:
            attack(daemon)
        resident_kib.append(memory_kib(daemon.pid, "VmRSS"))
    grown_kib = resident_kib[-1] - resident_kib[0]
    assert grown_kib < ROUNDS * KEPT_KIB, resident_kib


def test_a_thousand_connections_at_once_disturb_nobody(daemon: DaemonProcess) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    before_kib = memory_kib(daemon.pid, "VmRSS")
    try:
        with ExitStack() as stack:
            with Bystander(daemon) as bystander:
                clients = [
                    stack.enter_context(closing(LineClient(daemon.host, daemon.port)))
                    for _ in range(MANY)
                ]
                assert {client.line() for client in clients} == {"200 syncd ready"}
                for client in clients:
                    client.send("ECHO all")
                assert {client.line() for client in clients} == {"200 all"}
                refused = 0
                for _ in range(SPARE_SESSIONS + 1):
                    late = stack.enter_context(closing(LineClient(daemon.host, daemon.port)))
                    refused += late.line().startswith("551 ")
                assert refused
            assert bystander.rounds > 1
            assert bystander.slowest_s < DISTURBED_S
            more_kib = memory_kib(daemon.pid, "VmRSS") - before_kib
            assert more_kib < MANY * SESSION_KIB
        connect_when_there_is_room(daemon)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def send_what_is_taken(client: LineClient, data: bytes) -> float:
    """Send until all is sent or the daemon hangs up; return how much longer than taken it was."""
    sent = 0
    try:
        while sent < len(data):
            sent += client.socket.send(data[sent : sent + 65536])
    except (BrokenPipeError, ConnectionResetError):
        return sent / MAX_BODY_BYTES
    return sent / MAX_BODY_BYTES


def is_told_that_it_is_ended(client: LineClient) -> bool:
    """Say whether the daemon has hung up; its reason is lost where the client still sends."""
    try:
        return client.line().startswith("511 ") and client.is_ended()
    except (EOFError, ConnectionResetError):
        return True


def connect_when_there_is_room(daemon: DaemonProcess) -> None:
    """The daemon takes a moment to see that all have left."""
    end = time.monotonic() + DISTURBED_S
    while True:
        with closing(LineClient(daemon.host, daemon.port)) as client:
            if client.line() == "200 syncd ready":
                return
        assert time.monotonic() < end, "the sessions stay taken"
        time.sleep(0.05)


def forget_the_height(daemon: DaemonProcess) -> None:
    """Have VmHWM begin anew at what is resident now."""
    Path(f"/proc/{daemon.pid}/clear_refs").write_text("5")
