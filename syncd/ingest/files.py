"""A folder's files become objects of type `files`, in one commit."""

import os
import stat
from pathlib import Path

from syncd.errors import IllegalValue, InvalidContent
from syncd.ingest.masterfiles import real_path
from syncd.ingest.staging import Imported, Progress, check_share
from syncd.store import Store
from syncd.types.files import FILES

_PERMISSIONS = 0o777


def import_files(
    store: Store,
    folder: Path,
    *,
    author: str,
    comment: str = "",
    delete_others: bool = False,
    allow_large_change: bool = False,
    progress: Progress = lambda done: None,
) -> Imported:
    """Make a folder's files the store's; with `delete_others`, files that it does not have go;
    LargeChangeRefused if they are suspiciously many, and that is not allowed.

    A symbolic link to a file inside the folder is followed. Raises InvalidContent, and changes
    nothing, for links that point out of it, for anything that is no file, and for names that
    cannot be kept.
    """
    if not folder.is_dir():
        raise InvalidContent("there is no such folder", path=str(folder))
    root = real_path(folder)
    result = Imported(None)
    with store.batch() as batch:
        view = store.view()
        heads = {version.name: version for version in view.versions(["files"])}
        for path in _walk(folder, root):
            name = path.relative_to(folder).as_posix()
            head = heads.pop(name, None)
            try:
                with path.open("rb") as stream:
                    status = os.fstat(stream.fileno())
                    prepared = FILES.prepare_file(
                        name,
                        stream,
                        mode=stat.S_IMODE(status.st_mode) & _PERMISSIONS,
                        mtime=int(status.st_mtime),
                    )
                    batch.put("files", prepared, head)
            except OSError as error:
                raise InvalidContent(error.strerror or str(error), path=str(path)) from None
            except IllegalValue as error:
                raise InvalidContent(str(error), path=str(path)) from None
            result.objects += 1
            progress(1)
        if delete_others:
            if not allow_large_change:
                check_share(len(heads), view.totals(["files"]).count, "files")
            for version in heads.values():
                batch.delete(version)
                result.removed += 1
        result.changed = batch.changes - result.removed
        result.token = batch.publish(author, comment)
    return result


def _walk(folder: Path, root: Path) -> list[Path]:
    """Return the files below a folder, in order; refuses what is neither file nor folder."""
    found: list[Path] = []

    def refuse(error: OSError) -> None:
        raise InvalidContent(error.strerror or str(error), path=str(error.filename)) from None

    for parent, folders, names in os.walk(folder, onerror=refuse):
        for name in sorted(folders):
            if (Path(parent) / name).is_symlink():
                raise InvalidContent("is a link to a folder", path=str(Path(parent) / name))
        for name in sorted(names):
            path = Path(parent) / name
            if path.is_symlink() and not real_path(path).is_relative_to(root):
                raise InvalidContent("is a link that points out of the folder", path=str(path))
            if not path.is_file():
                raise InvalidContent("is no regular file", path=str(path))
            found.append(path)
        folders.sort()
    return sorted(found)
