"""What the log says while there are no file descriptors for further connections: one line a minute.

trio tries again ten times a second by itself, and would say so each time, with a trace.
"""

import logging
import time

_EVERY_S = 60.0


class _Rarely(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self._last_s = -_EVERY_S

    def filter(self, record: logging.LogRecord) -> bool:
        now_s = time.monotonic()
        if now_s - self._last_s < _EVERY_S:
            return False
        self._last_s = now_s
        record.msg += (
            "; connections wait until others end. Raise the limit on open files (ulimit -n, "
            "LimitNOFILE=)"
        )
        record.exc_info = None
        return True


_RARELY = _Rarely()


def log_accept_failures_rarely() -> None:
    """Keep what trio says about connections that it cannot accept to one line a minute."""
    logging.getLogger("trio.serve_listeners").addFilter(_RARELY)
