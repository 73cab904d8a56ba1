"""Writing a store's objects into a folder, each file whole or not at all."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from syncd.store import Store
from syncd.types.zone_files import zone_file_name

_PART = ".part"


def export_objects(
    store: Store,
    type_name: str,
    folder: Path,
    *,
    at: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Write zones or files as they were at a commit; return how many. Raises ViewGone, OSError."""
    view = store.view(at)
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for version, contents in view.contents(view.versions([type_name])):
        name = zone_file_name(version.name) if type_name == "zones" else version.name
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + _PART)
        with _named(part), part.open("wb") as file:
            for content in contents:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if type_name == "files":
            part.chmod(version.attribute("mode"))
            os.utime(part, (version.mtime, version.mtime))
        part.replace(target)
        count += 1
        progress(1)
    return count


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Have an error of writing say which file it is about."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise
