"""A replica is what its source is, after any history."""

import random
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from syncclient.replica import Outcome
from syncclient.replica import Path as SyncPath
from syncd.errors import (
    ConnectionFailed,
)
from syncd.store.engine import WRITE
from syncd.store.schema import tally
from tests.databases import Databases, on_every_engine
from tests.running import put as put_object
from tests.store.objects import (
    new_store,
    put,
    put_all,
    store_url,
)
from tests.syncclient.link import CutStream, add_user, synchronise
from tests.syncclient.replicas import ZONE, assert_same, copy_database

pytestmark = on_every_engine

NAMES = [f"f{number}" for number in range(14)]


class History:
    """A source, its replica and the replica's replica, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = ExitStack()
        self.source = self.stack.enter_context(new_store(folder, "source"))
        self.replica = self.stack.enter_context(new_store(folder, "replica"))
        self.second = self.stack.enter_context(new_store(folder, "second"))
        self.repaired = {"replica": False, "second": False}
        self.tally_wrong = False
        self.serial = 0
        add_user(self.source)
        self.back_up()

    def run(self, steps: list[tuple[str, int]]) -> None:
        with self.stack:
            for name, number in steps:
                getattr(self, name)(number)
            self.resync()
            assert_same(self.replica, self.source, repaired=self.repaired["replica"])
            self.resync_second()
            assert_same(self.second, self.replica, repaired=self.repaired["second"])

    # What happens at the source

    def put(self, number: int) -> None:
        chunks = [b"%d" % (number % 5) * 50, b"%d" % (number // 7) * 50]
        put(self.source, NAMES[number % len(NAMES)], *chunks[: 1 + number % 2])

    def put_large(self, number: int) -> None:
        """An object whose chunks are fetched one by one by a repair, some of them known."""
        chunks = [random.Random(number % 4 + at).randbytes(3000) for at in range(4)]
        put(self.source, "large", *chunks)

    def put_many(self, number: int) -> None:
        put_all(self.source, {name: [b"%d" % (number % 3)] for name in NAMES[: number % 15]})

    def put_zone(self, number: int) -> None:
        self.serial += 1
        put_object(self.source, "zones", "example.com.", ZONE.format(serial=self.serial % 250))

    def delete(self, number: int) -> None:
        name = NAMES[number % len(NAMES)]
        if self.source.view().find("files", [name]):
            self.source.remove("files", name, author="test")

    def gc_source(self, number: int) -> None:
        clock = self.source.clock()
        self.source.collect(keep_seq=max(clock.floor, clock.seq - number % 4))

    def back_up(self, number: int = 0) -> None:
        copy_database(store_url(self.folder, "source"), store_url(self.folder, "backup"))

    def restore(self, number: int) -> None:
        """Sometimes whoever restores it does not think of the token."""
        copy_database(store_url(self.folder, "backup"), store_url(self.folder, "source"))
        if number % 3:
            self.source.renew_epoch()

    # What happens at the replica

    def resync(self, number: int = 0) -> None:
        outcome = synchronise(self.source, self.replica, allow_large_change=True)
        self.tally_wrong = False
        self.note("replica", outcome)

    def resync_second(self, number: int = 0) -> None:
        if self.replica.clock().source is not None and not self.tally_wrong:
            outcome = synchronise(self.replica, self.second, allow_large_change=True)
            self.note("second", outcome)

    def note(self, store: str, outcome: Outcome) -> None:
        if outcome.path is SyncPath.REPAIR:
            self.repaired[store] = True

    def cut_short(self, number: int) -> None:
        before = self.replica.clock()
        try:
            outcome = synchronise(
                self.source,
                self.replica,
                wrap=lambda stream: CutStream(stream, number * number % 9001),
                allow_large_change=True,
            )
        except ConnectionFailed:
            # A bootstrap may have been completed before the source's later commits were cut short.
            assert self.replica.clock() == before or before.source is None
        else:
            self.tally_wrong = False
            self.note("replica", outcome)

    def lose_token(self, number: int) -> None:
        if self.replica.clock().source is not None:
            self.replica.renew_epoch()

    def gc_replica(self, number: int) -> None:
        self.replica.collect(keep_seq=self.replica.clock().seq)

    def corrupt_tally(self, number: int) -> None:
        with self.replica.engine.execution_options(**WRITE).begin() as connection:
            connection.execute(update(tally).values(count=number))
        self.tally_wrong = True

    def restart(self, number: int) -> None:
        self.replica.close()


STEPS = [
    "put", "put", "put", "put_large", "put_many", "put_zone", "delete", "delete", "gc_source",
    "back_up", "restore", "resync", "resync", "resync_second", "cut_short", "cut_short",
    "lose_token", "gc_replica", "corrupt_tally", "restart",
]  # fmt: skip


def test_after_any_history_a_replica_is_what_its_source_is(databases: Databases) -> None:
    @settings(
        max_examples=100 if databases.server is None else 15,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        print_blob=True,
    )
    @given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 400)), max_size=14))
    def check(steps: list[tuple[str, int]]) -> None:
        with TemporaryDirectory() as folder:
            History(Path(folder)).run(steps)

    check()
