"""SYNC lines: types, actions, options, and who may ask for what."""

import pytest

from syncd.server.registry import ACTIONS, VERBS, Action, subject_actions
from syncd.types import DataType, Role, all_types
from tests.running import USER_OF_ROLE
from tests.server.conftest import Connect

VERB_ROLES = [(verb, role) for verb in VERBS.values() for role in (None, *Role)]
ACTION_ROLES = [
    (action, kind, role) for action in ACTIONS.values() for kind in all_types() for role in Role
]


@pytest.mark.parametrize("role", [None, *Role])
def test_a_verb_is_refused_to_lesser_roles_and_to_nobody_else(
    connect: Connect, role: Role | None
) -> None:
    for verb in VERBS.values():
        if verb.name in ("QUIT", "QNOP", "USER", "PASS", "LOUT", "SNGL"):
            continue
        client = connect(None if role is None else USER_OF_ROLE[role])
        reply = client.ask(verb.name)
        if verb.role is None or (role is not None and role >= verb.role):
            assert reply[:3] not in ("520", "550"), (verb.name, reply)
        else:
            assert reply.startswith("520 " if role is None else "550 "), (verb.name, reply)
            assert client.ask("NOOP") == "200 ok"
        client.close()


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kind", all_types(), ids=lambda kind: kind.name)
def test_an_action_is_refused_to_lesser_roles_and_to_nobody_else(
    connect: Connect, kind: DataType, role: Role
) -> None:
    client = connect(USER_OF_ROLE[role])
    for action in ACTIONS.values():
        least = kind.write_role if action.writes else kind.read_role
        reply = client.ask(f"SYNC {kind.name}|{action.name}|x|format=none")
        if role < least:
            assert reply.startswith("550 "), (action.name, reply)
            assert least.label in reply
        else:
            assert reply.startswith("512 "), (action.name, reply)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
def test_every_action_needs_a_login(connect: Connect, action: Action) -> None:
    assert connect().ask(f"SYNC zones|{action.name}").startswith("520 ")


@pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
def test_an_option_that_an_action_does_not_have_is_refused(
    connect: Connect, action: Action
) -> None:
    reply = connect("root").ask(f"SYNC zones|{action.name}|x|nosuch=1")
    assert reply.startswith(f"530 {action.name} has no option nosuch=")


@pytest.mark.parametrize("action", ["patch", "delete"])
def test_the_options_of_a_type_are_for_put_only(connect: Connect, action: str) -> None:
    reply = connect("root").ask(f"SYNC files|{action}|x|mode=600")
    assert reply.startswith(f"530 {action} has no option mode=")


@pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)
def test_several_types_are_for_the_actions_that_take_them(connect: Connect, action: Action) -> None:
    client = connect("root")
    for types in ("*", "zones,files"):
        reply = client.ask(f"SYNC {types}|{action.name}|format=none")
        assert reply.startswith("512 format" if action.several_types else "512 "), reply
        if not action.several_types:
            assert "takes one type" in reply


@pytest.mark.parametrize(
    ("request_text", "reply"),
    [
        ("zones", "512 syntax: SYNC TYPE|ACTION"),
        ("zones|nosuch", "530 no such action: 'nosuch'"),
        ("zones | info", "512 write types and action without blanks"),
        ("zones|info |limit=1", "512 write types and action without blanks"),
        ("rooms|info", "530 no such type: 'rooms'"),
        ("|info", "530 no such type: ''"),
        ("Zones|info", "530 no such type: 'Zones'"),
        ("zones|info|at=x", "512 at: 'x' is not a number"),
        ("zones|info|at=-1", "512 at: '-1' is not a number"),
        ("zones|info|at=1|at=1", "512 option at= is given twice"),
        ("zones|info|%", "512 field '%'"),
        ("zones|info|a|b", "512 give one name or pattern"),
        ("zones|info|limit=1e3", "512 limit: '1e3' is not a number"),
        ("zones|get", "512 give one name"),
        ("zones|get||", "512 give one name"),
        ("zones|info|format=xml", "512 format=xml: info has text, msgpack"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_and_says_why(
    connect: Connect, request_text: str, reply: str
) -> None:
    client = connect("alice")
    assert client.ask(f"SYNC {request_text}").startswith(reply)
    assert client.ask("NOOP") == "200 ok"


def test_an_action_is_read_in_either_case(connect: Connect) -> None:
    assert connect("bob").ask("sync zones|INFO").startswith("100 ")


def test_every_type_means_those_that_one_may_read(connect: Connect) -> None:
    bob, ns2 = connect("bob"), connect("ns2")
    assert bob.ask("SYNC *|verify").split("|")[1] == "3"
    assert ns2.ask("SYNC *|verify").split("|")[1] == "7"
    assert ns2.ask("SYNC files,zones,files|verify") == bob.ask("SYNC *|verify")


@pytest.mark.parametrize("question", ["SYNC ?", "SYNC"])
def test_sync_lists_what_there_is(connect: Connect, question: str) -> None:
    lines = connect("bob").listing(question)
    assert [line.split("|")[1] for line in lines if line.startswith("type|")] == [
        kind.name for kind in all_types()
    ]
    assert sum(line.startswith("action|") for line in lines) == len([*ACTIONS, *subject_actions()])
    assert any(line.startswith("option|put users|role=") for line in lines)
