"""Deltas: what differs between two commits, each object once, whatever happened in between."""

import pytest

from syncd.content.tokens import Token
from syncd.errors import TokenLost
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import TYPES, put, put_all

pytestmark = on_every_engine


def delta(
    store: Store, since: int, to: int | None = None
) -> list[tuple[str, int | None, int | None]]:
    token = Token(store.clock().epoch, since)
    found = []
    for change in store.changes(token, store.view(to), TYPES):
        some = change.new or change.old
        assert some is not None
        found.append((some.name, change.old and change.old.seq, change.new and change.new.seq))
    return found


def test_what_is_gone_comes_first_then_what_changed_each_in_order(store: Store) -> None:
    put_all(store, {name: [b"1"] for name in "abcdef"})
    for name in "dc":
        store.remove("files", name, author="test")
    for name in "fag":
        put(store, name, b"2")
    assert delta(store, 1) == [
        ("c", 1, None), ("d", 1, None), ("a", 1, 5), ("f", 1, 4), ("g", None, 6),
    ]  # fmt: skip


def test_an_object_changed_several_times_comes_once(store: Store) -> None:
    for content in (b"1", b"2", b"3"):
        put(store, "a", content)
    assert delta(store, 1) == [("a", 1, 3)]
    assert delta(store, 1, 2) == [("a", 1, 2)]


def test_an_object_that_came_and_went_is_not_mentioned(store: Store) -> None:
    put(store, "a", b"1")
    put(store, "b", b"1")
    store.remove("files", "b", author="test")
    assert delta(store, 1) == []


def test_an_object_that_went_and_came_back_is_a_change(store: Store) -> None:
    put(store, "a", b"1")
    store.remove("files", "a", author="test")
    put(store, "a", b"1")
    assert delta(store, 1) == [("a", 1, 3)]


def test_from_the_empty_store_everything_is_new(store: Store) -> None:
    put_all(store, {name: [b"1"] for name in "ab"})
    assert delta(store, 0) == [("a", None, 1), ("b", None, 1)]


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_pages_leave_nothing_out(store: Store, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    put_all(store, {f"f{number:02}": [b"1"] for number in range(12)})
    put_all(store, {f"f{number:02}": [b"2"] for number in range(0, 12, 2)})
    for number in (1, 5, 9):
        store.remove("files", f"f{number:02}", author="test")
    whole = delta(store, 1)
    monkeypatch.setattr("syncd.store.delta.PAGE_ROWS", rows)
    assert delta(store, 1) == whole
    assert len(whole) == 9


def test_only_the_types_asked_for_are_compared(store: Store) -> None:
    put(store, "a", b"1")
    token = Token(store.clock().epoch, 0)
    assert list(store.changes(token, store.view(), ["zones", "users"])) == []


def test_a_token_of_another_history_is_lost(store: Store) -> None:
    put(store, "a", b"1")
    with pytest.raises(TokenLost, match="of another history than"):
        list(store.changes(Token("f" * 16, 1), store.view(), TYPES))
