"""The tables of protocol.md, and that it says something of everything there is."""

import re

import pytest

from syncd.server import reference
from syncd.server.registry import ACTIONS, VERBS, subject_actions
from syncd.types import all_types
from tests.server.transcripts import PROTOCOL

TEXT = PROTOCOL.read_text("utf-8")


@pytest.mark.parametrize("table", reference.TABLES)
def test_a_table_of_protocol_md_is_that_of_the_code(table: str) -> None:
    printed = reference.TABLES[table]()
    assert f"<!-- {table} -->\n\n{printed}\n\n<!-- /{table} -->" in TEXT, (
        "run: python -m syncd.server.reference protocol.md"
    )


def test_filling_the_tables_in_changes_nothing_else() -> None:
    assert reference.filled(TEXT) == TEXT
    marks = "".join(f"<!-- {name} -->\nstale\n<!-- /{name} -->\n" for name in reference.TABLES)
    assert "stale" not in reference.filled(marks)


def test_a_file_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table codes"):
        reference.filled("# Empty\n")


def test_the_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    reference.main([])
    printed = capsys.readouterr().out
    assert all(f"<!-- {name} -->" in printed for name in reference.TABLES)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_described_beside_the_table(verb: str) -> None:
    assert f"`{verb}" in TEXT.replace(reference.verbs_table(), "")


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_its_section(action: str) -> None:
    headings = [line for line in TEXT.splitlines() if line.startswith("### ")]
    assert any(action in heading.removeprefix("### ").split(", ") for heading in headings)


def test_every_action_on_what_is_no_type_is_named_in_its_section() -> None:
    for action in subject_actions():
        assert action.subject is not None
        (heading,) = re.findall(rf"^### {action.subject}: (.*)$", TEXT, re.MULTILINE)
        assert action.name in heading.split(", ")


def test_every_section_that_the_code_names_is_there() -> None:
    headings = [heading.split(". ")[-1] for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)]
    named: set[str] = set()
    for package in ("syncd", "syncclient"):
        for file in PROTOCOL.with_name(package).rglob("*.py"):
            named |= set(re.findall(r'protocol\.md, "([^"]+)"', file.read_text("utf-8")))
    assert len(named) > 5
    for name in sorted(named):
        assert any(heading.startswith(name) for heading in headings), name


def test_every_type_has_its_columns_named() -> None:
    for kind in all_types():
        (named,) = [
            line
            for line in TEXT.split(f"### {kind.name.capitalize()}")[1].splitlines()
            if line.startswith("* The columns of `info`")
        ][:1]
        assert [word.split(" ")[0] for word in named.split(": ")[1].rstrip(".").split(", ")] == [
            *kind.columns
        ]
