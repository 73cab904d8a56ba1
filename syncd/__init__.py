"""syncd keeps a fleet of servers identical; see README.md and protocol.md."""

__version__ = "0.1.0"
