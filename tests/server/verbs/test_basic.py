"""Verbs that need no store."""

import pytest
from sqlalchemy import update

from syncd.server.registry import ACTIONS, VERBS
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.store.schema import clock as clock_table
from tests.databases import on_every_engine
from tests.running import NOON, FixedClock
from tests.server.conftest import Connect

pytestmark = on_every_engine


def test_noop_does_nothing(connect: Connect) -> None:
    assert connect().ask("NOOP") == "200 ok"


def test_qnop_answers_nothing(connect: Connect) -> None:
    client = connect()
    assert client.ask("QNOP\nECHO after") == "200 after"


@pytest.mark.parametrize("text", ["", "a|b%25 c", "é", " blanks "])
def test_echo_sends_its_text_back(connect: Connect, text: str) -> None:
    assert connect().ask(f"ECHO {text}") == f"200 {text}"


def test_time_is_the_servers(connect: Connect, clock: FixedClock) -> None:
    client = connect()
    clock.now += 90.7
    now, _, daylight, started = client.ask("TIME").removeprefix("200 ").split("|")
    assert (now, daylight, started) == (str(NOON + 90), "0", str(NOON))


def test_info_has_citadels_25_lines_and_then_what_the_server_knows(connect: Connect) -> None:
    connect()
    lines = connect().listing("INFO")
    assert lines[0] == "2", "the session's number"
    assert lines[4].startswith("syncd ")
    known = dict(line.split("=", 1) for line in lines[25:])
    assert known["protocol"] == "1"
    assert known["types"] == "files,users,zones"
    assert known["actions"].split(",") == list(ACTIONS)
    assert known["info"] == "after,at,limit;format=text,msgpack"
    assert known["getall"] == "after,at,skip;format=msgpack"


def test_help_lists_every_verb(connect: Connect) -> None:
    lines = connect().listing("HELP")
    assert [line[:4] for line in lines] == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_says_how_a_verb_is_written(connect: Connect, verb: str) -> None:
    syntax, does, role = connect().listing(f"HELP {verb.lower()}")
    assert syntax == f"syntax: {VERBS[verb].syntax}"
    assert does == f"does:   {VERBS[verb].summary}"
    assert role.startswith("role:   ")


def test_help_for_no_verb_is_refused(connect: Connect) -> None:
    assert connect().ask("HELP nope").startswith("512 ")


def test_rwho_shows_who_is_connected(connect: Connect) -> None:
    alice, nobody = connect("alice"), connect()
    bob = connect("bob")
    nobody.ask("NOOP")
    assert bob.listing("RWHO") == [
        f"1|alice|zones|127.0.0.1:{alice.port}|-|{NOON}|PASS|.||||1|operator|{NOON}",
        f"2|-|zones|127.0.0.1:{nobody.port}|-|{NOON}|NOOP|.||||0|-|{NOON}",
        f"3|bob|zones|127.0.0.1:{bob.port}|-|{NOON}|RWHO|.||||1|reader|{NOON}",
    ]


def test_rwho_does_not_show_what_was_typed_by_mistake(connect: Connect) -> None:
    hasty, bob = connect("alice"), connect("bob")
    hasty.ask("my-other-password")
    assert not any("MY-OTHER" in line for line in bob.listing("RWHO"))


def test_term_ends_another_session(connect: Connect) -> None:
    other, root = connect("alice"), connect("root")
    assert root.ask("TERM 1") == "200 session 1 is ended"
    assert other.is_ended()
    assert len(root.listing("RWHO")) == 1


@pytest.mark.parametrize(
    ("number", "code"), [("9", "571"), ("1", "571"), ("x", "512"), ("", "512")]
)
def test_term_of_no_other_session_is_refused(connect: Connect, number: str, code: str) -> None:
    root = connect("root")
    assert root.ask(f"TERM {number}").startswith(f"{code} ")


@pytest.mark.parametrize(("value", "reply"), [("1", "200 1"), ("0", "200 0")])
def test_asyn_says_what_it_is_now(connect: Connect, value: str, reply: str) -> None:
    assert connect().ask(f"ASYN {value}") == reply


@pytest.mark.parametrize("value", ["", "2", "on"])
def test_asyn_is_0_or_1(connect: Connect, value: str) -> None:
    assert connect().ask(f"ASYN {value}").startswith("512 ")


@pytest.mark.parametrize("user", [None, "bob", "ns2", "alice", "root"])
def test_msgp_is_taken_always_and_with_any_argument(
    connect: Connect, source_store: Store, user: str | None
) -> None:
    """Before and after a login, whatever role, while others hold a freeze, and on a replica."""
    client = connect(user)
    arguments = ["", " ", "text/html|text/plain", "|||", "a|" * 5000, "%zz", "é\x1b[31m", "000"]

    def taken() -> bool:
        lines = ["MSGP", "msgp", *(f"MSGP {argument}" for argument in arguments)]
        return [client.ask(line) for line in lines] == ["200 ok"] * len(lines)

    assert taken()
    holder = connect("ns2")
    assert holder.ask("SNGL 0|60").startswith("200 ")
    assert holder.ask("MSGP text/plain") == "200 ok"
    assert taken()
    assert client.ask("ASYN 1") == "200 1"
    assert taken()
    assert client.ask("ASYN 0") == "200 0"
    assert holder.ask("ESNG").startswith("200 ")
    source_store.remove("users", "bob", author="test")
    make_a_replica(source_store)
    assert taken()
    client.ask("LOUT")
    assert taken()
    client.ask("USER alice")
    assert taken(), "between USER and PASS"


def make_a_replica(store: Store) -> None:
    with store.engine.execution_options(**WRITE).begin() as connection:
        connection.execute(update(clock_table).values(source="syncd://elsewhere"))


def test_a_citadel_clients_first_lines_are_taken(connect: Connect) -> None:
    client = connect()
    assert client.ask("IDEN 0|4|926|Citadel text client|host") == "200 ok"
    assert client.ask("MSGP text/html|text/plain") == "200 ok"
    assert client.ask("MESG Hello").startswith("100 hello")
    assert client.lines() == ["Log in with USER and PASS; SYNC ? and HELP list what there is."]
    assert client.ask("GTLS").startswith("530 ")
    assert client.ask("STLS").startswith("530 ")


def test_rwho_names_the_software_and_when_it_was_last_active(
    connect: Connect, clock: FixedClock
) -> None:
    guest, bob = connect(), connect("bob")
    clock.now += 60
    guest.ask(f"IDEN 0|4|926|Cita\x1b[31mdel{'x' * 99}|host")
    assert bob.listing("RWHO")[0].split("|")[4:7] == [
        f"Cita[31mdel{'x' * 49}",
        str(NOON + 60),
        "IDEN",
    ]


def test_a_message_that_is_not_there_is_refused(connect: Connect) -> None:
    assert connect().ask("MESG nothing").startswith("571 no system message nothing;")
    assert connect().ask("MESG") == "571 say which system message: hello, goodbye"


def test_quit_says_goodbye_and_ends(connect: Connect) -> None:
    client = connect()
    assert client.ask("QUIT") == "200 goodbye"
    assert client.is_ended()
