"""When the daemon looks at the store's clock."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
import trio.testing

from syncd.errors import StoreError
from syncd.server.clockwatch import GLANCE_S, WATCH_S, ClockWatch
from syncd.store import Store
from syncd.types import Role
from tests.databases import on_every_engine

pytestmark = on_every_engine

LOGGED_IN, STRANGER = SimpleNamespace(user="bob"), SimpleNamespace(user=None)


def looks_of(marks: list[int | None], session: SimpleNamespace, for_s: float) -> list[float]:
    """Return when the clock was looked at; `marks` are what the file shows each time, the last of
    them from then on."""
    waiting = list(marks)
    looks: list[float] = []

    def file_marks() -> int | None:
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]

    class Noting(ClockWatch):
        async def look(self) -> None:
            looks.append(trio.current_time())

    async def run() -> None:
        store = SimpleNamespace(file_marks=file_marks)
        daemon = SimpleNamespace(store=store, sessions={1: session})
        with trio.move_on_after(for_s):
            await Noting(cast(Any, daemon)).run()

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
    return looks


def test_a_file_that_was_written_to_is_looked_at_now_and_when_the_commit_is_visible() -> None:
    looks = looks_of([1, 1, 2], LOGGED_IN, WATCH_S)
    assert looks == pytest.approx([2 * GLANCE_S, 3 * GLANCE_S])


def test_a_file_that_stays_as_it_is_is_looked_at_now_and_then() -> None:
    looks = looks_of([1], LOGGED_IN, 2.5 * WATCH_S)
    assert len(looks) == 2


def test_a_database_that_is_no_file_is_looked_at_now_and_then() -> None:
    looks = looks_of([None], LOGGED_IN, 3.5 * WATCH_S)
    assert looks == pytest.approx([WATCH_S, 2 * WATCH_S, 3 * WATCH_S])


def test_nothing_is_looked_at_while_nobody_is_logged_in() -> None:
    assert looks_of([1, 2, 3, 4], STRANGER, 4 * WATCH_S) == []


def test_a_fault_of_ours_is_logged_once_also_while_the_store_cannot_be_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away, fault, other = StoreError("away"), ZeroDivisionError("fault"), KeyError("other")
    failures: list[Exception] = [away, fault, fault, away, fault, other]

    async def in_thread(*_: object) -> None:
        raise failures.pop(0)

    async def run() -> None:
        daemon = SimpleNamespace(
            in_thread=in_thread,
            store=SimpleNamespace(clock=None),
            freezes=SimpleNamespace(held=None),
            announced=None,
        )
        watch = ClockWatch(cast(Any, daemon))
        for _ in range(len(failures)):
            await watch.look()

    trio.run(run)
    traces = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert traces == [fault, other]
    assert len(caplog.records) == 3


def test_a_second_look_ends_no_sooner_than_the_first_has_taken_the_roles_away(
    source_store: Store,
) -> None:
    alice = SimpleNamespace(
        user="alice", role=Role.OPERATOR, logins=1, role_checked=True, holds_freeze=False,
        number=1, peer="here",
    )  # fmt: skip
    alice.log_out = lambda: setattr(alice, "user", None)

    async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
        await trio.sleep(1)
        return function(*arguments)

    async def run() -> None:
        daemon = SimpleNamespace(
            in_thread=in_thread,
            store=source_store,
            sessions={1: alice},
            freezes=SimpleNamespace(held=None),
            announced=None,
            set_back=lambda *_: None,
            announce=lambda *_: None,
        )
        watch = ClockWatch(cast(Any, daemon))
        await watch.look()
        source_store.remove("users", "alice", author="test")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.look)
            await trio.sleep(1.5)
            await watch.look()
            assert alice.user is None

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
