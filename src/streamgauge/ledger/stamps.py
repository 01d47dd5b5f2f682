"""Ledger time: wall-clock nanoseconds that never go backwards in one process and order everything the process writes.

Comes in: a `Clock`. Goes out: stamps. When the wall clock is set back, stamps go on at the pace of the monotonic clock
until it has caught up, so that durations stay true and an effect never settles before it started.
"""

import threading

from streamgauge.clock import SYSTEM_CLOCK, Clock


class Stamps:
    """Strictly rising stamps over one clock; safe to call from any thread."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = clock.wall_ns()
        self._last_monotonic = clock.monotonic_ns()

    def now(self) -> int:
        """A stamp later than every stamp before it."""
        with self._lock:
            monotonic = self._clock.monotonic_ns()
            paced = self._last + max(monotonic - self._last_monotonic, 1)
            self._last, self._last_monotonic = max(self._clock.wall_ns(), paced), monotonic
            return self._last
