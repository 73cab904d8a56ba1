"""The log: one line an event, on standard error, through Python's `logging`.

    2026-01-01T12:00:00.000Z INFO session_opened session=3 peer=192.0.2.1:4711

Whatever comes from outside is quoted and escaped, so no name can forge a line, a field or a
terminal's escape. Passwords and lines that were not understood are never given to the log; names of
users who do not exist are not either, because passwords end up there.
"""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from syncd.output import printable

MAX_VALUE_CHARACTERS = 400
"""Of a field's value: a line stays readable, whatever a client names. A trace is kept whole."""

_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+,\[\]*-]+")
_FIELDS = "fields"
_TRACE = "trace"


class EventLog:
    """Writes events to the logger of a name: the event is a word, the fields say the rest."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **fields: object) -> None:
        """Log what only somebody who looks for a fault wants to know."""
        self._logger.debug(event, extra={_FIELDS: fields})

    def info(self, event: str, **fields: object) -> None:
        """Log what happened."""
        self._logger.info(event, extra={_FIELDS: fields})

    def warning(self, event: str, **fields: object) -> None:
        """Log what an operator should look at: a limit hit, a login refused."""
        self._logger.warning(event, extra={_FIELDS: fields})

    def error(self, event: str, **fields: object) -> None:
        """Log what went wrong here."""
        self._logger.error(event, extra={_FIELDS: fields})

    def exception(self, event: str, **fields: object) -> None:
        """Log what nobody foresaw, with the trace of the exception that is being handled."""
        self._logger.exception(event, extra={_FIELDS: fields})


class _EventFormatter(logging.Formatter):
    """Gives a record's fields; those of other libraries are the event `message`."""

    @staticmethod
    def _event(record: logging.LogRecord) -> dict[str, object]:
        moment = datetime.fromtimestamp(record.created, UTC)
        found: dict[str, object] = {
            "time": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z",
            "level": record.levelname,
        }
        fields: dict[str, object] | None = getattr(record, _FIELDS, None)
        if fields is None:
            found |= {"event": "message", "logger": record.name, "text": record.getMessage()}
        else:
            found |= {"event": record.msg, **fields}
        if record.exc_info and record.exc_info[0] is not None:
            found[_TRACE] = "".join(traceback.format_exception(*record.exc_info))
        return found


class TextFormatter(_EventFormatter):
    """Time, level and event, then key=value; a value that is not plain stands in quotes."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        event = self._event(record)
        head = [str(event.pop(key)) for key in ("time", "level", "event")]
        return " ".join([*head, *(f"{key}={_quoted(key, event[key])}" for key in event)])


class JsonFormatter(_EventFormatter):
    """One JSON object, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        event = {key: _bounded(key, value) for key, value in self._event(record).items()}
        return json.dumps(event, default=str).replace("\x7f", "\\u007f")


def _quoted(key: str, value: object) -> str:
    text = str(_bounded(key, "-" if value is None else value))
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{printable(escaped)}"'


def _bounded(key: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float) or key == _TRACE:
        return value
    text = str(value)
    if len(text) <= MAX_VALUE_CHARACTERS:
        return text
    return f"{text[:MAX_VALUE_CHARACTERS]}... ({len(text)} characters)"


def set_up_logging(level: str, form: str, stream: Any = None) -> None:
    """Have the process log events to standard error, or `stream`."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.raiseExceptions = False  # standard error may be gone; that must not end a session
