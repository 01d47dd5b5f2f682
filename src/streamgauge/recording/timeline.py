"""The chunk timeline: every chunk accounted for, in bounded memory and without content.

While the chunks fit the budget each has a row of its own. Above it neighbours share a row, and the resolution halves each time
the rows run out, so that the counts still add up to the number of chunks. A chunk with a mark (the first of its kind, a phase
change, a tool-call boundary, the end of a stall, the terminal marker) keeps a row of its own as long as a third of the budget lasts.
"""

from array import array
from collections.abc import Iterator

from streamgauge.names import Mark
from streamgauge.recording.record import Slice

_COLUMNS = 7  # index, count, characters, first, last, gap, marks
_MARKS = tuple(Mark)
BIT = {mark: 1 << position for position, mark in enumerate(_MARKS)}


class Timeline:
    """Rows of neighbouring chunks; at most `budget` rows, or as many as there are chunks when `budget` is None."""

    __slots__ = ("_budget", "_count", "_first", "_gap", "_index", "_last", "_pins_left", "_rows", "_size", "stride")

    def __init__(self, budget: int | None) -> None:
        self._budget = budget
        self._pins_left = -1 if budget is None else budget // 3
        self._rows = array("q")
        self.stride = 1
        self._index = self._count = self._size = self._first = self._last = self._gap = 0

    def add(self, at: int, characters: int, gap: int, marks: int) -> None:
        """Account for one chunk that arrived at `at` with so many characters, `gap` after the one before."""
        if marks and self._pins_left:
            self._pin(at, characters, gap, marks)
            return
        count = self._count = self._count + 1
        if count == 1:
            self._first = at
        self._last = at
        self._size += characters
        if gap > self._gap:
            self._gap = gap
        if count >= self.stride:
            self._flush()

    def _pin(self, at: int, characters: int, gap: int, marks: int) -> None:
        if self._count:
            self._flush()
        self._pins_left -= 1
        self._append((self._index, 1, characters, at, at, gap, marks))
        self._index += 1

    def _flush(self) -> None:
        self._append((self._index, self._count, self._size, self._first, self._last, self._gap, 0))
        self._index += self._count
        self._count = self._size = self._gap = 0

    def _append(self, row: tuple[int, ...]) -> None:
        self._rows.extend(row)
        if self._budget is not None and len(self._rows) >= self._budget * _COLUMNS:
            self.shrink(self._budget - 1)

    def shrink(self, limit: int) -> None:
        """Halve the resolution until at most `limit` rows are left, or nothing more can be merged."""
        while len(self._rows) > limit * _COLUMNS and self.stride <= self._index:
            self.stride *= 2
            self._rows = _merged(self._rows, self.stride)

    def slices(self) -> Iterator[Slice]:
        """The rows so far, oldest first; their counts add up to the number of chunks."""
        if self._count:
            self._flush()
        for start in range(0, len(self._rows), _COLUMNS):
            *numbers, marks = self._rows[start : start + _COLUMNS]
            yield Slice(*numbers, marks=tuple(mark for mark in _MARKS if marks & BIT[mark]))


def _merged(rows: "array[int]", stride: int) -> "array[int]":
    merged = array("q")
    for start in range(0, len(rows), _COLUMNS):
        index, count, size, first, last, gap, marks = rows[start : start + _COLUMNS]
        if merged and not marks and not merged[-1] and merged[-6] + count <= stride:
            merged[-6] += count
            merged[-5] += size
            merged[-3] = last
            merged[-2] = max(merged[-2], gap)
        else:
            merged.extend((index, count, size, first, last, gap, marks))
    return merged


class NoTimeline(Timeline):
    """A timeline that keeps nothing, for streams whose chunk events are off."""

    __slots__ = ()

    def add(self, at: int, characters: int, gap: int, marks: int) -> None:
        """Let the chunk go by."""
