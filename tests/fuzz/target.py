"""What a target of the fuzzer is: a function that holds for all bytes, and where to begin."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "cases"
"""Inputs that once broke something, in a folder per target; replayed by every run of the tests."""


@dataclass(frozen=True)
class Target:
    """`check` raises for bytes that break a promise; whatever else it does is fine."""

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    """Valid inputs, for the fuzzer to change."""
    max_bytes: int = 4096

    @property
    def folder(self) -> Path:
        """Where what breaks it is kept."""
        return CASES / self.name

    def cases(self) -> list[Path]:
        """Return what was found before."""
        return sorted(self.folder.glob("*"))
