"""A transfer that is not whole, not signed or not what was asked for changes nothing, and says
why."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.renderer
import dns.rrset
import dns.tsig
import pytest

from bench.measure import free_port
from syncd.errors import ConfigError, ConnectionFailed, InvalidContent, SyncError, TransferFailed
from syncd.ingest import axfr
from syncd.ingest.axfr import Transfer, import_transfers
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import content_of, new_store

ZONE = "example.com."
SOA = ("example.com.", "SOA", "ns1.example.com. hm.example.com. 1 2 3 4 5")
OTHER_SOA = ("example.com.", "SOA", "ns1.example.com. hm.example.com. 2 2 3 4 5")
NS = ("example.com.", "NS", "ns1.example.com.")
A = ("ns1.example.com.", "A", "192.0.2.1")
KEY = dns.tsig.Key("transfer.", b"0123456789abcdef", dns.tsig.HMAC_SHA256)

Record = tuple[str, str, str]
Answer = Callable[[dns.message.Message, socket.socket], None]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made


def message(query: dns.message.Message, *records: Record, rcode: int = 0) -> dns.message.Message:
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.Rcode(rcode))
    for owner, kind, text in records:
        answer.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, text))
    return answer


def framed(wire: bytes) -> bytes:
    return len(wire).to_bytes(2, "big") + wire


@contextmanager
def answering(answer: Answer) -> Iterator[int]:
    """A server that gives one answer."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            length = int.from_bytes(connection.recv(2), "big")
            query = dns.message.from_wire(connection.recv(length), keyring=KEY)
            answer(query, connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join()
        listener.close()


def records(*parts: list[Record], rcode: int = 0) -> Answer:
    """An answer with a message for each list of records."""

    def answer(query: dns.message.Message, connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(framed(message(query, *part, rcode=rcode).to_wire()))

    return answer


def run(
    store: Store, answer: Answer, key: dns.tsig.Key | None = None, timeout_s: float = 10.0
) -> None:
    with answering(answer) as port:
        transfer = Transfer(ZONE, "127.0.0.1", port)
        import_transfers(store, [transfer], key=key, timeout_s=timeout_s, author="test")


def failure(store: Store, kind: type[SyncError], answer: Answer, **options: Any) -> str:
    """What is said of a transfer that has to fail, without its name."""
    with pytest.raises(kind) as caught:
        run(store, answer, **options)
    assert store.clock().seq == 0
    where, _, reason = str(caught.value).partition(": ")
    assert where.startswith("example.com.@127.0.0.1:")
    return reason


@on_every_engine
def test_messages_may_be_cut_anywhere(store: Store) -> None:
    def answer(query: dns.message.Message, connection: socket.socket) -> None:
        octets = b"".join(
            framed(message(query, *part).to_wire()) for part in ([SOA], [NS, A], [SOA])
        )
        for at in range(len(octets)):
            connection.sendall(octets[at : at + 1])

    run(store, answer)
    assert content_of(store.view(), ZONE, "zones").count(b"\n") == 3


@on_every_engine
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (records([A, NS]), "the answer begins with ns1.example.com. 60 IN A 192.0.2.1"),
        (records([("example.net.", *SOA[1:]), NS]), "the answer is the zone example.net."),
        (records([SOA, NS, OTHER_SOA]), "it ends with another SOA than it began with"),
        (records([SOA, NS, SOA, A]), "records follow the SOA that ends the zone"),
        (records([]), "the answer holds no records"),
        (records([], rcode=2), "the server has not loaded it (SERVFAIL)"),
        (records([], rcode=3), "the server does not have it (NXDOMAIN)"),
        (records([], rcode=5), "the server refuses the transfer (REFUSED): allow it there"),
        (records([], rcode=9), "the server is not authoritative for it, or wants a key (NOTAUTH)"),
        (records([SOA, NS], [], rcode=1), "the server answers FORMERR"),
    ],
)
def test_an_answer_that_is_not_the_zone_is_told(store: Store, answer: Answer, reason: str) -> None:
    assert failure(store, TransferFailed, answer).startswith(reason)


@on_every_engine
def test_an_answer_that_ends_early_is_told(store: Store) -> None:
    said = failure(store, ConnectionFailed, records([SOA, NS, A]))
    assert said == "the server ended the connection before the zone was whole"


