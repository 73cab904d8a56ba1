"""How NSD is told: words and lines to its control channel, text back.

By its local socket this is a connection that carries the command in plain text, 0.1 ms each; by a
port it is TLS, and nsd-control is run for each command, some 6 ms. Commands that take a list
(addzones, delzones) are given it a line each, then a line with a 4, the end of transmission.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import trio

from syncclient.backends.step import Stage
from syncclient.backends.tools import command_server
from syncd.errors import ServerFailed, shown

_GREETING = "NSDCT1 "
_END_OF_LIST = "\x04\n"
_RECEIVE_BYTES = 1 << 16
_ADVICE = (
    "is NSD running, with `control-enable: yes`, and does [nsd] say its control-interface, which "
    "this user may use?"
)


class NsdControl(ABC):
    """The control channel of one NSD."""

    few_commands: int
    """Commands, up to how many cost less than one that has it look at all its zones."""

    @abstractmethod
    async def ask(self, stage: Stage, command: str, lines: Iterable[str] | None = None) -> str:
        """Give a command, of a list with its lines, and return the answer; one that begins with
        `error` is for the caller. Raises ServerFailed if NSD is not reached."""


class ControlSocket(NsdControl):
    """The local socket, spoken to by ourselves."""

    few_commands = 256

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s

    async def ask(self, stage: Stage, command: str, lines: Iterable[str] | None = None) -> str:
        text = f"{_GREETING}{command}\n"
        if lines is not None:
            text += "".join(f"{line}\n" for line in lines) + _END_OF_LIST
        try:
            with trio.fail_after(self._timeout_s):
                answer = await self._exchange(text.encode("ascii"))
        except trio.TooSlowError:
            reason = f"NSD did not answer `{command}` in {self._timeout_s:g} s"
            raise ServerFailed(stage.value, f"{self._path}: {reason}") from None
        except OSError as error:
            raise ServerFailed(
                stage.value, f"{self._path}: {error.strerror or error}; {_ADVICE}"
            ) from None
        if answer is None:
            raise ServerFailed(
                stage.value, f"{self._path}: NSD ended before it had answered `{command}`"
            )
        return answer.decode("utf-8", "replace")

    async def _exchange(self, text: bytes) -> bytes | None:
        """Send and receive at once: NSD answers each line of a list, and stops reading when nobody
        takes that. Return what came, None if it broke off."""
        received: list[bytes] = []
        async with await trio.open_unix_socket(self._path) as stream:

            async def send() -> None:
                with suppress(trio.BrokenResourceError):  # who receives finds out
                    await stream.send_all(text)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                try:
                    while part := await stream.receive_some(_RECEIVE_BYTES):
                        received.append(part)
                except trio.BrokenResourceError:
                    return None
        return b"".join(received)


class ControlTool(NsdControl):
    """nsd-control, run for each command."""

    few_commands = 16

    def __init__(self, command: tuple[str, ...], timeout_s: float) -> None:
        self._command = command
        self._timeout_s = timeout_s

    async def ask(self, stage: Stage, command: str, lines: Iterable[str] | None = None) -> str:
        stdin = "".join(f"{line}\n" for line in lines or ()).encode("ascii")
        said = await command_server(
            [*self._command, *command.split()],
            timeout_s=self._timeout_s,
            stage=stage,
            stdin=stdin,
        )
        # It ends with 1 both if NSD is not reached and if that answers `error ...`.
        if said.status != 0 and not said.text.startswith("error "):
            raise ServerFailed(stage.value, f"{shown(said.message)}; {_ADVICE}")
        return said.text
