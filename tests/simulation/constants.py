"""Constants at their extremes: pages of a row, blocks of some bytes, buckets of one object."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from syncclient import exchange, receiver, repair
from syncd.content import buckets, chunks, messages, shares
from syncd.server import bootstraps, channel, daemon, deltas, session
from syncd.server.verbs import sync_read, sync_repair
from syncd.store import batch, delta, fsck, lists, retention, view

_EXTREMES: list[tuple[list[tuple[Any, str]], tuple[int, ...]]] = [
    ([(view, "PAGE_ROWS"), (delta, "PAGE_ROWS"), (bootstraps, "PAGE_ROWS")], (1, 2, 5)),
    ([(view, "PAGE_MARKS")], (1, 3)),
    ([(lists, "IN_LIST_VALUES"), (view, "IN_LIST_VALUES"), (fsck, "IN_LIST_VALUES")], (1, 3)),
    ([(module, "GROUP_OBJECTS") for module in (bootstraps, deltas, receiver)], (1, 3)),
    ([(module, "FEW_CHUNKS") for module in (view, deltas, receiver)], (0, 1)),
    ([(messages, "_RUN_CHUNKS")], (0, 1)),
    ([(batch, "_FLUSH_BYTES")], (1, 500, 1500)),
    ([(retention, "_PASS_DIGESTS")], (1, 5)),
    ([(retention, "STALE_BATCH_S")], (0, 3)),
    ([(chunks, "MIN_LINES")], (1, 2)),
    ([(chunks, "MAX_LINES")], (2, 5)),
    ([(chunks, "_CUT_MASK")], (0, 1)),
    (
        [
            (messages, "BLOCK_BYTES"), (bootstraps, "BLOCK_BYTES"),
            (bootstraps, "LEAST_BLOCK_BYTES"), (sync_read, "FIRST_BLOCK_BYTES"),
        ],
        (40, 100, 900),
    ),
    ([(sync_read, "_LIST_ROWS")], (1, 2)),
    ([(sync_repair, "_LIST_OBJECTS")], (1, 2)),
    ([(buckets, "_OBJECTS_PER_BUCKET")], (1, 2)),
    ([(repair, "_INLINE_BYTES")], (0, 30)),
    ([(repair, "_GROUP_LINES")], (1,)),
    ([(repair, "_DIGESTS_PER_LINE")], (1, 2)),
    ([(repair, "_LINE_BUDGET")], (20, 60)),
    ([(exchange, "_BLOCKS_AHEAD")], (0, 1)),
    ([(session, "_PART_LINES")], (1, 3)),
    ([(session, "_SEND_BYTES")], (1, 50)),
    ([(channel, "_RECEIVE_BYTES")], (1, 10)),
    ([(daemon, "_STORE_THREADS")], (1, 2)),
    ([(shares, "MIN_OBJECTS")], (3,)),
]  # fmt: skip

LARGEST_OBJECT_BYTES = 2048
"""More than any object here has, its head and chunks compressed: what limits may be passed by."""


@contextmanager
def extreme(chance: random.Random) -> Iterator[None]:
    """Turn some constants extreme, as the seed says."""
    share = chance.choice((0.0, 0.1, 0.2, 0.4, 0.4, 0.8))
    with ExitStack() as stack:
        for places, values in _EXTREMES:
            often = places[0][0] is messages  # what comes in one block cannot be interrupted
            if chance.random() >= (0.6 if often else share):
                continue
            value = chance.choice(values)
            for module, name in places:
                stack.enter_context(patch.object(module, name, value))
            if often:
                defaults = {"growing_from": value}
                stack.enter_context(patch.object(messages.write_blocks, "__kwdefaults__", defaults))
        yield
