"""What comes out of a stream is verified where it is seen first, each thing by itself."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncclient.receiver import BootstrapReceiver, DeltaReceiver
from syncd.content.compression import compress
from syncd.content.messages import Element, Gone, Head, write_blocks
from syncd.content.splices import SpliceShape
from syncd.content.versions import chunk_digest, object_digest
from syncd.errors import NotSupported, ProtocolViolation, VerificationFailed
from syncd.protocol.packing import pack
from syncd.store import Store
from tests.databases import on_every_engine
from tests.store.objects import new_store, put

pytestmark = on_every_engine

CONTENT = b"content"
HEAD = Head(
    "files", "a", 1, 0, len(CONTENT), 0, crc32(CONTENT), object_digest(chunk_digest(CONTENT)),
    pack({"mode": 0o644}),
)  # fmt: skip


def blocks(*elements: Element) -> list[bytes]:
    return list(write_blocks(elements))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as store:
        yield store


def test_a_bootstrap_that_ends_inside_an_object_is_named(store: Store) -> None:
    receiver = BootstrapReceiver(store.replica_batch(), total=1)
    receiver.take(blocks(replace(HEAD, bodies=1))[0])
    with pytest.raises(ProtocolViolation, match="ends with 1 chunks missing"):
        receiver.finish()
    receiver.take(pack([compress(CONTENT)]))
    receiver.finish()
    assert receiver.received == 1


def test_a_delta_that_ends_inside_an_object_is_named(store: Store) -> None:
    receiver = DeltaReceiver(store)
    head = replace(HEAD, splices=(SpliceShape(0, 0, 1),))
    receiver.take(blocks(head)[0])
    with pytest.raises(ProtocolViolation, match="the delta ends inside a"):
        receiver.finish()
    with pytest.raises(ProtocolViolation, match="a begins before a ended"):
        receiver.take(blocks(head)[0])


def test_a_delta_to_something_older_is_named(store: Store) -> None:
    put(store, "a", b"mine")
    receiver = DeltaReceiver(store)
    with pytest.raises(VerificationFailed, match="a is not newer than what is here"):
        receiver.take(blocks(replace(HEAD, splices=(SpliceShape(0, 1, 1),)))[0])


def test_a_splice_beyond_the_old_content_is_named(store: Store) -> None:
    put(store, "a", b"mine")
    receiver = DeltaReceiver(store)
    head = replace(HEAD, seq=9, size=99, splices=(SpliceShape(5, 0, 1),))
    with pytest.raises(VerificationFailed, match="beyond the end of the object"):
        receiver.take(blocks(head, compress(CONTENT))[0])


@pytest.mark.parametrize("how", [{"chunks": b""}, {"splices": ()}, {"bodies": 1}])
def test_an_object_in_the_form_of_another_answer_is_named(
    store: Store, how: dict[str, Any]
) -> None:
    if "splices" in how:
        receiver: Any = BootstrapReceiver(store.replica_batch(), total=1)
    else:
        receiver = DeltaReceiver(store)
    with pytest.raises(ProtocolViolation, match=r"come whole|not come as a change"):
        receiver.take(blocks(replace(HEAD, **how))[0])


def test_a_bootstrap_of_more_objects_than_it_said_is_not_listened_to(store: Store) -> None:
    receiver = BootstrapReceiver(store.replica_batch(), total=2)
    receiver.take(blocks(replace(HEAD, bodies=1), compress(CONTENT))[0])
    receiver.take(blocks(Gone("files", "b"))[0])
    for more in (replace(HEAD, name="c", bodies=1), replace(HEAD, name="c", chunks=b"")):
        with pytest.raises(ProtocolViolation, match="more than the 2 objects"):
            receiver.take(blocks(more)[0])
    with pytest.raises(ProtocolViolation, match="more than the 2 objects"):
        receiver.take(blocks(Gone("files", "c"))[0])


@pytest.mark.parametrize("content", [b"", b"x" * (len(CONTENT) + 1)])
def test_chunks_that_never_complete_an_object_are_not_listened_to(
    store: Store, content: bytes
) -> None:
    whole = BootstrapReceiver(store.replica_batch(), total=1)
    whole.take(blocks(replace(HEAD, bodies=1000))[0])
    change = DeltaReceiver(store)
    change.take(blocks(replace(HEAD, splices=(SpliceShape(0, 0, 1000),)))[0])
    for receiver in (whole, change):
        with pytest.raises(VerificationFailed, match="an empty chunk, or one too many"):
            receiver.take(pack([compress(content)]))


SIZES = (1, 3, 0, 20, 2)
"""Chunks of some objects: of none, few, and more than are looked at together."""


def elements_of_all() -> list[Element]:
    elements: list[Element] = []
    for number, count in enumerate(SIZES):
        chunks = [b"%d-%d" % (number, at) for at in range(count)]
        whole = b"".join(chunks)
        digest = object_digest(b"".join(map(chunk_digest, chunks)))
        elements.append(
            Head(
                "files", f"f{number}", 1, 0, len(whole), 0, crc32(whole), digest,
                pack({"mode": 0o644}), bodies=count,
            )
        )  # fmt: skip
        elements += map(compress, chunks)
    return elements


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, len(SIZES) + sum(SIZES))))
def test_objects_are_the_same_however_they_are_cut_into_blocks(cuts: list[int]) -> None:
    elements = elements_of_all()
    with TemporaryDirectory() as folder, new_store(Path(folder)) as store:
        batch = store.replica_batch()
        receiver = BootstrapReceiver(batch, total=len(SIZES))
        bounds = sorted({0, *cuts, len(elements)})
        for begin, end in pairwise(bounds):
            # The first block names the type; those that follow go on without.
            for block in blocks(*elements[begin:end]):
                receiver.take(block)
        receiver.finish()
        assert [(row[2], row[-1]) for row in batch._staged] == [
            (f"f{number}", b"".join(chunk_digest(b"%d-%d" % (number, at)) for at in range(count)))
            for number, count in enumerate(SIZES)
        ]
        assert {row[2] for row in batch._chunks.values()} == {
            element for element in elements if isinstance(element, bytes)
        }


CHANGES: list[dict[str, Any]] = [
    {"name": "f0"}, {"name": "f3"}, {"name": "../f"}, {"name": "f9"}, {"name": ""}, {"size": 5},
    {"lines": 1}, {"crc32": 5}, {"digest": bytes(32)}, {"seq": 0}, {"attributes": b"\x80"},
    {"attributes": b""}, {"type": "zones"}, {"type": "nothing"}, {"bodies": 2}, {},
]  # fmt: skip


def changed(elements: list[Element], at: int) -> Iterator[list[Element]]:
    """Yield the elements with one of them changed."""
    present = elements[at]
    others: list[Element] = [compress(b""), compress(b"x"), b"x", b""]
    if isinstance(present, Head):
        others = [replace(present, **change) for change in CHANGES]
    for other in others:
        yield [*elements[:at], other, *elements[at + 1 :]]


@pytest.mark.parametrize("at", range(len(SIZES) + sum(SIZES)))
def test_what_is_wrong_with_one_of_many_is_said_as_if_it_came_alone(store: Store, at: int) -> None:
    for elements in changed(elements_of_all(), at):
        for total in (1, len(SIZES)):
            alone, together = (
                taken(store, write_blocks(elements, growing_from=block_bytes), total)
                for block_bytes in (1, 1 << 20)
            )
            assert alone == together


def taken(store: Store, blocks: Iterable[bytes], total: int) -> tuple[Any, ...]:
    """Return what was said of some blocks, and what is staged then."""
    batch = store.replica_batch()
    receiver = BootstrapReceiver(batch, total=total)
    said = ""
    try:
        for block in blocks:
            receiver.take(block)
        receiver.finish()
    except (ProtocolViolation, VerificationFailed, NotSupported) as error:
        said = f"{type(error).__name__}: {error}"
    return said, receiver.received, batch.changes, list(batch._staged)


def test_a_small_object_whose_chunks_do_not_all_follow_is_named(store: Store) -> None:
    receiver = BootstrapReceiver(store.replica_batch(), total=2)
    begun, following = replace(HEAD, bodies=2), replace(HEAD, name="b", bodies=1)
    with pytest.raises(ProtocolViolation, match="b begins before the object before it ended"):
        receiver.take(blocks(begun, compress(b"con"), following)[0])


@pytest.mark.parametrize("chunks", [[b"", CONTENT], [CONTENT, b""]])
def test_an_empty_chunk_is_refused_beside_others(chunks: list[bytes], store: Store) -> None:
    receiver = BootstrapReceiver(store.replica_batch(), total=1)
    digest = object_digest(b"".join(map(chunk_digest, chunks)))
    head = replace(HEAD, digest=digest, bodies=2)
    with pytest.raises(VerificationFailed, match="an empty chunk"):
        receiver.take(blocks(head, *map(compress, chunks))[0])


def test_whole_objects_that_come_inside_another_are_named(store: Store) -> None:
    receiver = BootstrapReceiver(store.replica_batch(), total=2)
    receiver.take(blocks(replace(HEAD, bodies=2), compress(b"con"))[0])
    with pytest.raises(ProtocolViolation, match="b begins before the object before it ended"):
        receiver.take(blocks(replace(HEAD, name="b", bodies=1), compress(CONTENT))[0])


def test_whole_objects_that_come_instead_of_the_interrupted_one_are_named(store: Store) -> None:
    begun = BootstrapReceiver(store.replica_batch(), total=2)
    begun.take(blocks(replace(HEAD, bodies=2), compress(b"con"))[0])
    receiver = BootstrapReceiver(store.replica_batch(), begun.partial(), total=2)
    with pytest.raises(VerificationFailed, match="b is not where the bootstrap was interrupted"):
        receiver.take(blocks(replace(HEAD, name="b", bodies=1), compress(CONTENT))[0])
