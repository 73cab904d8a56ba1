"""An agent between real daemons and a folder of zone files."""

import socket
import stat
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from syncclient.access import PASSWORD_VARIABLE, Access
from syncclient.address import Address
from syncclient.backends import ServerSettings
from syncclient.backends.files import Files, FilesSettings
from syncclient.follow import agent
from syncclient.follow.agent import Agent
from syncclient.follow.config import ReplicaSection
from syncclient.tls import ClientTls
from syncd.content.fleet import ServerRow, ServerState, judge
from syncd.errors import StoreError
from syncd.store import Clock, Store
from syncd.store.engine import WRITE
from syncd.store.schema import chunk, tally
from syncd.types import Role
from tests.databases import on_every_engine
from tests.running import PASSWORD, RunningDaemon, put
from tests.store.objects import new_store
from tests.syncclient.link import add_user, synchronise

NAME = "ns2"
ZONE = """\
{name} 60 IN SOA ns1.{name} hostmaster.{name} {serial} 7200 3600 1209600 60
{name} 60 IN NS ns1.{name}
ns1.{name} 60 IN A 192.0.2.{serial}
"""

pytestmark = [on_every_engine, pytest.mark.usefixtures("password")]


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path, "source") as store:
        add_user(store)
        add_user(store, Role.REPLICA, "agent")
        add_user(store, Role.OPERATOR, "alice")
        put_zone(store, "a.example.", 1)
        yield store


@pytest.fixture
def replica(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path, "replica") as store:
        yield store


def put_zone(store: Store, name: str, serial: int) -> None:
    put(store, "zones", name, ZONE.format(name=name, serial=serial))


def zone_files(tmp_path: Path) -> dict[str, str]:
    """Return the first address in each zone file of the agent's folder."""
    found = (tmp_path / "agent" / "zones").glob("*.zone")
    return {file.name: file.read_text().split()[-1] for file in found}


def script(path: Path, text: str) -> tuple[str, ...]:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return (str(path),)


def without_power(tmp_path: Path) -> tuple[Path, tuple[str, ...]]:
    """Return a command that fails, and the file on account of which it does."""
    broken = tmp_path / "broken"
    broken.touch()
    return broken, script(
        tmp_path / "load", f'if [ -e "{broken}" ]; then echo no power; exit 1; fi'
    )


def make_agent(
    tmp_path: Path,
    store: Store,
    *daemons: RunningDaemon,
    command: tuple[str, ...] = (),
    check: tuple[str, ...] = (),
    **settings: Any,
) -> Agent:
    folder = tmp_path / "agent"
    folder.mkdir(exist_ok=True)
    return Agent(
        store,
        Files(FilesSettings(command, check), ServerSettings(tool_s=10.0), folder),
        name=NAME,
        sources=tuple(
            Access(Address.parse(daemon.address("agent")), ClientTls()) for daemon in daemons
        ),
        settings=ReplicaSection(
            **{"poll_s": 0.2, "longest_wait_s": 0.2, "return_s": 0.3, **settings}
        ),
    )


@asynccontextmanager
async def running(agent: Agent) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(agent.run)
        yield
        nursery.cancel_scope.cancel()


