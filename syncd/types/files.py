"""Files of a folder: names are relative paths, content is cut as bytes, mode and mtime are kept.

Names never leave the folder: no absolute path, no empty, `.` or `..` part, no control characters.
"""

import re
from collections.abc import Mapping
from typing import IO, Any

from syncd.content.chunks import cut_stream
from syncd.content.versions import Version
from syncd.errors import IllegalValue
from syncd.types.base import DataType, Prepared, check_plain_name, register
from syncd.types.roles import Role

DEFAULT_MODE = 0o644
_MODE_BITS = 0o777
"""Permissions only: set-user-id and the like are not carried to other machines."""
_OCTAL, _SECONDS = re.compile(r"[0-7]{1,8}"), re.compile(r"-?[0-9]{1,20}")
_MAX_PART_BYTES = 255
"""Of a name, between two slashes: what file systems take."""
_MAX_MTIME = 1 << 40
"""Some 35,000 years: what every file system and database takes."""


class Files(DataType):
    """Type `files`; protocol.md, "Files"."""

    name = "files"
    summary = "files of a folder, with mode and time"
    has_lines = False
    read_role = Role.READER
    write_role = Role.OPERATOR
    options = {"mode": "permissions, octal", "mtime": "seconds since 1970"}
    columns = ("file", "bytes", "mode", "crc32", "digest", "mtime", "seq")

    def check_name(self, name: str) -> str:
        """Return the name. Raises IllegalValue for one that could leave its folder."""
        check_plain_name(name)
        if name.startswith("/") or "\\" in name:
            raise IllegalValue(f"{name!r}: a file's name is a relative path with / between parts")
        if any(part in ("", ".", "..") for part in name.split("/")):
            raise IllegalValue(f"{name!r}: a file's name has no empty, . or .. parts")
        return name

    def prepare(self, name: str, stream: IO[bytes], options: Mapping[str, str]) -> Prepared:
        """Take the bytes as they are."""
        mode, mtime = options.get("mode"), options.get("mtime")
        if mode is not None and _OCTAL.fullmatch(mode) is None:
            raise IllegalValue(f"mode={mode:.40} is not an octal number")
        if mtime is not None and _SECONDS.fullmatch(mtime) is None:
            raise IllegalValue(f"mtime={mtime:.40} is not a number of seconds")
        return self.prepare_file(
            name,
            stream,
            mode=DEFAULT_MODE if mode is None else int(mode, 8),
            mtime=None if mtime is None else int(mtime),
        )

    def prepare_file(
        self, name: str, stream: IO[bytes], *, mode: int, mtime: int | None
    ) -> Prepared:
        """Return a file's content, ready to be cut. Raises IllegalValue for name, mode or mtime."""
        attributes: dict[str, int] = {"mode": mode}
        if mtime is not None:
            attributes["mtime"] = mtime
        self.check_attributes(attributes)
        name = self.check_name(name)
        if any(len(part.encode()) > _MAX_PART_BYTES for part in name.split("/")):
            raise IllegalValue(
                f"{name:.80}: a part of the name is too long: no file system takes more than "
                f"{_MAX_PART_BYTES} octets"
            )
        return Prepared(name, cut_stream(stream), attributes, mtime)

    def check_attributes(self, attributes: Mapping[Any, Any]) -> None:
        """Raise IllegalValue for anything but permissions, and perhaps a time."""
        match attributes:
            case {"mode": int(mode), "mtime": int(mtime), **rest} if not rest:
                pass
            case {"mode": int(mode), **rest} if not rest:
                mtime = 0
            case _:
                raise IllegalValue(f"not the attributes of a file: {attributes!r:.80}")
        if mode & ~_MODE_BITS or mode < 0:
            raise IllegalValue(f"mode {mode:o}: only permissions are carried, 0 to 777")
        if abs(mtime) > _MAX_MTIME:
            raise IllegalValue(f"mtime {mtime}: no time that a file can have")

    def row(self, version: Version) -> tuple[str | int, ...]:
        """Name, bytes, mode, CRC-32, digest (short), mtime, commit."""
        return (
            version.name, version.size, f"{version.attribute('mode'):o}", f"{version.crc32:08x}",
            version.digest.hex()[:12], version.mtime, version.seq,
        )  # fmt: skip


FILES = Files()
register(FILES)
