"""A store shows every retained commit exactly as it was, whatever happened before and after it."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import update

from syncd.content.tokens import Token
from syncd.errors import AlreadyExists, MovedOn, NoSuchObject, StoreError, TokenLost, ViewGone
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.store.schema import clock
from syncd.types import Prepared
from tests.databases import Databases, on_every_engine
from tests.store.objects import (
    TYPES,
    assert_sound,
    content_of,
    held,
    new_store,
    prepared,
    put,
    put_all,
    store_url,
)

pytestmark = on_every_engine

names = st.sampled_from([f"f{n}" for n in range(6)])
# Few different chunks, so that objects share them and gc has something to be careful about.
contents = st.lists(st.sampled_from([b"%d" % n * 50 for n in range(5)]), max_size=4)
modes = st.sampled_from([0o600, 0o644])

State = dict[str, tuple[bytes, int]]


class StoreAgainstModel(RuleBasedStateMachine):
    """A store beside a dictionary of what every commit left."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.store = new_store(Path(self.folder.name))
        self.states: list[State] = [{}]
        self.floor = 0

    def teardown(self) -> None:
        assert_sound(self.store)
        self.store.close()
        self.folder.cleanup()

    @property
    def head(self) -> int:
        return len(self.states) - 1

    def retained(self) -> st.SearchStrategy[int]:
        return st.integers(self.floor, self.head)

    @rule(name=names, chunks=contents, mode=modes)
    def put(self, name: str, chunks: list[bytes], mode: int) -> None:
        now = (b"".join(chunks), mode)
        before = self.states[-1].get(name)
        token = put(self.store, name, *chunks, mode=mode)
        if token is not None:
            self.states.append(self.states[-1] | {name: now})
            assert token.seq == self.head
        else:
            assert before == now

    @rule(name=names)
    def delete(self, name: str) -> None:
        if name not in self.states[-1]:
            with pytest.raises(NoSuchObject):
                self.store.remove("files", name, author="test")
            return
        token = self.store.remove("files", name, author="test")
        self.states.append({k: v for k, v in self.states[-1].items() if k != name})
        assert token is not None
        assert token.seq == self.head

    @rule(changed=st.dictionaries(names, st.none() | contents, min_size=1))
    def change_several(self, changed: dict[str, list[bytes] | None]) -> None:
        after = dict(self.states[-1])
        with self.store.batch() as batch:
            present = self.store.view().find("files", list(changed))
            for name, chunks in changed.items():
                if chunks is not None:
                    batch.put("files", prepared(name, *chunks), present.get(name))
                    after[name] = (b"".join(chunks), 0o644)
                elif name in present:
                    batch.delete(present[name])
                    del after[name]
            if batch.publish("test") is not None:
                self.states.append(after)

    @rule(name=names, chunks=contents)
    def begin_and_leave(self, name: str, chunks: list[bytes]) -> None:
        with self.store.batch() as batch:
            batch.put("files", prepared(name, *chunks), None)
            batch.flush()

    @rule(data=st.data())
    def collect(self, data: st.DataObject) -> None:
        self.floor = data.draw(self.retained())
        assert self.store.collect(keep_seq=self.floor).floor == self.floor

    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        seq = data.draw(self.retained())
        self.assert_shows(seq)

    @rule(data=st.data())
    def compare(self, data: st.DataObject) -> None:
        low = data.draw(self.retained())
        high = data.draw(st.integers(low, self.head))
        state = dict(self.states[low])
        view = self.store.view(high)
        for change in self.store.changes(Token(view.token.epoch, low), view, TYPES):
            if change.new is None:
                assert change.old is not None
                del state[change.old.name]
            else:
                assert (change.old is not None) == (change.new.name in state)
                assert change.old is None or change.old.mark != b""
                state[change.new.name] = (
                    b"".join(view.content(change.new)),
                    change.new.attribute("mode"),
                )
        assert state == self.states[high]

    @precondition(lambda self: self.floor > 0)
    @rule()
    def ask_below_the_floor(self) -> None:
        view = self.store.view()
        with pytest.raises(ViewGone):
            self.store.view(self.floor - 1)
        with pytest.raises(TokenLost):
            list(self.store.changes(Token(view.token.epoch, self.floor - 1), view, TYPES))

    @rule()
    def check(self) -> None:
        assert_sound(self.store)

    @invariant()
    def stands_at_the_head(self) -> None:
        assert self.store.clock().seq == self.head

    def assert_shows(self, seq: int) -> None:
        view = self.store.view(seq)
        shown = {
            v.name: (b"".join(c), v.attribute("mode"))
            for v, c in view.contents(view.versions(TYPES))
        }
        assert shown == self.states[seq]
        assert view.totals(TYPES) == view.recount(TYPES)
        assert view.totals(TYPES).count == len(shown)


