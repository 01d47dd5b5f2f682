"""The timeline: any marks, any budget, any batches; rows within the budget, counts that add up, order kept."""

import random
from itertools import takewhile

from hypothesis import given
from hypothesis import strategies as st

from streamgauge.names import Mark
from streamgauge.recording.timeline import BIT, Timeline

SIZES = [0, 1, 5, 500]
MARKED = [0] * 12 + [*BIT.values(), BIT[Mark.TERMINAL] | BIT[Mark.PHASE]]


def some(count: int, seed: int, share: int) -> list[tuple[int, int, int]]:
    """So many chunks: nanoseconds since the one before, characters, marks; long lists are what budgets are for."""
    chance = random.Random(seed)
    marks = MARKED[12 - share :]
    return [(chance.randrange(1000), chance.choice(SIZES), chance.choice(marks)) for _ in range(count)]


CHUNKS = st.builds(some, st.integers(0, 700), st.integers(), st.integers(0, 12))


def filled(chunks: list[tuple[int, int, int]], budget: int | None) -> tuple[Timeline, list[int]]:
    timeline, now, times = Timeline(budget), 0, []
    for gap, size, marks in chunks:
        now += gap
        times.append(now)
        if marks:
            timeline.pin(now, size, gap, marks)
        else:
            timeline.add(1, size, now, now, gap)
    return timeline, times


@given(CHUNKS, st.integers(8, 200), st.integers(0, 20))
def test_rows_keep_the_budget_and_account_for_every_chunk(
    chunks: list[tuple[int, int, int]], budget: int, spared: int
) -> None:
    timeline, times = filled(chunks, budget)
    timeline.close(max(budget - spared, 0))
    rows = list(timeline.slices())
    assert len(rows) <= max(budget - spared, budget // 3 * 2 + 2)
    assert timeline.chunks == sum(row.count for row in rows) == len(chunks)
    assert sum(row.characters for row in rows) == sum(size for _, size, _ in chunks)
    assert max((row.gap_max_ns for row in rows), default=0) == max((gap for gap, _, _ in chunks), default=0)
    assert timeline.stride >= max((row.count for row in rows), default=1)
    position = 0
    for row in rows:
        assert row.index == position
        assert (row.first_ns, row.last_ns) == (times[position], times[position + row.count - 1])
        position += row.count


@given(CHUNKS, st.integers(8, 200))
def test_marked_chunks_keep_rows_of_their_own_while_a_third_of_the_budget_lasts(
    chunks: list[tuple[int, int, int]], budget: int
) -> None:
    timeline, _ = filled(chunks, budget)
    timeline.close(None)
    marked = [place for place, (_, _, marks) in enumerate(chunks) if marks]
    kept = [row for row in timeline.slices() if row.marks]
    assert [row.index for row in kept] == marked[: budget // 3]
    assert {row.count for row in kept} <= {1}
    for row in kept:
        assert {mark for mark in Mark if chunks[row.index][2] & BIT[mark]} == set(row.marks)


@given(CHUNKS, st.integers(8, 200))
def test_each_chunk_has_its_own_row_while_they_fit(chunks: list[tuple[int, int, int]], budget: int) -> None:
    timeline, _ = filled(chunks[: budget - 1], budget)
    timeline.close(None)
    assert [row.count for row in timeline.slices()] == [1] * len(chunks[: budget - 1])


@given(CHUNKS)
def test_without_a_budget_nothing_is_merged(chunks: list[tuple[int, int, int]]) -> None:
    timeline, times = filled(chunks, None)
    timeline.close(None)
    rows = list(timeline.slices())
    assert [row.first_ns for row in rows] == times
    assert timeline.stride == 1


@given(CHUNKS, st.integers(8, 200) | st.none(), st.integers(1, 80))
def test_batches_are_told_as_if_each_chunk_had_been_told_alone(
    chunks: list[tuple[int, int, int]], budget: int | None, size: int
) -> None:
    alone, times = filled(chunks, budget)
    together, at = Timeline(budget), 0
    while at < len(chunks):
        batch = [*takewhile(lambda chunk: not chunk[2], chunks[at : at + size])]
        if batch:
            together.extend([size for _, size, _ in batch], times[at : at + len(batch)], [gap for gap, _, _ in batch])
            at += len(batch)
        else:
            gap, characters, marks = chunks[at]
            together.pin(times[at], characters, gap, marks)
            at += 1
    for timeline in (alone, together):
        timeline.close(budget)
    assert list(together.slices()) == list(alone.slices())
    assert (together.chunks, together.stride) == (alone.chunks, alone.stride)


@given(st.lists(st.integers(1, 64), min_size=50, max_size=200), st.integers(8, 40))
def test_batches_of_up_to_the_stride_account_for_the_same(sizes: list[int], budget: int) -> None:
    timeline, now, total = Timeline(budget), 0, 0
    for size in sizes:
        count = min(size, timeline.stride)
        timeline.add(count, 3 * count, now, now + count, count)
        now, total = now + count, total + count
    timeline.close(budget)
    rows = list(timeline.slices())
    assert len(rows) <= budget
    assert sum(row.count for row in rows) == total
    assert sum(row.characters for row in rows) == 3 * total
    assert [row.index for row in rows] == [sum(row.count for row in rows[:n]) for n in range(len(rows))]
