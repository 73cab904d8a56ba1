"""Chunks that are read many at once, shortly before they are needed one by one.

A query costs as much as hundreds of rows. What was not held is read when it is asked for, so who
asks need not know what was.
"""

from collections.abc import Iterable, Iterator, Sequence

from syncd.store.view import View, stored_content


class HeldBodies:
    """The chunks' bodies of a view; see the module's top."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._held: dict[bytes, bytes] = {}

    def hold(self, digests: Iterable[bytes]) -> None:
        """Read these and forget those before. Raises ContentLost, ViewGone."""
        wanted = list(dict.fromkeys(digests))
        self._held = self._view.bodies(wanted) if wanted else {}

    def bodies(self, digests: Sequence[bytes]) -> dict[bytes, bytes]:
        """See View.bodies."""
        held = self._held
        if all(digest in held for digest in digests):
            return {digest: held[digest] for digest in digests}
        return self._view.bodies(digests)

    def contents(self, digests: Sequence[bytes]) -> Iterator[bytes]:
        """See View.chunk_contents."""
        held = self._held
        if all(digest in held for digest in digests):
            return (stored_content(digest, held[digest]) for digest in digests)
        return self._view.chunk_contents(digests)