async def come(happened: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until something has happened."""
    with trio.fail_after(timeout_s):
        while not happened():
            await trio.sleep(0.01)


def row(source: Store) -> ServerRow | None:
    fleet = source.fleet()
    rows = [judge(kept, fleet.source, source.now()) for kept in fleet.kept]
    return rows[0] if rows else None


def is_in(source: Store, state: ServerState) -> Callable[[], bool]:
    def happened() -> bool:
        found = row(source)
        return found is not None and found.state is state

    return happened


def test_a_new_agent_bootstraps_and_then_follows_each_commit(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon)):
            await come(lambda: zone_files(tmp_path) == {"a.example.zone": "192.0.2.1"})
            put_zone(source, "a.example.", 2)
            put_zone(source, "b.example.", 1)
            await come(
                lambda: (
                    zone_files(tmp_path)
                    == {"a.example.zone": "192.0.2.2", "b.example.zone": "192.0.2.1"}
                )
            )
            await come(is_in(source, ServerState.IN_SYNC))

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)
    found = row(source)
    assert found is not None
    assert (found.name, found.backend, found.zones) == (NAME, "files", 2)


def test_an_agent_goes_to_the_next_source_and_back_to_the_first_and_tries_none_behind(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    with new_store(tmp_path, "second") as second, new_store(tmp_path, "third") as third:
        for store in (second, third):
            synchronise(source, store)

        async def follow(*daemons: RunningDaemon) -> None:
            preferred = daemons[0]
            async with running(make_agent(tmp_path, replica, *daemons)):
                await come(lambda: row(source) is not None)
                await trio.to_thread.run_sync(preferred.stop)
                await come(lambda: row(second) is not None)
                put_zone(source, "a.example.", 3)
                preferred.restart()
                await come(lambda: zone_files(tmp_path) == {"a.example.zone": "192.0.2.3"})

        with (
            RunningDaemon(source) as first,
            RunningDaemon(second) as other,
            RunningDaemon(third) as last,
        ):
            trio.run(follow, first, other, last)
        assert row(third) is None


def test_a_better_source_that_says_nothing_does_not_keep_an_agent_from_its_own(
    tmp_path: Path, source: Store, replica: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "_ANSWER_S", 0.2)

    async def follow(daemon: RunningDaemon, silent: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, silent, daemon)):
            await come(lambda: zone_files(tmp_path) == {"a.example.zone": "192.0.2.1"})
            with socket.create_server(("127.0.0.1", silent.port)) as listener:
                listener.settimeout(10)
                connections = [(await trio.to_thread.run_sync(listener.accept))[0]]
                put_zone(source, "a.example.", 2)
                await come(lambda: zone_files(tmp_path) == {"a.example.zone": "192.0.2.2"}, 5)
                connections.pop().close()

    with RunningDaemon(source) as silent:
        pass  # nobody listens there yet
    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon, silent)


def test_an_agent_whose_own_store_is_damaged_says_so_and_stays(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    synchronise(source, replica, types="zones")
    with replica.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(chunk.update().values(body=b"rotten"))

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon)):
            await come(is_in(source, ServerState.FAILED))
            found = row(source)
            assert found is not None
            assert "run `syncd fsck`" in found.reason
            await trio.sleep(0.5)

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)
        assert daemon.daemon._last_number == 1  # the source is not to blame


def test_a_source_that_answers_and_is_of_no_use_is_left_alone_for_longer_each_time(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    writing = source.engine.execution_options(**WRITE)
    with writing.begin() as connection:  # so that no copy adds up to what it says
        connection.execute(tally.update().values(count=tally.c.count + 1))

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon, longest_wait_s=60.0)):
            await trio.sleep(3)

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)
        assert 2 <= daemon.daemon._last_number <= 7


def test_a_source_that_is_behind_is_not_followed(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    with new_store(tmp_path, "behind") as behind:
        synchronise(source, behind)
        put_zone(source, "a.example.", 5)
        synchronise(source, replica, types="zones")

        async def follow(daemon: RunningDaemon) -> None:
            async with running(make_agent(tmp_path, replica, daemon)):
                await come(lambda: zone_files(tmp_path) == {"a.example.zone": "192.0.2.5"})
                await trio.sleep(0.5)
                assert zone_files(tmp_path) == {"a.example.zone": "192.0.2.5"}
            assert row(behind) is None

        with RunningDaemon(behind) as daemon:
            trio.run(follow, daemon)


def test_what_the_store_holds_is_served_even_if_no_source_is_there(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    synchronise(source, replica, types="zones")
    with RunningDaemon(source) as daemon:
        pass  # its port is nobody's now

    async def follow() -> None:
        async with running(make_agent(tmp_path, replica, daemon)):
            await come(lambda: zone_files(tmp_path) == {"a.example.zone": "192.0.2.1"})

    trio.run(follow)


def test_what_waits_is_served_although_what_comes_next_is_refused(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    for number in range(12):
        put_zone(source, f"z{number}.example.", 1)
    broken, command = without_power(tmp_path)

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon, command=command)):
            await come(is_in(source, ServerState.FAILED))
            with source.batch() as batch:
                for version in list(source.view().versions(["zones"]))[1:]:
                    batch.delete(version)
                batch.publish("test")
            await trio.sleep(0.5)  # some polls
            assert "no power" in said(source)
            broken.unlink()
            await come(lambda: "allow_large_change in [replica]" in said(source))
            assert len(zone_files(tmp_path)) == 13

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)


def said(source: Store) -> str:
    """The reason that the agent has reported last."""
    found = row(source)
    return "" if found is None else found.reason


def test_a_name_server_that_fails_is_reported_and_tried_again(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    broken, command = without_power(tmp_path)

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon, command=command)):
            await come(is_in(source, ServerState.FAILED))
            found = row(source)
            assert found is not None
            assert "no power" in found.reason
            assert zone_files(tmp_path) == {}
            broken.unlink()
            await come(is_in(source, ServerState.IN_SYNC))
            assert zone_files(tmp_path) == {"a.example.zone": "192.0.2.1"}

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)


def test_a_zone_that_was_refused_is_tried_again_at_times(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    broken, check = without_power(tmp_path)

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon, check=check, audit_s=0.3)):
            await come(lambda: bool((found := row(source)) and found.refused))
            assert zone_files(tmp_path) == {}
            broken.unlink()
            await come(lambda: zone_files(tmp_path) == {"a.example.zone": "192.0.2.1"})

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)


def test_a_suspiciously_large_change_waits_for_a_person(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    for number in range(20):
        put_zone(source, f"z{number}.example.", 1)

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon)):
            await come(is_in(source, ServerState.IN_SYNC))
            await trio.to_thread.run_sync(daemon.stop)
            for number in range(20):
                source.remove("zones", f"z{number}.example.", author="test")
            daemon.restart()
            await come(is_in(source, ServerState.FAILED))
            found = row(source)
            assert found is not None
            assert "30%" in found.reason
            assert len(zone_files(tmp_path)) == 21
        async with running(make_agent(tmp_path, replica, daemon, allow_large_change=True)):
            await come(lambda: len(zone_files(tmp_path)) == 1)

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)


def test_an_agent_that_is_told_to_stop_finishes_its_step(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    command = script(tmp_path / "load", f'touch "{begun}"; sleep 0.5; touch "{ended}"')

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon, command=command)):
            await come(begun.exists)
        assert ended.exists()
        assert (tmp_path / "agent" / "active.json").exists()

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)


def test_an_agent_that_takes_long_goes_on_reporting(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    freed = tmp_path / "freed"
    command = script(tmp_path / "load", f'until [ -e "{freed}" ]; do sleep 0.05; done')

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon, command=command)):
            await come(lambda: row(source) is not None)
            freed.touch()
            await come(is_in(source, ServerState.IN_SYNC))

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)


def test_what_is_older_than_it_is_kept_is_collected(
    tmp_path: Path, source: Store, replica: Store
) -> None:
    replica.now = lambda: time.time() - 3600
    synchronise(source, replica, types="zones")
    put_zone(source, "a.example.", 2)
    synchronise(source, replica, types="zones")
    assert replica.clock().floor < replica.clock().seq
    replica.now = time.time

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon, keep_days=0.0)):
            await come(lambda: replica.clock().floor == replica.clock().seq)

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)


def test_an_agent_whose_database_is_away_for_a_while_goes_on_when_it_is_back(
    tmp_path: Path, source: Store, replica: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[None] = []

    def away() -> Clock:
        asked.append(None)
        raise StoreError("store replica: connection refused")

    async def follow(daemon: RunningDaemon) -> None:
        async with running(make_agent(tmp_path, replica, daemon)):
            await come(is_in(source, ServerState.IN_SYNC))
            with monkeypatch.context() as patched:
                patched.setattr(replica, "clock", away)
                put_zone(source, "a.example.", 2)
                await come(lambda: len(asked) > 5)
            await come(lambda: zone_files(tmp_path) == {"a.example.zone": "192.0.2.2"})
            await come(is_in(source, ServerState.IN_SYNC))

    with RunningDaemon(source) as daemon:
        trio.run(follow, daemon)
