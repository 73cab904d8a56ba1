"""Zones: serials only advance, nothing that did not change is a change, a patch is as good as a
put."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.content.tokens import Token
from syncd.content.versions import chunk_digest
from syncd.errors import IllegalValue, InvalidContent, MovedOn
from syncd.store import Store
from syncd.types import Prepared, Present
from syncd.types.zones import ZONES
from tests.databases import on_every_engine
from tests.store.objects import content_of, new_store

ZONE = "example.com."


def text(serial: int, *records: str, minimum: int = 300) -> bytes:
    lines = [
        f"@ 3600 IN SOA ns1 hostmaster {serial} 7200 3600 1209600 {minimum}",
        "@ 3600 IN NS ns1",
        "ns1 3600 IN A 192.0.2.1",
        *records,
    ]
    return "\n".join([*lines, ""]).encode()


def put(store: Store, content: bytes, name: str = ZONE) -> tuple[Token | None, list[str]]:
    return store.write(
        "zones",
        name,
        lambda present: ZONES.settle(ZONES.prepare(name, BytesIO(content), {}), present),
        author="test",
    )


def patch(store: Store, diff: str | bytes, name: str = ZONE) -> tuple[Token | None, list[str]]:
    data = diff.encode() if isinstance(diff, str) else diff

    def make(present: Present | None) -> Prepared | None:
        assert present is not None
        return ZONES.settle(ZONES.patch(present, BytesIO(data)), present)

    return store.write("zones", name, make, author="test")


def serial_of(store: Store, name: str = ZONE) -> int:
    version = store.view().version("zones", name)
    serial: int = version.attribute("serial")
    assert f" {serial} " in content_of(store.view(), name, "zones").decode().split("\n")[0]
    return serial


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with new_store(tmp_path) as made:
        yield made


# Names


@on_every_engine
@pytest.mark.parametrize(
    "name", [".".join(["x" * 63] * 3 + ["y" * 54]) + ".", "\\228" * 41 + ".e."]
)
def test_a_zone_whose_name_no_file_can_have_is_refused(store: Store, name: str) -> None:
    with pytest.raises(InvalidContent, match="the name is too long"):
        put(store, b"@ 60 SOA ns.e. h.e. 1 2 3 4 5\n@ 60 NS ns.e.\n", name)
    shorter = name.removeprefix("x").removeprefix("\\228")
    put(store, b"@ 60 SOA ns.e. h.e. 1 2 3 4 5\n@ 60 NS ns.e.\n", shorter)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Example.COM", "example.com."), ("example.com.", "example.com."), (".", "."),
        ("a-b._tcp.example.", "a-b._tcp.example."), ("0/25.2.0.192.in-addr.arpa.",) * 2,
        ("x" * 63 + ".", "x" * 63 + "."), (("x" * 62 + ".") * 4 + "y.",) * 2,
        ("a b.", "a\\032b."), ("a\nb.", "a\\010b."), ("a\0b.", "a\\000b."), ("\u00fc.", "xn--tda."),
    ],
)  # fmt: skip
def test_a_name_has_one_form(given: str, kept: str) -> None:
    assert ZONES.check_name(given) == kept
    assert ZONES.check_name(kept) == kept


@pytest.mark.parametrize(
    "name",
    ["a..b.", ".a.", "x" * 64 + ".", ("x" * 63 + ".") * 4, "\\300.", "\udc80."],
)
def test_what_is_no_domain_name_is_refused(name: str) -> None:
    with pytest.raises(IllegalValue):
        ZONES.check_name(name)


def test_content_of_another_zone_is_refused() -> None:
    content = b"other.org. 3600 IN SOA ns1 h 1 2 3 4 5\nother.org. 3600 IN NS ns1.other.org.\n"
    with pytest.raises(InvalidContent, match=r"the SOA record is that of other.org., not of"):
        ZONES.prepare(ZONE, BytesIO(content), {})


def test_nothing_of_the_server_is_included_into_a_zone_that_is_put(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x 3600 IN TXT secret\n")
    content = text(1) + f"$INCLUDE {tmp_path}/secret\n".encode()
    with pytest.raises(InvalidContent, match="INCLUDE"):
        ZONES.prepare(ZONE, BytesIO(content), {})


# Serials


@on_every_engine
def test_a_newer_serial_is_kept(store: Store) -> None:
    put(store, text(5))
    token, warnings = put(store, text(9, "a 3600 IN A 192.0.2.9"))
    assert token is not None
    assert (serial_of(store), warnings) == (9, [])


@on_every_engine
@pytest.mark.parametrize("serial", [5, 4, 1])
def test_changed_content_whose_serial_is_not_newer_gets_the_next(store: Store, serial: int) -> None:
    put(store, text(5))
    token, warnings = put(store, text(serial, "a 3600 IN A 192.0.2.9"))
    assert token is not None
    assert serial_of(store) == 6
    assert warnings == [f"example.com.: serial {serial} advanced to 6"]


@on_every_engine
@pytest.mark.parametrize("serial", [5, 4, 0])
def test_an_older_serial_alone_is_no_change(store: Store, serial: int) -> None:
    put(store, text(5))
    assert put(store, text(serial)) == (None, [])
    assert (serial_of(store), store.clock().seq) == (5, 1)


@on_every_engine
def test_another_field_of_the_soa_is_a_change(store: Store) -> None:
    put(store, text(5))
    token, _ = put(store, text(5, minimum=60))
    assert token is not None
    assert serial_of(store) == 6


@on_every_engine
@pytest.mark.parametrize(
    ("known", "given", "kept"),
    [
        (4294967295, 0, 0),  # over the end of the ring: newer
        (4294967295, 4294967295, 1),  # the same: advanced over the end, 0 passed over
        (4294967290, 5, 5),
        (0, 4294967295, 1),  # older, the other way round
        (0, 2147483647, 2147483647),
        (0, 2147483648, 1),  # half of the ring away: neither newer nor older, so not newer
        (5, 2147483653, 6),
    ],
)
def test_serials_are_compared_on_a_ring(store: Store, known: int, given: int, kept: int) -> None:
    put(store, text(known))
    put(store, text(given, "a 3600 IN A 192.0.2.9"))
    assert serial_of(store) == kept


SIGNATURE = (
    "@ 3600 IN RRSIG SOA 8 2 3600 20300101000000 20200101000000 1 example.com. "
    "AwEAAcUlFV1vhmqx6NSOUOq2R/dsR7Xm3upJj7IommWSpJABVfW8Q0rOvXdM6kzt"
)


@on_every_engine
def test_a_signed_zone_whose_serial_is_not_newer_is_refused(store: Store) -> None:
    put(store, text(5, SIGNATURE))
    with pytest.raises(InvalidContent, match="is signed and its serial 5 does not come after 5"):
        put(store, text(5, SIGNATURE, "a 3600 IN A 192.0.2.9"))
    with pytest.raises(InvalidContent, match="let the signer advance it to 6 or later"):
        put(store, text(5, SIGNATURE, minimum=60))
    assert store.clock().seq == 1
    put(store, text(6, SIGNATURE, "a 3600 IN A 192.0.2.9"))
    assert serial_of(store) == 6


@on_every_engine
def test_a_signed_zone_put_again_is_no_change(store: Store) -> None:
    put(store, text(5, SIGNATURE))
    assert put(store, text(5, SIGNATURE)) == (None, [])


@on_every_engine
def test_a_signature_of_something_else_does_not_sign_the_soa(store: Store) -> None:
    other = SIGNATURE.replace("RRSIG SOA", "RRSIG NS")
    put(store, text(5, other))
    put(store, text(5, other, "a 3600 IN A 192.0.2.9"))
    assert serial_of(store) == 6


# Patches


@on_every_engine
def test_a_patch_advances_the_serial(store: Store) -> None:
    put(store, text(5))
    patch(store, "+a 3600 IN A 192.0.2.9\n-ns1 A 192.0.2.1\n+ns1 A 192.0.2.2\n")
    assert serial_of(store) == 6
    content = content_of(store.view(), ZONE, "zones").decode()
    assert "ns1.example.com. 3600 IN A 192.0.2.2" in content
    assert "192.0.2.1" not in content


@on_every_engine
def test_a_patch_that_changes_the_ttl_of_other_records_says_so(store: Store) -> None:
    put(store, text(1))
    _, warnings = patch(store, "+ns1 60 A 192.0.2.2\n")
    assert "ns1.example.com. A: an RRset has one TTL: 60, not 3600" in warnings
    assert b"ns1.example.com. 60 IN A 192.0.2.1\n" in content_of(store.view(), ZONE, "zones")


@pytest.mark.parametrize(
    "octets",
    [b"caf\xe9", "caf\u00e9".encode(), b"a\x0cb", b"a\x85b", "a\u2028b".encode(), b"a\x1cb"],
)
def test_a_patch_holds_the_octets_that_a_put_would(store: Store, octets: bytes) -> None:
    record = b'a 60 IN TXT "%b"' % octets
    put(store, text(1))
    patch(store, b"+%b\r\n" % record)
    assert put(store, text(2) + record + b"\n") == (None, [])


@on_every_engine
def test_a_patch_that_does_not_fit_changes_nothing(store: Store) -> None:
    put(store, text(5))
    with pytest.raises(MovedOn, match="the zone has no record"):
        patch(store, "+a 3600 IN A 192.0.2.9\n-b 3600 IN A 192.0.2.9\n")
    assert store.clock().seq == 1


hosts = st.integers(0, 600)


@settings(max_examples=40, deadline=None)
@given(
    st.sets(hosts, max_size=300),
    st.lists(st.tuples(st.sets(hosts, max_size=6), st.sets(hosts, max_size=40)), max_size=3),
)
def test_a_zone_patched_any_number_of_times_is_cut_as_if_it_had_been_put(
    begun: set[int], edits: list[tuple[set[int], set[int]]]
) -> None:
    """Also at its end and its beginning, where cuts come and go."""
    with TemporaryDirectory() as folder, new_store(Path(folder)) as store:
        put(store, text(1, *map(record, sorted(begun))))
        present = set(begun)
        for gone, come in edits:
            gone, come = gone & present, come - present
            present = present - gone | come
            diff = [f"-{record(n)}" for n in gone] + [f"+{record(n)}" for n in come]
            if diff:
                patch(store, "\n".join(diff))
        version = store.view().version("zones", ZONE)
        whole = text(version.attribute("serial"), *map(record, sorted(present)))
        afresh = ZONES.prepare(ZONE, BytesIO(whole), {}).chunks
        assert version.chunk_digests() == [chunk_digest(chunk) for chunk in afresh]


def record(number: int) -> str:
    return f"h{number} 3600 IN A 192.0.2.{number % 250}"
