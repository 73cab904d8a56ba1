"""The proof that the simulation catches what it is for: mistakes are put back into the code, and a
seed among those of a test run must find each.

A mistake stays in place for all of its seeds. One that was put in place around a call would outlast
them, as the calls of a seed that ends early never return.
"""

import re
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Connection, Table, Update, update

from syncclient import receiver, repair
from syncclient.verification import ContentCheck
from syncd.content.messages import Head
from syncd.content.tokens import Proof, Token
from syncd.content.versions import Version
from syncd.errors import TokenLost
from syncd.store import Clock, batch, delta, retention
from syncd.store.batch import Batch
from syncd.store.bulk import insert_rows
from syncd.store.clock import lock_clock, read_clock
from syncd.store.replica import ReplicaBatch
from syncd.store.schema import clock, commit
from tests.simulation.disk import Disks
from tests.simulation.seeds import SEEDS
from tests.simulation.world import Result, simulate

Mistake = Callable[[ExitStack], None]


def first_violation(disks: Disks, mistake: Mistake) -> Result:
    """Run seeds until one fails."""
    with ExitStack() as stack:
        mistake(stack)
        for seed in range(SEEDS):
            result = simulate(seed, disks)
            if result.violation is not None:
                return result
    raise AssertionError(f"{SEEDS} seeds did not notice")


def number_before_commit(stack: ExitStack) -> None:
    """The clock moves in a transaction of its own; the commit follows in another."""
    publish = Batch.publish
    numbered = ContextVar("numbered", default=False)

    def publish_late(self: Batch, author: str, comment: str = "") -> Token | None:
        if self.changes == 0:
            return None
        with self._engine.begin() as connection:
            seq = lock_clock(connection).seq + 1
            connection.execute(update(clock).values(seq=seq))
            insert_rows(connection, commit, [(seq, 0, author, comment)])
        before = numbered.set(True)
        try:
            return publish(self, author, comment)
        finally:
            numbered.reset(before)

    def lock_back(connection: Connection) -> Clock:
        present = lock_clock(connection)
        if not numbered.get():
            return present
        connection.execute(commit.delete().where(commit.c.seq == present.seq))
        connection.execute(update(clock).values(seq=present.seq - 1))
        return read_clock(connection)

    stack.enter_context(patch.object(Batch, "publish", publish_late))
    stack.enter_context(patch.object(batch, "lock_clock", lock_back))


def greater_at_the_floor(stack: ExitStack) -> None:
    """A token is good when it is above the floor, where it should be at the floor or above."""
    check = delta._check_token

    def check_above(connection: Connection, token: Token) -> None:
        check(connection, token)
        if not token.seq > read_clock(connection).floor:
            raise TokenLost(f"{token} is below the floor")

    stack.enter_context(patch.object(delta, "_check_token", check_above))


def token_before_the_apply(stack: ExitStack) -> None:
    """A replica says where it is going to be."""
    publish = ReplicaBatch.publish_copy

    def publish_after_token(self: ReplicaBatch, proof: Proof, **how: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(clock).values(epoch=proof.token.epoch, seq=proof.token.seq))
        publish(self, proof, **how)

    stack.enter_context(patch.object(ReplicaBatch, "publish_copy", publish_after_token))


def pruning_that_leaves_the_floor(stack: ExitStack) -> None:
    """gc removes, and says nothing of it."""

    class QuietUpdate:
        def __init__(self, table: Table) -> None:
            assert table is clock

        def values(self, *, floor: int, **others: Any) -> Update:
            return update(clock).values(**others)

    stack.enter_context(patch.object(retention, "update", QuietUpdate))


def unverified_chunk(stack: ExitStack) -> None:
    """Whatever comes in is taken for what its head says."""

    def believed(head: Head, chunks: bytes) -> Version:
        return Version(
            head.type, head.name, head.seq, head.mtime, head.size, head.lines, head.crc32,
            head.digest, head.attributes, chunks,
        )  # fmt: skip

    for module in (receiver, repair):
        stack.enter_context(patch.object(module, "version_of", believed))
    stack.enter_context(patch.object(ContentCheck, "finish", lambda check: None))


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (number_before_commit, "the source at"),
        (greater_at_the_floor, "was refused"),
        (token_before_the_apply, "is not the source's view"),
        # A client is refused what should be there, or the source finds that a chunk is missing.
        (pruning_that_leaves_the_floor, "was refused|logged: command_failed"),
        # Whether content or what is said of it was flipped first is for the seeds to say.
        (unverified_chunk, "is not the source's view|fsck of replica|CRC-32 is not that of its"),
    ],
)
def test_a_mistake_is_caught(disks: Disks, mistake: Mistake, said: str) -> None:
    result = first_violation(disks, mistake)
    assert re.search(said, result.violation or "")
