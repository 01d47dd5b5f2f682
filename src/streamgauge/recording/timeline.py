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

_ENDLESS = 2**62
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
        "chunks",
        "stride",
    )

    def __init__(self, budget: int | None) -> None:
        self._budget = _ENDLESS if budget is None else budget
        self._pins_left = self._budget // 3
        self._parts: list[Run | Slice] = []
        self._run: Run | None = None
        self._rows = self._count = self._size = self._first = self._last = self._gap = 0
        self.stride = 1
        self.chunks = 0

    def fits(self, count: int) -> bool:
        """Whether so many chunks are all of the open row, or part of it."""
        return count <= self.stride - self._count

    def next_batch(self, most: int) -> int:
        """How many chunks are best told at once: where rows are long, no more than the open one takes."""
        return most if self.stride < most else min(most, self.stride - self._count)

    def extend(self, sizes: list[int], times: list[int], gaps: list[int]) -> None:
        """Account for neighbouring chunks: characters and arrival of each, and the gap before it."""
        begin, count = 0, len(sizes)
        while begin < count:
            whole = 0 if self._count else min((count - begin) // self.stride, self._budget - self._rows)
            end = begin + whole * self.stride if whole else min(begin + self.stride - self._count, count)
            take = self._whole_rows if whole else self._part_of_a_row
            take(sizes[begin:end], times[begin:end], gaps[begin:end])
            begin = end

    def _whole_rows(self, sizes: list[int], times: list[int], gaps: list[int]) -> None:
        stride, run = self.stride, self._run or self._open_run(self.chunks)
        rows = len(sizes) // stride
        run.counts.extend(repeat(stride, rows))
        run.sizes.extend(map(sum, zip(*[iter(sizes)] * stride, strict=True)))
        run.firsts.extend(times[::stride])
        run.lasts.extend(times[stride - 1 :: stride])
        run.gaps.extend(map(max, zip(*[iter(gaps)] * stride, strict=True)))
        self.chunks += len(sizes)
        self._rows_added(rows)

    def _part_of_a_row(self, sizes: list[int], times: list[int], gaps: list[int]) -> None:
        self.add(len(sizes), sum(sizes), times[0], times[-1], max(gaps))

    def add(self, count: int, characters: int, first: int, last: int, gap: int) -> None:
        """Account for `count` neighbouring chunks at once, no more than there is room for in the open row."""
        self.chunks += count
        if self._count:
            count, characters, first = self._count + count, self._size + characters, self._first
            gap = max(gap, self._gap)
        if count < self.stride:
            self._count, self._size, self._first, self._last, self._gap = count, characters, first, last, gap
        else:
            self._count = 0
            self._row(count, characters, first, last, gap)

    def pin(self, at: int, characters: int, gap: int, marks: int) -> None:
        """Account for one chunk that keeps a row of its own, as long as there is room for such rows."""
        if not self._pins_left:
            self.add(1, characters, at, at, gap)
            return
        self._close_row()
        self._pins_left -= 1
        self._parts.append(Slice(self.chunks, 1, characters, at, at, gap, _told(marks)))
        self.chunks += 1
        self._run = None
        self._rows_added(1)

    def _close_row(self) -> None:
        if self._count:
            count, self._count = self._count, 0
            self._row(count, self._size, self._first, self._last, self._gap)

    def _row(self, count: int, characters: int, first: int, last: int, gap: int) -> None:
        run = self._run or self._open_run(self.chunks - count)
        run.counts.append(count)
        run.sizes.append(characters)
        run.firsts.append(first)
        run.lasts.append(last)
        run.gaps.append(gap)
        self._rows_added(1)

    def _open_run(self, index: int) -> Run:
        if self._run is None:
            self._run = Run(index)
            self._parts.append(self._run)
        return self._run

    def _rows_added(self, count: int) -> None:
        self._rows += count
        if self._rows >= self._budget:
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

    def fits(self, count: int) -> bool:  # noqa: ARG002 - others ask
        """There is one row, and it is not kept."""
        return True

    def extend(self, sizes: list[int], times: list[int], gaps: list[int]) -> None:  # noqa: ARG002 - others keep them
        """Count the chunks."""
        self.chunks += len(sizes)

    def add(self, count: int, characters: int, first: int, last: int, gap: int) -> None:  # noqa: ARG002 - others keep it
        """Count the chunks."""
        self.chunks += count

    def pin(self, at: int, characters: int, gap: int, marks: int) -> None:  # noqa: ARG002 - others keep it
        """Count the chunk."""
        self.chunks += 1
