"""Text diffs: what was written is read back, and applied to the old lines it gives the new."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.content.textdiff import diff_lines, parse_diff
from syncd.errors import InvalidContent

# A line's second character is never - or +, so that it cannot look like the name of a file.
lines = st.lists(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=8).map(
        lambda text: f"r{text}"
    ),
    unique=True,
    max_size=15,
)


@given(lines, lines)
def test_a_difference_applied_to_the_old_lines_gives_the_new(
    old: list[str], new: list[str]
) -> None:
    written = list(diff_lines(old, new))
    if set(old) == set(new):
        assert written == []
        return
    diff = parse_diff(written)
    removed, added = [text for _, text in diff.removed], [text for _, text in diff.added]
    assert set(removed) <= set(old)
    assert (set(old) - set(removed)) | set(added) == set(new)
    assert set(removed).isdisjoint(added)


def test_every_change_keeps_the_line_of_the_diff_it_stands_on() -> None:
    diff = parse_diff(["--- old", "+++ new", "@@ -1 +1 @@", "-a", "", "+b\r\n", "+c\n"])
    assert diff.removed == ((4, "a"),)
    assert diff.added == ((6, "b"), (7, "c"))


def test_a_line_that_is_no_change_is_refused_by_its_number() -> None:
    with pytest.raises(InvalidContent, match=r"^2: ' b' does not begin with - or \+"):
        parse_diff(["-a", " b"])


@pytest.mark.parametrize("lines", [[], ["", "  "], ["@example."], ["--- a", "+++ b"]])
def test_a_diff_without_a_change_is_refused(lines: list[str]) -> None:
    with pytest.raises(InvalidContent, match="changes nothing"):
        parse_diff(lines)
