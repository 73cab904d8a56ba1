"""pdns_control's socket, spoken directly: a process for each command would cost more than it does.

One line there, and whatever comes back until the end.
"""

import re
from collections.abc import Collection

import trio

from syncclient.backends.step import Stage
from syncd.errors import ServerFailed, shown

_MAX_NAMES = 100
"""Zones, up to how many are purged by name; more by one purge of everything."""
_PURGES = 2
"""The server empties its cache of packets first, that of rows behind it next: a query in between
fills the first from the second, with what was. A second purge finds only new rows behind it."""
_LARGEST = 4 * 1024 * 1024
_CACHE_SETTING = re.compile(r"^zone-cache-refresh-interval=([0-9]+)", re.MULTILINE)
_CACHE_DEFAULT_S = 300


class Control:
    """The control socket of a running pdns_server."""

    def __init__(self, socket: str, timeout_s: float) -> None:
        self._socket, self._timeout_s = socket, timeout_s

    async def version(self, stage: Stage) -> str:
        """Return the server's version. Raises ServerFailed if it does not answer."""
        return await self._ask(stage, "version")

    async def zone_cache_s(self, stage: Stage) -> int:
        """Return after how many seconds the server sees which zones there are. Raises
        ServerFailed."""
        said = await self._ask(stage, "current-config diff")
        found = _CACHE_SETTING.search(said)
        return int(found[1]) if found is not None else _CACHE_DEFAULT_S

    async def purge(self, stage: Stage, zones: Collection[str]) -> None:
        """Have the server forget what it has cached of zones, by their stored names."""
        names = "".join(f" {name}$" for name in zones) if len(zones) <= _MAX_NAMES else ""
        for _ in range(_PURGES):
            said = await self._ask(stage, "purge" + names)
            if not said.strip().isdigit():
                raise ServerFailed(stage.value, f"pdns_control purge: {shown(said)}")

    async def rediscover(self, stage: Stage) -> None:
        """Have the server look for zones."""
        said = await self._ask(stage, "rediscover")
        if said.strip() != "Ok":
            raise ServerFailed(stage.value, f"pdns_control rediscover: {shown(said)}")

    async def _ask(self, stage: Stage, line: str) -> str:
        verb = line.partition(" ")[0]
        said = b""
        with trio.move_on_after(self._timeout_s) as limit:
            try:
                async with await trio.open_unix_socket(self._socket) as stream:
                    await stream.send_all(line.encode("ascii") + b"\n")
                    while part := await stream.receive_some(65536):
                        said += part
                        if len(said) > _LARGEST:
                            raise ServerFailed(
                                stage.value, f"{self._socket}: an answer without end to {verb}"
                            )
            except (OSError, RuntimeError, trio.BrokenResourceError) as error:
                reason = getattr(error, "strerror", None) or str(error) or "it hung up"
                raise ServerFailed(
                    stage.value,
                    f"PowerDNS's control socket {self._socket}: {reason}; is pdns_server running, "
                    "and may this user use the socket (its group is that of `setgid`)?",
                ) from None
        if limit.cancelled_caught:
            raise ServerFailed(
                stage.value,
                f"PowerDNS's control socket {self._socket}: no answer to {verb} in "
                f"{self._timeout_s:g} s",
            )
        if not said:
            raise ServerFailed(
                stage.value, f"PowerDNS's control socket {self._socket}: nothing said to {verb}"
            )
        return said.decode("utf-8", "replace")
