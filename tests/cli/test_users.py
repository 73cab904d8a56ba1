"""What others do to a user while a password is being typed in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncd.cli.users import add_user, change_password, change_role, remove_user
from syncd.errors import AlreadyExists, NoSuchObject
from syncd.store import Store
from syncd.types.users import password_matches
from tests.databases import on_every_engine
from tests.store.objects import new_store

pytestmark = on_every_engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as store:
        add_user(store, "alice", "admin", lambda: "first")
        yield store


def asked(meanwhile: Callable[[], object], password: str = "second") -> Callable[[], str]:
    """Return who is asked for a password, and what happens until it is there."""

    def ask() -> str:
        meanwhile()
        return password

    return ask


def role_of(store: Store, name: str) -> str:
    return store.view().version("users", name).attribute("role")


def has_password(store: Store, name: str, password: str) -> bool:
    view = store.view()
    hashed = b"".join(view.content(view.version("users", name))).decode()
    return password_matches(hashed.strip(), password)


def test_who_is_demoted_meanwhile_stays_so(store: Store) -> None:
    change_password(store, "alice", asked(lambda: change_role(store, "alice", "reader")))
    assert role_of(store, "alice") == "reader"
    assert has_password(store, "alice", "second")


def test_who_is_removed_meanwhile_does_not_come_back(store: Store) -> None:
    with pytest.raises(NoSuchObject, match="no user alice"):
        change_password(store, "alice", asked(lambda: remove_user(store, "alice")))
    assert not store.view().find("users", ["alice"])


def test_who_is_added_meanwhile_is_not_replaced(store: Store) -> None:
    other = asked(lambda: add_user(store, "bob", "reader", lambda: "theirs"))
    with pytest.raises(AlreadyExists, match="there is a user bob"):
        add_user(store, "bob", "admin", other)
    assert role_of(store, "bob") == "reader"
    assert has_password(store, "bob", "theirs")


def test_another_role_leaves_the_password(store: Store) -> None:
    change_role(store, "alice", "replica")
    assert role_of(store, "alice") == "replica"
    assert has_password(store, "alice", "first")
