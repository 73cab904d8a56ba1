"""The programs that come with a name server, run under a time limit.

What they say goes to an operator word for word, but as text that cannot steer a terminal.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EMFILE, ENFILE
from typing import IO

import trio

from syncclient.backends.step import Stage
from syncd.errors import ServerFailed, file_failure, shown

_MAX_OUTPUT_BYTES = 64 * 1024 * 1024
"""Read of what a tool prints: a line for each of several hundred thousand zones."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a tool answered: its exit status, and what it printed."""

    status: int
    text: str

    @property
    def message(self) -> str:
        """Its output as one line for an operator; says so if there was none."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return shown("; ".join(lines)) or f"exit status {self.status}, and no word about why"


class ToolTimedOut(Exception):
    """A tool took longer than it was given; `str()` says which and how long."""


def _output() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise file_failure(error) from None


async def run_tool(
    command: Sequence[str], *, timeout_s: float, stage: Stage, stdin: bytes = b""
) -> Said:
    """Run a tool to its end. Raises ServerFailed if it is not there, ToolTimedOut, FileFailed.

    What it prints goes to a file: a pipe would end with the last process that has it, and a command
    that starts a server may well leave it that.
    """
    with _output() as output, trio.move_on_after(timeout_s):
        try:
            done = await trio.run_process(
                [*command],
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except OSError as error:
            if error.errno in (EMFILE, ENFILE):
                raise file_failure(error) from None
            raise ServerFailed(
                stage.value, f"{command[0]} cannot be run: {error.strerror}; install it, or say in "
                "the configuration where it is",
            ) from None  # fmt: skip
        output.seek(0)
        said = output.read(_MAX_OUTPUT_BYTES)
        return Said(done.returncode, said.decode("utf-8", "replace"))
    raise ToolTimedOut(f"{command[0]} did not end in {timeout_s:g} s and was killed")


async def command_server(
    command: Sequence[str], *, timeout_s: float, stage: Stage, stdin: bytes = b""
) -> Said:
    """Run a tool that controls the server. Raises ServerFailed, also if it takes too long."""
    try:
        return await run_tool(command, timeout_s=timeout_s, stage=stage, stdin=stdin)
    except ToolTimedOut as error:
        raise ServerFailed(stage.value, str(error)) from None
