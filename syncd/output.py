"""What commands print: tables for people, JSON for programs, how far work is, and the sentence that
an error ends in.

Names, comments and errors come from other people and other machines. `say` and the tables are the
one door to the terminal, and `printable` the one place that decides what may pass: nothing that
steers a terminal, hides text or turns its direction.
"""

import json
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import click

from syncd.errors import SyncError, file_failure

INTERRUPTED_STATUS = 130
USAGE_STATUS = 2
_FAULT_STATUS = 1
DIFFERS_STATUS = 10
"""Exit status of a comparison that found a difference."""

Row = Sequence[Any]

_WRAPPED_LINES = 3
_LEAST_WRAPPED_CHARACTERS, _LEAST_SHOWN_CHARACTERS = 24, 200
_BETWEEN_COLUMNS = 2
_BESIDE_HEADS = 2
"""Of blanks that tabulate leaves beside a head."""


def print_table(
    columns: Sequence[str], rows: Iterable[Row], *, as_json: bool, wrap: str | None = None
) -> None:
    """Print rows as a table, or as a JSON array of objects with the columns as keys.

    `wrap` names the column of long texts: on a terminal its cells are wrapped to what the other
    columns leave of the width, and cut where they are longer than some lines of it.
    """
    if as_json:
        _say_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    from tabulate import tabulate

    shown = [[printable(cell) for cell in row] for row in rows]
    widths: list[int | None] | None = None
    terminal = terminal_width()
    if wrap is not None and terminal is not None and shown:
        at = columns.index(wrap)
        width = max(_LEAST_WRAPPED_CHARACTERS, terminal - _width_beside(columns, shown, at))
        widths = [width if column == wrap else None for column in columns]
        for cells in shown:
            cells[at] = _cut(cells[at], max(_WRAPPED_LINES * width, _LEAST_SHOWN_CHARACTERS))
    click.echo(
        tabulate(
            shown,
            headers=columns,
            tablefmt="simple",
            disable_numparse=True,
            maxcolwidths=widths,
        )
    )


def terminal_width() -> int | None:
    """Return how many characters a line of the terminal has; None if the output is none."""
    return shutil.get_terminal_size().columns if on_terminal() else None


def _width_beside(columns: Sequence[str], shown: Sequence[Sequence[str]], at: int) -> int:
    """Return how many characters of a line all columns but one take."""
    return sum(
        max([len(head) + _BESIDE_HEADS, *(len(cells[other]) for cells in shown)]) + _BETWEEN_COLUMNS
        for other, head in enumerate(columns)
        if other != at
    )


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 4] + " ..."


def print_record(record: dict[str, Any], *, as_json: bool) -> None:
    """Print one thing: its fields below each other, or a JSON object."""
    if as_json:
        _say_json(record)
        return
    width = max(len(key) for key in record)
    for key, value in record.items():
        say(f"{key:<{width}}  {'-' if value is None else value}")


def say(text: object, *, err: bool = False) -> None:
    """Print one line, whatever is in it, to standard output or standard error."""
    click.echo(printable(text), err=err)


def _say_json(value: object) -> None:
    """Print JSON; it is ASCII, but for DEL."""
    click.echo(json.dumps(value, indent=2, default=str).replace("\x7f", "\\u007f"))


def printable(value: Any) -> str:
    """Return a value as text in which nothing can steer a terminal: other characters are
    escaped, those that turn the direction or cannot be seen among them."""
    text = "-" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(ord(char)) for char in text)


def _escape(number: int) -> str:
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def time_text(seconds: int | float) -> str:
    """Return seconds since 1970 as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span_text(seconds: int) -> str:
    """Return a span in its largest unit: seconds, minutes, hours or days, rounded down."""
    for unit_s, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds // unit_s} {unit}"
    return f"{seconds} s"


def counted(count: int, noun: str) -> str:
    """Return how many there are, as `1 zone` or `2 zones`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def bytes_text(count: int) -> str:
    """Return a number of bytes, in KB or MB from 10,000 on."""
    for limit, unit in ((10_000_000, "MB"), (10_000, "KB")):
        if count >= limit:
            return f"{count / (limit // 10):.1f} {unit}"
    return f"{count} B"


def clear_screen() -> bool:
    """Begin a terminal's screen anew; elsewhere do nothing, and return False."""
    click.clear()
    return on_terminal()


def on_terminal() -> bool:
    """Say whether there is a terminal behind the output; there may be nothing at all."""
    return sys.stdout is not None and sys.stdout.isatty()


class ProgressBar:
    """A bar on a terminal for work that takes long; elsewhere nothing, the result says enough."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._shown = sys.stderr.isatty()
        self._bar: Any = None
        self._done = 0

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is."""
        if not self._shown or not total or (self._bar is None and done >= total):
            return  # nobody looks, or it is over before anybody could
        if self._bar is None:
            self._bar = click.progressbar(
                length=total, label=self._label, file=sys.stderr, show_pos=True
            )
        self._bar.update(done - self._done)
        self._done = done

    def advance(self, count: int, total: int) -> None:
        """Show that so much more is done."""
        self(self._done + count, total)

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.render_finish()


def warn(program: str, text: str) -> None:
    """Print a warning to standard error."""
    say(f"{program}: warning: {text}", err=True)


def run_command(program: str, command: Callable[..., Any], arguments: list[str] | None) -> int:
    """Run a click command; return its exit status, an error printed as one sentence."""
    try:
        status = command(args=arguments, prog_name=program, standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except SystemExit:  # click's own, for the reader of our output who has enough
        return 0
    except click.ClickException as error:
        shown = StringIO()
        error.show(shown)
        _say_lines(shown.getvalue())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say(f"{program}: interrupted", err=True)
        return INTERRUPTED_STATUS
    except SyncError as error:
        if _came_of_an_interruption(error):
            say(f"{program}: interrupted", err=True)
            return INTERRUPTED_STATUS
        say(f"{program}: {error}", err=True)
        return error.exit_status
    except BrokenPipeError:  # as above, and nothing is left to say
        sys.stderr.close()
        return 0
    except OSError as error:
        failure = file_failure(error)
        say(f"{program}: {failure}", err=True)
        return failure.exit_status
    except Exception:  # noqa: BLE001 (a fault of ours: its trace, for whoever mends it)
        _say_lines(traceback.format_exc())
        return _FAULT_STATUS
    return status if isinstance(status, int) else 0


def _say_lines(text: str) -> None:
    for line in text.splitlines():
        say(line, err=True)


def _came_of_an_interruption(error: BaseException) -> bool:
    """Say whether an error arose while Ctrl-C ended what was under way: a driver that is cut off in
    a transaction complains when it is closed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return True
        cause = cause.__context__
    return False
