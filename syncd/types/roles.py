"""Roles, each of which may do all that those before it may."""

from enum import IntEnum

from syncd.errors import IllegalValue


class Role(IntEnum):
    """What a user is allowed to do; protocol.md, "Roles"."""

    READER = 1
    REPLICA = 2
    OPERATOR = 3
    ADMIN = 4

    @property
    def label(self) -> str:
        """The role as it is written."""
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> "Role":
        """Return the role that `text` names. Raises IllegalValue."""
        for role in cls:
            if role.label == text.lower():
                return role
        raise IllegalValue(f"no such role: {text!r}; there are {', '.join(r.label for r in cls)}")
