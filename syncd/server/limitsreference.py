"""The tables of limits in protocol.md, made from the constants and settings themselves.

A limit that has no words here has no line in its table, and a test fails; `reference.py` says how
to fill them in.
"""

from collections.abc import Iterator
from dataclasses import fields
from types import ModuleType

from syncd.content import buckets, compression, messages, reports
from syncd.content.zone import generate, master_file
from syncd.protocol import limits as protocol
from syncd.server import limits as server
from syncd.server import throttle
from syncd.server.limits import Limits
from syncd.server.verbs import freezing, sync_repair
from syncd.store import reports as kept_reports
from syncd.store import schema
from syncd.types import base, zone_files

_UNITS = {"S": " s", "BYTES": " bytes", "CHARACTERS": " characters"}
_CLIENT = "a client should give up"

_CONSTANTS: list[tuple[ModuleType, str, str, str]] = [
    (protocol, "MAX_LINE_BYTES", "command line, with its line end", "511"),
    (
        protocol, "MAX_LISTING_LINE_BYTES",
        "line of a listing, either way, and reply line, with its line end",
        "511, when the listing has ended",
    ),
    (protocol, "BLOCK_BYTES", "size at which a server ends a block (`600`)", ""),
    (protocol, "MAX_BLOCK_BYTES", "block from the server", _CLIENT),
    (protocol, "MAX_CHUNK_BYTES", "chunk, and what one zstd frame may come out as", _CLIENT),
    (compression, "MAX_WINDOW_BYTES", "window of a zstd frame", _CLIENT),
    (protocol, "MAX_ELEMENTS", "elements of a msgpack array or map", _CLIENT),
    (protocol, "MAX_NESTING", "msgpack arrays and maps within each other", _CLIENT),
    (messages, "MAX_CHUNKS", "chunks of one object", _CLIENT),
    (base, "MAX_NAME_CHARACTERS", "name of an object, or pattern for names", "512"),
    (base, "MAX_NAME_BYTES", "the same in UTF-8", "512"),
    (zone_files, "MAX_FILE_NAME_BYTES", "name of a zone's file", "512"),
    (schema, "MAX_COMMENT_CHARACTERS", "comment of a commit", "the rest is not kept"),
    (schema, "MAX_AUTHOR_CHARACTERS", "author of a commit", "the rest is not kept"),
    (schema, "MAX_SOURCE_CHARACTERS", "address of a replica's source", "the rest is not kept"),
    (master_file, "MAX_RECORD_BYTES", "one record of a zone, with its parentheses", "512"),
    (generate, "MAX_GENERATED", "records that the `$GENERATE` lines of a zone make", "512"),
    (generate, "MAX_GENERATED_CHARACTERS", "text of these records", "512"),
    (buckets, "MAX_BITS", "`bits=` of `digest`", "512"),
    (sync_repair, "MAX_INLINE_BYTES", "`inline=` of `chunks`", "512"),
    (freezing, "MAX_WAIT_S", "for which `SNGL` waits", "512"),
    (freezing, "MAX_EXPIRE_S", "for which a freeze lasts", "512"),
    (reports, "MAX_SERVER_NAME_CHARACTERS", "name of a server in a report", "512"),
    (reports, "MAX_VERSION_CHARACTERS", "`version=` of a report", "512"),
    (reports, "MAX_REASON_CHARACTERS", "`reason=` of a report", "512"),
    (reports, "MAX_EVERY_S", "`every=` of a report", "512"),
    (kept_reports, "MAX_SERVERS_OF_USER", "name servers that one user reports", "511"),
    (kept_reports, "MAX_SERVERS", "name servers that report to a store", "511"),
    (
        throttle, "MAX_KEYS", "addresses, users and pairs whose failed logins are remembered",
        "those that failed least, or longest ago, are forgotten",
    ),
    (server, "STEP_BYTES", "what `body_step_s` and `stall_s` are for", ""),
    (
        server, "FAREWELL_S", "how long a client may go on sending after a farewell",
        "the connection is closed",
    ),
    (server, "FAREWELL_BYTES", "how much it may send then", "the connection is closed"),
]  # fmt: skip
"""Where a limit stands, what it limits, and what becomes of more."""

_SETTINGS = {
    "max_sessions": ("sessions at once", "551, and the connection is closed"),
    "max_sessions_per_address": (
        "of one IPv4 address or IPv6 /64 network", "551, and the connection is closed",
    ),
    "uncounted_networks": ("networks whose addresses are not counted so", ""),
    "login_s": ("without a login", "farewell, 520"),
    "failed_logins_per_address": ("failed logins at once from one address, section 6", "552"),
    "failed_logins_per_user": ("failed logins at once of one user, section 6", "552"),
    "password_checks": ("passwords looked at at once", "the others wait"),
    "handshake_s": ("for a TLS handshake", "the connection is closed"),
    "idle_s": ("logged in, without a command", "farewell, 500"),
    "command_s": ("from the first byte of a command to its LF", "farewell, 500"),
    "body_step_s": (
        "for each `STEP_BYTES` of a body or listing that the client sends", "farewell, 500",
    ),
    "stall_s": (
        "for each `STEP_BYTES` that the client is sent, until it takes them",
        "the connection is closed",
    ),
    "max_body_bytes": (
        "body of a `put` or `patch`", "511; over twice as much, farewell, 511",
    ),
    "drain_s": (
        "for the command in hand, when the server is told to stop", "the connection is closed",
    ),
}  # fmt: skip


def constants() -> Iterator[tuple[str, str, str, str]]:
    """Yield the lines of what is part of the protocol: name, what, limit, over it."""
    for module, name, what, over in _CONSTANTS:
        yield f"`{name}`", what, limit_text(name, getattr(module, name)), over


def settings() -> Iterator[tuple[str, str, str, str]]:
    """Yield the lines of what an operator may set."""
    for each in fields(Limits):
        what, over = _SETTINGS[each.name]
        yield f"`{each.name}`", what, limit_text(each.name, each.default), over


def limit_text(name: str, value: object) -> str:
    """Return a limit with its unit, which is the last part of its name."""
    if isinstance(value, tuple):
        return ", ".join(value)
    assert isinstance(value, int | float)
    return f"{value:,.15g}{_UNITS.get(name.rpartition('_')[2].upper(), '')}"
