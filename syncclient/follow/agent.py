"""The agent: follows one of its sources, has the name server answer what the store holds, and tells
the source how it is here.

    dial the first source that answers and is not behind us
        synchronise the store    (Replica: bootstrap, delta or repair)
        apply it to the server   (Applier; not interrupted, whatever comes)
        report                   (SYNC servers|report)
        wait for a commit, `poll_s` at most, and again

What fails is told, to the log and to the source, and tried again: a source that is gone is replaced
by the next one, a name server that is down is waited for.
"""

import math
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import trio

from syncclient.access import Access
from syncclient.backends import Backend
from syncclient.client import Client
from syncclient.follow.applying import Applier
from syncclient.follow.backoff import BackOff
from syncclient.follow.config import ReplicaSection
from syncclient.follow.standing import Standing
from syncclient.replica import Path, Replica, synchronising
from syncclient.together import together
from syncd.content.tokens import Token
from syncd.errors import (
    Busy,
    ConfigError,
    ConnectionFailed,
    FileFailed,
    LargeChangeRefused,
    Refused,
    RemoteError,
    ServerFailed,
    StoreError,
    SyncError,
)
from syncd.logs import EventLog
from syncd.store import Store

log = EventLog("syncclient.follow")

_HERE = (StoreError, FileFailed, Busy, ServerFailed, LargeChangeRefused)
"""What fails because of this machine, or waits for a person: another source would not help."""
_SOURCE = (ConnectionFailed, Refused, RemoteError, ConfigError)
"""What fails because of a source, or how it is reached: the next one may do."""
_ANSWER_S = 5.0
"""How long a better source may take to answer, before the present one is listened to again."""
_COLLECT_S = 3600.0
"""How often what is older than `keep_days` is removed from the store."""
_DAY_S = 24 * 3600


class SourceBehind(ConnectionFailed):
    """A source that has not come as far as this replica: following it would go back."""


