"""`syncclient follow`: the agent in a process of its own, until a signal ends it.

SIGTERM and SIGINT let the step in hand be finished; the exit status is then 0. SIGHUP has the
configuration read again, and what was refused tried again; a configuration that cannot be used is
told and the one before stays in force. systemd is told when the name server answers for the first
time, that the agent is alive, and that it stops.
"""

import fcntl
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from syncclient.cli.session import run
from syncclient.follow.agent import Agent
from syncclient.follow.config import AgentConfig
from syncd import __version__
from syncd.errors import Busy, ConfigError, SyncError, file_failure
from syncd.logs import EventLog, set_up_logging
from syncd.store import Store
from syncd.systemd import keep_watchdog, notify

log = EventLog("syncclient.follow")


def follow_source(file: Path) -> None:
    """Follow as a file says, until SIGTERM or SIGINT.

    Raises ConfigError, Busy if another agent has the folder, StoreError, FileFailed.
    """
    config = AgentConfig.load(file)
    set_up_logging(config.log.level, config.log.format)
    with _own_folder(config.folder):
        run(lambda: _follow(file, config))
    log.info("stopped")


@contextmanager
def _own_folder(folder: Path) -> Iterator[None]:
    """Hold a folder for this agent alone; the lock dies with the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(
                    f"another agent uses {folder}; stop it, or give each agent a folder of its own"
                ) from None
            yield
    except OSError as error:
        raise file_failure(error) from None


async def _follow(file: Path, config: AgentConfig) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        # What comes again when all is done is raised as the receiver ends, and finds this.
        signal.signal(number, signal.SIG_IGN)
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_watchdog)
            following: AgentConfig | None = config
            while following is not None:
                following = await _follow_until_signal(file, following, signals)
            nursery.cancel_scope.cancel()


async def _follow_until_signal(
    file: Path, config: AgentConfig, signals: AsyncIterator[int]
) -> AgentConfig | None:
    """Run an agent until a signal; return the configuration to go on with, None to end."""
    following: AgentConfig | None = None
    with Store.create(config.store_url, exist_ok=True) as store:
        agent = Agent(
            store,
            config.backend(),
            name=config.agent.shown_name,
            sources=config.sources,
            settings=config.replica,
            ready=_tell_ready,
        )
        log.info(
            "started", version=__version__, name=config.agent.shown_name, folder=config.folder,
            backend=config.backend_kind.name, token=store.clock().token,
        )  # fmt: skip
        async with trio.open_nursery() as nursery:
            nursery.start_soon(agent.run)
            following = await _heed_signals(file, config, signals)
            nursery.cancel_scope.cancel()
    return following


async def _heed_signals(
    file: Path, config: AgentConfig, signals: AsyncIterator[int]
) -> AgentConfig | None:
    """Wait for a signal after which the agent cannot go on as it is."""
    async for number in signals:
        log.info("signal", name=signal.Signals(number).name)
        if number != signal.SIGHUP:
            notify("STOPPING=1")
            return None
        notify("RELOADING=1")
        try:
            following = AgentConfig.load(file)
            if following.folder != config.folder:
                raise ConfigError(f"{file}: [agent] folder: cannot change while the agent runs")
            if following.store_url != config.store_url:
                Store.create(following.store_url, exist_ok=True).close()
        except SyncError as error:
            log.error("config_refused", reason=error)
            notify("READY=1")
            continue
        set_up_logging(following.log.level, following.log.format)
        return following
    raise AssertionError("unreachable: signals do not end")


def _tell_ready() -> None:
    notify("READY=1")