def test_a_store_is_at_every_commit_what_a_dictionary_was(databases: Databases) -> None:
    examples = 60 if databases.server is None else 12
    run_state_machine_as_test(
        StoreAgainstModel,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None),
    )


# Writing


def test_what_is_put_again_unchanged_makes_no_commit(store: Store) -> None:
    assert put(store, "a", b"content") is not None
    assert put(store, "a", b"content") is None
    assert [commit.seq for commit in store.log()] == [1, 0]


def test_new_attributes_alone_make_a_version(store: Store) -> None:
    put(store, "a", b"content", mode=0o600)
    assert put(store, "a", b"content", mode=0o644) is not None
    assert store.view(1).version("files", "a").attribute("mode") == 0o600
    assert store.view(2).version("files", "a").attribute("mode") == 0o644


def test_equal_content_is_kept_once(store: Store) -> None:
    put(store, "a", b"same", b"same", b"other")
    put(store, "b", b"same")
    assert store.collect(keep_seq=2).chunks == 0
    store.remove("files", "a", author="test")
    assert store.collect(keep_seq=3).chunks == 1
    assert content_of(store.view(), "b") == b"same"


def test_the_log_says_who_changed_how_much_and_why(tmp_path: Path) -> None:
    with Store(new_store(tmp_path).engine, now=lambda: 1_700_000_000.9) as store:
        with store.batch() as batch:
            for name in "abc":
                batch.put("files", prepared(name, b"x"), None)
            batch.publish("alice", "three files")
        newest = store.log(limit=1)[0]
    assert (newest.seq, newest.at, newest.author, newest.comment, newest.objects) == (
        1, 1_700_000_000, "alice", "three files", 3,
    )  # fmt: skip


def test_the_log_counts_what_was_put_changed_or_taken_out(store: Store) -> None:
    put_all(store, {name: [b"x"] for name in "abc"})
    put(store, "a", b"y")
    store.remove("files", "b", author="test")
    with store.batch() as batch:
        batch.put("files", prepared("d", b"x"), None)
        batch.delete(store.view().version("files", "c"))
        batch.publish("test")
    assert [(commit.seq, commit.objects) for commit in store.log()] == [
        (4, 2), (3, 1), (2, 1), (1, 3), (0, 0),
    ]  # fmt: skip
    assert [commit.objects for commit in store.log(2)] == [2, 1]


def test_an_author_or_comment_that_is_too_long_is_cut_not_refused(store: Store) -> None:
    with store.batch() as batch:
        batch.put("files", prepared("a", b"x"), None)
        batch.publish("a" * 1000, "x" * 1000)
    newest = store.log(1)[0]
    assert (newest.author, newest.comment) == ("a" * 128, "x" * 255)


def test_making_a_store_twice_is_refused_and_changes_nothing(tmp_path: Path, store: Store) -> None:
    put(store, "a", b"content")
    token = store.clock().token
    with pytest.raises(AlreadyExists, match="is a store already"):
        new_store(tmp_path)
    with Store.create(store_url(tmp_path), exist_ok=True) as again:
        assert again.clock().token == token


def test_two_stores_have_different_histories(tmp_path: Path) -> None:
    with new_store(tmp_path, "a") as a, new_store(tmp_path, "b") as b:
        assert a.clock().epoch != b.clock().epoch


# Conditions


def test_a_write_at_the_stated_digest_is_done(store: Store) -> None:
    put(store, "a", b"first")
    digest = store.view().version("files", "a").digest.hex()
    assert put(store, "a", b"second", digest=digest[:8].upper()) is not None


