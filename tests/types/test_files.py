"""Files: names never leave the folder, mode and time are kept, content is bytes."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.errors import IllegalValue
from syncd.types.files import FILES


@pytest.mark.parametrize("name", ["a", "etc/motd", "a..b/..c/d..", ".hidden", "-rf", "a b", "ü"])
def test_relative_paths_are_taken_as_they_are(name: str) -> None:
    assert FILES.check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", ".", "./a", "a/./b", "a//b", "a/",
        "a\\b", "..\\x", "C:\\x", "a\nb", "a\rb", "a\0b", "a\x1b[2J", "x" * 701, "\u202etxt.exe",
    ],
)  # fmt: skip
def test_names_that_could_leave_the_folder_or_deceive_are_refused(name: str) -> None:
    with pytest.raises(IllegalValue):
        FILES.check_name(name)


@given(st.text(st.sampled_from("ab/.\\\0\n "), max_size=8))
def test_no_name_that_is_taken_leads_out_of_the_folder(name: str) -> None:
    from pathlib import PurePosixPath

    try:
        FILES.check_name(name)
    except IllegalValue:
        return
    path = PurePosixPath(name)
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert str(path) == name


@given(st.binary(max_size=200))
def test_content_is_taken_as_it_is(content: bytes) -> None:
    prepared = FILES.prepare("a", BytesIO(content), {})
    assert b"".join(prepared.chunks) == content


def test_mode_and_time_are_kept() -> None:
    prepared = FILES.prepare("a", BytesIO(b""), {"mode": "640", "mtime": "-5"})
    assert prepared.attributes == {"mode": 0o640, "mtime": -5}
    assert prepared.mtime == -5


def test_a_file_without_mode_gets_the_usual_one() -> None:
    prepared = FILES.prepare("a", BytesIO(b""), {})
    assert (prepared.attributes, prepared.mtime) == ({"mode": 0o644}, None)


@pytest.mark.parametrize("mode", ["4755", "1000", "-1", "888", "rwx", ""])
def test_a_mode_that_is_more_than_permissions_is_refused(mode: str) -> None:
    with pytest.raises(IllegalValue, match="mode"):
        FILES.prepare("a", BytesIO(b""), {"mode": mode})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "888"}, "mode=888 is not an octal number"),
        ({"mode": "640", "mtime": "now"}, "mtime=now is not a number of seconds"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_else(options: dict[str, str], says: str) -> None:
    with pytest.raises(IllegalValue, match=f"^{says}$"):
        FILES.prepare("a", BytesIO(b""), options)


@pytest.mark.parametrize("mtime", ["yesterday", "", "1.5", str(1 << 63), str(-(1 << 63) - 1)])
def test_a_time_that_is_no_number_of_seconds_is_refused(mtime: str) -> None:
    with pytest.raises(IllegalValue, match="mtime"):
        FILES.prepare("a", BytesIO(b""), {"mtime": mtime})
