"""The verbs, one file a family: importing this package registers all of them."""

from syncd.server.verbs import (
    basic,
    encryption,
    freezing,
    login,
    rooms,
    servers,
    sync,
    sync_read,
    sync_repair,
    sync_write,
)

__all__ = [
    "basic", "encryption", "freezing", "login", "rooms", "servers", "sync", "sync_read",
    "sync_repair", "sync_write",
]  # fmt: skip
