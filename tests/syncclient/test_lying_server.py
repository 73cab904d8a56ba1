"""A server that lies, about whatever it is, changes nothing in the replica and is told apart."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncclient.replica import Path as SyncPath
from syncd.content.compression import compress
from syncd.errors import NotSupported, RemoteError
from syncd.protocol.limits import MAX_BLOCK_BYTES
from syncd.protocol.packing import pack, unpack
from syncd.store import Store
from tests.databases import on_every_engine
from tests.running import put as put_object
from tests.store.objects import assert_sound, held, new_store, put, put_all
from tests.syncclient.link import LyingStream, Tamper, add_user, synchronise

HEAD_FIELDS = 9
SEQ, MTIME, SIZE, LINES, CRC32, DIGEST, ATTRIBUTES, HOW = range(1, HEAD_FIELDS)

ZONE = """\
example.com. 3600 IN SOA ns1.example.com. hostmaster.example.com. {serial} 7200 3600 1209600 300
example.com. 3600 IN NS ns1.example.com.
"""


pytestmark = on_every_engine


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path, "source") as store:
        fill(store)
        yield store


def fill(store: Store) -> None:
    add_user(store)
    put_object(store, "zones", "example.com.", ZONE.format(serial=1))
    put_all(store, {f"f{number}": [b"%d" % number * 100] for number in range(9)})
    put(store, "large", *(random.Random(at).randbytes(3000) for at in range(10)))


def empty(tmp_path: Path, source: Store) -> Store:
    return new_store(tmp_path, "replica")


def with_old_token(tmp_path: Path, source: Store) -> Store:
    """A replica for which there is a delta."""
    store = new_store(tmp_path, "replica")
    synchronise(source, store)
    put(source, "f5", b"changed")
    put(source, "large", *(random.Random(at).randbytes(3000) for at in range(11)))
    put_object(source, "zones", "example.com.", ZONE.format(serial=2))
    source.remove("files", "f7", author="test")
    return store


def with_lost_token(tmp_path: Path, source: Store) -> Store:
    """A replica that has to be repaired."""
    store = with_old_token(tmp_path, source)
    store.renew_epoch()
    return store


STATES = [empty, with_old_token, with_lost_token]


def lists(change: Callable[[list[Any]], object]) -> Tamper:
    """Change the rows of buckets' lists: type, packed names, marks."""

    def tamper(kind: str, data: bytes) -> bytes:
        value = unpack(data) if kind == "block" else None
        if not isinstance(value, list):
            return data
        rows = [row for row in value if isinstance(row, list) and len(row) == 3]
        for row in rows:
            change(row)
        return pack(value) if rows else data

    return tamper


def elements(change: Callable[[list[Any]], list[Any]]) -> Tamper:
    """Change what stands in blocks of objects and chunks."""

    def tamper(kind: str, data: bytes) -> bytes:
        value = unpack(data) if kind == "block" else None
        # Sums of buckets, and their lists, are blocks as well.
        if not isinstance(value, list) or any(
            isinstance(row, list) and len(row) == 3 for row in value
        ):
            return data
        return pack(change(value))

    return tamper


def heads(change: Callable[[list[Any]], object], name: str = "large") -> Tamper:
    """Change the head of one object."""

    def work(value: list[Any]) -> list[Any]:
        for row in value:
            if isinstance(row, list) and len(row) == HEAD_FIELDS and row[0] == name:
                change(row)
        return value

    return elements(work)


def final(change: Callable[[list[str]], object]) -> Tamper:
    """Change the line that ends a long answer: token, count, fingerprint."""

    def tamper(kind: str, data: bytes) -> bytes:
        if kind == "block" or data[:4] != b"200 " or data.count(b"|") != 2:
            return data
        fields = data[4:-1].decode().split("|")
        change(fields)
        return f"200 {'|'.join(fields)}\n".encode()

    return tamper


def put_at(index: int, value: Any) -> Callable[[list[Any]], None]:
    def change(row: list[Any]) -> None:
        row[index] = value(row[index]) if callable(value) else value

    return change


def flip_a_chunk(value: list[Any]) -> list[Any]:
    return [bytes([*row[:-1], row[-1] ^ 1]) if isinstance(row, bytes) else row for row in value]


def empty_a_chunk(value: list[Any]) -> list[Any]:
    return [compress(b"") if isinstance(row, bytes) else row for row in value]


