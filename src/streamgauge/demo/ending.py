"""How the programs of the demo end when they are told to: containers and service managers say it by SIGTERM."""

import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """A block that SIGTERM interrupts as Ctrl-C does; for the main thread, which alone is told of signals."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
