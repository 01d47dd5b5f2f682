"""The chunk timeline: every chunk accounted for, in bounded memory and without content.

While the chunks fit the budget each has a row of its own. Above it neighbours share a row, and the resolution halves
each time the rows run out, so that the counts still add up to the number of chunks. A chunk with a mark (the first of
its kind, a phase change, a tool-call boundary, the end of a stall, the terminal marker) keeps a row of its own as
long as a third of the budget lasts.

Rows between two pinned chunks form a `Run`, kept as columns of machine integers, so that halving a run costs a few
microseconds."""

from array import array
from collections.abc import Iterator
from functools import cache
from itertools import repeat
from operator import add

from streamgauge.names import Mark
from streamgauge.recording.record import Slice

_MARKS = tuple(Mark)
BIT = {mark: 1 << position for position, mark in enumerate(_MARKS)}


class Run:
    """Rows that follow each other without a pin between them."""

    __slots__ = ("counts", "firsts", "gaps", "index", "lasts", "sizes")

    def __init__(self, index: int) -> None:
        self.index = index
        self.counts, self.sizes, self.firsts, self.lasts, self.gaps = (array("q") for _ in range(5))

    def halve(self) -> int:
        """Merge each row with its neighbour; how many rows are saved."""
        before = len(self.counts)
        odd = before % 2
        self.counts = _paired(self.counts, add, odd)
        self.sizes = _paired(self.sizes, add, odd)
        self.gaps = _paired(self.gaps, max, odd)
        self.firsts = self.firsts[::2]
        self.lasts = self.lasts[1::2] + (self.lasts[-1:] if odd else array("q"))
        return before - len(self.counts)

    def slices(self) -> Iterator[Slice]:
        """The rows as they will be told."""
        index = self.index
        for row in zip(self.counts, self.sizes, self.firsts, self.lasts, self.gaps, strict=True):
            yield Slice(index, *row)
            index += row[0]


@cache
def _told(marks: int) -> tuple[Mark, ...]:
    return tuple(mark for mark in _MARKS if marks & BIT[mark])


def _paired(column: "array[int]", merge: object, odd: int) -> "array[int]":
    merged = array("q", map(merge, column[::2], column[1::2]))  # type: ignore[call-overload]
    if odd:
        merged.append(column[-1])
    return merged


class Timeline:
    """Rows of neighbouring chunks; at most `budget` rows, or as many as there are chunks when `budget` is None."""

    __slots__ = (
        "_budget",
        "_count",
        "_first",
        "_gap",
        "_last",
        "_parts",
        "_pins_left",
        "_rows",
        "_run",
        "_size",
        "_written",
        "chunks",
        "stride",
    )

    def __init__(self, budget: int | None) -> None:
        self._budget = budget
        self._pins_left = -1 if budget is None else budget // 3
        self._parts: list[Run | Slice] = []
        self._run: Run | None = None
        self._rows = self._written = self._count = self._size = self._first = self._last = self._gap = 0
        self.stride = 1
        self.chunks = 0

    def extend(self, sizes: list[int], times: list[int], gaps: list[int]) -> None:
        """Account for neighbouring chunks: characters and arrival of each, and the gap before it."""
        if self._count + len(sizes) <= self.stride:
            self.add(len(sizes), sum(sizes), times[0], times[-1], max(gaps))
            return
        at = self._alone(sizes, times, gaps) if self.stride == 1 else 0
        while at < len(sizes):
            to = at + self.stride - self._count
            mine = times[at:to]
            self.add(len(mine), sum(sizes[at:to]), mine[0], mine[-1], max(gaps[at:to]))
            at = to

    def _alone(self, sizes: list[int], times: list[int], gaps: list[int]) -> int:
        """Give each chunk a row of its own, while there is room; how many got one."""
        room = len(sizes) if self._budget is None else min(self._budget - self._rows, len(sizes))
        run = self._open_run()
        run.counts.extend(repeat(1, room))
        run.sizes.extend(sizes[:room])
        run.firsts.extend(times[:room])
        run.lasts.extend(times[:room])
        run.gaps.extend(gaps[:room])
        self.chunks += room
        self._written += room
        self._rows_added(room)
        return room

    def add(self, count: int, characters: int, first: int, last: int, gap: int) -> None:
        """Account for `count` neighbouring chunks at once; no more than there is room for in the open row."""
        if not self._count:
            self._first = first
        self.chunks += count
        self._count += count
        self._size += characters
        self._last = last
        if gap > self._gap:
            self._gap = gap
        if self._count >= self.stride:
            self._close_row()

    def pin(self, at: int, characters: int, gap: int, marks: int) -> None:
        """Account for one chunk that keeps a row of its own, as long as there is room for such rows."""
        if not self._pins_left:
            self.add(1, characters, at, at, gap)
            return
        self._close_row()
        self._pins_left -= 1
        self._parts.append(Slice(self.chunks, 1, characters, at, at, gap, _told(marks)))
        self.chunks += 1
        self._written += 1
        self._run = None
        self._rows_added(1)

    def _open_run(self) -> Run:
        if self._run is None:
            self._run = Run(self._written)
            self._parts.append(self._run)
        return self._run

    def _close_row(self) -> None:
        if not self._count:
            return
        run = self._open_run()
        run.counts.append(self._count)
        run.sizes.append(self._size)
        run.firsts.append(self._first)
        run.lasts.append(self._last)
        run.gaps.append(self._gap)
        self._written += self._count
        self._count = self._size = self._gap = 0
        self._rows_added(1)

    def _rows_added(self, count: int) -> None:
        self._rows += count
        if self._budget is not None and self._rows >= self._budget:
            self.shrink(self._budget - 1)

    def shrink(self, limit: int) -> None:
        """Halve the resolution until at most `limit` rows are left, or nothing more can be merged."""
        saved = 1
        while self._rows > limit and saved:
            saved = sum(part.halve() for part in self._parts if isinstance(part, Run))
            self._rows -= saved
            self.stride *= 2

    def close(self, limit: int | None) -> None:
        """No chunk will follow; leave room by keeping at most `limit` rows."""
        self._close_row()
        if limit is not None:
            self.shrink(limit)

    def slices(self) -> Iterator[Slice]:
        """The closed rows, oldest first; after `close` their counts add up to the number of chunks."""
        for part in self._parts:
            if isinstance(part, Run):
                yield from part.slices()
            else:
                yield part


class NoTimeline(Timeline):
    """A timeline that counts the chunks and keeps nothing, for streams whose chunk events are off."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None)

    def extend(self, sizes: list[int], times: list[int], gaps: list[int]) -> None:  # noqa: ARG002 - others keep it
        """Count the chunks."""
        self.chunks += len(sizes)

    def add(self, count: int, characters: int, first: int, last: int, gap: int) -> None:  # noqa: ARG002 - others keep it
        """Count the chunks."""
        self.chunks += count

    def pin(self, at: int, characters: int, gap: int, marks: int) -> None:  # noqa: ARG002 - others keep it
        """Count the chunk."""
        self.chunks += 1