def exchange_a_chunk(value: list[Any]) -> list[Any]:
    return [compress(b"something else") if isinstance(row, bytes) else row for row in value]


def leave_out_a_chunk(value: list[Any]) -> list[Any]:
    last = max((at for at, row in enumerate(value) if isinstance(row, bytes)), default=None)
    return value if last is None else value[:last] + value[last + 1 :]


def repeat_a_chunk(value: list[Any]) -> list[Any]:
    return [copy for row in value for copy in ([row, row] if isinstance(row, bytes) else [row])]


def leave_out_an_object(value: list[Any]) -> list[Any]:
    """The whole of it, so that only count and fingerprint tell."""
    kept: list[Any] = []
    skipping = False
    for row in value:
        if isinstance(row, list):
            skipping = row[0] == "f5"
        if not (skipping and isinstance(row, (list, bytes))):
            kept.append(row)
    return kept


LIES: dict[str, Tamper] = {
    "a flipped byte in a chunk": elements(flip_a_chunk),
    "another chunk": elements(exchange_a_chunk),
    "an empty chunk": elements(empty_a_chunk),
    "more chunks than there can be": heads(put_at(HOW, 1 << 21)),
    "nesting": lambda kind, data: b"\x91" * 900 + b"\xc0" if kind == "block" else data,
    "a chunk left out": elements(leave_out_a_chunk),
    "a chunk twice": elements(repeat_a_chunk),
    "an object left out": elements(leave_out_an_object),
    "another digest": heads(put_at(DIGEST, bytes(32))),
    "another CRC-32": heads(put_at(CRC32, lambda checksum: checksum ^ 1)),
    "another size": heads(put_at(SIZE, lambda size: size + 1)),
    "lines where there are none": heads(put_at(LINES, 5)),
    "no lines where there are some": heads(put_at(LINES, 0), "example.com."),
    "another name": heads(put_at(0, "larger")),
    "a name that leads out of the folder": heads(put_at(0, "../../etc/passwd")),
    "a name that is not in its one form": heads(put_at(0, "EXAMPLE.com."), "example.com."),
    "other attributes": heads(put_at(ATTRIBUTES, pack({"mode": 0o777}))),
    "attributes that are none": heads(put_at(ATTRIBUTES, pack([1]))),
    "attributes that cannot be read": heads(put_at(ATTRIBUTES, b"\xc1")),
    "a commit that is to come": heads(put_at(SEQ, 99)),
    "a number that no column holds": heads(put_at(SEQ, 1 << 63)),
    "a negative size": heads(put_at(SIZE, -1)),
    "nonsense about the chunks": heads(put_at(HOW, "many")),
    "another count": final(put_at(1, "3")),
    "another fingerprint": final(put_at(2, "0" * 64)),
    "no token": final(put_at(0, "nonsense")),
    "no number of objects": final(put_at(1, "many")),
    "a type that there is not": elements(
        lambda value: ["nonsense" if row == "files" else row for row in value]
    ),
    "an opening in the wrong place": elements(lambda value: [*value, ["0" * 16 + ":1", 3]]),
    "an opening that is none": elements(lambda value: [["nonsense", 3], *value]),
    "a chunk of no object": elements(lambda value: [compress(b"x"), *value]),
    "an object twice": elements(lambda value: value + value),
    "a value that is no array": lambda kind, data: pack({}) if kind == "block" else data,
    "bytes that are no value": lambda kind, data: b"\xc1" if kind == "block" else data,
    "an empty block": lambda kind, data: b"" if kind == "block" else data,
    "a block that is too large": lambda kind, data: (
        data + bytes(MAX_BLOCK_BYTES) if kind == "block" else data
    ),
    "a line that is no reply": lambda kind, data: (
        b"nonsense\n" if data.startswith((b"200 ", b"600 ")) and b"|" in data else data
    ),
    "a reply that does not fit": lambda kind, data: (
        b"100 a listing\n" if data.startswith(b"200 ") and data.count(b"|") == 2 else data
    ),
}