@on_every_engine
@pytest.mark.parametrize("cut", [1, 2, 3, 40])
def test_a_message_that_is_cut_is_told(store: Store, cut: int) -> None:
    def answer(query: dns.message.Message, connection: socket.socket) -> None:
        connection.sendall(framed(message(query, SOA, NS, A, SOA).to_wire())[:cut])

    assert "before the zone was whole" in failure(store, ConnectionFailed, answer)


@on_every_engine
def test_an_answer_to_another_question_is_told(store: Store) -> None:
    def answer(query: dns.message.Message, connection: socket.socket) -> None:
        wire = bytearray(message(query, SOA, NS, A, SOA).to_wire())
        wire[0] ^= 1
        connection.sendall(framed(bytes(wire)))

    assert failure(store, TransferFailed, answer) == "a message that does not answer the query"


@on_every_engine
def test_octets_that_are_no_message_are_told(store: Store) -> None:
    def answer(query: dns.message.Message, connection: socket.socket) -> None:
        good = message(query, SOA, NS).to_wire()
        bad = struct.pack("!6H", query.id, 0x8000, 0, 1, 0, 0) + b"\xc0\xff"
        connection.sendall(framed(good) + framed(bad))

    said = failure(store, TransferFailed, answer)
    assert said == "record 3: a compressed name that does not lead backwards"


@on_every_engine
def test_a_zone_that_cannot_be_taken_is_told_as_of_a_file(store: Store) -> None:
    with pytest.raises(InvalidContent) as caught:
        run(store, records([SOA, A, SOA]))
    assert caught.value.reason == "example.com. has no NS records of its own"
    assert str(caught.value.path).startswith("example.com.@127.0.0.1:")


def test_a_silent_server_is_left(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(axfr, "SILENCE_S", 0.1)
    done = threading.Event()

    def answer(query: dns.message.Message, connection: socket.socket) -> None:
        connection.sendall(framed(message(query, SOA, NS).to_wire()))
        done.wait(5)

    def ended(query: dns.message.Message, connection: socket.socket) -> None:
        answer(query, connection)

    with pytest.raises(ConnectionFailed, match=r"no whole message of the answer came for"):
        try:
            with answering(ended) as port:
                try:
                    transfer = Transfer(ZONE, "127.0.0.1", port)
                    import_transfers(store, [transfer], author="test")
                finally:
                    done.set()
        finally:
            done.set()


def test_a_server_that_drips_is_left_in_the_end(store: Store) -> None:
    def answer(query: dns.message.Message, connection: socket.socket) -> None:
        octets = framed(message(query, SOA, NS, A, SOA).to_wire())
        try:
            for at in range(len(octets)):
                connection.sendall(octets[at : at + 1])
                threading.Event().wait(0.05)
        except OSError:
            return  # we have left

    said = failure(store, ConnectionFailed, answer, timeout_s=0.3)
    assert said == "not done after 0.3 s; --timeout allows more"


@on_every_engine
def test_nobody_there_is_told(store: Store) -> None:
    transfer = Transfer(ZONE, "127.0.0.1", free_port())
    with pytest.raises(ConnectionFailed, match="Connection refused"):
        import_transfers(store, [transfer], author="test")


def test_a_refusal_whose_signature_cannot_be_read_is_a_refusal(store: Store) -> None:
    def answer(query: dns.message.Message, connection: socket.socket) -> None:
        response = message(query, rcode=9)
        response.tsig = None
        wire = bytearray(response.to_wire())
        wire[10:12] = (1).to_bytes(2, "big")  # one additional record
        wire += b"\x01a\x00" + struct.pack("!HHIH", dns.rdatatype.TSIG, 255, 0, 3) + b"abc"
        connection.sendall(framed(bytes(wire)))

    assert "NOTAUTH" in failure(store, TransferFailed, answer, key=KEY)


def signed(
    *, sign: Callable[[int], bool], parts: int = 3, key: dns.tsig.Key = KEY, spoil: int = -1
) -> Answer:
    """An answer of which the messages that `sign` names are signed; that of `spoil` is changed."""

    def answer(query: dns.message.Message, connection: socket.socket) -> None:
        context = None
        held = b""
        for number in range(parts):
            part = [SOA] if number in (0, parts - 1) else [NS] if number == 1 else [A]
            response = message(query, *part)
            response.tsig = None
            wire = response.to_wire()
            if not sign(number):
                held += wire
                if context is not None:
                    context.update(wire)
            else:
                renderer = dns.renderer.Renderer(response.id, response.flags)
                for rrset in response.answer:
                    renderer.add_rrset(dns.renderer.ANSWER, rrset)
                renderer.write_header()
                context = renderer.add_multi_tsig(
                    context, key.name, key, 300, query.id, 0, b"", query.mac, key.algorithm
                )
                wire = renderer.get_wire()
                held = b""
            if number == spoil:
                wire = wire.replace(b"\xc0\x00\x02\x01", b"\xc0\x00\x02\x02")
            connection.sendall(framed(wire))

    return answer


@on_every_engine
@pytest.mark.parametrize("host", ["ns..example", f"{'x' * 64}.example"])
def test_a_host_that_no_name_can_be_is_named(store: Store, host: str) -> None:
    with pytest.raises(ConnectionFailed, match=f"{host}.*: no name of a host"):
        import_transfers(store, [Transfer(ZONE, host, 53)], author="test")


def test_messages_between_signed_ones_need_no_signature(store: Store) -> None:
    run(store, signed(sign=lambda number: number in (0, 99, 150), parts=151), KEY)
    assert store.clock().seq == 1


@on_every_engine
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (signed(sign=lambda number: False), "the answer is not signed, as the query was"),
        (signed(sign=lambda number: number == 0), "the last message is not signed"),
        (signed(sign=lambda number: number != 1, spoil=2, parts=4), "its signature is not that of"),
        (signed(sign=lambda number: number in (0, 110), parts=111), "over 99 messages are unsig"),
        (
            signed(sign=bool, key=dns.tsig.Key("transfer.", b"another", KEY.algorithm)),
            "the answer is not signed",
        ),
        (
            signed(
                sign=lambda number: True, key=dns.tsig.Key("transfer.", b"another", KEY.algorithm)
            ),
            "its signature is not that of the key transfer.",
        ),
        (
            signed(sign=lambda number: True, key=dns.tsig.Key("other.", KEY.secret, KEY.algorithm)),
            "its signature is not that of the key transfer.",
        ),
    ],
)
def test_what_is_not_signed_by_the_key_is_refused(
    store: Store, answer: Answer, reason: str
) -> None:
    def forgiving(query: dns.message.Message, connection: socket.socket) -> None:
        try:
            answer(query, connection)
        except OSError:
            return  # we left at the first wrong message

    assert failure(store, TransferFailed, forgiving, key=KEY).startswith(reason)


