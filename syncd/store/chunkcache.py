"""Contents of the chunks that were read last, kept in memory.

A change of one record reads its whole zone several times: to cut it anew, to verify what came of
it, to write its file, and again for the next change. Kept by digest, and only what has that digest,
so nothing here can be out of date or wrong. Safe to use from threads.
"""

from syncd.content.versions import chunk_digest

CACHED_BYTES = 8 * 1024 * 1024
"""Of contents: a daemon's, or an agent's, and not a session's."""
CACHED_CHUNKS = 256
"""Of an object that has more, none is kept: reading it would drive out everything else."""


class ChunkCache:
    """Two generations: what is not asked for again goes with the older one."""

    def __init__(self, max_bytes: int = CACHED_BYTES) -> None:
        self._generation_bytes = max_bytes // 2
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}
        self._young_bytes = 0

    def get(self, digest: bytes) -> bytes | None:
        """Return a chunk's content, if it is kept."""
        content = self._young.get(digest)
        if content is None:
            content = self._old.get(digest)
            if content is not None:
                self._add(digest, content)
        return content

    def keep(self, digest: bytes, content: bytes) -> None:
        """Keep a chunk's content, if it is what its digest says."""
        if chunk_digest(content) == digest:
            self._add(digest, content)

    def _add(self, digest: bytes, content: bytes) -> None:
        # Threads that get in each other's way here lose something that is read again then.
        self._young[digest] = content
        self._young_bytes += len(content)
        if self._young_bytes > self._generation_bytes:
            self._old, self._young, self._young_bytes = self._young, {}, 0
