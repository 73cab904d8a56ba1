"""Files that stood in a folder under names of zones' files before it was ours. They stay.

Their names are written down before the first file is put there: so a run that was interrupted does
not take what it wrote itself for somebody else's.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from syncclient.durable import replace_small_file

_LIST = ".syncd-left-alone"


def read_left_alone(folder: Path) -> frozenset[str] | None:
    """Return the names of these files, None if nobody has looked for them. Raises OSError."""
    try:
        return frozenset(json.loads((folder / _LIST).read_text("ascii")))
    except (FileNotFoundError, ValueError):
        return None


def write_left_alone(folder: Path, names: Iterable[str]) -> None:
    """Keep the names of these files, flushed. Raises OSError."""
    replace_small_file(folder / _LIST, json.dumps(sorted(names)) + "\n")
