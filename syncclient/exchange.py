"""Long answers, taken in a thread while more of them come in.

Every answer is read to its end, also after one was refused or could not be taken: so the connection
can be used again afterwards, whatever happened. Only a server that does not come to an end then is
given up on.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing

import trio

from syncclient.client import Client
from syncclient.together import together
from syncd.errors import ConnectionFailed, ProtocolViolation, Refused, SyncError
from syncd.protocol.events import Reply

_BLOCKS_AHEAD = 4
"""Blocks received while the one before is taken: 2 MiB."""

_MAX_REST_BYTES = 64 * 1024 * 1024
"""What is still read of answers when one could not be taken."""
_LEAST_BLOCK_BYTES = 1024
"""What a block counts as, however small it is."""

Take = Callable[[int, bytes], None]
"""Called in a thread with (which of the requests, one block of its answer)."""


async def exchange(client: Client, requests: Sequence[str], take: Take) -> list[Reply]:
    """Send SYNC requests at once and have their blocks taken in order; return their last lines.

    Raises the first error of `take` or of the server (Refused), once all answers are read;
    ProtocolViolation if they do not end.
    """
    rest_bytes = 0
    send, receive = trio.open_memory_channel[tuple[int, bytes]](_BLOCKS_AHEAD)
    finals: list[Reply] = []
    errors: list[SyncError] = []
    cut_short: list[ConnectionFailed] = []
    for request in requests:
        client.connection.send("SYNC", request)

    async def fetch() -> None:
        async with send:
            try:
                await client.log_in()
                for index in range(len(requests)):
                    await fetch_one(index)
            except ConnectionFailed as error:
                cut_short.append(error)  # what came before it is taken all the same

    async def fetch_one(index: int) -> None:
        nonlocal rest_bytes
        try:
            async with aclosing(client.connection.answer()) as parts:
                async for part in parts:
                    if isinstance(part, Reply):
                        finals.append(part)
                    elif not errors:
                        await send.send((index, part))
                    else:
                        rest_bytes += max(len(part), _LEAST_BLOCK_BYTES)
                        if rest_bytes > _MAX_REST_BYTES:
                            raise ProtocolViolation(f"{errors[0]}; and the answer does not end")
        except Refused as error:
            errors.append(error)

    async def apply() -> None:
        async for index, block in receive:
            if errors:
                continue
            try:
                await trio.to_thread.run_sync(take, index, block)
            except SyncError as error:
                errors.append(error)

    await together(fetch, apply)
    for error in (*errors, *cut_short):
        raise error
    return finals
