"""Writing a store's objects into a folder, each file whole or not at all."""

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from syncd.content.versions import Version
from syncd.store import Store
from syncd.types.zone_files import zone_file_name

_PART = ".syncd-part"
_OF_ONE_NAME = {errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL}
"""What the system says of a file that this folder cannot hold; it holds the others."""


def export_objects(
    store: Store,
    type_name: str,
    folder: Path,
    *,
    at: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Write zones or files as they were at a commit; return how many.

    Raises ViewGone, and OSError: for files that the folder cannot hold, as `a` beside `a/b`, after
    all others are written.
    """
    view = store.view(at)
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    failures: list[OSError] = []
    for version, contents in view.contents(view.versions([type_name])):
        name = zone_file_name(version.name) if type_name == "zones" else version.name
        try:
            _write(folder / name, version, contents)
            count += 1
        except OSError as error:
            error.filename, error.filename2 = str(folder / name), None
            if error.errno not in _OF_ONE_NAME:
                raise
            failures.append(error)
        progress(1)
    if failures:
        first, others = failures[0], len(failures) - 1
        more = f", and {others} more that the folder cannot hold" if others else ""
        raise OSError(first.errno, f"{first.strerror}{more}; {count} are written", first.filename)
    return count


def _write(target: Path, version: Version, contents: Iterable[bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(_PART)
    try:
        part.unlink(missing_ok=True)  # whatever stands there, nothing is written through it
        with part.open("xb") as file:
            for content in contents:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if version.type == "files":
            part.chmod(version.attribute("mode"))
            os.utime(part, (version.mtime, version.mtime))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
