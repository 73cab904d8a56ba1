"""`syncclient get`, `put`, `patch`, `delete`: one object, read or changed."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from syncclient.access import Access
from syncclient.cli.session import with_client
from syncclient.client import Client
from syncd.content.tokens import Token
from syncd.errors import IllegalValue, file_failure
from syncd.output import say, warn

_PROGRAM = "syncclient"

_Written = tuple[Token | None, list[str]]


def get_object(
    access: Access, type_name: str, name: str, *, at: int | None, output: Path | None
) -> None:
    """Print an object's content, or put it into a file. Raises FileFailed."""

    async def work(client: Client) -> list[bytes]:
        return [part async for part in client.get(type_name, name, at=at)]

    parts = with_client(access, work)
    if output is None:
        _show(b"".join(parts))
    else:
        _write(output, b"".join(parts))


def put_object(
    access: Access, type_name: str, name: str, path: Path, options: dict[str, Any]
) -> None:
    """Put what a file holds, or standard input (`-`)."""
    content = _content(path)

    async def work(client: Client) -> _Written:
        return await client.put(type_name, name, content, **options)

    _tell(with_client(access, work))


def patch_object(
    access: Access, type_name: str, name: str, path: Path, options: dict[str, Any]
) -> None:
    """Apply the diff of a file; to what is there now, if no condition is stated."""
    content = _content(path)

    async def work(client: Client) -> _Written:
        if options["digest"] is None and options["serial"] is None:
            found = await client.info(type_name, name)
            if not found.rows:
                raise IllegalValue(f"{type_name} has no {name}")
            options["digest"] = found.rows[0]["digest"]
        return await client.patch(type_name, name, content, **options)

    _tell(with_client(access, work))


def delete_object(access: Access, type_name: str, name: str, options: dict[str, Any]) -> None:
    """Take an object out."""

    async def work(client: Client) -> _Written:
        return await client.delete(type_name, name, **options)

    _tell(with_client(access, work))


def _write(output: Path, content: bytes) -> None:
    """Put a file in place, whole and flushed. Raises FileFailed."""
    temporary = output.with_name(output.name + ".part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(output)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        error.filename = output  # the one that was asked for
        raise file_failure(error) from None


def _show(content: bytes) -> None:
    """Print an object as it is; on a terminal as text that cannot steer it."""
    if not sys.stdout.isatty():
        sys.stdout.buffer.write(content)
        return
    for line in content.decode("utf-8", "backslashreplace").splitlines():
        say(line)


def _content(path: Path) -> list[bytes]:
    if str(path) == "-":
        return [sys.stdin.buffer.read()]
    return [path.read_bytes()]


def _tell(written: _Written) -> None:
    token, warnings = written
    for text in warnings:
        warn(_PROGRAM, text)
    say("unchanged" if token is None else f"committed as {token}")
