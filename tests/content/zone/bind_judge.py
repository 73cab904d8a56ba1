"""One zone put to BIND and to us, both answers in one form: sorted records, or None if refused."""

import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from errno import ENOENT
from io import BytesIO
from pathlib import Path
from typing import IO, Literal, TypedDict, Unpack

from syncd.content.zone.master_file import RUN_RRSETS, WINDOW_BYTES
from syncd.content.zone.reader import read_zone
from syncd.errors import InvalidContent

Record = tuple[str, str, str, str, str]
Files = Mapping[str, bytes]

# From this field on BIND splits by blanks what is one field.
_BLOB_FIELD = {
    "DNSKEY": 3, "CDNSKEY": 3, "KEY": 3, "DS": 3, "CDS": 3, "DLV": 3, "RRSIG": 8, "SIG": 8,
    "RKEY": 3, "TA": 3, "SSHFP": 2, "TLSA": 3, "SMIMEA": 3, "CERT": 3, "OPENPGPKEY": 0,
    "DHCID": 0, "ZONEMD": 3,
}  # fmt: skip


# What we take on purpose and BIND refuses.
_EXCUSES = (
    b"(A or AAAA)\nzone",
    b"is below a DNAME",
    b"is a CNAME (illegal)",
    b"CDS/CDNSKEY consistency",
)


def record(line: str) -> Record:
    """The five parts of a line, blobs joined."""
    owner, ttl, class_text, type_text, rdata = [*line.split(None, 4), ""][:5]
    start = 2 if rdata.startswith("\\#") else _BLOB_FIELD.get(type_text)
    if start is not None:
        fields = rdata.split()
        rdata = " ".join([*fields[:start], "".join(fields[start:])])
    if type_text == "A6":
        rdata = " ".join(rdata.split())  # without an address BIND prints two blanks
    return owner, ttl, class_text, type_text, rdata.strip()


def records(lines: Iterable[str]) -> list[Record]:
    return sorted(record(line) for line in lines if not line.startswith(";"))


def by_bind(
    text: bytes, *, zone: str = "example.", files: Files | None = None
) -> list[Record] | Literal["excused"] | None:
    """What BIND makes of a zone; "excused" if it refuses it only for what we take on purpose."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in {**(files or {}), "zone": text}.items():
            (Path(folder) / name).write_bytes(content)
        done = subprocess.run(
            [
                "named-compilezone",
                "-k",
                "ignore",
                "-i",
                "local",
                "-s",
                "full",
                "-o",
                "out",
                zone,
                "zone",
            ],
            cwd=folder,
            capture_output=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            told = done.stdout + done.stderr
            return "excused" if any(excuse in told for excuse in _EXCUSES) else None
        return records((Path(folder) / "out").read_text("latin-1").split("\n")[:-1])


class Reading(TypedDict, total=False):
    """How a zone is read; none of it may make a difference, but for what files there are."""

    zone: str
    files: Files
    fast: bool
    window_bytes: int
    run_rrsets: int


def our_lines(text: bytes, **how: Unpack[Reading]) -> list[str]:
    """Canonical lines without their LF; raises InvalidContent."""
    files = how.get("files", {})
    zone = how.get("zone", "example.")

    def include(name: str, path: str) -> AbstractContextManager[IO[bytes]]:
        if name not in files:
            raise FileNotFoundError(ENOENT, "No such file or directory")
        return BytesIO(files[name])

    found = read_zone(
        BytesIO(text),
        origin=zone,
        path="zone",
        include=include,
        fast=how.get("fast", True),
        window_bytes=how.get("window_bytes", WINDOW_BYTES),
        run_rrsets=how.get("run_rrsets", RUN_RRSETS),
    )
    if found.name != zone.lower():
        raise InvalidContent(f"the SOA record is that of {found.name}", path="zone")
    return [line.decode("ascii").removesuffix("\n") for line in found.lines()]


def outcome(text: bytes, **how: Unpack[Reading]) -> list[str] | str:
    """The lines, or where and why they are refused."""
    try:
        return our_lines(text, **how)
    except InvalidContent as error:
        return str(error)


def by_us(text: bytes, **how: Unpack[Reading]) -> list[Record] | None:
    lines = outcome(text, **how)
    return None if isinstance(lines, str) else records(lines)