def assert_refused_and_nothing_changed(source: Store, replica: Store, lie: Tamper) -> None:
    before = held(replica.view()), replica.clock()
    with pytest.raises((RemoteError, NotSupported)) as refused:
        synchronise(
            source,
            replica,
            wrap=lambda stream: LyingStream(stream, lie),
            allow_large_change=True,
        )
    assert len(str(refused.value)) > 10
    assert "\n" not in str(refused.value)
    assert (held(replica.view()), replica.clock()) == before
    assert_sound(replica)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_changes_nothing(
    tmp_path: Path, source: Store, state: Callable[[Path, Store], Store], lie: str
) -> None:
    with state(tmp_path, source) as replica:
        assert_refused_and_nothing_changed(source, replica, LIES[lie])
        synchronise(source, replica, allow_large_change=True)
        assert held(replica.view()).keys() == held(source.view()).keys()
        assert replica.view().totals(["files", "users", "zones"]) == source.view().totals(
            ["files", "users", "zones"]
        )
        assert_sound(replica)


def one_name(name: bytes) -> Callable[[list[Any]], None]:
    def change(row: list[Any]) -> None:
        row[1:] = compress(name), bytes(8)

    return change


LIES_IN_LISTS: dict[str, Tamper] = {
    "a type that there is not": lists(put_at(0, "nonsense")),
    "a type that would end the line": lists(put_at(0, "zo\nes")),
    "a name that no line can hold": lists(one_name(b"x" * 20_000)),
    "a name that leads out of the folder": lists(one_name(b"../../etc/passwd")),
    "millions of empty names": lists(put_at(1, compress(b"\n" * (50 << 20)))),
    "a bomb": lists(put_at(1, compress(bytes(200 << 20)))),
    "fewer marks than names": lists(put_at(2, b"")),
    "half a mark": lists(put_at(2, lambda marks: marks[:-1])),
}


@pytest.mark.parametrize("lie", LIES_IN_LISTS)
def test_a_server_that_lies_in_the_lists_of_a_repair_changes_nothing(
    tmp_path: Path, source: Store, lie: str
) -> None:
    with with_lost_token(tmp_path, source) as replica:
        assert_refused_and_nothing_changed(source, replica, LIES_IN_LISTS[lie])


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(STATES), st.integers(0, 8), st.data())
def test_a_server_that_sends_any_byte_wrong_changes_nothing_or_is_made_good(
    tmp_path_factory: pytest.TempPathFactory,
    state: Callable[[Path, Store], Store],
    block: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with new_store(folder, "source") as source:
        fill(source)
        blocks = iter(range(1000))

        def tamper(kind: str, sent: bytes) -> bytes:
            if kind != "block" or next(blocks) != block:
                return sent
            damaged = bytearray(sent)
            damaged[data.draw(st.integers(0, len(sent) - 1))] ^= data.draw(st.integers(1, 255))
            return bytes(damaged)

        with state(folder, source) as replica:
            before = held(replica.view())
            try:
                synchronise(
                    source,
                    replica,
                    wrap=lambda stream: LyingStream(stream, tamper),
                    allow_large_change=True,
                )
            except (RemoteError, NotSupported):
                assert held(replica.view()) == before
            assert_sound(replica)
            synchronise(source, replica, allow_large_change=True)
            assert held(replica.view()).keys() == held(source.view()).keys()


def test_a_lie_in_a_delta_is_made_good_by_a_repair(tmp_path: Path, source: Store) -> None:
    """A delta that does not add up, from a server that is right when it is asked for digests."""
    with with_old_token(tmp_path, source) as replica:
        lied: list[bytes] = []

        def once(kind: str, data: bytes) -> bytes:
            if kind == "block" and not lied:
                lied.append(data)
                return pack(flip_a_chunk(unpack(data)))
            return data

        outcome = synchronise(source, replica, wrap=lambda stream: LyingStream(stream, once))
        assert lied
        assert outcome.path is SyncPath.REPAIR
        assert held(replica.view()).keys() == held(source.view()).keys()
        assert_sound(replica)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\b", "."])
def test_a_name_that_leads_out_of_the_folder_is_refused_though_all_digests_are_right(
    tmp_path: Path, source: Store, state: Callable[[Path, Store], Store], name: str
) -> None:
    with state(tmp_path, source) as replica:
        before = held(replica.view())
        put(source, name, b"root::0:0::/:/bin/sh")  # the store itself takes any name
        with pytest.raises(RemoteError):
            synchronise(source, replica, allow_large_change=True)
        assert held(replica.view()) == before
