"""A server that is there but does not answer, or hardly: it is given up on, not waited for for
ever."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from syncclient.client import Client
from syncclient.connection import GREETING_S, LEAST_BYTES_A_S, SILENCE_S, Connection
from syncd.errors import ConnectionFailed

GREETING = b"200 syncd ready\n"


def in_simulated_time(test: Callable[[], Awaitable[None]]) -> None:
    trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))


async def greeted() -> tuple[Connection, trio.abc.Stream]:
    near, far = trio.testing.memory_stream_pair()
    connection = Connection(near, "ns1:5040")
    await far.send_all(GREETING)
    await connection.reply()
    connection.send("NOOP")
    return connection, far


def test_a_server_that_says_nothing_more_is_given_up_on() -> None:
    async def test() -> None:
        connection, _ = await greeted()
        with pytest.raises(ConnectionFailed, match="ns1:5040 does not answer"):
            await connection.reply()
        assert trio.current_time() == pytest.approx(SILENCE_S)

    in_simulated_time(test)


def test_a_server_that_does_not_even_greet_is_given_up_on_sooner() -> None:
    async def test() -> None:
        near, _ = trio.testing.memory_stream_pair()
        with pytest.raises(ConnectionFailed, match="or hardly anything, has come for 60 s"):
            await Connection(near, "ns1:5040").reply()
        assert trio.current_time() == pytest.approx(GREETING_S)

    in_simulated_time(test)


def test_a_server_that_goes_on_byte_by_byte_is_given_up_on() -> None:
    async def test() -> None:
        connection, far = await greeted()
        async with trio.open_nursery() as nursery:

            async def trickle() -> None:
                await far.send_all(b"200 ")
                while True:
                    await trio.sleep(1)
                    await far.send_all(b"x")

            nursery.start_soon(trickle)
            with pytest.raises(ConnectionFailed, match="hardly anything"):
                await connection.reply()
            nursery.cancel_scope.cancel()
        assert trio.current_time() == pytest.approx(SILENCE_S, rel=0.01)

    in_simulated_time(test)


@pytest.mark.parametrize(
    ("beginning", "part"), [(b"100 more\n", b"line\n"), (b"", b"600 0\n"), (b"", b"600 1\nx")]
)
def test_a_server_whose_answer_goes_on_bit_by_bit_without_an_end_is_given_up_on(
    beginning: bytes, part: bytes
) -> None:
    every_s = SILENCE_S / 3

    async def test() -> None:
        connection, far = await greeted()
        async with trio.open_nursery() as nursery:

            async def go_on() -> None:
                await far.send_all(beginning)
                while True:
                    await trio.sleep(every_s)
                    await far.send_all(part)

            nursery.start_soon(go_on)
            with pytest.raises(ConnectionFailed, match="hardly anything"):
                if beginning:
                    await connection.reply()
                    _ = [line async for line in connection.lines()]
                else:
                    _ = [block async for block in connection.answer()]
            nursery.cancel_scope.cancel()
        assert trio.current_time() == pytest.approx(SILENCE_S, rel=0.01)

    in_simulated_time(test)


def test_each_answer_has_its_time_and_so_has_what_comes_after_a_fast_one() -> None:
    async def test() -> None:
        connection, far = await greeted()
        async with trio.open_nursery() as nursery:

            async def answer() -> None:
                for _ in range(5):
                    await trio.sleep(SILENCE_S * 0.9)
                    await far.send_all(b"200 ok\n")
                await far.send_all(b"600 500000\n" + bytes(500_000))  # pays for itself only

            nursery.start_soon(answer)
            for _ in range(5):
                assert (await connection.reply()).code == 200
                connection.send("NOOP")
            await connection.reply()
            assert len(await connection.block()) == 500_000
            began = trio.current_time()
            with pytest.raises(ConnectionFailed, match="does not answer"):
                await connection.reply()
            assert trio.current_time() - began == pytest.approx(SILENCE_S)

    in_simulated_time(test)


def test_a_slow_line_is_waited_for_as_long_as_it_moves() -> None:
    size = 500_000
    seconds = size // (LEAST_BYTES_A_S + 100)

    async def test() -> None:
        connection, far = await greeted()
        async with trio.open_nursery() as nursery:

            async def send_slowly() -> None:
                await far.send_all(b"600 %d\n" % size)
                for _ in range(seconds + 1):
                    await trio.sleep(1)
                    await far.send_all(bytes(size // seconds))

            nursery.start_soon(send_slowly)
            await connection.reply()
            assert len(await connection.block()) == size
            nursery.cancel_scope.cancel()
        assert trio.current_time() > SILENCE_S

    in_simulated_time(test)


def test_a_server_that_takes_nothing_is_given_up_on() -> None:
    async def test() -> None:
        near, _ = trio.testing.lockstep_stream_pair()
        connection = Connection(near, "ns1:5040")
        connection.send("NOOP")
        with pytest.raises(ConnectionFailed, match="ns1:5040 does not take what it is sent"):
            await connection.flush()

    in_simulated_time(test)


def test_a_freeze_may_be_waited_for_as_long_as_was_asked() -> None:
    async def test() -> None:
        near, far = trio.testing.memory_stream_pair()
        client = Client(Connection(near, "ns1:5040"), None, "")
        await far.send_all(GREETING)
        async with trio.open_nursery() as nursery:

            async def grant() -> None:
                await trio.sleep(3 * SILENCE_S)
                await far.send_all(b"200 0123456789abcdef:7|60|0\n")

            nursery.start_soon(grant)
            assert (await client.freeze(wait_s=int(3 * SILENCE_S))).token.seq == 7
        with pytest.raises(ConnectionFailed, match="does not answer"):
            await client.noop()
        assert trio.current_time() == pytest.approx(4 * SILENCE_S)

    in_simulated_time(test)


def test_a_notice_is_waited_for_for_days() -> None:
    async def test() -> None:
        near, far = trio.testing.memory_stream_pair()
        connection = Connection(near, "ns1:5040")
        await far.send_all(GREETING)
        await connection.reply()
        async with trio.open_nursery() as nursery:

            async def tell() -> None:
                await trio.sleep(3 * 24 * 3600)
                await far.send_all(b"902 commit|0123456789abcdef:7\n")

            nursery.start_soon(tell)
            assert (await connection.notice()).text == "commit|0123456789abcdef:7"

    in_simulated_time(test)
