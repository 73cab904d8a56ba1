"""How a zone's file is called, and which zone a file's name means.

`example.com.` is `example.com.zone`. What a file name cannot hold is written %XX; the root zone is
`root.zone`, and a zone that would be called so is `%72oot.zone`.
"""

import re

_UNSAFE = re.compile(r"[^A-Za-z0-9._*-]")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_ROOT = "root"
SUFFIX = ".zone"

MAX_FILE_NAME_BYTES = 250
"""File systems take 255; what is being written may have `.part` behind it."""


def zone_file_name(zone: str) -> str:
    """Return the name of a zone's file."""
    if zone == ".":
        return _ROOT + SUFFIX
    stem = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", zone.removesuffix("."))
    if stem == _ROOT or stem.startswith("."):
        stem = f"%{ord(stem[0]):02x}{stem[1:]}"
    return stem + SUFFIX


def zone_of_own_file(name: str) -> str:
    """Return the zone whose file `zone_file_name` calls so."""
    stem = name.removesuffix(SUFFIX)
    return "." if stem == _ROOT else _unescaped(stem) + "."


def zone_of_file_name(name: str) -> str:
    """Return the zone that somebody else's file name suggests: its stem, absolute."""
    for suffix in (SUFFIX, ".db", ".txt", ".hosts", ".signed"):
        name = name.removesuffix(suffix)
    if name == _ROOT:
        return "."
    return _unescaped(name.removeprefix("db.")).rstrip(".") + "."


def _unescaped(name: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name)
