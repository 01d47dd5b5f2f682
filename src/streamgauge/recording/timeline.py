"""The chunk timeline: every chunk accounted for, in bounded memory and without content.

While the chunks fit the budget each has a row of its own. Above it neighbours share a row, and the resolution halves
each time the rows run out, so that the counts still add up to the number of chunks. A chunk with a mark (the first of
its kind, a phase change, a tool-call boundary, the end of a stall, the terminal marker) keeps a row of its own as
long as a third of the budget lasts.

Rows between two pinned chunks form a `Run`, kept as machine integers, so that halving a run costs some
tens of microseconds."""

from collections.abc import Iterator
from functools import cache
from itertools import repeat
from struct import Struct

from streamgauge.names import Mark
from streamgauge.recording.record import Slice

_ENDLESS = 2**62
ROW = Struct("5q")
"""Chunks, characters, arrival of the first and of the last, largest gap: as in `Slice`."""

_LONG = 8  # chunks; rows that are shorter are made many at once
_MARKS = tuple(Mark)
BIT = {mark: 1 << position for position, mark in enumerate(_MARKS)}


class Run:
    """Rows that follow each other without a pin between them, in one buffer: few of the lines of the processor's
    caches are needed to add one.
    """

    __slots__ = ("index", "rows")

    def __init__(self, index: int) -> None:
        self.index = index
        self.rows = bytearray()

    def halve(self) -> int:
        """Merge each row with its neighbour; how many rows are saved."""
        pairs = len(self.rows) // (2 * ROW.size)
        last = self.rows[2 * pairs * ROW.size :]
        rows = ROW.iter_unpack(self.rows[: 2 * pairs * ROW.size])
        self.rows = bytearray().join(map(_merged, rows, rows)) + last
        return pairs

    def slices(self) -> Iterator[Slice]:
        """The rows as they will be told."""
        index = self.index
        for row in ROW.iter_unpack(self.rows):
            yield Slice(index, *row)
            index += row[0]


@cache
def _told(marks: int) -> tuple[Mark, ...]:
    return tuple(mark for mark in _MARKS if marks & BIT[mark])


def _merged(row: tuple[int, ...], following: tuple[int, ...]) -> bytes:
    count, characters, first, _, gap = row
    return ROW.pack(count + following[0], characters + following[1], first, following[3], max(gap, following[4]))


class Timeline:
    """Rows of neighbouring chunks; at most `budget` rows, or as many as there are chunks when `budget` is None."""

    __slots__ = (
        "_budget",
        "_first",
        "_gap",
        "_last",
        "_parts",
        "_pins_left",
        "_rows",
        "_run",
        "_size",
        "chunks",
        "room",
        "stride",
    )

    def __init__(self, budget: int | None) -> None:
        self._budget = _ENDLESS if budget is None else budget
        self._pins_left = self._budget // 3
        self._parts: list[Run | Slice] = []
        self._run: Run | None = None
        self._rows = self._size = self._first = self._last = self._gap = 0
        self.stride = self.room = 1
        self.chunks = 0

    def extend(self, sizes: list[int], times: list[int], gaps: list[int]) -> None:
        """Account for neighbouring chunks: characters and arrival of each, and the gap before it."""
        begin, count = 0, len(sizes)
        while begin < count:
            rows = self._short_rows(count - begin)
            if rows > 0:
                end = begin + rows * self.stride
                self._whole_rows(sizes[begin:end], times[begin:end], gaps[begin:end])
            else:
                end = min(begin + self.room, count)
                self.add(end - begin, sum(sizes[begin:end]), times[begin], times[end - 1], max(gaps[begin:end]))
            begin = end

    def _short_rows(self, count: int) -> int:
        """How many rows so many chunks make at once; none where rows are long, or one is open."""
        if self.stride >= _LONG or self.room < self.stride:
            return 0
        return min(count // self.stride, self._budget - self._rows)

    def _whole_rows(self, sizes: list[int], times: list[int], gaps: list[int]) -> None:
        stride, run = self.stride, self._run or self._open_run(self.chunks)
        rows = len(sizes) // stride
        characters = map(sum, zip(*[iter(sizes)] * stride, strict=True))
        widest = map(max, zip(*[iter(gaps)] * stride, strict=True))
        firsts, lasts = times[::stride], times[stride - 1 :: stride]
        run.rows += b"".join(map(ROW.pack, repeat(stride, rows), characters, firsts, lasts, widest))
        self.chunks += len(sizes)
        self._rows_added(rows)

    def add(self, count: int, characters: int, first: int, last: int, gap: int) -> None:
        """Account for `count` neighbouring chunks at once, no more than there is room for in the open row."""
        self.chunks += count
        before = self.stride - self.room
        if before:
            characters, first = self._size + characters, self._first
            gap = max(gap, self._gap)
        self.room -= count
        if self.room:
            self._size, self._first, self._last, self._gap = characters, first, last, gap
        else:
            self.room = self.stride
            self._row(before + count, characters, first, last, gap)

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
        count, self.room = self.stride - self.room, self.stride
        if count:
            self._row(count, self._size, self._first, self._last, self._gap)

    def _row(self, count: int, characters: int, first: int, last: int, gap: int) -> None:
        run = self._run or self._open_run(self.chunks - count)
        run.rows += ROW.pack(count, characters, first, last, gap)
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
            self.room += self.stride
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
        self.stride = self.room = _ENDLESS

    def extend(self, sizes: list[int], times: list[int], gaps: list[int]) -> None:  # noqa: ARG002 - others keep them
        """Count the chunks."""
        self.chunks += len(sizes)

    def add(self, count: int, characters: int, first: int, last: int, gap: int) -> None:  # noqa: ARG002 - others keep it
        """Count the chunks."""
        self.chunks += count

    def pin(self, at: int, characters: int, gap: int, marks: int) -> None:  # noqa: ARG002 - others keep it
        """Count the chunk."""
        self.chunks += 1
