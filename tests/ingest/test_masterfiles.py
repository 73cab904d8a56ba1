"""Records that are right each by itself, and cannot stand in one zone: their place is named."""

from pathlib import Path

import pytest

from syncd.errors import InvalidContent
from syncd.ingest.masterfiles import find_master_files, read_master_file

HEAD = "$TTL 60\n@ SOA ns1 hm 1 2 3 4 5\n@ NS ns1\n"
LARGE = " ".join(["x" * 255] * 200)
ALIAS = "x.a.example.: a CNAME cannot stand beside other data, such as TXT"
MORE = (0, 30_000)
"""Records behind those: with many, they have been packed away when the last is read."""


@pytest.mark.parametrize("more", MORE)
@pytest.mark.parametrize(
    ("records", "file", "line", "reason"),
    [
        ("x CNAME y\nz TXT x\nx TXT x\nx.z TXT x", "a.example.zone", 6, ALIAS),
        ("x TXT x\nx CNAME y\n  RP a b\n", "a.example.zone", 5, ALIAS),
        ("x CNAME y\n\n(\n) X CNAME z", "a.example.zone", 6, "x.a.example.: 2 different CNAME"),
        ("@ DS 1 8 1 " + "0" * 40 + "\nx TXT x", "a.example.zone", 4, "a.example. has DS records"),
        ("@ NSEC3PARAM 2 0 1 aa", "a.example.zone", 4, "a.example.: none of its NSEC3PARAM"),
        ("x SOA a b 1 2 3 4 5", "a.example.zone", 4, "SOA records at several names: a.example., "),
        ("@ SOA a b 1 2 3 4 5", "a.example.zone", 4, "a.example.: 2 different SOA records"),
        ("$GENERATE 1-9 $ TXT a\n$GENERATE 1-9 $ CNAME x", "a.example.zone", 5, "1.a.example.: a"),
        ("$INCLUDE more\nx CNAME y", "more", 2, "y.a.example.: a CNAME cannot stand beside"),
        (f"l TXT {LARGE}\nl TXT {LARGE} y\nx TXT y", "a.example.zone", 5, "l.a.example. TXT: an"),
    ],
)  # fmt: skip
def test_what_cannot_stand_together_is_named_by_the_last_line_of_it(
    tmp_path: Path, records: str, file: str, line: int, reason: str, more: int
) -> None:
    others = "".join(f"\nother{number} TXT x" for number in range(more))
    (tmp_path / "a.example.zone").write_text(f"{HEAD}{records}{others}\n")
    (tmp_path / "more").write_text("y CNAME z\ny A 192.0.2.1\n")
    [found] = find_master_files([tmp_path])
    with pytest.raises(InvalidContent) as caught:
        list(read_master_file(found).parts())
    assert (Path(caught.value.path or "").name, caught.value.line) == (file, line)
    assert caught.value.reason.startswith(reason)


def test_a_file_that_has_changed_meanwhile_is_named_without_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.example.zone"
    path.write_text(f"{HEAD}x CNAME y\nx A 192.0.2.1\n")
    [found] = find_master_files([path])
    zone = read_master_file(found)
    path.write_text(f"{HEAD}x\n")
    with pytest.raises(InvalidContent) as caught:
        list(zone.parts())
    assert (caught.value.path, caught.value.line) == (str(path), None)


@pytest.mark.parametrize(
    ("name", "owner", "zone", "server"),
    [
        ("db.example", "a.example.", "a.example.", "ns1.a.example."),
        ("b.a.example.zone", "a.example.", "a.example.", "ns1.a.example."),
        ("b.example.zone", "A.example.", "a.example.", "ns1.a.example."),
        ("A.Example.zone", "@", "a.example.", "ns1.A.Example."),
        ("db.example", "a.example", "a.example.example.", "ns1.example."),
    ],
)
def test_relative_names_stand_under_the_zone_that_the_soa_record_names(
    tmp_path: Path, name: str, owner: str, zone: str, server: str
) -> None:
    """Whatever the file's name suggests; unless that owner is relative itself."""
    (tmp_path / name).write_text(HEAD.replace("@ SOA", f"{owner} SOA").replace("@ NS", " NS"))
    [found] = find_master_files([tmp_path / name])
    read = read_master_file(found)
    assert read.name == zone
    assert f" IN SOA {server} hm.{server[4:]} " in b"".join(read.parts()).decode()


def test_a_stated_origin_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.zone").write_text(HEAD.replace("@", "a.example."))
    [found] = find_master_files([tmp_path])
    read = read_master_file(found, "example")
    assert b" IN SOA ns1.example. hm.example. " in b"".join(read.parts())
