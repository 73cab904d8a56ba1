"""What the name server answers, as the agent knows it: kept in a small file of its folder.

It is written after the server was asked, so it is never ahead of what the server answers. A file
that is missing, or of another history, costs a comparison with everything, and nothing else.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from syncclient.durable import replace_small_file
from syncd.content.tokens import Token
from syncd.content.versions import fingerprint_text
from syncd.errors import IllegalValue, file_failure

ACTIVE = "active.json"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A zone that the server does not answer as the store has it."""

    stage: str
    message: str
    wanted: str
    """Mark of what it should be, hex; empty if the zone should be gone."""
    active: str
    """Mark of what the server answers, hex; empty if it does not have the zone."""
    serial: int | None
    """The serial that the server answers; None if it does not have the zone."""
    since: int
    """When it was refused first, seconds since 1970."""


@dataclass(frozen=True)
class Active:
    """The view that the server answers, but for the zones in `refused`."""

    token: Token
    fingerprint: int
    """Of the zones that it answers."""
    zones: int
    """How many these are."""
    refused: Mapping[str, Refusal] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Active | None":
        """Return what the folder says, None if that is nothing."""
        try:
            known = json.loads((folder / ACTIVE).read_text("utf-8"))
            return cls(
                Token.parse(known["token"]),
                int(known["fingerprint"], 16),
                int(known["zones"]),
                {zone: Refusal(**one) for zone, one in known["refused"].items()},
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, IllegalValue):
            return None  # half a file of a machine that lost its power: everything is compared

    def write(self, folder: Path) -> None:
        """Put it into the folder, flushed. Raises FileFailed."""
        known = {
            "token": str(self.token),
            "fingerprint": fingerprint_text(self.fingerprint),
            "zones": self.zones,
            "refused": {zone: asdict(one) for zone, one in self.refused.items()},
        }
        try:
            replace_small_file(folder / ACTIVE, json.dumps(known, indent=1) + "\n")
        except OSError as error:
            raise file_failure(error) from None
