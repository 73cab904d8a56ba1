"""Logging in and out."""

import pytest

from syncd.store import Store, View
from syncd.types import Role
from tests.running import PASSWORD, USER_OF_ROLE, put
from tests.server.conftest import Connect


@pytest.mark.parametrize("role", Role)
def test_a_user_logs_in_and_is_told_the_role(connect: Connect, role: Role) -> None:
    name = USER_OF_ROLE[role]
    client = connect()
    assert client.ask(f"USER {name}") == f"300 {name}"
    assert client.ask(f"PASS {PASSWORD}") == f"200 {name}|{role.label}"


def test_a_name_is_taken_in_either_case(connect: Connect) -> None:
    assert connect().log_in("ALICE") == "200 alice|operator"


@pytest.mark.parametrize("name", ["nobody", "", "no such", "%7C", "-"])
def test_a_user_that_is_not_there_is_refused(connect: Connect, name: str) -> None:
    assert connect().ask(f"USER {name}").startswith("570 ")


@pytest.mark.parametrize("password", ["wrong", "", "Secret", "secret ", " secret", "secre%74"])
def test_a_wrong_password_is_refused_and_user_is_due_again(connect: Connect, password: str) -> None:
    client = connect()
    client.ask("USER alice")
    assert client.ask(f"PASS {password}") == "540 wrong password"
    assert client.ask(f"PASS {PASSWORD}") == "540 USER first"
    assert client.log_in("alice") == "200 alice|operator"


def test_a_password_without_a_user_is_refused(connect: Connect) -> None:
    assert connect().ask(f"PASS {PASSWORD}") == "540 USER first"


def test_one_who_is_logged_in_has_to_log_out_first(connect: Connect) -> None:
    client = connect("alice")
    assert client.ask("USER bob").startswith("541 ")
    assert client.ask("PASS x").startswith("541 ")
    assert client.ask("LOUT") == "200 logged out"
    assert client.log_in("bob") == "200 bob|reader"


def test_who_logged_out_may_do_no_more_than_before_login(connect: Connect) -> None:
    client = connect("alice")
    client.ask("LOUT")
    assert client.ask("SYNC zones|info").startswith("520 ")


def test_a_user_that_was_removed_logs_in_no_more(connect: Connect, source_store: Store) -> None:
    client = connect()
    client.ask("USER bob")
    source_store.remove("users", "bob", author="test")
    assert client.ask(f"PASS {PASSWORD}").startswith("540 ")
    assert client.ask("USER bob").startswith("570 ")


def test_a_commit_and_gc_in_the_midst_of_a_login_do_not_disturb_it(
    connect: Connect, source_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    look = Store.view
    interfered = 0

    def look_and_interfere(store: Store, seq: int | None = None) -> View:
        nonlocal interfered
        view = look(store, seq)
        interfered += 1
        if interfered in (1, 3):
            put(store, "files", "other", b"%d" % interfered)
            store.collect(keep_seq=store.clock().seq)
        return view

    monkeypatch.setattr(Store, "view", look_and_interfere)
    assert client.ask("USER bob") == "300 bob"
    assert client.ask(f"PASS {PASSWORD}") == "200 bob|reader"
    assert interfered > 3
