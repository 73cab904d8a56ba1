"""The door to the terminal: nothing that somebody else named passes it as a command."""

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd import output
from syncd.errors import StoreError
from syncd.output import (
    counted,
    print_record,
    print_table,
    printable,
    run_command,
    say,
    span_text,
)

ROOT = Path(__file__).parents[1]
NASTY = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\u202eexe.txt\u200b\x7f\udcff"
SHOWN = "\\x1b]0;owned\\x07\\x1b[2J\\x0d\\x0a\\x9b31m\\u202eexe.txt\\u200b\\x7f\\udcff"
_OWN_TEXT = {"syncd/output.py", "syncd/cli/demo.py", "syncd/server/reference.py"}
"""The door itself, and what prints only texts of its own or what came through the door."""


def test_what_cannot_be_seen_is_escaped() -> None:
    assert printable(NASTY) == SHOWN
    assert printable("\U000e0041") == "\\U000e0041"
    assert printable("grün \u65e5\u672c") == "grün \u65e5\u672c"


@given(st.text())
def test_whatever_goes_in_what_comes_out_is_printable(text: str) -> None:
    assert printable(text).isprintable()


def test_a_sentence_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"no such user: {NASTY}")
    say(f"no such user: {NASTY}", err=True)
    out, err = capsys.readouterr()
    assert out == err == f"no such user: {SHOWN}\n"


def test_tables_and_records_go_through_the_door(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name",), [(NASTY,)], as_json=False)
    print_record({"name": NASTY, "none": None}, as_json=False)
    shown = capsys.readouterr().out
    assert shown.count(SHOWN) == 2
    assert all(line.isprintable() for line in shown.splitlines())


def test_json_is_ascii_and_gives_the_name_back(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name",), [(NASTY,)], as_json=True)
    shown = capsys.readouterr().out
    assert all(line.isascii() and line.isprintable() for line in shown.splitlines())
    assert json.loads(shown) == [{"name": NASTY}]


def test_there_is_no_other_door() -> None:
    files = [*ROOT.glob("syncd/**/*.py"), *ROOT.glob("syncclient/**/*.py")]
    assert len(files) > 100
    for file in files:
        if str(file.relative_to(ROOT)) in _OWN_TEXT:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("print", "click.echo", "click.secho"), f"{file}:{node.lineno}"


@pytest.mark.parametrize(("first", "status"), [(KeyboardInterrupt, 130), (ValueError, 8)])
def test_what_fails_because_of_an_interruption_is_one(
    first: type[BaseException], status: int
) -> None:
    def command(**_: object) -> None:
        try:
            raise first
        except BaseException:  # noqa: BLE001 (stands for a driver's)
            raise StoreError("connection in transaction status ACTIVE") from None

    assert run_command("syncd", command, []) == status


def test_a_long_cell_is_wrapped_on_a_terminal_and_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("ns1", "no room " * 60), ("ns2", "-")]
    print_table(("server", "reason"), rows, as_json=False, wrap="reason")
    assert capsys.readouterr().out.count("no room") == 60, "whole, where there is no terminal"
    monkeypatch.setattr(output, "terminal_width", lambda: 50)
    print_table(("server", "reason"), rows, as_json=False, wrap="reason")
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 50
    assert shown.count("room") == 24, "of 200 characters"
    assert shown.count("...") == 1
    print_table(("server", "reason"), [], as_json=False, wrap="reason")
    print_table(("server", "reason"), rows, as_json=True, wrap="reason")
    assert capsys.readouterr().out.count("no room") == 60, "whole, as JSON"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_a_span_has_one_unit(seconds: int, shown: str) -> None:
    assert span_text(seconds) == shown


def test_one_is_no_plural() -> None:
    shown = [counted(count, "round trip") for count in (0, 1, 2)]
    assert shown == ["0 round trips", "1 round trip", "2 round trips"]
