"""Files that are on disk when we say so, and whole when they are seen."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncd.errors import FileFailed, file_failure


@contextmanager
def zone_files_in(path: Path) -> Iterator[None]:
    """Have what the system refuses inside (a full disk) raise FileFailed, which says what is to be
    done: the store is right already, and the next run finishes the folder."""
    try:
        yield
    except OSError as error:
        error.filename = str(path) if error.filename is None else error.filename
        raise FileFailed(
            f"zone files: {file_failure(error)}; the store has it all, the next resync finishes "
            "the folder"
        ) from None


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """Give a folder's descriptor: files are named relative to it, and it can be flushed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def flush_file_system(folder: int) -> None:
    """Flush everything written on the folder's file system: syncfs(2), which Python does not have.

    One such call costs less than flushing many files one by one.
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(folder) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def replace_small_file(path: Path, text: str) -> None:
    """Put a small file in place of what is there, flushed, in one step."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    with opened_folder(path.parent) as folder:
        os.fsync(folder)
