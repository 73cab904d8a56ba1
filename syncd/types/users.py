"""Users of the protocol: a role, and an Argon2id hash as the only content. Never a clear
password."""

import re
from collections.abc import Mapping
from typing import IO, Any

from syncd.content.chunks import cut_lines
from syncd.content.versions import Version
from syncd.errors import IllegalValue, InvalidContent
from syncd.types.base import DataType, Prepared, register
from syncd.types.roles import Role

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_HASH = re.compile(
    r"\$argon2id\$v=19\$m=[1-9][0-9]{0,5},t=[1-9][0-9]?,p=[1-9][0-9]?"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
)
"""What checking it costs is bounded: at most 1 GB of memory, 99 rounds over it."""
_MAX_HASH_BYTES = 512

ARGON2_TIME_COST = 2
ARGON2_MEMORY_KIB = 19 * 1024
ARGON2_LANES = 1
"""OWASP's second choice: as strong against guessing, and a login costs the server 19 MiB, not
64."""
NOBODYS_HASH = (
    f"$argon2id$v=19$m={ARGON2_MEMORY_KIB},t={ARGON2_TIME_COST},p={ARGON2_LANES}"
    "$bm8gdXNlciBoYXMgdGhpcw$ROrPzdjHn+uZQFU/8bTqsFdWNyGYwIo+tHw4YakqXYA"
)
"""Of no password: what a guess at an unknown user is checked against, so that it takes as long."""


class Users(DataType):
    """Type `users`; protocol.md, "Users"."""

    name = "users"
    summary = "users of this protocol, with role and password hash"
    has_lines = True
    read_role = Role.REPLICA
    write_role = Role.ADMIN
    options = {"role": "reader, replica, operator or admin"}
    columns = ("user", "role", "digest", "mtime", "seq")

    def check_name(self, name: str) -> str:
        """Return the name in lower case. Raises IllegalValue."""
        if _NAME.fullmatch(name.lower()) is None:
            raise IllegalValue(
                f"{name!r}: a user's name has up to 64 letters, digits and . _ @ -, and does not "
                "begin with one of these signs"
            )
        return name.lower()

    def prepare(self, name: str, stream: IO[bytes], options: Mapping[str, str]) -> Prepared:
        """Take a role and an Argon2id hash in PHC form."""
        if "role" not in options:
            raise IllegalValue("role= is missing: reader, replica, operator or admin")
        role = Role.parse(options["role"])
        text = stream.read(_MAX_HASH_BYTES).decode("ascii", "replace").strip()
        if _HASH.fullmatch(text) is None or stream.read(1):
            raise InvalidContent("a user's content is one Argon2id hash in PHC form, no password")
        chunks = cut_lines([text.encode() + b"\n"])
        return Prepared(self.check_name(name), chunks, {"role": role.label})

    def check_attributes(self, attributes: Mapping[Any, Any]) -> None:
        """Raise IllegalValue for anything but a role."""
        match attributes:
            case {"role": str(role), **rest} if not rest:
                Role.parse(role)
            case _:
                raise IllegalValue(f"not the attributes of a user: {attributes!r:.80}")

    def row(self, version: Version) -> tuple[str | int, ...]:
        """Name, role, digest (short), time of the change, commit."""
        return (
            version.name, version.attribute("role"), version.digest.hex()[:12], version.mtime,
            version.seq,
        )  # fmt: skip


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a password, in PHC form. Raises IllegalValue for an empty one."""
    from argon2 import PasswordHasher

    if not password:
        raise IllegalValue("a password has at least one character")
    return PasswordHasher(ARGON2_TIME_COST, ARGON2_MEMORY_KIB, ARGON2_LANES).hash(password)


def password_matches(stored: str, password: str) -> bool:
    """Say whether a password is the one that was hashed."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    if _HASH.fullmatch(stored) is None:
        return False
    try:
        return PasswordHasher().verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


USERS = Users()
register(USERS)
