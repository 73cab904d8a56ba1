"""Where in its files a record of a zone stands, for an error that is found when all are read."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import IO

from syncd.content.zone.master_file import Include, MasterFile
from syncd.content.zone.names import key_owner, owner_key, qualify
from syncd.errors import InvalidContent

Reopen = Callable[[], AbstractContextManager[IO[bytes]]]
"""Opens the same file once more."""


class LastPlace(MasterFile):
    """Reads a file once more, for the place of the last record under some keys.

    The fast path does not say where it met a record. Others are looked at no further than to their
    owner, and nothing is kept.
    """

    def __init__(self, origin: str, include: Include | None, keys: Collection[str]) -> None:
        super().__init__(origin, include, fast=False)
        self._keys = frozenset(keys)
        self._owners = frozenset(map(key_owner, keys))
        self._place: tuple[str | None, int] | None = None

    def find(self, reopen: Reopen, path: str | None) -> tuple[str | None, int] | None:
        """Return path and line; None if the file is not any more what it was."""
        try:
            with reopen() as stream:
                self.read(stream, path)
        except (OSError, InvalidContent):
            return None
        return self._place

    def _record(self, owner: str | None, fields: list[str]) -> None:
        if owner is not None:
            self.state.owner = qualify(owner, self.state.origin)
        if self.state.owner is not None and owner_key(self.state.owner) in self._owners:
            super()._record(None, fields)

    def _canonical(
        self, owner: str, ttl: int | None, number: int, fields: list[str] | tuple[str, ...]
    ) -> tuple[str, str, int]:
        key, line, seconds = super()._canonical(owner, ttl, number, fields)
        if key in self._keys:
            self._place = self._path, self.state.line
        return key, line, seconds

    def _ttl_of(self, owner: str, number: int, ttl: int | None, rdata: str) -> int:
        return ttl or 0  # what it is was said elsewhere

    def _pack(self) -> None:
        self.state.forget()
        self._unpacked_bytes = 0
