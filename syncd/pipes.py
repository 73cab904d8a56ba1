"""What both programs do to a pipe between two of their processes."""

import fcntl
from contextlib import suppress

_PIPE_BYTES = 1024 * 1024


def widen(pipe: int) -> None:
    """Give a pipe room for a block and more, where the system allows it: fewer changes between two
    processes."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
