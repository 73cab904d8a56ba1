"""gc: whatever can be read from the floor on stays readable; below it nothing is answered in
part."""

from functools import partial

import pytest

from syncd.content.tokens import Token
from syncd.errors import IllegalValue, TokenLost, ViewGone
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import TYPES, assert_sound, content_of, held, put

pytestmark = on_every_engine

FLOOR, HEAD = 4, 8


@pytest.fixture
def collected(store: Store) -> Store:
    """Eight commits of one object, each with a chunk of its own; gc kept them from 4 on."""
    for seq in range(1, HEAD + 1):
        put(store, "a", b"content of %d" % seq)
    swept = store.collect(keep_seq=FLOOR)
    assert (swept.floor, swept.commits, swept.versions, swept.chunks) == (4, 4, 3, 3)
    return store


def delta(store: Store, since: int) -> list[str]:
    token = Token(store.clock().epoch, since)
    return [
        f"{change.old and change.old.seq}-{change.new and change.new.seq}"
        for change in store.changes(token, store.view(), TYPES)
    ]


@pytest.mark.parametrize("seq", [FLOOR, FLOOR + 1, HEAD])
def test_views_from_the_floor_on_show_what_was_there(collected: Store, seq: int) -> None:
    assert content_of(collected.view(seq), "a") == b"content of %d" % seq


@pytest.mark.parametrize("seq", [FLOOR - 1, 0, HEAD + 1])
def test_views_below_the_floor_or_to_come_are_refused(collected: Store, seq: int) -> None:
    with pytest.raises(ViewGone, match=f"commit {seq} is not held: there are 4 to 8"):
        collected.view(seq)


def test_tokens_from_the_floor_on_are_good(collected: Store) -> None:
    assert delta(collected, FLOOR) == ["4-8"]
    assert delta(collected, FLOOR + 1) == ["5-8"]
    assert delta(collected, HEAD) == []


@pytest.mark.parametrize(
    ("seq", "reason"), [(FLOOR - 1, "below the floor, 4"), (0, "below the floor"), (9, "no commit")]
)
def test_tokens_below_the_floor_or_to_come_are_lost(
    collected: Store, seq: int, reason: str
) -> None:
    with pytest.raises(TokenLost, match=reason):
        delta(collected, seq)


def test_a_view_that_gc_passes_while_it_is_read_ends_in_a_refusal(collected: Store) -> None:
    view = collected.view(FLOOR)
    version = view.version("files", "a")
    collected.collect(keep_seq=FLOOR + 1)
    with pytest.raises(ViewGone, match="the oldest is 5"):
        list(view.content(version))
    with pytest.raises(ViewGone):
        list(view.versions(TYPES))
    with pytest.raises(ViewGone):
        view.totals(TYPES)


def test_a_delta_whose_token_gc_passes_is_refused_in_the_middle(
    collected: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncd.store.delta.PAGE_ROWS", 1)
    for name in "bcd":
        put(collected, name, b"x")
    changes = collected.changes(Token(collected.clock().epoch, FLOOR), collected.view(), TYPES)
    next(changes)
    collected.collect(keep_seq=FLOOR + 1)
    with pytest.raises(TokenLost):
        list(changes)


def test_gc_never_lowers_the_floor(collected: Store) -> None:
    assert collected.collect(keep_seq=1).floor == FLOOR
    assert collected.collect(keep_since=0).floor == FLOOR


@pytest.mark.parametrize("seq", [-1, HEAD + 1])
def test_a_floor_that_is_no_commit_is_refused(collected: Store, seq: int) -> None:
    with pytest.raises(IllegalValue, match="the last is 8"):
        collected.collect(keep_seq=seq)


def test_gc_up_to_the_head_leaves_the_head(collected: Store) -> None:
    before = held(collected.view())
    assert collected.collect(keep_seq=HEAD).floor == HEAD
    assert held(collected.view()) == before
    assert [commit.seq for commit in collected.log()] == [HEAD]
    assert_sound(collected)


def test_gc_by_time_keeps_what_was_to_be_seen_then(store: Store) -> None:
    """A commit counts from its time until that of the next."""
    for seq, at in ((1, 100), (2, 200), (3, 300)):
        store.now = partial(float, at)
        put(store, "a", b"%d" % seq)
    store.now = lambda: 1000
    assert store.collect(keep_since=250).floor == 2
    assert store.collect(keep_since=301).floor == 3


def test_gc_twice_finds_nothing_the_second_time(collected: Store) -> None:
    swept = collected.collect(keep_seq=FLOOR)
    assert (swept.versions, swept.commits, swept.chunks, swept.chunk_bytes) == (0, 0, 0, 0)


def test_gc_in_several_passes_takes_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for seq in range(1, 20):
        put(store, "a", b"only in %d" % seq, b"always")
    monkeypatch.setattr("syncd.store.retention._PASS_DIGESTS", 3)
    assert store.collect(keep_seq=19).chunks == 18
    assert content_of(store.view(), "a") == b"only in 19always"
    assert_sound(store)


def test_content_that_comes_back_after_gc_is_whole(store: Store) -> None:
    put(store, "a", b"old", b"shared")
    put(store, "a", b"new", b"shared")
    store.collect(keep_seq=2)
    put(store, "a", b"old", b"shared")
    assert content_of(store.view(), "a") == b"oldshared"
    assert_sound(store)
