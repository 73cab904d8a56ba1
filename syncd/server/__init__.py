"""The daemon: listens, never dials."""

from syncd.server import verbs
from syncd.server.config import Config
from syncd.server.daemon import Daemon
from syncd.server.limits import Limits

__all__ = ["Config", "Daemon", "Limits", "verbs"]
