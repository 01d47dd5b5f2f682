"""How steadily a stream flowed, from its sealed record: mean time per chunk and the fluidity index.

The fluidity index is the share of deadlines met, where early chunks bank slack and a late one starts the count anew
(Etalon/Metron, arXiv 2407.07000). It is read off the timeline: exact while every chunk has a row of its own, evenly
spread inside a row of several chunks."""

from collections.abc import Iterable, Iterator

from streamgauge.recording import Slice, StreamRecord


def time_per_chunk_ns(record: StreamRecord) -> float | None:
    """Mean nanoseconds between content chunks; None with fewer than two."""
    first = min(
        (at for at in (record.first_text_ns, record.first_reasoning_ns, record.first_tool_call_ns) if at), default=None
    )
    if first is None or record.last_content_ns is None or record.content_chunks < 2:
        return None
    return (record.last_content_ns - first) / (record.content_chunks - 1)


def fluidity(record: StreamRecord, first_ns: int, next_ns: int) -> float | None:
    """Share of deadlines met, 0 to 1; None without content or without a timeline."""
    slices = [row for row in record.timeline if row.characters]
    if not slices:
        return None
    return _share(arrivals(slices), record.call.started_ns, first_ns, next_ns)


def arrivals(slices: Iterable[Slice]) -> Iterator[int]:
    """When each chunk arrived, evenly spread between the first and the last of a row."""
    for row in slices:
        step = (row.last_ns - row.first_ns) / (row.count - 1) if row.count > 1 else 0
        for position in range(row.count):
            yield round(row.first_ns + position * step)


def _share(times: Iterator[int], started: int, first_ns: int, next_ns: int) -> float:
    met = missed = 0
    deadline = started + first_ns
    for at in times:
        if at <= deadline:
            met += 1
            deadline += next_ns
        else:
            missed += 1 + (at - deadline) // next_ns
            deadline = at + next_ns
    return met / (met + missed)
