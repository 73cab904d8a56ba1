"""The daemon: listens, never dials."""

from syncd.server import verbs
from syncd.server.config import DEFAULT_PORT, Config
from syncd.server.daemon import Daemon
from syncd.server.limits import Limits

__all__ = ["DEFAULT_PORT", "Config", "Daemon", "Limits", "verbs"]
