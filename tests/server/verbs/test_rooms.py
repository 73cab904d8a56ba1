"""Rooms: each type that one may read is one, and nothing but looking is possible."""

import pytest

from syncd.store import Store
from tests.databases import on_every_engine
from tests.running import EPOCH, put
from tests.server.conftest import Connect

pytestmark = on_every_engine

FILES, USERS, ZONES = (f"{name}|8482|0|0|0|6|0|0|0" for name in ("files", "users", "zones"))


@pytest.mark.parametrize(
    ("user", "rooms"), [("bob", [FILES, ZONES]), ("ns2", [FILES, USERS, ZONES])]
)
@pytest.mark.parametrize("command", ["LKRA", "LKRA -1", "LKRA 0", "LKRO -1"])
def test_the_types_that_one_may_read_are_rooms(
    connect: Connect, user: str, rooms: list[str], command: str
) -> None:
    client = connect(user)
    assert client.listing(command) == rooms
    assert client.listing("LFLR") == [f"0|syncd|{len(rooms)}"]


def test_no_room_has_anything_new_and_none_is_hidden(connect: Connect) -> None:
    bob = connect("bob")
    assert [bob.listing(command) for command in ("LKRN -1", "LZRM -1", "MSGS NEW||0")] == [[]] * 3
    assert bob.ask("SLRP HIGHEST") == "200 0"
    assert bob.ask("CHEK") == "200 0|0|0|"
    assert bob.ask("GETU") == "200 80|24|0"


@pytest.mark.parametrize("verb", ["LKRA", "LKRO", "LKRN", "LZRM"])
def test_there_is_no_second_floor(connect: Connect, verb: str) -> None:
    assert connect("bob").ask(f"{verb} 1").startswith("512 there is no floor 1")


def test_one_begins_in_zones_and_goes_to_a_room_by_its_name(connect: Connect) -> None:
    bob = connect("bob")
    assert room_of(bob.listing("RWHO")[0]) == "zones"
    assert bob.ask("GOTO Files||") == "200 files|0|0|0|8482|0|0|0|0|0|0|0|0|0|0|0"
    assert room_of(bob.listing("RWHO")[0]) == "files"
    assert bob.ask("GOTO _BASEROOM_|").startswith("200 zones|")
    assert connect("root").ask("GOTO files") == "200 files|0|0|0|8482|0|0|0|1|0|0|0|0|0|0|0"


@pytest.mark.parametrize("name", ["cellar", "users", "", "%7C"])
def test_a_room_that_is_not_there_for_one_is_refused(connect: Connect, name: str) -> None:
    bob = connect("bob")
    assert bob.ask(f"GOTO {name}").startswith("571 no room ")
    assert room_of(bob.listing("RWHO")[0]) == "zones"


def test_the_directory_of_a_room_is_what_the_type_holds(
    connect: Connect, source_store: Store
) -> None:
    put(source_store, "files", "a|b", b"123")
    bob = connect("bob")
    first, second = bob.listing("RDIR")
    assert first.startswith("example.com.|247|text/plain|commit 5, digest ")
    assert second.startswith("example.net.|132|text/plain|commit 6, digest ")
    bob.ask("GOTO files")
    first, second = bob.listing("RDIR")
    assert first.startswith("a%7Cb|3|application/octet-stream|commit 8, digest ")
    assert second.startswith("etc/motd|8|application/octet-stream|commit 7, digest ")


def test_the_information_of_a_room_says_where_it_stands(connect: Connect) -> None:
    lines = connect("bob").listing("RINF")
    assert lines[0] == "zones: DNS zones, as canonical master-file text."
    assert lines[1].startswith(f"2 objects at {EPOCH}:7; ")


def test_who_logs_out_leaves_the_rooms_that_the_next_user_may_not_see(connect: Connect) -> None:
    client = connect("ns2")
    client.ask("GOTO users")
    client.ask("LOUT")
    client.log_in("bob")
    assert room_of(client.listing("RWHO")[0]) == "zones"
    assert client.listing("RDIR")[0].startswith("example.com.|")


@pytest.mark.parametrize("command", ["LFLR", "LKRA", "GOTO zones", "RDIR", "RINF", "MSGS ALL"])
def test_rooms_are_for_those_who_are_logged_in(connect: Connect, command: str) -> None:
    assert connect().ask(command).startswith("520 ")


def room_of(line: str) -> str:
    return line.split("|")[2]
