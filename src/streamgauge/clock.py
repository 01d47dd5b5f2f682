"""Time as an argument: everything that measures asks a `Clock`, so that tests can turn it by hand.

Durations come from a monotonic clock, the start of a stream from the wall clock, once.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks, in nanoseconds."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go backwards, from an unknown origin."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""
        ...


class SystemClock:
    """The clocks of the machine."""

    monotonic_ns = staticmethod(time.monotonic_ns)
    wall_ns = staticmethod(time.time_ns)


SYSTEM_CLOCK: Clock = SystemClock()
