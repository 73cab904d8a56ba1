"""The limits of the protocol's framing: what protocol.md promises in version 1. Those of one verb,
or of what the store keeps, stand with it; protocol.md lists all of them.

They are the contract, so nobody configures them. What an operator may set is in
`syncd/server/limits.py`.
"""

MAX_LINE_BYTES = 16 * 1024
"""Longest command, line end included: a repair asks for some 300 names a line."""

MAX_LISTING_LINE_BYTES = 1024 * 1024
"""Longest line of a listing, either way, and of a server's reply: the longest record fits."""

BLOCK_BYTES = 512 * 1024
"""At this size a server cuts its blocks: large enough for the disk, small enough for memory."""

MAX_BLOCK_BYTES = 1024 * 1024
"""Largest block a client takes: servers cut at BLOCK_BYTES, and one chunk may stand over that."""

MAX_CHUNK_BYTES = 512 * 1024
"""Largest chunk, and so the most that one zstd frame may come out as: the longest line (a 65,535
octet rdata, every octet escaped) still fits."""

MAX_ELEMENTS = 1 << 17
"""Elements of one msgpack array or map: a block of 512 KiB in elements of at least four bytes."""

MAX_NESTING = 8
"""Containers around a msgpack value; a block has three: elements, a head's splices, a splice."""
