"""A quick start and end for commands that live a quarter of a second.

Measured on `syncclient resync`: collecting garbage while modules are imported, and once more over
all of them when the interpreter ends, is 70 of 300 ms. Ctrl-C in that quarter of a second ends it
without a trace.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (50_000, 20, 20)
"""Objects made before a collection: rare enough for imports, often enough for a daemon."""

_INTERRUPTED_STATUS = 130


@contextmanager
def few_collections() -> Iterator[None]:
    """Collect garbage rarely inside, and not at all over what is left when the process ends."""
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    except KeyboardInterrupt:  # before the command itself began, or behind its end
        raise SystemExit(_INTERRUPTED_STATUS) from None
    finally:
        gc.freeze()