@on_every_engine
def test_with_keep_going_the_good_zones_are_taken(store: Store) -> None:
    good: Record = ("example.net.", *SOA[1:])
    server: Record = ("example.net.", *NS[1:])
    with answering(records([good, server, good])) as port:
        result = import_transfers(
            store,
            [Transfer(ZONE, "127.0.0.1", free_port()), Transfer("example.net.", "127.0.0.1", port)],
            author="test",
            keep_going=True,
        )
    assert (result.objects, result.changed) == (1, 1)
    assert [type(error) for error in result.failed] == [ConnectionFailed]


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("Example.COM@192.0.2.1", "192.0.2.1", 53),
        ("example.com.@192.0.2.1:5300", "192.0.2.1", 5300),
        ("example.com@[2001:db8::1]", "2001:db8::1", 53),
        ("example.com@[2001:db8::1]:5300", "2001:db8::1", 5300),
        ("example.com@ns1.example.net:53", "ns1.example.net", 53),
    ],
)
def test_a_transfer_is_written_as_zone_at_server(text: str, host: str, port: int) -> None:
    transfer = Transfer.parse(text)
    assert transfer == Transfer(ZONE, host, port)
    assert Transfer.parse(str(transfer)) == transfer


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("example.com", "write ZONE@SERVER"),
        ("@192.0.2.1", "write ZONE@SERVER"),
        ("example.com@", "write ZONE@SERVER"),
        ("example.com@2001:db8::1", r"in brackets: ZONE@\[2001:db8::1\]"),
        ("example.com@a:0", "'0' is not a port"),
        ("example.com@a:65536", "'65536' is not a port"),
        ("example.com@a:x", "'x' is not a port"),
        (f"example.com@a:{'1' * 5000}", r"example\.com@a:1{66}: '1{39} is not a port"),
        ("example..com@a", "empty label"),
    ],
)
def test_what_is_no_transfer_is_told(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        Transfer.parse(text)
