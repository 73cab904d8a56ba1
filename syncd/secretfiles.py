"""Files that hold a secret: who else can use one has the secret, so such a file is refused.

Passwords and keys to sign with are for their owner only. Private keys of TLS, and configurations,
may be read by their group: that is how distributions hand them to a service (root:ssl-cert, 640).
So may what systemd hands over as a credential: its access list shows as rights of a group.
"""

import os
import stat
from pathlib import Path

from syncd.errors import ConfigError, SyncError

_OTHERS = 0o077
_OTHERS_BUT_READING_GROUP = 0o037


def refuse_shared(
    path: Path,
    secret: str,
    *,
    group_may_read: bool = False,
    descriptor: int | None = None,
    error: type[SyncError] = ConfigError,
) -> None:
    """Raise `error` if somebody else can use a file that has a `secret` ("password", "key").

    `descriptor` is the open file, where there is one: then it is that which is looked at. Raises
    OSError too.
    """
    mode = stat.S_IMODE(os.stat(path if descriptor is None else descriptor).st_mode)
    group_may_read = group_may_read or _is_credential(path)
    if mode & (_OTHERS_BUT_READING_GROUP if group_may_read else _OTHERS):
        advice = "chmod 600 it (640 lets its group read)" if group_may_read else "chmod 600 it"
        raise error(
            f"{path} can be used by others (mode {mode:03o}); {advice}, and take a new {secret} "
            "if it was read"
        )


def _is_credential(path: Path) -> bool:
    """Say whether systemd has put a file there for this service (LoadCredential=)."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return folder != "" and path.resolve().is_relative_to(Path(folder).resolve())
