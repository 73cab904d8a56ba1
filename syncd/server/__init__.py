"""The daemon: listens, never dials."""

from syncd.server import verbs
from syncd.server.daemon import DEFAULT_PORT, Daemon

__all__ = ["DEFAULT_PORT", "Daemon", "verbs"]
