"""What a folder of zone files holds, as a small file in it says: so that what was interrupted, or
is of another history, is made good by the next run.

The fingerprint stands beside the token, because a restored source may come to a number twice.
"""

from dataclasses import dataclass
from pathlib import Path

from syncclient.durable import replace_small_file
from syncd.content.tokens import Token
from syncd.content.versions import fingerprint_text
from syncd.errors import IllegalValue

STATE = ".syncd-state"


@dataclass(frozen=True, slots=True)
class FolderState:
    """Where a folder stands: the token, and the fingerprint of the zones whose files it holds."""

    token: Token
    fingerprint: int

    @classmethod
    def read(cls, folder: Path) -> "FolderState | None":
        """Return a folder's state, None if it says none."""
        try:
            token, fingerprint = (folder / STATE).read_text().split()
            return cls(Token.parse(token), int(fingerprint, 16))
        except (FileNotFoundError, IllegalValue, ValueError):
            return None

    def write(self, folder: Path) -> None:
        """Put the state into a folder, flushed. Everything that it speaks of must be flushed."""
        replace_small_file(folder / STATE, f"{self.token} {fingerprint_text(self.fingerprint)}\n")
