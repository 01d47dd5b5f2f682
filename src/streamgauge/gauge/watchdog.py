"""One thread for all streams: seals what was dropped, tells of stalls while they go on, and seals what nobody reads.

Dropped streams arrive through a `SimpleQueue`, whose `put` may run anywhere, inside the garbage collector too.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

LINGER = 5.0
"""Seconds that the thread waits for another stream before it ends."""


class Watchdog:
    """A daemon thread that lives while streams are open; the first stream starts it, in a forked child anew.

    `scan` looks after every open stream and says whether there is any.
    """

    def __init__(self, scan: Callable[[], bool], handle: Callable[[Any], None], interval: float) -> None:
        self._scan, self._handle, self._interval = scan, handle, interval
        self.reset()

    def reset(self) -> None:
        """Forget thread and queue; what a forked child must do."""
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._resting = False
        self._changing = threading.Lock()

    def later(self, item: Any) -> None:
        """Have the thread handle `item` soon; safe in any context."""
        self._queue.put(item)

    def wake(self) -> None:
        """There is something to watch: run, if not yet running."""
        with self._changing:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="streamgauge-watchdog", daemon=True)
                self._thread.start()
            elif self._resting:
                self._resting = False
                self._queue.put(None)

    def drain(self) -> None:
        """Handle what is waiting, in the caller's thread."""
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                return
            if item is not None:
                self._handle(item)

    def _run(self) -> None:
        queue = self._queue
        while self._queue is queue:
            try:
                item = queue.get(timeout=LINGER if self._resting else self._interval)
            except Empty:
                if not self._scan() and self._ends():
                    return
            else:
                if item is not None:
                    self._handle(item)

    def _ends(self) -> bool:
        """Nothing is open: rest at first, and end when the rest was not disturbed."""
        with self._changing:
            if self._scan():
                return False
            if self._resting:
                self._thread = None
                return True
            self._resting = True
            return False
