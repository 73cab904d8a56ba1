"""One outcome a question, whatever a server does: on real sockets, against a scripted server."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import dns.flags
import dns.message
import dns.rcode
import outcome
import pytest
import trio
import trio.testing

from bench.measure import free_port
from syncclient.dns import AskLimits, DnsServer, SerialAnswer, ask_serials
from syncd.errors import ConnectionFailed
from tests.syncclient.dns.scripted import (
    Reply,
    Script,
    Scripted,
    renumbered,
    scripted,
    soa,
    truncated,
)

T = TypeVar("T")
Query = dns.message.Message
QUICK = AskLimits(timeout_s=0.1, attempts=3)
LOSSY = AskLimits(timeout_s=0.5, attempts=3)
PATIENT = AskLimits(timeout_s=10)
"""For many questions: the scripted server is slow, and the machine may have other work."""
ZONE = "a.example."


def serials(
    over_udp: Script, *zones: str, over_tcp: Script | None = None, limits: AskLimits = PATIENT
) -> tuple[dict[str, SerialAnswer], Scripted]:
    """Ask a scripted server for the serials of zones (of ZONE)."""

    async def ask(seen: Scripted) -> list[SerialAnswer]:
        return await ask_serials(seen.server, zones or (ZONE,), limits=limits)

    answers, seen = with_server(ask, over_udp, over_tcp)
    return {answer.zone: answer for answer in answers}, seen


def with_server(
    ask: Callable[[Scripted], Awaitable[T]], over_udp: Script, over_tcp: Script | None = None
) -> tuple[T, Scripted]:
    async def main() -> tuple[outcome.Maybe[T], Scripted]:
        async with scripted(over_udp, over_tcp) as seen:
            return await outcome.acapture(ask, seen), seen

    result, seen = trio.run(main)
    return result.unwrap(), seen


def right(query: Query, time: int) -> list[Reply]:
    return [soa(query).to_wire()]


def refusing(rcode: dns.rcode.Rcode) -> Script:
    def script(query: Query, time: int) -> list[Reply]:
        reply = dns.message.make_response(query)
        reply.set_rcode(rcode)
        return [reply.to_wire()]

    return script


def test_an_authoritative_answer_gives_the_serial() -> None:
    assert serials(right)[0] == {ZONE: SerialAnswer(ZONE, 7, None)}


def test_thousands_of_zones_are_each_answered_once() -> None:
    zones = [f"zone{number}.example." for number in range(3000)]
    answers, seen = serials(right, *zones, limits=PATIENT)
    assert sorted(answers) == sorted(zones)
    assert {answer.serial for answer in answers.values()} == {7}
    assert len(seen.questions) >= 3000


@pytest.mark.parametrize("case", [str.upper, str.title, str.lower])
def test_a_name_may_come_back_in_another_case(case: Callable[[str], str]) -> None:
    def script(query: Query, time: int) -> list[Reply]:
        other = dns.message.make_query(case(ZONE), "SOA", id=query.id)
        return [soa(other).to_wire()]

    assert serials(script)[0][ZONE].serial == 7


@pytest.mark.parametrize(
    ("rcode", "why"),
    [
        (dns.rcode.REFUSED, "REFUSED"),
        (dns.rcode.SERVFAIL, "SERVFAIL"),
        (dns.rcode.NOTIMP, "NOTIMP"),
        (dns.rcode.Rcode(11), "RCODE 11"),
    ],
)
def test_an_error_is_told_by_its_name(rcode: dns.rcode.Rcode, why: str) -> None:
    assert serials(refusing(rcode))[0][ZONE] == SerialAnswer(ZONE, None, why)


def test_a_server_that_cannot_read_a_question_need_not_repeat_it() -> None:
    def script(query: Query, time: int) -> list[Reply]:
        return [query.id.to_bytes(2, "big") + b"\x80\x01" + bytes(8)]

    assert serials(script)[0][ZONE].why == "FORMERR"


def test_what_is_not_the_zones_own_answer_is_told() -> None:
    def script(query: Query, time: int) -> list[Reply]:
        reply = soa(query)
        match str(query.question[0].name):
            case "lame.example.":
                reply.flags &= ~dns.flags.AA
            case "gone.example.":
                reply.answer.clear()
                reply.set_rcode(dns.rcode.NXDOMAIN)
            case "empty.example.":
                reply.answer.clear()
            case "other.example.":
                reply.answer[0].name = reply.answer[0].name.parent()
        return [reply.to_wire()]

    zones = ("lame.example.", "gone.example.", "empty.example.", "other.example.")
    answers, _ = serials(script, *zones)
    assert [answers[zone].why for zone in zones] == [
        "not authoritative", "NXDOMAIN", "no SOA in the answer", "no SOA in the answer",
    ]  # fmt: skip


class TestHostile:
    """Before the right answer something else comes; it must change nothing."""

    @pytest.mark.parametrize(
        "forge",
        [
            lambda query: renumbered(soa(query, 666).to_wire()),
            lambda query: soa(dns.message.make_query("b.example.", "SOA", id=query.id)).to_wire(),
            lambda query: soa(dns.message.make_query(ZONE, "NS", id=query.id)).to_wire(),
            lambda query: query.to_wire(),
            lambda query: query.id.to_bytes(2, "big"),
            lambda query: b"",
            lambda query: query.id.to_bytes(2, "big") + b"\xff" * 600,
            lambda query: query.id.to_bytes(2, "big") + b"\x84\x00\0\1\0\1\0\0\0\0\xc0\x0c",
        ],
        ids=[
            "another id", "another name", "another type", "the question", "two bytes", "nothing",
            "garbage", "a name that points at itself",
        ],
    )  # fmt: skip
    def test_a_forgery_is_passed_over(self, forge: Callable[[Query], bytes]) -> None:
        answers, _ = serials(lambda query, time: [forge(query), soa(query).to_wire()])
        assert answers[ZONE] == SerialAnswer(ZONE, 7, None)

    def test_another_sender_is_not_heard(self) -> None:
        async def main() -> SerialAnswer:
            other = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
            await other.bind(("127.0.0.1", 0))
            mine = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
            await mine.bind(("127.0.0.1", 0))
            server = DnsServer("127.0.0.1", mine.getsockname()[1])
            found: list[SerialAnswer] = []

            async def ask() -> None:
                found.extend(await ask_serials(server, [ZONE]))

            with other, mine:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(ask)
                    wire, peer = await mine.recvfrom(4096)
                    query = dns.message.from_wire(wire)
                    await other.sendto(soa(query, 666).to_wire(), peer)
                    await trio.sleep(0.05)
                    await mine.sendto(soa(query).to_wire(), peer)
            return found[0]

        assert trio.run(main).serial == 7

    @pytest.mark.parametrize(
        "records",
        [
            b"\xc0\x1f\0\6\0\1\0\0\0\1\0\0",  # the owner points forward, at itself
            b"\xc0\x0c\0\6\0\1\0\0\0\1\xff\xff",  # more data than there is
            b"\xc0\x0c\0\6\0\1\0\0\0\1\0\2\xc0\x0c",  # an SOA with half a name
            b"\x3fabc",
            b"\x80\0",
            b"",
        ],
    )
    def test_an_answer_that_cannot_be_read_is_an_answer_in_words(self, records: bytes) -> None:
        def script(query: Query, time: int) -> list[Reply]:
            head = query.id.to_bytes(2, "big") + b"\x84\x00\0\1\0\1\0\0\0\0"
            return [head + query.to_wire()[12:] + records]

        answer = serials(script)[0][ZONE]
        assert answer.serial is None
        assert answer.why is not None
        assert answer.why.startswith("the answer cannot be read: ")

    def test_an_answer_is_taken_once_however_often_it_comes(self) -> None:
        def script(query: Query, time: int) -> list[Reply]:
            return [soa(query).to_wire()] * 3

        async def ask(seen: Scripted) -> list[SerialAnswer]:
            zones = [f"z{number}.example." for number in range(300)]
            return await ask_serials(seen.server, zones, limits=PATIENT)

        answers, _ = with_server(ask, script)
        assert len(answers) == 300


class TestLosses:
    def test_a_question_is_asked_again(self) -> None:
        answers, seen = serials(
            lambda query, time: right(query, time) if time == 3 else [], limits=QUICK
        )
        assert answers[ZONE].serial == 7
        assert len(seen.questions) == 3

    def test_a_late_answer_to_the_first_attempt_counts(self) -> None:
        answers, seen = serials(
            lambda query, time: [(0.15, soa(query).to_wire())] if time == 1 else [],
            limits=QUICK,
        )
        assert answers[ZONE].serial == 7
        assert len(seen.questions) == 2

    def test_a_zone_for_which_no_answer_comes_is_told_beside_others(self) -> None:
        zones = [f"z{number}.example." for number in range(50)]
        answers, _ = serials(
            lambda query, time: [] if "z9." in str(query.question[0]) else right(query, time),
            *zones,
            limits=LOSSY,
        )
        lost = answers.pop("z9.example.")
        assert lost.no_answer
        assert "over UDP, and over TCP nobody can be asked" in str(lost.why)
        assert {answer.serial for answer in answers.values()} == {7}

    def test_what_is_lost_again_and_again_is_asked_over_tcp(self) -> None:
        answers, _ = serials(
            lambda query, time: [] if "z9." in str(query.question[0]) else right(query, time),
            *(f"z{number}.example." for number in range(50)),
            over_tcp=right,
            limits=LOSSY,
        )
        assert {answer.serial for answer in answers.values()} == {7}

    def test_a_silent_server_costs_one_questions_time_however_many_there_are(self) -> None:
        with pytest.raises(ConnectionFailed, match=r"is not there: no answer after 3 attempts"):
            serials(lambda query, time: [], *(f"z{n}.example." for n in range(5000)), limits=QUICK)

    def test_a_server_that_falls_silent_is_given_up(self) -> None:
        heard = 0

        def script(query: Query, time: int) -> list[Reply]:
            nonlocal heard
            heard += 1
            return right(query, time) if heard < 500 else []

        with pytest.raises(ConnectionFailed, match="is not there"):
            serials(script, *(f"z{n}.example." for n in range(5000)), limits=QUICK)
        assert heard < 2000

    def test_a_port_where_nobody_listens_is_told_at_once(self) -> None:
        limits = AskLimits(timeout_s=60.0)

        async def main() -> None:
            with trio.fail_after(5):
                await ask_serials(DnsServer("127.0.0.1", free_port()), [ZONE], limits=limits)

        with pytest.raises(ConnectionFailed, match=r"cannot be asked: .*refused"):
            trio.run(main)

    def test_a_host_that_has_no_address_is_told(self) -> None:
        for host in ("no-such-host.invalid", "a..b", "x" * 70):
            with pytest.raises(ConnectionFailed, match="cannot be asked"):
                trio.run(ask_serials, DnsServer(host, 53), [ZONE])


class TestTruncation:
    @staticmethod
    def cut(query: Query, time: int) -> list[Reply]:
        return [truncated(query)]

    def test_what_is_truncated_is_asked_over_tcp(self) -> None:
        zones = [f"z{number}.example." for number in range(2500)]
        answers, seen = serials(self.cut, *zones, over_tcp=right, limits=PATIENT)
        assert len(answers) == 2500
        assert {answer.serial for answer in answers.values()} == {7}
        assert seen.connections <= 3

    def test_a_server_that_closes_after_each_answer_is_asked_on(self) -> None:
        def closing(query: Query, time: int) -> list[Reply]:
            return [soa(query).to_wire(), b""]

        answers, seen = serials(self.cut, *(f"z{n}.example." for n in range(9)), over_tcp=closing)
        assert {answer.serial for answer in answers.values()} == {7}
        assert seen.connections == 9

    def test_without_tcp_it_is_told_once_tried(self) -> None:
        answers, _ = serials(self.cut, "a.example.", "b.example.")
        for answer in answers.values():
            assert answer.why is not None
            assert answer.why.startswith("no answer that is whole over UDP, and over TCP nobody")

    @pytest.mark.parametrize(
        ("script", "why"),
        [
            (lambda query, time: [], "none in 0.3 s"),
            (lambda query, time: [truncated(query)], "none: it is truncated too"),
            (lambda query, time: [b"abc"], "it is shorter than a header"),
            (lambda query, time: [b""], "nobody can be asked: the server closed"),
        ],
    )
    def test_what_goes_wrong_over_tcp_is_told(self, script: Script, why: str) -> None:
        answers, _ = serials(self.cut, over_tcp=script, limits=QUICK)
        assert answers[ZONE].why is not None
        assert why in answers[ZONE].why


class TestRate:
    def test_no_more_questions_go_out_a_second_than_allowed(self) -> None:
        limits = AskLimits(rate=50.0)

        async def main() -> list[float]:
            async with scripted(right) as seen:
                zones = [f"z{number}.example." for number in range(200)]
                await ask_serials(seen.server, zones, limits=limits)
            return seen.times

        times = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.02))
        assert len(times) == 200
        for first, last in zip(times, times[50:], strict=False):
            assert last - first > 0.97
        assert times[-1] - times[0] < 4.2

    def test_repetitions_count_too(self) -> None:
        limits = AskLimits(rate=10.0, timeout_s=0.5, attempts=2)

        def script(query: Query, time: int) -> list[Reply]:
            return right(query, time) if time == 2 else []

        async def main() -> list[float]:
            async with scripted(script) as seen:
                zones = [f"z{number}.example." for number in range(20)]
                await ask_serials(seen.server, zones, limits=limits)
            return seen.times

        times = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.02))
        assert len(times) == 40
        assert times[-1] - times[0] > 3.85
