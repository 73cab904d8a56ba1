"""fsck names every damage, by where it is, and nothing in a sound store."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from syncd.content.compression import compress
from syncd.content.versions import chunk_digest, object_digest
from syncd.store import Store
from syncd.store.engine import WRITE
from syncd.store.schema import batch, chunk, clock, commit, staged, tally, version
from tests.databases import on_every_engine
from tests.store.objects import prepared, put

pytestmark = on_every_engine

Damaging = Callable[[Connection], object]


@pytest.fixture
def damaged(store: Store) -> Store:
    """Sound at first: object `a` in three versions, `b` in one, and one that is being made
    ready."""
    put(store, "a", b"one" * 50, b"shared")
    put(store, "a", b"two" * 50, b"shared")
    put(store, "b", b"other" * 50)
    put(store, "a", b"three" * 50, b"shared")
    in_flight = store.batch()
    in_flight.put("files", prepared("c", b"in flight"), None)
    in_flight.flush()
    return store


def found(store: Store, damage: Damaging) -> list[str]:
    with store.engine.execution_options(**WRITE).begin() as connection:
        damage(connection)
    return [f"{damage.where}: {damage.what}" for damage in store.fsck()]


def of_version(seq: int, **changed: object) -> Damaging:
    return lambda c: c.execute(update(version).where(version.c.seq == seq).values(**changed))


def of_clock(**changed: object) -> Damaging:
    return lambda c: c.execute(update(clock).values(**changed))


DIGEST = chunk_digest(b"other" * 50)


def flip_a_byte(connection: Connection, at: int = -1) -> None:
    body = bytearray(
        connection.execute(select(chunk.c.body).where(chunk.c.digest == DIGEST)).scalar_one()
    )
    body[at] ^= 1
    connection.execute(update(chunk).where(chunk.c.digest == DIGEST).values(body=bytes(body)))


def exchange_body(connection: Connection) -> None:
    body = compress(b"OTHER" * 50)
    connection.execute(update(chunk).where(chunk.c.digest == DIGEST).values(body=body))


def test_a_sound_store_has_no_damage(damaged: Store) -> None:
    assert found(damaged, lambda connection: None) == []


def test_a_store_in_which_a_batch_was_left_is_sound(damaged: Store) -> None:
    with damaged.engine.connect() as connection:
        assert connection.execute(select(batch)).all()
        assert connection.execute(select(staged)).all()
    assert list(damaged.fsck()) == []


@pytest.mark.parametrize("at", range(16))
def test_a_flipped_byte_in_a_chunk_is_found_wherever_it_is(damaged: Store, at: int) -> None:
    damages = found(damaged, lambda connection: flip_a_byte(connection, at))
    assert damages[0].startswith(f"chunk {DIGEST.hex()}")


def test_a_chunk_with_other_content_is_found(damaged: Store) -> None:
    damages = found(damaged, exchange_body)
    assert f"chunk {DIGEST.hex()}: its content has another SHA-256" in damages


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (
            lambda c: c.execute(delete(chunk).where(chunk.c.digest == DIGEST)),
            f"files b of commit 3: chunk {DIGEST.hex()} is missing",
        ),
        (
            lambda c: c.execute(delete(chunk).where(chunk.c.digest == chunk_digest(b"in flight"))),
            f"staged c: chunk {chunk_digest(b'in flight').hex()} is missing",
        ),
        (
            lambda c: c.execute(update(chunk).where(chunk.c.digest == DIGEST).values(size=1)),
            f"chunk {DIGEST.hex()}: has 250 bytes, not 1",
        ),
        (of_version(3, digest=bytes(32)), "files b of commit 3: its digest is not that of its"),
        (of_version(3, crc32=1), "files b of commit 3: its CRC-32 is not that of its content"),
        (of_version(3, size=1), "files b of commit 3: its size is not that of its chunks"),
        (of_version(1, until=1), "files a of commit 1: ends at commit 1, before it begins"),
        (of_version(1, until=3), "files a of commit 2: begins before the version before it ends"),
        (of_version(2, until=None), "files a of commit 4: begins before the version before it"),
        (of_version(2, until=99), "files a of commit 2: is of a commit after 4, the last"),
        (
            lambda c: c.execute(update(version).where(version.c.seq == 4).values(seq=5)),
            "files a of commit 5: is of a commit after 4, the last",
        ),
        (lambda c: c.execute(update(tally).values(count=3)), "tally of files: its count or"),
        (
            lambda c: c.execute(update(tally).values(fingerprint=bytes(32))),
            "tally of files: its count or fingerprint is not that of its objects",
        ),
        (lambda c: c.execute(delete(tally)), "tally of files: its count or fingerprint"),
        (of_version(3, attributes=b"\x80"), "tally of files: its count or fingerprint"),
        (
            lambda c: c.execute(insert(tally).values(type="zones", count=1, fingerprint=bytes(32))),
            "tally of zones: its count or fingerprint is not that of its objects",
        ),
        (of_clock(seq=9), "clock: stands at commit 9, the last there is is 4"),
        (
            lambda c: c.execute(delete(commit).where(commit.c.seq == 4)),
            "clock: stands at commit 4, the last there is is 3",
        ),
        (of_clock(floor=5), "clock: its floor 5 is above its commit 4"),
    ],
)
def test_a_damage_is_found_and_named(damaged: Store, damage: Damaging, expected: str) -> None:
    damages = found(damaged, damage)
    assert any(text.startswith(expected) for text in damages), damages


def test_lines_that_are_not_those_of_the_content_are_found(damaged: Store) -> None:
    assert found(damaged, of_version(3, lines=7)) == [
        "files b of commit 3: its lines are not those of its content"
    ]


def test_what_an_interrupted_repair_left_is_no_damage(store: Store) -> None:
    """It waits for chunks that were still to come."""
    put(store, "a", b"1")
    left = store.replica_batch()
    coming = chunk_digest(b"still to come")
    head = store.view().version("files", "a")
    left.add_version(replace(head, digest=object_digest(coming), chunks=coming))
    left.flush()
    assert list(store.fsck()) == []
    left.copies = store.clock().token
    left.add_version(replace(head, name="b", digest=object_digest(coming), chunks=coming))
    left.flush()
    assert [damage.where for damage in store.fsck()] == ["staged a", "staged b"]
