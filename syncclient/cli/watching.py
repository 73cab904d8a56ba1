"""`syncclient resync --watch`: a replica that follows its source until it is interrupted."""

from dataclasses import dataclass, field
from pathlib import Path

import trio

from syncclient.access import Access
from syncclient.cli.replication import bring_files, show_outcome, warn_of_other_source
from syncclient.cli.session import run
from syncclient.client import Client
from syncclient.replica import Path as SyncPath
from syncclient.replica import Replica, synchronising
from syncd.content.tokens import Token
from syncd.errors import (
    Busy,
    ConfigError,
    ConnectionFailed,
    FileFailed,
    InternalError,
    NotLoggedIn,
    RemoteError,
    ShuttingDown,
    StoreError,
    SyncError,
    TooManySessions,
)
from syncd.output import say
from syncd.store import Store

_POLL_S = 30.0
"""How often the source is asked, even if it says nothing: a lost notice costs this much at most."""
_RETRY_S = 5.0
"""How long what this machine refused, or the source failed at, is left alone."""
_SOURCE_AWAY = (
    ConnectionFailed, ShuttingDown, TooManySessions, Busy, InternalError,
    RemoteError, ConfigError,  # as while certificates are renewed, on either side
    NotLoggedIn,  # any more: whether it may log in again is soon known
)  # fmt: skip
"""What a source that was followed says, or what is said of it, while it is of no use."""


def watch_source(
    *,
    access: Access,
    store_url: str,
    zones_dir: Path | None,
    types: str | None,
    allow_large_change: bool,
    verify: bool,
    as_json: bool,
) -> None:
    """Bring a replica to its source after every commit, until interrupted."""
    password = access.password()
    with Store.create(store_url, exist_ok=True) as store:
        warn_of_other_source(store, str(access.address))
        watching = Watching(
            store=store,
            access=access,
            password=password,
            zones_dir=zones_dir,
            types=types,
            allow_large_change=allow_large_change,
            verify=verify,
            as_json=as_json,
        )
        run(watching.stay)


@dataclass(kw_only=True)
class Watching:
    """Follows a source.

    What this machine refuses (no room, a locked store), what the source fails at, and once it was
    followed, that it is not there or cannot be trusted: each is told once, and tried again until it
    works.
    """

    store: Store
    access: Access
    password: str
    zones_dir: Path | None
    types: str | None
    allow_large_change: bool
    verify: bool
    """With the first synchronisation."""
    as_json: bool
    _followed: bool = field(default=False, init=False)
    _told: str = field(default="", init=False)
    """What was told last, and still holds."""

    async def stay(self) -> None:
        """Follow for ever. Raises LargeChangeRefused, ReadOnly, what the source refuses, and
        whatever is wrong with one that was never followed."""
        access = self.access
        while True:
            try:
                async with Client.connect(access.address, self.password, tls=access.tls) as client:
                    await self._keep_up(client)
            except _SOURCE_AWAY as error:
                if not self._followed:
                    raise
                self._tell(error)
            await trio.sleep(_RETRY_S)

    async def _keep_up(self, client: Client) -> None:
        while True:
            try:
                token = await self._bring(client)
                self._followed, self._told, self.verify = True, "", False
                clock = await trio.to_thread.run_sync(self.store.clock)
                watched = self.types or clock.types or "*"
                await client.wait_for_commit(watched, token, _POLL_S)
            except (StoreError, FileFailed, Busy, InternalError) as error:
                if client.turned_away:  # by the source, which may be frozen
                    raise
                self._tell(error)
                await client.noop()  # or the source would take the session for a dead one
                await trio.sleep(_RETRY_S)

    async def _bring(self, client: Client) -> Token:
        async with synchronising(self.store):
            outcome = await Replica(
                self.store,
                client,
                source=str(self.access.address),
                types=self.types,
                allow_large_change=self.allow_large_change,
                verify=self.verify,
            ).synchronise()
            files = await trio.to_thread.run_sync(
                bring_files, self.store, self.zones_dir, self.verify
            )
        moved = files is not None and files.written + files.removed
        if outcome.path is not SyncPath.NOTHING or moved or self._told:
            show_outcome(outcome, files, self.as_json)
        return outcome.token

    def _tell(self, error: SyncError) -> None:
        if str(error) != self._told:
            self._told = str(error)
            say(f"syncclient: {self._told}; trying again every {_RETRY_S:g} s", err=True)
