"""An interactive session: raw lines as they go over the wire, with history and completion.

`>` marks what is sent, `<` a reply line, `|` what follows it. Bodies are asked for line by line.
"""

import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import trio

from syncclient.access import Access
from syncclient.cli.session import run
from syncclient.client import Client
from syncd.errors import ConnectionFailed, IllegalValue, Refused, SyncError
from syncd.output import printable, say
from syncd.protocol import codes
from syncd.protocol.events import Reply

_HISTORY = ".syncclient_history"
_END = "000"
_SECRET_VERB = "PASS"

Ask = Callable[[str], str]
"""Shows a prompt and returns the line that was typed; raises EOFError at the end."""


def run_shell(access: Access) -> int:
    """Read lines until QUIT or the end of input; return the exit status.

    Whoever types sees what was refused. Of lines from a pipe, the first failure is the status.
    """
    password = access.password()
    failures = run(lambda: _session(access, password))
    return failures[0].exit_status if failures and not sys.stdin.isatty() else 0


async def _session(access: Access, password: str) -> list[SyncError]:
    failures: list[SyncError] = []
    async with Client.connect(access.address, password, tls=access.tls) as client:
        try:
            await client.log_in()
        except Refused as error:
            say(f"< {error}")
            failures.append(error)
        verbs = await _verbs(client)
        ask = _reader(verbs)
        while True:
            try:
                line = await trio.to_thread.run_sync(ask, "> ")
            except (EOFError, KeyboardInterrupt):
                return failures
            if not line.strip():
                continue
            try:
                await _exchange(client, line, ask)
            except Refused as error:
                say(f"< {error}")
                failures.append(error)
            except ConnectionFailed as error:
                say(error, err=True)
                return [*failures, error]
            except EOFError:
                ended = IllegalValue(f"the input ended inside a body: its last line is {_END}")
                say(f"syncclient: {ended}", err=True)
                return [*failures, ended]
            except _OtherSize as error:
                say(f"syncclient: {error}", err=True)
                return [*failures, error]
            except (SyncError, ValueError) as error:
                say(f"syncclient: {error}", err=True)
                known = error if isinstance(error, SyncError) else IllegalValue(str(error))
                failures.append(known)
            if line.strip().upper() == "QUIT":
                return failures


async def _verbs(client: Client) -> list[str]:
    words = [line.split(" ", 1)[0] for line in await client.help()]
    _, lines = await client.listing("SYNC", "?") if client.logged_in else ("", [])
    for line in lines:
        kind, _, rest = line.partition("|")
        if kind == "action":
            words.append(rest.split(" ")[0] + " " + rest.split("|")[0].strip())
    return [printable(word) for word in words]


def _reader(words: list[str]) -> Ask:
    """Return a function that reads a line: with history and completion on a terminal."""
    if not sys.stdin.isatty():
        return lambda prompt: input()
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory

    class History(FileHistory):
        """All but passwords, which would lie there for whoever reads the file."""

        def store_string(self, string: str) -> None:
            if not string.lstrip().upper().startswith(_SECRET_VERB):
                super().store_string(string)

    history = History(str(Path.home() / _HISTORY))
    session: PromptSession[str] = PromptSession(
        history=history, completer=WordCompleter(words, ignore_case=True, sentence=True)
    )
    return session.prompt


async def _exchange(client: Client, line: str, ask: Ask) -> None:
    verb, _, argument = line.strip().partition(" ")
    client.connection.send(verb, argument)
    if verb.upper() == "QNOP":
        await client.connection.flush()
        return
    reply = await client.connection.reply()
    while True:
        say(f"< {reply.code} {reply.text}")
        kind = reply.code // 100
        if kind == codes.LISTING:
            async with aclosing(client.connection.lines()) as lines:
                async for text in lines:
                    say(f"| {text}")
            return
        if kind == codes.BLOCK:
            reply = await _show_block(client)
            continue
        if kind == codes.WANT_LISTING:
            await client.connection.send_listing(await _read_lines(ask))
        elif kind == codes.WANT_BLOCK:
            await client.connection.send_body([_body(await _read_lines(ask), reply.size)])
        else:
            return
        reply = await client.connection.reply()


class _OtherSize(IllegalValue):
    """A body that is not as large as was said. The server waits for it, so this is the end."""


def _body(lines: list[str], size: int) -> bytes:
    """Return a body of this size; the last line may be meant without its LF."""
    body = "".join(f"{line}\n" for line in lines).encode()
    if len(body) == size + 1:
        return body[:size]
    if len(body) != size:
        raise _OtherSize(
            f"the body has {len(body)} bytes, where {size} were announced; nothing was changed"
        )
    return body


async def _show_block(client: Client) -> Reply:
    data = await client.connection.block()
    text = data.decode("utf-8", "backslashreplace")
    for shown in text.splitlines():
        say(f"| {shown}")
    return await client.connection.reply()


async def _read_lines(ask: Ask) -> list[str]:
    lines: list[str] = []
    while (text := await trio.to_thread.run_sync(ask, "| ")) != _END:
        lines.append(text)
    return lines
