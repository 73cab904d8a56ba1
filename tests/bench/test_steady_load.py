"""Every question of the load is counted once: answered right, answered wrong, or not at all."""

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from bench.steady_load import ANSWER_S, Outcome, drops, questions, run
from syncclient.dns import Rrset

_RATE = 500
_ASKING_S = 0.5
_HOSTS = [f"host{number}.example.test." for number in range(300)]
_ASKED = ["example.test.", "host99.example.test.", "host199.example.test.", "host299.example.test."]
Script = Callable[[dns.message.Message], dns.message.Message | None]


@pytest.fixture
def asked(tmp_path: Path) -> list[Rrset]:
    lines = ["example.test. 60 IN SOA ns. hm. 1 2 3 4 5"]
    lines += [f"example.test. 60 IN NS {name}" for name in ("ns1.test.", "ns2.test.")]
    lines += [f"{host} 60 IN A 192.0.2.{n % 250}" for n, host in enumerate(_HOSTS)]
    (tmp_path / "example.test.zone").write_text("\n".join(lines) + "\n")
    return questions(tmp_path)


def right(query: dns.message.Message) -> dns.message.Message:
    (question,) = query.question
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    owner = question.name.to_text()
    if owner in _HOSTS:
        address = f"192.0.2.{_HOSTS.index(owner) % 250}"
        reply.answer.append(dns.rrset.from_text(owner, 60, "IN", "A", address))
    else:
        reply.answer.append(dns.rrset.from_text(owner, 60, "IN", "NS", "ns1.test.", "ns2.test."))
    return reply


@contextmanager
def answering(script: Script) -> Iterator[int]:
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))

        def answer() -> None:
            while True:
                message, peer = udp.recvfrom(4096)
                if not message:
                    return
                reply = script(dns.message.from_wire(message))
                if reply is not None:
                    udp.sendto(reply.to_wire(), peer)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield udp.getsockname()[1]
        finally:
            udp.sendto(b"", udp.getsockname())
            thread.join()


def loaded(asked: list[Rrset], port: int) -> Outcome:
    read_end, write_end = os.pipe()
    timer = threading.Timer(_ASKING_S, os.close, [write_end])
    timer.start()
    try:
        return run(asked, port, _RATE, read_end)
    finally:
        timer.join()
        os.close(read_end)


def test_of_each_zone_its_servers_and_a_name_in_a_hundred_are_asked_for(asked: list[Rrset]) -> None:
    assert sorted(rrset.owner for rrset in asked) == sorted(_ASKED)


def test_right_answers_are_none_lost(asked: list[Rrset]) -> None:
    with answering(right) as port:
        outcome = loaded(asked, port)
    assert outcome.right == outcome.asked
    assert outcome.lost == outcome.own_drops == 0
    assert _RATE * outcome.seconds / 2 < outcome.asked <= _RATE * outcome.seconds + 1


def test_wrong_answers_are_lost_and_told_by_what_was_said(asked: list[Rrset]) -> None:
    def script(query: dns.message.Message) -> dns.message.Message:
        reply = right(query)
        match query.question[0].name.to_text().split(".")[0]:
            case "host99":
                reply.set_rcode(dns.rcode.SERVFAIL)
            case "host199":
                reply.answer = []
        return reply

    with answering(script) as port:
        outcome = loaded(asked, port)
    assert set(outcome.wrong) == {"SERVFAIL", "missing 192.0.2.199"}
    assert outcome.lost == sum(outcome.wrong.values()) == outcome.asked - outcome.right
    assert outcome.lost == pytest.approx(outcome.asked / 2, abs=2)


def test_what_could_not_be_sent_in_time_is_not_sent_all_at_once(
    asked: list[Rrset], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses, wait = [0.3], select.select

    def paused(*arguments: Any) -> Any:
        time.sleep(pauses.pop() if pauses else 0)
        return wait(*arguments)

    monkeypatch.setattr(select, "select", paused)
    monkeypatch.setattr("bench.steady_load._BURST", 4)
    with answering(right) as port:
        outcome = loaded(asked, port)
    assert outcome.longest_turn_s >= 0.3
    assert 0 < outcome.asked <= _RATE * (outcome.seconds - 0.3) + 8


def test_silence_is_lost_but_an_answer_in_time_is_not(asked: list[Rrset]) -> None:
    def script(query: dns.message.Message) -> dns.message.Message | None:
        return None if query.question[0].name.to_text().startswith("host99") else right(query)

    with answering(script) as port:
        outcome = loaded(asked, port)
    assert outcome.wrong == {}
    assert outcome.unanswered == outcome.lost == outcome.asked - outcome.right
    assert outcome.lost == pytest.approx(outcome.asked / 4, abs=2)
    assert outcome.slowest_s < ANSWER_S


def test_a_closed_port_loses_everything(asked: list[Rrset]) -> None:
    with answering(right) as port:
        pass
    outcome = loaded(asked, port)
    assert outcome.right == 0
    assert outcome.unanswered == outcome.asked > 0
    assert outcome.refused > 0


def test_the_kernel_tells_what_did_not_fit_into_a_buffer() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as full,
        socket.socket(type=socket.SOCK_DGRAM) as sender,
    ):
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        full.bind(("127.0.0.1", 0))
        port = full.getsockname()[1]
        inode = os.fstat(full.fileno()).st_ino
        assert drops(port=port) == drops(inodes={inode}) == 0
        for _ in range(100):
            sender.sendto(bytes(500), ("127.0.0.1", port))
        assert drops(port=port) == drops(inodes={inode}) > 50