class Agent:
    """Follows until it is cancelled; a step of the name server is finished first."""

    def __init__(
        self,
        store: Store,
        backend: Backend,
        *,
        name: str,
        sources: tuple[Access, ...],
        settings: ReplicaSection,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._backend = backend
        self._sources = sources
        self._settings = settings
        self._ready = ready
        self._applier = Applier(store, backend)
        self._standing = Standing(name, backend.name, settings.poll_s)
        self._source_waits = BackOff(settings.longest_wait_s)
        self._server_waits = BackOff(settings.longest_wait_s)
        self._next_audit = 0.0
        self._next_collection = 0.0

    async def run(self) -> None:
        """Follow. Raises FileFailed if this machine has not even room to begin."""
        await self._applier.recover()
        while True:
            await self._apply_what_is_here()
            for access in self._sources:
                try:
                    await self._follow(access)
                except _SOURCE as error:
                    log.warning("source_failed", source=access.address, reason=error)
                except (StoreError, FileFailed) as error:  # until the database, or a descriptor
                    self._tell(error)  # to dial with, is there again
                else:
                    break
            await trio.sleep(self._source_waits.wait_s())

    async def _follow(self, access: Access) -> None:
        """Follow one source, until it fails or one before it is there again."""
        preferred = self._sources[: self._sources.index(access)]
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(
                Client.connect(access.address, access.password(), tls=access.tls)
            )
            await self._check_not_behind(client)
            log.info("following", source=access.address)
            return_at = trio.current_time() + self._settings.return_s
            while True:
                token = await self._keep_up(client, str(access.address))
                self._source_waits.reset()  # not before: it may answer, and have nothing of use
                if preferred and trio.current_time() >= return_at:
                    if await self._any_answers(preferred):
                        return
                    return_at = trio.current_time() + self._settings.return_s
                await client.wait_for_commit(self._types(), token, self._next_look_s())

    def _types(self) -> str:
        return self._settings.types

    async def _check_not_behind(self, client: Client) -> None:
        """Raise SourceBehind if the source would lead us back within the same history."""
        there = await client.begin_watch(self._types())
        clock = await trio.to_thread.run_sync(self._store.clock)
        here = clock.token
        if clock.source is not None and there.epoch == here.epoch and there.seq < here.seq:
            raise SourceBehind(
                f"it stands at {there}, this replica at {here} already; if a backup was put in its "
                "place, run `syncd restored` there"
            )

    async def _any_answers(self, sources: tuple[Access, ...]) -> bool:
        """Say whether one of these could be followed: one that does not say so soon cannot, as the
        present one is not listened to meanwhile."""
        for access in sources:
            try:
                with trio.fail_after(_ANSWER_S):
                    async with Client.connect(
                        access.address, access.password(), tls=access.tls
                    ) as client:
                        await self._check_not_behind(client)
            except trio.TooSlowError:
                log.debug("source_still_fails", source=access.address, reason="no answer")
            except (*_SOURCE, FileFailed) as error:
                log.debug("source_still_fails", source=access.address, reason=error)
            else:
                return True
        return False

    async def _apply_what_is_here(self) -> None:
        """Have the server answer what the store holds already, whether or not a source is there."""

        async def apply() -> None:
            clock = await trio.to_thread.run_sync(self._store.clock)
            if clock.source is not None:
                await self._apply_view()

        await self._succeeds(apply)

    async def _keep_up(self, client: Client, source: str) -> Token:
        """Synchronise, apply and report; return the token at which the store stands then."""

        async def apply() -> None:
            await self._succeeds(self._apply_view)
            applying.cancel()

        if await self._succeeds(partial(self._synchronise, client, source)):
            with trio.CancelScope() as applying:
                await together(apply, partial(self._report_meanwhile, client))
        elif (error := self._standing.error) is not None:
            await self._apply_what_waits(error)
        await self._report(client)
        clock = await trio.to_thread.run_sync(self._store.clock)
        return clock.token

    async def _apply_what_waits(self, error: SyncError) -> None:
        """Have the server answer what the store holds, although it got nothing new because of
        `error`, which is what there is to be told afterwards as well."""

        async def apply() -> None:
            if await self._applier.is_due():
                await self._apply_view()
                self._standing.failed(error)

        await self._succeeds(apply)

    async def _report_meanwhile(self, client: Client) -> None:
        """Say that we are alive while the server is given what is new, however long that takes."""
        while True:
            await trio.sleep(self._settings.poll_s)
            try:
                with trio.CancelScope(shield=True):  # half a reply would be taken for another's
                    await self._report(client)
            except (ConnectionFailed, RemoteError) as error:
                log.warning("report_failed", reason=error)
                return  # whoever uses the connection next finds out

    async def _report(self, client: Client) -> None:
        try:
            await client.report(self._standing.report())
        except Refused as error:
            log.warning("report_refused", reason=error)

    async def _succeeds(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do what may fail because of this machine; that is told, and tried again later."""
        try:
            await work()
        except _HERE as error:
            self._tell(error)
            return False
        return True

    def _tell(self, error: SyncError) -> None:
        """Log a failure and have the source told of it; one that goes on is logged once."""
        if self._standing.failed(error):
            log.error("failed", reason=error)

    async def _synchronise(self, client: Client, source: str) -> None:
        async with synchronising(self._store):
            outcome = await Replica(
                self._store,
                client,
                source=source,
                types=self._settings.types,
                allow_large_change=self._settings.allow_large_change,
                new_folder=self._backend.new_folder(),
            ).synchronise()
        if outcome.path is not Path.NOTHING:
            log.info(
                "synchronised", path=outcome.path.value, token=outcome.token,
                changed=outcome.changed, gone=outcome.gone, bytes_down=outcome.bytes_down,
                ms=round(outcome.seconds * 1000),
            )  # fmt: skip

    async def _apply_view(self) -> None:
        """Have the server answer what the store holds. It is not left half done."""
        with trio.CancelScope(shield=True):
            if self._standing.version is None or self._standing.has_failed:
                self._standing.version = await self._backend.describe()
            if trio.current_time() >= self._next_audit:
                await self._applier.audit()
                self._next_audit = trio.current_time() + (self._settings.audit_s or math.inf)
            applied = await self._applier.apply()
            if self._standing.has_failed:
                log.info("works_again")
            self._standing.applied(applied)
            self._server_waits.reset()
            if applied.changed or applied.gone or applied.failed:
                log.info(
                    "applied", token=applied.active.token, changed=applied.changed,
                    gone=applied.gone,
                    refused=len(applied.active.refused), ms=round(applied.took_s * 1000),
                )  # fmt: skip
            self._ready()
        await self._collect()

    def _next_look_s(self) -> float:
        """Return after how long the source is asked and told, if it says nothing."""
        if self._standing.has_failed:
            return min(self._server_waits.wait_s(), self._settings.poll_s)
        return self._settings.poll_s

    async def _collect(self) -> None:
        if trio.current_time() < self._next_collection:
            return
        self._next_collection = trio.current_time() + _COLLECT_S
        since = int(self._store.now() - self._settings.keep_days * _DAY_S)
        try:
            await trio.to_thread.run_sync(lambda: self._store.collect(keep_since=since))
        except SyncError as error:
            log.warning("not_collected", reason=error)
