"""How steadily a stream flowed, from its sealed record: mean time per chunk and the fluidity index.

The fluidity index is the share of deadlines met, where early chunks bank slack and a late one starts the count anew
(Etalon/Metron, arXiv 2407.07000). It is read off the timeline: exact while every chunk has a row of its own, evenly
spread inside a row of several chunks."""

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
    met = missed = 0
    deadline = record.call.started_ns + first_ns
    for row in record.timeline:
        if not row.characters:
            continue
        if row.count == 1 and row.first_ns <= deadline:
            met, deadline = met + 1, deadline + next_ns
        else:
            more_met, more_missed, deadline = _row(row, deadline, next_ns)
            met, missed = met + more_met, missed + more_missed
    return met / (met + missed) if met else None if not missed else 0.0


def _row(row: Slice, deadline: int, next_ns: int) -> tuple[int, int, int]:
    """Deadlines met and missed by the chunks of one row, and the deadline after it; in closed form, however many they
    are.
    """
    step = (row.last_ns - row.first_ns) / (row.count - 1) if row.count > 1 else 0.0
    late = step - next_ns
    slack = deadline - row.first_ns
    on_time = row.count if slack >= 0 and late <= 0 else _before_late(slack, late, row.count)
    met, left, deadline = on_time, row.count - on_time, deadline + on_time * next_ns
    if not left:
        return met, 0, deadline
    at = row.first_ns + on_time * step
    missed = 1 + int((at - deadline) // next_ns)
    deadline = round(at) + next_ns
    if late <= 0:
        return met + left - 1, missed, deadline + (left - 1) * next_ns
    return met, missed + (left - 1) * (1 + int(late // next_ns)), round(row.last_ns) + next_ns


def _before_late(slack: int, late: float, count: int) -> int:
    """How many chunks, each `late` more than the deadline allows, are on time while the slack lasts."""
    return 0 if slack < 0 else min(count, int(slack // late) + 1)
