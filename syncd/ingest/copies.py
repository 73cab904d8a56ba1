"""Work done by a copy of this process, whose results come through a pipe."""

import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, NoReturn

from syncd.pipes import widen


@contextmanager
def copy_that_sends(results: Callable[[], Iterable[object]]) -> Iterator[BinaryIO]:
    """Have a copy of this process make results, and give the pipe through which they come, pickled
    one after another; a full pipe makes the copy wait. It is gone with the block.

    Not for a process with threads: the copy would lack them.
    """
    read_end, write_end = os.pipe()
    widen(write_end)
    # Python's hooks around a fork would print and forget a Ctrl-C; the copy never needs one.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    copy = os.fork()
    if copy == 0:
        os.close(read_end)
        _send_all(results, write_end)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(write_end)
        with open(read_end, "rb") as stream:
            yield stream
    finally:
        os.kill(copy, signal.SIGKILL)
        os.waitpid(copy, 0)


def _send_all(results: Callable[[], Iterable[object]], write_end: int) -> NoReturn:
    """Send the results and end this process; whoever is at the other end ends it sooner."""
    status = 1
    try:
        with open(write_end, "wb", buffering=0) as pipe:
            for result in results():
                pipe.write(pickle.dumps(result, protocol=5))
        status = 0
    except BrokenPipeError:
        status = 0  # nobody reads any more
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)
