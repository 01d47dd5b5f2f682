"""The intake: what happens to every chunk, and to most chunks nothing more.

In: a chunk and its time. Out: rows of the timeline that are plain text, that text in batches, and single chunks that
are more than that. This is the hot path: no object is built here, and what it touches lies side by side (a base
class's slots come first), because in a real stream the SDK's work between two chunks leaves none of it in the
processor's nearest cache."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from streamgauge.recording.timeline import Timeline

Reader = Callable[[Any, Any], str | None]
"""Tells a sink what a chunk carried; visible text and nothing else is given back instead, which is what nearly every
chunk carries.
"""

BLOCKED_NS = 1_000_000
"""A read that waited less than this was served from a buffer: the time before it was the consumer's, not the
provider's.
"""

BATCH = 64
"""Most pieces of plain text that are held before they are read."""


class Intake(ABC):
    """Takes chunks in; what they mean to the books is told by whoever extends it.

    `asked` is written by the tap whenever the consumer comes back for more; `now` is the arrival of the latest chunk.
    """

    __slots__ = (
        "_content_chunks",
        "_counted",
        "_first",
        "_gap",
        "_last",
        "_limit",
        "_moments",
        "_pieces",
        "_plain",
        "_read",
        "_stall_limit",
        "_text",
        "asked",
        "gap_max",
        "now",
        "timeline",
        "wait_ns",
    )

    def __init__(self, read: Reader, timeline: Timeline, now: int, stall_limit: int) -> None:
        self._read = read
        self.timeline = timeline
        self._stall_limit = stall_limit
        self.asked = self.now = now
        self.wait_ns = self.gap_max = self._text = self._content_chunks = 0
        self._plain = False
        self._pieces: list[str] = []
        # the open row: the pieces from `_counted` on, when the first of them and the latest content arrived, and the
        # widest gap; with `_limit` pieces the row is full, or the batch
        self._counted = self._first = self._last = 0
        self._gap = -1
        self._limit = 1
        # as long as each chunk has a row of its own: arrival and gap of each, in turns
        self._moments: list[int] | None = None

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
            self._last = now
            moments = self._moments
            if moments is not None:
                moments += (now, gap)
            elif gap > self._gap:
                if self._gap < 0:
                    self._first = now
                self._gap = gap
            if len(pieces) >= self._limit:
                self._full()
        else:
            if self._pieces:
                self._settle()
            self._make_room(self._single(piece, gap))

    def _full(self) -> None:
        room = self._close_row()
        if len(self._pieces) >= BATCH:
            self._settle()
        self._make_room(room)

    def _make_room(self, room: int) -> None:
        self._limit = min(len(self._pieces) + room, BATCH)
        self._moments = [] if self.timeline.apart else None

    def _close_row(self) -> int:
        pieces, counted, moments = self._pieces, self._counted, self._moments
        self._counted = len(pieces)
        sizes = [*map(len, pieces[counted:] if counted else pieces)]
        count, size = len(sizes), sum(sizes)
        self._text += size
        self._content_chunks += count
        if moments:
            times, gaps = moments[::2], moments[1::2]
            gap, room = max(gaps), self.timeline.each(sizes, times, gaps)
        else:
            gap, self._gap = self._gap, -1
            room = self.timeline.add(count, size, self._first, self._last, gap)
        if gap > self.gap_max:
            self.gap_max = gap
        return room

    def _settle(self) -> None:
        """Account for all text that is held, and let go of it."""
        if self._counted < len(self._pieces):
            self._close_row()
        # emptied first: who is told of a loop may ask what was counted, and what is settled counts elsewhere
        pieces, self._pieces, self._counted = self._pieces, [], 0
        self._read_on(pieces)

    @abstractmethod
    def _read_on(self, pieces: list[str]) -> None:
        """The text that follows; to be read and forgotten."""

    @abstractmethod
    def _single(self, piece: str | None, gap: int) -> int:
        """A chunk that is not just more of the same text; how many the timeline's next row takes."""

    @abstractmethod
    def _stalled(self, gap: int, now: int) -> None:
        """The chunk that is about to be read comes after a silence longer than its phase allows."""

    @abstractmethod
    def _unreadable(self) -> None:
        """The reader failed on a chunk."""
