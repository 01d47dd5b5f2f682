"""One thread for all streams: seals what was dropped, tells of stalls while they go on, and seals what nobody reads.

Dropped streams arrive through a `SimpleQueue`, whose `put` may run anywhere, inside the garbage collector too.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any


class Watchdog:
    """A daemon thread that is started by the first stream and starts anew in a forked child."""

    def __init__(self, scan: Callable[[], bool], handle: Callable[[Any], None], interval: float) -> None:
        self._scan, self._handle, self._interval = scan, handle, interval
        self.reset()

    def reset(self) -> None:
        """Forget thread and queue; what a forked child must do."""
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def later(self, item: Any) -> None:
        """Have the thread handle `item` soon; safe in any context."""
        self._queue.put(item)

    def wake(self) -> None:
        """There is something to watch: run, if not yet running."""
        if self._thread is not None and self._thread.is_alive():
            return
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="streamgauge-watchdog", daemon=True)
                self._thread.start()

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
                item = queue.get(timeout=self._interval)
            except Empty:
                self._scan()
            else:
                if item is not None:
                    self._handle(item)
