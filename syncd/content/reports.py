"""What an agent reports of the name server that it keeps in step: the same object at both ends.

Inverse of each other: `ServerReport.from_options(name, report.to_options()) == report`. All of it
is shown to operators, so a report that is not short, plain text cannot be made: what other programs
said goes through `plain_text` first. Times are spans, so that no two clocks need to agree.
protocol.md, "servers".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from syncd.content.tokens import Token
from syncd.content.versions import fingerprint_text
from syncd.errors import IllegalValue
from syncd.protocol.fields import number_argument

MAX_SERVER_NAME_CHARACTERS = 100
MAX_VERSION_CHARACTERS = 100
MAX_REASON_CHARACTERS = 500
"""What a check tool says of a zone fits; its whole output is in the agent's log."""
MIN_EVERY_S, MAX_EVERY_S = 1, 86_400
_MAX_COUNT = (1 << 53) - 1

_NAME = re.compile(r"[a-z0-9][a-z0-9._:@/-]*")
_BACKEND = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_CUT = " ..."


class Outcome(StrEnum):
    """How the agent's last attempt to bring its name server up to date ended."""

    APPLIED = "applied"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ServerReport:
    """One report. Making one that cannot be sent raises IllegalValue."""

    name: str
    backend: str
    """bind, knot, files, ..."""
    every_s: int
    """How often the agent promises to report, at the latest."""
    outcome: Outcome
    version: str = ""
    """Of the name server, as it says itself."""
    token: Token | None = None
    """The commit that was applied last; None before the first."""
    fingerprint: int | None = None
    """Of the zones that the name server really answers; None if that could not be found out."""
    reason: str = ""
    """Why it failed, or whatever else is worth saying."""
    took_ms: int | None = None
    """How long the last change took, from notice to confirmation."""
    changed_s: int | None = None
    """How many seconds ago that was; None if there was none."""
    zones: int = 0
    """Zones that the name server answers."""
    refused: int = 0
    """Zones that it, or a check, would not take."""

    def __post_init__(self) -> None:
        """Raise IllegalValue for what could not be sent, kept or shown."""
        if check_server_name(self.name) != self.name:
            raise IllegalValue(f"server {self.name!r}: write its name in lower case")
        if _BACKEND.fullmatch(self.backend) is None:
            raise IllegalValue(
                f"backend {self.backend!r:.80}: up to 32 lower-case letters, digits, _ and -, a "
                "letter first"
            )
        _check_text("version", self.version, MAX_VERSION_CHARACTERS)
        _check_text("reason", self.reason, MAX_REASON_CHARACTERS)
        _check_number("every", self.every_s, MIN_EVERY_S, MAX_EVERY_S)
        for what, number in self._counts().items():
            if number is not None:
                _check_number(what, number, 0, _MAX_COUNT)
        if self.fingerprint is not None and not 0 <= self.fingerprint < 1 << 256:
            raise IllegalValue("fingerprint: not a sum of SHA-256 marks")

    def _counts(self) -> dict[str, int | None]:
        return {
            "took": self.took_ms,
            "changed": self.changed_s,
            "zones": self.zones,
            "refused": self.refused,
        }

    def to_options(self) -> dict[str, str]:
        """Return the options of `SYNC servers|report`; what is None is left out."""
        options: dict[str, str | int | None] = {
            "backend": self.backend,
            "version": self.version or None,
            "token": None if self.token is None else str(self.token),
            "fingerprint": None if self.fingerprint is None else fingerprint_text(self.fingerprint),
            "state": self.outcome.value,
            "reason": self.reason or None,
            "every": self.every_s,
            **self._counts(),
        }
        return {key: str(value) for key, value in options.items() if value is not None}

    @classmethod
    def from_options(cls, name: str, options: Mapping[str, str]) -> "ServerReport":
        """Return the report that came as options. Raises IllegalValue, which names the option."""
        token, fingerprint = options.get("token"), options.get("fingerprint")
        return cls(
            name=check_server_name(name),
            backend=_needed(options, "backend"),
            every_s=number_argument(_needed(options, "every"), "every", MIN_EVERY_S, MAX_EVERY_S),
            outcome=_outcome(_needed(options, "state")),
            version=options.get("version", ""),
            token=None if token is None else Token.parse(token),
            fingerprint=None if fingerprint is None else parse_fingerprint(fingerprint),
            reason=options.get("reason", ""),
            took_ms=_count(options, "took"),
            changed_s=_count(options, "changed"),
            zones=_count(options, "zones") or 0,
            refused=_count(options, "refused") or 0,
        )


def check_server_name(name: str) -> str:
    """Return a server's name in lower case. Raises IllegalValue."""
    if len(name) > MAX_SERVER_NAME_CHARACTERS or _NAME.fullmatch(name.lower()) is None:
        raise IllegalValue(
            f"{name!r:.120}: a server's name has up to {MAX_SERVER_NAME_CHARACTERS} letters, "
            "digits and . _ : @ / -, and does not begin with one of these signs"
        )
    return name.lower()


def parse_fingerprint(text: str) -> int:
    """Return the fingerprint that 64 hex digits write. Raises IllegalValue."""
    if _FINGERPRINT.fullmatch(text) is None:
        raise IllegalValue(f"fingerprint={text!r:.80}: give 64 hex digits")
    return int(text, 16)


def plain_text(text: str, max_characters: int = MAX_REASON_CHARACTERS) -> str:
    """Return what a program said as one line that a report may carry: line ends and runs of blanks
    as one blank, other characters that cannot be shown as escapes, and cut where it is long."""
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in " ".join(text.split())
    )
    if len(shown) <= max_characters:
        return shown
    return shown[: max_characters - len(_CUT)] + _CUT


def _check_text(what: str, text: str, max_characters: int) -> None:
    if len(text) > max_characters:
        raise IllegalValue(f"{what}: at most {max_characters} characters, not {len(text)}")
    if not text.isprintable():
        raise IllegalValue(f"{what}: a character that cannot be shown: {text!r:.80}")


def _check_number(what: str, number: int, low: int, high: int) -> None:
    if not low <= number <= high:
        raise IllegalValue(f"{what}: {number} is not from {low} to {high}")


def _needed(options: Mapping[str, str], key: str) -> str:
    if key not in options:
        raise IllegalValue(f"{key}= is missing; SYNC ? shows the syntax")
    return options[key]


def _outcome(text: str) -> Outcome:
    try:
        return Outcome(text)
    except ValueError:
        known = " or ".join(outcome.value for outcome in Outcome)
        raise IllegalValue(f"state={text!r:.40}: an agent says {known}") from None


def _count(options: Mapping[str, str], key: str) -> int | None:
    text = options.get(key)
    return None if text is None else number_argument(text, key, 0, _MAX_COUNT)
