"""Names of zone files: each zone has one of its own, from which it is found again."""

from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.types.zone_files import zone_file_name, zone_of_file_name, zone_of_own_file

ZONES = st.text(st.sampled_from('abdrot0.-_*/%\\ "();@db'), min_size=1, max_size=10).map(
    lambda text: text.strip(".") + "."
)


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        ("example.com.", "example.com.zone"),
        (".", "root.zone"),
        ("root.", "%72oot.zone"),
        ("2.0.192.in-addr.arpa.", "2.0.192.in-addr.arpa.zone"),
        ("0/25.2.0.192.in-addr.arpa.", "0%2F25.2.0.192.in-addr.arpa.zone"),
        ("*.example.", "*.example.zone"),
        ("a\\.b.example.", "a%5C.b.example.zone"),
    ],
)
def test_a_zone_has_the_name_of_its_file(zone: str, name: str) -> None:
    assert zone_file_name(zone) == name
    assert zone_of_file_name(name) == zone


@given(ZONES)
def test_a_file_that_was_named_by_us_says_its_zone(zone: str) -> None:
    assert zone_of_own_file(zone_file_name(zone)) == zone


@given(ZONES)
def test_the_zone_is_found_again_from_its_file(zone: str) -> None:
    stem = zone_file_name(zone).removesuffix(".zone")
    if stem.startswith("db.") or stem.endswith((".db", ".txt", ".hosts", ".signed", ".zone")):
        return  # looks like other customs of naming files; see the next test
    assert zone_of_file_name(zone_file_name(zone)) == zone


@given(ZONES, ZONES)
def test_two_zones_never_have_one_file(first: str, second: str) -> None:
    assert (zone_file_name(first) == zone_file_name(second)) == (first == second)


@given(ZONES)
def test_no_zone_has_a_file_outside_the_folder_or_a_hidden_one(zone: str) -> None:
    name = zone_file_name(zone)
    assert PurePath(name).name == name
    assert not name.startswith(".")


@pytest.mark.parametrize(
    "name", ["example.com.db", "db.example.com", "example.com.txt", "example.com.hosts",
             "example.com.signed", "example.com"],
)  # fmt: skip
def test_files_named_by_other_customs_suggest_their_zone(name: str) -> None:
    assert zone_of_file_name(Path(name).name) == "example.com."
