"""bootstrap, resync, freeze: what keeps a replica in step, as commands."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import trio

from syncclient.access import Access
from syncclient.cli.session import with_client
from syncclient.client import Client
from syncclient.newfolder import NewFolder
from syncclient.replica import Outcome, Replica
from syncclient.zonesdir import ZonesDir
from syncd.content.versions import fingerprint_text
from syncd.errors import (
    MovedOn,
    SyncError,
)
from syncd.output import ProgressBar, bytes_text, counted, print_record, say, warn
from syncd.store import Store

_RELEASE_S = 5.0


def replicate(
    *,
    access: Access,
    store_url: str,
    zones_dir: Path | None,
    types: str | None,
    allow_large_change: bool,
    verify: bool,
    as_json: bool,
    freeze: tuple[int, int] | None,
    label: str,
) -> None:
    """Bring a replica to its source once, and say how it went."""
    bar = ProgressBar(label)
    made: list[NewFolder] = []
    with Store.create(store_url, exist_ok=True) as store, store.synchronising():
        warn_of_other_source(store, str(access.address))

        async def work(client: Client) -> Outcome:
            async with _frozen(client, freeze):
                return await Replica(
                    store,
                    client,
                    source=str(access.address),
                    types=types,
                    allow_large_change=allow_large_change,
                    verify=verify,
                    new_folder=_new_folder(zones_dir, made),
                    progress=bar,
                ).synchronise()

        try:
            outcome = with_client(access, work)
        finally:
            bar.close()
        files = bring_files(store, zones_dir, verify)
    if files is not None:
        files.written += sum(folder.written for folder in made)
    show_outcome(outcome, files, as_json)


def warn_of_other_source(store: Store, source: str) -> None:
    """Say so if the store copied another source until now: it will be made a copy of this one."""
    known = store.clock().source
    if known is not None and known != source:
        warn("syncclient", f"until now this store copied {known}, from now on {source}")


@asynccontextmanager
async def _frozen(client: Client, freeze: tuple[int, int] | None) -> AsyncIterator[None]:
    if freeze is None:
        yield
        return
    await client.freeze(*freeze)
    try:
        yield
    finally:
        await _release(client)


async def _release(client: Client) -> bool:
    """End the freeze, interrupted or not; say so, and False, if it had ended already."""
    with trio.move_on_after(_RELEASE_S, shield=True):
        try:
            await client.release()
            return True
        except SyncError as error:
            warn("syncclient", f"the freeze ended before it was released: {error}")
    return False


def _new_folder(zones_dir: Path | None, made: list[NewFolder]) -> Callable[[], NewFolder] | None:
    """Return what makes the folder for a bootstrap's zones, if it is not there yet; adds it to
    `made`."""
    if zones_dir is None or zones_dir.exists():
        return None

    def make() -> NewFolder:
        made.append(NewFolder(zones_dir))
        return made[-1]

    return make


def bring_files(store: Store, zones_dir: Path | None, verify: bool) -> ZonesDir | None:
    if zones_dir is None:
        return None
    files = ZonesDir(zones_dir)
    files.bring_to(store, store.view(), compare=verify)
    return files


def show_outcome(outcome: Outcome, files: ZonesDir | None, as_json: bool) -> None:
    record: dict[str, Any] = asdict(outcome)
    record["path"] = outcome.path.value
    record["token"] = str(outcome.token)
    record["fingerprint"] = fingerprint_text(outcome.fingerprint)
    if files is not None:
        record |= {"files_written": files.written, "files_removed": files.removed}
    if as_json:
        print_record(record, as_json=True)
        return
    say(_sentence(outcome, files))


def _sentence(outcome: Outcome, files: ZonesDir | None) -> str:
    text = (
        f"{outcome.path.value}: at {outcome.token}, {counted(outcome.count, 'object')} verified, "
        f"{outcome.changed} changed, {outcome.gone} gone; {bytes_text(outcome.bytes_up)} up, "
        f"{bytes_text(outcome.bytes_down)} down, {counted(outcome.round_trips, 'round trip')}, "
        f"{outcome.seconds * 1000:.0f} ms"
    )
    if files is not None:
        text += f"; {counted(files.written, 'zone file')} written, {files.removed} removed"
    return text


def hold_freeze(access: Access, wait_s: int, expire_s: int) -> None:
    """Hold a freeze until Ctrl-C."""

    async def work(client: Client) -> None:
        await client.command("ASYN", "1")
        frozen = await client.freeze(wait_s, expire_s)
        say(
            f"the source stands still at {frozen.token}; {counted(frozen.others, 'other user')} "
            "connected; Ctrl-C releases it"
        )
        ended_by = None
        try:
            while ended_by is None:
                await client.noop()
                ended_by = await client.freeze_ended(expire_s / 3)
        finally:
            if ended_by is None and await _release(client):
                say("released")
        raise MovedOn(
            f"the source stands still no longer: {ended_by} released it, or the freeze expired"
        )

    with_client(access, work)
