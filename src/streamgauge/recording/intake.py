"""The intake: what happens to every chunk, and to most chunks nothing more.

In: a chunk and its time. Out: batches of plain text that are settled together, and single chunks that are more than
that. This is the hot path: no object is built here, and what it touches lies side by side (a base class's slots come
first), because in a real stream the SDK's work between two chunks leaves none of it in the processor's nearest
cache."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

Reader = Callable[[Any, Any], str | None]
"""Tells a sink what a chunk carried; visible text and nothing else is given back instead, which is what nearly every
chunk carries.
"""

BLOCKED_NS = 1_000_000
"""A read that waited less than this was served from a buffer: the time before it was the consumer's, not the
provider's.
"""

BATCH = 64
"""Most chunks of plain text that are settled together."""


class Intake(ABC):
    """Takes chunks in; what they mean to the books is told by whoever extends it.

    `asked` is written by the tap whenever the consumer comes back for more; `now` is the arrival of the latest chunk.
    """

    __slots__ = ("_gaps", "_pieces", "_plain", "_read", "_stall_limit", "_times", "asked", "now", "wait_ns")

    def __init__(self, read: Reader, now: int, stall_limit: int) -> None:
        self._read = read
        self._stall_limit = stall_limit
        self.asked = self.now = now
        self.wait_ns = 0
        # the open batch, a chunk a row: its text, its arrival, the gap before it
        self._pieces: list[str] = []
        self._times: list[int] = []
        self._gaps: list[int] = []
        self._plain = False

    def feed(self, chunk: Any, now: int) -> None:
        """Account for one chunk as the provider's SDK yields it, arrived at `now`."""
        gap = now - self.asked
        self.wait_ns += gap
        if gap > BLOCKED_NS:
            gap = now - self.now
            if gap > self._stall_limit:
                self._stalled(gap, now)
        self.now = now
        try:
            piece = self._read(chunk, self)
        except Exception:
            self._unreadable()
            piece = None
        if piece and self._plain and type(piece) is str:
            pieces = self._pieces
            pieces.append(piece)
            self._times.append(now)
            self._gaps.append(gap)
            if len(pieces) >= BATCH:
                self._settle()
        else:
            if self._pieces:
                self._settle()
            self._single(piece, gap)

    def _settle(self) -> None:
        """Account for the open batch."""
        pieces, times, gaps = self._pieces, self._times, self._gaps
        # emptied first: who is told of a loop may ask what was counted, and what is settled counts elsewhere
        self._pieces, self._times, self._gaps = [], [], []
        self._plainly(pieces, times, gaps)

    @abstractmethod
    def _plainly(self, pieces: list[str], times: list[int], gaps: list[int]) -> None:
        """Chunks that carried visible text and nothing else: the text, the arrival and the gap before each."""

    @abstractmethod
    def _single(self, piece: str | None, gap: int) -> None:
        """A chunk that is not just more of the same text."""

    @abstractmethod
    def _stalled(self, gap: int, now: int) -> None:
        """The chunk that is about to be read comes after a silence longer than its phase allows."""

    @abstractmethod
    def _unreadable(self) -> None:
        """The reader failed on a chunk."""
