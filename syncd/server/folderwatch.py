"""Brings a watched folder's zone files into the store while the daemon serves it.

Looking and reading happen in a thread. While the store is frozen nothing is taken, and nothing is
lost: the next look finds it. Whatever goes wrong is logged once, not at every look, and ends
nothing.
"""

from __future__ import annotations

import trio

from syncd.errors import Frozen, SyncError
from syncd.ingest.folder import FolderSettings, Look, WatchedFolder
from syncd.logs import EventLog
from syncd.server.daemon import Daemon

_SHARE = 20
"""A look may take the so-manieth part of the time."""

log = EventLog("syncd.folder")


class FolderWatch:
    """One daemon's watch on one folder."""

    def __init__(self, daemon: Daemon, settings: FolderSettings) -> None:
        self._daemon, self._settings = daemon, settings
        self._folder = WatchedFolder(daemon.store, settings)
        self._trouble: tuple[str, str] | None = None
        """What keeps the folder from being taken, and why, as it was logged."""
        self._told: dict[str, str] = {}
        """By event, the reason that was logged and still holds."""

    async def run(self) -> None:
        """Look for ever."""
        log.info("folder_watched", path=self._settings.path, pattern=self._settings.pattern)
        while True:
            scan_s = await self.look()
            await trio.sleep(max(self._settings.interval_s, _SHARE * scan_s))

    async def look(self) -> float:
        """Look once; return how many seconds looking, without reading, took."""
        if self._daemon.stopping or self._daemon.freezes.asked_by is not None:
            return 0.0
        try:
            result = await self._daemon.in_thread(
                self._folder.look, trio.from_thread.check_cancelled
            )
        except Frozen as error:
            self._tell_trouble("folder_waits", error)
            return 0.0
        except (SyncError, OSError) as error:
            self._tell_trouble("folder_not_taken", error)
            return 0.0
        except Exception as error:  # of whatever nobody has thought of, the log has the trace
            if self._trouble != (type(error).__name__, str(error)):
                log.exception("folder_not_taken", path=self._settings.path)
            self._trouble = type(error).__name__, str(error)
            return 0.0
        if self._trouble is not None:
            self._trouble = None
            log.info("folder_is_taken_again", path=self._settings.path)
        self._tell(result)
        if result.token is not None:
            self._daemon.announce(result.token)
        return result.scan_s

    def _tell_trouble(self, event: str, error: Exception) -> None:
        """Log what keeps the folder from being taken, when it begins to."""
        if self._trouble != (event, str(error)):
            log.warning(event, path=self._settings.path, reason=error)
        self._trouble = event, str(error)

    def _tell(self, result: Look) -> None:
        for name, reason in result.failed.items():
            log.warning("zone_file_refused", file=name, reason=reason, text="the zone stays as is")
        for name in result.mended:
            log.info("zone_file_mended", file=name)
        for warning in result.warnings:
            log.warning("zone_file_warning", text=warning)
        if result.token is not None:
            log.info(
                "folder_taken", changed=result.changed, removed=result.removed, token=result.token
            )
        self._tell_once("zones_kept", result.refused)
        self._tell_once("folder_not_remembered", result.unsaved)

    def _tell_once(self, event: str, reason: object) -> None:
        """Log a reason when it begins to hold."""
        if reason is None:
            self._told.pop(event, None)
        elif self._told.get(event) != str(reason):
            self._told[event] = str(reason)
            log.warning(event, path=self._settings.path, reason=reason)