def test_a_write_at_another_digest_is_refused_with_the_present_one(store: Store) -> None:
    put(store, "a", b"first")
    digest = store.view().version("files", "a").digest.hex()
    put(store, "a", b"second")
    with pytest.raises(MovedOn, match=store.view().version("files", "a").digest.hex()[:12]):
        put(store, "a", b"third", digest=digest)
    with pytest.raises(MovedOn, match="not there"):
        put(store, "b", b"third", digest=digest)
    with pytest.raises(MovedOn):
        store.remove("files", "a", author="test", digest=digest)
    assert content_of(store.view(), "a") == b"second"


def test_a_write_that_was_overtaken_is_made_again_on_what_is_there_now(
    tmp_path: Path, store: Store
) -> None:
    put(store, "a", b"0")
    with Store.open(store_url(tmp_path)) as other:
        overtakes = iter([b"1", b"2"])

        def append(present: object) -> Prepared:
            before = content_of(store.view(), "a")
            if (content := next(overtakes, None)) is not None:
                put(other, "a", content)
            return prepared("a", before, b"+")

        store.write("files", "a", append, author="test")
    assert content_of(store.view(), "a") == b"2+"


def test_a_write_that_is_overtaken_each_time_is_refused_at_last(
    tmp_path: Path, store: Store
) -> None:
    with Store.open(store_url(tmp_path)) as other:
        tries = iter(range(1000))

        def make(present: object) -> Prepared:
            put(other, "a", b"%d" % next(tries))
            return prepared("a", b"mine")

        with pytest.raises(MovedOn, match="look again"):
            store.write("files", "a", make, author="test")
    assert content_of(store.view(), "a") != b"mine"


def test_of_writers_in_several_threads_none_is_lost(tmp_path: Path, store: Store) -> None:
    """Each appends to the same object: an update that got lost would be missing from it."""

    def append(own: Store, mark: bytes) -> None:
        def make(present: object) -> Prepared:
            found = own.view().present("files", "a")
            before = b"" if found is None else b"".join(found.content.chunks())
            return prepared("a", before, mark)

        while True:
            try:
                own.write("files", "a", make, author="test")
            except MovedOn:
                continue
            return

    def work(number: int) -> None:
        with Store.open(store_url(tmp_path)) as own:
            for n in range(12):
                # What is read in `make` may be newer than what `write` saw: then it is refused too.
                append(own, b"<%d.%d>" % (number, n))

    run_threads([partial(work, number) for number in range(3)])
    content = content_of(store.view(), "a")
    assert all(b"<%d.%d>" % (number, n) in content for number in range(3) for n in range(12))
    assert store.clock().seq == 36
    assert_sound(store)


def test_of_writers_that_state_the_same_digest_one_wins(tmp_path: Path, store: Store) -> None:
    put(store, "a", b"first")
    digest = store.view().version("files", "a").digest.hex()
    barrier, lost = threading.Barrier(4), []

    def work(number: int) -> None:
        with Store.open(store_url(tmp_path)) as own:
            barrier.wait()
            try:
                put(own, "a", b"%d" % number, digest=digest)
            except MovedOn:
                lost.append(number)

    run_threads([partial(work, number) for number in range(4)])
    assert len(lost) == 3
    assert store.clock().seq == 2


def run_threads(works: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Tokens


def test_a_store_whose_floor_is_above_its_commit_is_damaged_and_not_waited_for(
    store: Store,
) -> None:
    put(store, "a", b"one")
    with store.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(update(clock).values(floor=5))
    for read in (
        store.view,
        lambda: store.view(1),
        store.snapshot().__enter__,
        lambda: put(store, "a", b"two"),
    ):
        with pytest.raises(StoreError, match=r"damaged: its floor 5 is above .* 1; `syncd fsck`"):
            read()


def test_a_store_that_lost_its_token_keeps_its_objects(store: Store) -> None:
    put(store, "a", b"content")
    before, token = held(store.view()), store.clock().token
    store.renew_epoch()
    assert store.clock().epoch != token.epoch
    assert held(store.view()) == before
    with pytest.raises(TokenLost, match="another history"):
        list(store.changes(token, store.view(), TYPES))
